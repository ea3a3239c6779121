//! Claims as they are kept: a million of them, on every node.

use crate::{At, Bytes, Claim, Request, Spec};
use std::collections::BTreeMap;
use std::sync::Arc;
use swarm_base::{Boot, Name, NodeId, Pid, Token};

/// A claim without what its place in the tables tells: its name, and the life of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) token: Token,
    pub(crate) request: Option<Request>,
    /// With it there is a spec.
    kind: Option<SharedKind>,
    args: Bytes,
    serial: u64,
    /// What few claims have.
    rest: Option<Box<Rest>>,
    pub(crate) state: AtState,
    /// See [`Registry::needs_tombstone`](crate::Registry); noted of this node's own claims.
    pub(crate) is_first: bool,
}

/// The text of a kind, in one word.
pub(crate) type SharedKind = Arc<Arc<str>>;

/// An [`At`], in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtState {
    Starting,
    Running,
    Moving,
    Waiting,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rest {
    meta: Bytes,
    groups: Vec<(Name, Bytes)>,
    /// Where it goes, and which attempt that is.
    moving: Option<(NodeId, u64)>,
}

impl Stored {
    pub(crate) fn new(claim: Claim, kinds: &mut Kinds) -> Self {
        let serial = claim.pid().map_or(0, |pid| pid.serial);
        let (state, moving) = match claim.at {
            At::Starting => (AtState::Starting, None),
            At::Running(_) => (AtState::Running, None),
            At::Moving { to, id, .. } => (AtState::Moving, Some((to, id))),
            At::Waiting => (AtState::Waiting, None),
        };
        let (kind, args) = match claim.spec {
            Some(spec) => (Some(kinds.share(spec.kind)), spec.args),
            None => (None, Bytes::default()),
        };
        let rest = Rest { meta: claim.meta, groups: claim.groups, moving };
        let rest = (rest != Rest::default()).then(|| Box::new(rest));
        let (token, request) = (claim.token, claim.request);
        Self { token, request, kind, args, serial, rest, state, is_first: false }
    }

    /// The claim on `name` of the life `boot` of a node.
    pub(crate) fn claim(&self, name: &Name, boot: Boot) -> Claim {
        let pid = Pid::new(boot, self.serial);
        let at = match (self.state, self.moving()) {
            (AtState::Starting, _) => At::Starting,
            (AtState::Waiting, _) => At::Waiting,
            (AtState::Moving, Some((to, id))) => At::Moving { pid, to: to.clone(), id: *id },
            (AtState::Running | AtState::Moving, _) => At::Running(pid),
        };
        Claim {
            name: name.clone(),
            token: self.token,
            spec: self.kind().map(|kind| Spec { kind, args: self.args.clone() }),
            at,
            request: self.request,
            meta: self.rest.as_ref().map(|rest| rest.meta.clone()).unwrap_or_default(),
            groups: self.groups().to_vec(),
        }
    }

    /// The process, where there is one; `boot` is its node's life.
    pub(crate) fn pid(&self, boot: Boot) -> Option<Pid> {
        match self.state {
            AtState::Running | AtState::Moving => Some(Pid::new(boot, self.serial)),
            AtState::Starting | AtState::Waiting => None,
        }
    }

    /// The number of the process, 0 where there is none.
    pub(crate) const fn serial(&self) -> u64 {
        self.serial
    }

    pub(crate) const fn has_spec(&self) -> bool {
        self.kind.is_some()
    }

    pub(crate) fn kind(&self) -> Option<Arc<str>> {
        self.kind.as_deref().cloned()
    }

    pub(crate) fn groups(&self) -> &[(Name, Bytes)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.groups)
    }

    pub(crate) fn set_groups(&mut self, groups: Vec<(Name, Bytes)>) {
        if !groups.is_empty() || self.rest.is_some() {
            self.rest.get_or_insert_default().groups = groups;
        }
    }

    /// Where it goes, and which attempt that is.
    pub(crate) fn moving(&self) -> Option<&(NodeId, u64)> {
        self.rest.as_ref()?.moving.as_ref()
    }
}

/// The kinds whose text is shared between claims.
#[derive(Debug, Default)]
pub(crate) struct Kinds(BTreeMap<Arc<str>, SharedKind>);

/// The most of them.
const KINDS_MAX: usize = 4_096;

impl Kinds {
    fn share(&mut self, kind: Arc<str>) -> SharedKind {
        if let Some(shared) = self.0.get(&kind) {
            return shared.clone();
        }
        let shared = Arc::new(kind.clone());
        if self.0.len() < KINDS_MAX {
            self.0.insert(kind, shared.clone());
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_small_and_whole() {
        assert_eq!(size_of::<Stored>(), 88);
        let boot = Boot { millis: 1, random: 2 };
        let pid = Pid::new(boot, 3);
        let to = NodeId::new(swarm_base::NodeName::new("n").expect("a name"), boot);
        let group = (Name::new("g").expect("a name"), Bytes::default());
        let spec = Spec { kind: "device".into(), args: Bytes::default() };
        for at in [At::Starting, At::Running(pid), At::Moving { pid, to, id: 4 }, At::Waiting] {
            for (spec, groups) in [(None, vec![]), (Some(spec.clone()), vec![group.clone()])] {
                let meta = Bytes::new(vec![7; groups.len()]).expect("short");
                let name = Name::new("x").expect("a name");
                let token = Token::new(5, boot);
                let request = Some(Request::new(boot, 6));
                let claim = Claim { name, token, spec, at: at.clone(), request, meta, groups };
                let stored = Stored::new(claim.clone(), &mut Kinds::default());
                assert_eq!(stored.claim(&claim.name, boot), claim);
                assert_eq!(stored.pid(boot), claim.pid());
            }
        }
    }
}
