//! The processes of this node, by pid and by name.

use crate::{Forward, Handle};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use rapidhash::fast::RandomState;
use swarm_base::{Name, Pid};

/// Concurrent maps of this node's processes. What they give out is owned: no guard leaves here.
#[derive(Debug)]
pub(crate) struct Table {
    by_serial: DashMap<u64, Here, RandomState>,
    by_name: DashMap<Name, Named, RandomState>,
}

/// What became of a pid.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// It is here.
    Here(Handle),
    /// It has moved away: ask for the name.
    Moved(Name),
    /// It ended, or never was.
    Nowhere,
}

/// Whether a process stands in for its name or waits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    Running,
    Standby,
}

#[derive(Debug)]
enum Here {
    Process(Handle),
    // Boxed: there are few, and every process pays for the largest variant.
    Moved(Box<Forward>),
}

#[derive(Debug, Default)]
struct Named {
    running: Option<Handle>,
    standby: Option<Handle>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { by_serial: DashMap::default(), by_name: DashMap::default() }
    }

    pub(crate) fn insert(&self, handle: &Handle, post: Post) {
        self.by_serial.insert(handle.pid().serial, Here::Process(handle.clone()));
        self.set_post(handle, post);
    }

    /// Enters the process under its name. A standby that is entered as running is one no more.
    pub(crate) fn set_post(&self, handle: &Handle, post: Post) {
        let Some(name) = handle.name() else { return };
        let mut named = self.by_name.entry(name.clone()).or_default();
        named.forget(handle);
        *named.at(post) = Some(handle.clone());
    }

    pub(crate) fn find(&self, pid: Pid) -> Lookup {
        match self.by_serial.get(&pid.serial).as_deref() {
            Some(Here::Process(handle)) => Lookup::Here(handle.clone()),
            Some(Here::Moved(forward)) => Lookup::Moved(forward.name.clone()),
            None => Lookup::Nowhere,
        }
    }

    pub(crate) fn named(&self, name: &Name, post: Post) -> Option<Handle> {
        let named = self.by_name.get(name)?;
        match post {
            Post::Running => named.running.clone(),
            Post::Standby => named.standby.clone(),
        }
    }

    /// Takes a process out, or puts in its place where it has moved to.
    pub(crate) fn remove(&self, handle: &Handle, forward: Option<Forward>) {
        let serial = handle.pid().serial;
        match forward {
            Some(forward) => drop(self.by_serial.insert(serial, Here::Moved(Box::new(forward)))),
            None => drop(self.by_serial.remove(&serial)),
        }
        let Some(name) = handle.name() else { return };
        if let Entry::Occupied(mut entry) = self.by_name.entry(name.clone()) {
            entry.get_mut().forget(handle);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// Forgets where a process has moved to.
    pub(crate) fn forget(&self, serial: u64) {
        self.by_serial.remove_if(&serial, |_, here| matches!(here, Here::Moved(_)));
    }

    pub(crate) fn handles(&self) -> Vec<Handle> {
        let process = |here: &Here| match here {
            Here::Process(handle) => Some(handle.clone()),
            Here::Moved(_) => None,
        };
        self.by_serial.iter().filter_map(|entry| process(&entry)).collect()
    }
}

impl Named {
    fn at(&mut self, post: Post) -> &mut Option<Handle> {
        match post {
            Post::Running => &mut self.running,
            Post::Standby => &mut self.standby,
        }
    }

    fn forget(&mut self, handle: &Handle) {
        for post in [Post::Running, Post::Standby] {
            self.at(post).take_if(|held| held.pid() == handle.pid());
        }
    }

    const fn is_empty(&self) -> bool {
        self.running.is_none() && self.standby.is_none()
    }
}
