//! No registered name is lost while a node lives that knows of it, and no stopped one comes back.

use super::present;
use crate::node::{Outcome, Owner};
use crate::world::host::SimNode;
use crate::world::news::{Asked, News};
use crate::world::truth::{Hosts, Shared, Status, Truth};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Name};
use swarm_sim::{Check, Violation};

pub(super) const LOST: &str = "no registered name is lost";

pub(super) const BACK: &str = "no stopped name comes back";

#[derive(Debug)]
pub(crate) struct Survival {
    truth: Shared,
    judged: u64,
}

impl Survival {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, judged: 0 }
    }
}

impl Check<SimNode> for Survival {
    fn name(&self) -> &'static str {
        LOST
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        self.judged += of(&truth, Status::Taken).count() as u64;
        lost(&truth, hosts).map_or(Ok(()), |lost| Err(Violation::new(self.name(), now, lost)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

#[derive(Debug)]
pub(crate) struct Stopped {
    truth: Shared,
    /// Which question is about which name.
    asked: BTreeMap<(SocketAddr, u64), Name>,
    judged: u64,
}

impl Stopped {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, asked: BTreeMap::new(), judged: 0 }
    }
}

impl Check<SimNode> for Stopped {
    fn name(&self) -> &'static str {
        BACK
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        let again = match event {
            News::Began { name, pid, how, .. } => {
                let book = truth.names.get(name);
                let is_stopped =
                    book.is_some_and(|book| book.status == Status::Free && !book.is_busy);
                is_stopped.then(|| format!("{name} began as {pid} at {addr} ({how:?})"))
            }
            News::Asked { id, what: Asked::Stop(name) } => {
                self.asked.insert((addr, *id), name.clone());
                None
            }
            News::Answered { id, outcome: Outcome::Done } => {
                self.judged += u64::from(self.asked.remove(&(addr, *id)).is_some());
                None
            }
            _ => None,
        };
        match again {
            Some(sentence) if truth.split.is_none() => {
                Err(Violation::new(self.name(), now, sentence))
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let truth = self.truth.borrow();
        self.judged += of(&truth, Status::Free).count() as u64;
        back(&truth, hosts).map_or(Ok(()), |back| Err(Violation::new(self.name(), now, back)))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}

pub(super) fn lost(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let (addr, host) = present(hosts).next()?;
    let is_lost = |name: &&Name| host.names().whereis(name.as_bytes()).is_none();
    let name = of(truth, Status::Taken).filter(is_lost).find(|name| is_served(hosts, name))?;
    Some(format!("{name} is registered, and {addr} does not find it"))
}

pub(super) fn back(truth: &Truth, hosts: &Hosts) -> Option<String> {
    let (addr, host) = present(hosts).next()?;
    let pid = |name: &Name| host.names().whereis(name.as_bytes());
    let (name, pid) = of(truth, Status::Free).find_map(|name| Some((name, pid(name)?)))?;
    Some(format!("{name} was stopped, and {addr} finds {pid}"))
}

fn of(truth: &Truth, status: Status) -> impl Iterator<Item = &Name> {
    let books = truth.names.iter().filter(move |(_, book)| book.status == status);
    books.filter(|(_, book)| !book.is_busy).map(|(name, _)| name)
}

/// Whether none of these nodes may run the name, as all of them see it.
pub(super) fn nobody_serves<'a>(hosts: impl Iterator<Item = &'a SimNode>, name: &Name) -> bool {
    let mut hosts = hosts.peekable();
    hosts.peek().is_some() && hosts.all(|host| !serves(host, name))
}

/// Whether some node may run the name: one that is ready and serves its kind.
pub(super) fn is_served(hosts: &Hosts, name: &Name) -> bool {
    present(hosts).any(|(_, host)| serves(host, name))
}

/// Whether some node may run the name, as this one sees it.
fn serves(host: &SimNode, name: &Name) -> bool {
    let kind = host.node().registry().claims(name).find_map(|(_, claim, _)| claim.spec);
    kind.is_none_or(|spec| host.node().placing().owner(&spec.kind, name) != Owner::Nobody)
}
