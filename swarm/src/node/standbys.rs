//! The target of a move: workers that are built here and wait for their commit.

use super::Node;
use super::event::{Command, Mode};
use super::names::{Cause, Groups};
use super::seats::Seat;
use std::collections::BTreeMap;
use swarm_base::{Instant, Name, NodeId, Pid, Token};
use swarm_handoff::{MoveId, Offer, Promoted, Refusal};
use swarm_process::ExitReason;
use swarm_registry::{Bytes, Spec};

impl Node {
    pub(super) fn build(&mut self, now: Instant, id: MoveId, offer: Offer) {
        let args = Bytes::new(&offer.args);
        let (spec, refusal) = match args {
            _ if self.leaving.is_leaving() || self.is_closing => (None, Some(Refusal::Leaving)),
            _ if !self.meta.takes_names()
                || self.meta.seat(offer.name.scope()) == Seat::Waits
                || !self.has_quorum(&offer.name) =>
            {
                (None, Some(Refusal::NotReady))
            }
            Ok(args) => match self.registry.own(&offer.name) {
                Some(own) => (None, Some(Refusal::RunsIt { token: own.token })),
                None => (Some(Spec { kind: offer.kind, args }), None),
            },
            Err(error) => (None, Some(Refusal::TooLarge { size: error.len })),
        };
        if let Some(refusal) = refusal {
            return self.moves.built(now, id, Err(refusal));
        }
        let Some(spec) = spec else { return };
        let groups = groups_of(offer.groups);
        let mode = Mode::Standby { state: offer.state.map(Vec::from) };
        self.standbys.offers.insert(id, (offer.name.clone(), spec.clone(), groups.clone()));
        let token = self.next_token(&offer.name);
        self.start(offer.name, spec, token, groups, Cause::Standby(id), mode);
    }

    pub(super) fn standby_built(&mut self, now: Instant, id: MoveId, pid: Pid) {
        match self.standbys.offers.remove(&id) {
            Some((name, spec, groups)) => {
                self.standbys.ready.insert(id, Standby { pid, name, spec, groups });
                self.moves.built(now, id, Ok(()));
            }
            None => self.command(Command::Discard { pid }),
        }
    }

    pub(super) fn standby_failed(&mut self, now: Instant, id: MoveId, reason: String) {
        self.standbys.offers.remove(&id);
        self.moves.built(now, id, Err(Refusal::StartFailed { reason }));
    }

    /// Runs a standby, unless the name has come to run here meanwhile, as one that is cut off from
    /// its node may: two copies of a name are for their conflict to settle, which knows one of each
    /// node.
    pub(super) fn promote(
        &mut self,
        now: Instant,
        id: MoveId,
        name: &Name,
        token: Token,
        mails: Vec<Vec<u8>>,
    ) {
        let own = self.registry.own(name).map(|own| own.token);
        let refusal = match own.or_else(|| self.names.starts_at(name)) {
            Some(token) => Refusal::RunsIt { token },
            None if !self.has_quorum(name) => Refusal::NotReady,
            None => match self.standbys.ready.get(&id) {
                Some(&Standby { pid, .. }) => {
                    return self.command(Command::Promote { id, pid, token, mails });
                }
                None => Refusal::StartFailed { reason: "the standby is gone".to_owned() },
            },
        };
        self.discard(id);
        self.moves.promoted(now, id, Err(refusal));
    }

    /// Throws a standby away. One that is being built goes once its start is over.
    pub(super) fn discard(&mut self, id: MoveId) {
        self.standbys.offers.remove(&id);
        if let Some(standby) = self.standbys.ready.remove(&id) {
            self.command(Command::Discard { pid: standby.pid });
        }
    }

    /// A standby has become the process of its name.
    pub(crate) fn promoted(&mut self, now: Instant, id: MoveId, token: Token) {
        self.touch(now);
        let Some(standby) = self.standbys.ready.remove(&id) else { return };
        let position = self.claim(
            now,
            standby.name.clone(),
            &standby.spec,
            token,
            standby.pid,
            None,
            &standby.groups,
        );
        self.moves.promoted(now, id, Ok(Promoted { token, position }));
        self.suspend_late(now, &standby.name);
        self.reconsider(now, &standby.name);
    }

    pub(super) fn standby_exited(&mut self, now: Instant, pid: Pid, reason: &ExitReason) {
        let found = self.standbys.ready.iter().find(|(_, standby)| standby.pid == pid);
        if let Some(id) = found.map(|(id, _)| *id) {
            self.standbys.ready.remove(&id);
            self.moves.standby_exited(now, id, reason.to_string());
            let why = Refusal::StartFailed { reason: reason.to_string() };
            self.moves.promoted(now, id, Err(why));
        }
    }
}

/// The workers that other nodes are moving here.
#[derive(Debug, Default)]
pub(super) struct Standbys {
    /// Their `start` runs.
    pub(super) offers: BTreeMap<MoveId, (Name, Spec, Groups)>,
    /// They wait for the commit.
    pub(super) ready: BTreeMap<MoveId, Standby>,
    /// Where the names went whose moves have not been told of yet.
    pub(super) sent: BTreeMap<MoveId, NodeId>,
}

impl Standbys {
    /// How many there are, those that are being built included.
    #[cfg(feature = "sim")]
    pub(super) fn len(&self) -> usize {
        self.offers.len() + self.ready.len()
    }
}

#[derive(Debug)]
pub(super) struct Standby {
    pub(super) pid: Pid,
    pub(super) name: Name,
    spec: Spec,
    groups: Groups,
}

/// The groups that came with an offer, as far as facts can carry them.
pub(super) fn groups_of(groups: Vec<(Name, bytes::Bytes)>) -> Groups {
    let group = |(name, meta): (Name, bytes::Bytes)| Some((name, Bytes::new(&meta[..]).ok()?));
    groups.into_iter().filter_map(group).collect()
}
