//! Moves whose target does not run the process after all: it goes on where it was.
//!
//! It goes on above the token that went out with the commit, whether or not anybody has seen that
//! one claimed (ownership, consequence 1): the target may have run it, and died with the log in
//! which it said so. And where the log of a dead target is still to arrive, what is left of it is
//! waited for: it may say that the name ran there, was stopped there, or went on from there, and
//! the process here would be a second one, or one that came back.

use super::Node;
use super::asks::Place;
use super::event::Mode;
use super::names::Cause;
use super::standbys::groups_of;
use swarm_base::{Instant, Name, NodeId, Token};
use swarm_handoff::{MoveId, Offer};
use swarm_process::Stage;
use swarm_registry::{At, Bytes, Claim, Fact, Spec, Why};

/// A process that has ended here for a move, and is to go on here.
#[derive(Debug)]
pub(super) struct Resuming {
    pub(super) id: MoveId,
    pub(super) name: Name,
    /// The token that went out with the commit.
    pub(super) above: Token,
    pub(super) offer: Offer,
    pub(super) mails: Vec<bytes::Bytes>,
}

impl Node {
    /// Goes on with what waits. A target that is dead may have run the process before it died, and
    /// its log says so: that is known once all that others hold of it has arrived here.
    pub(super) fn resume_waiting(&mut self, now: Instant) {
        for resuming in std::mem::take(&mut self.resuming) {
            if self.is_closing {
                // It starts again elsewhere, once this node has left.
                continue;
            }
            let Some(claim) = self.claim_of_move(resuming.id, &resuming.name) else { continue };
            let At::Moving { to, .. } = &claim.at else { continue };
            if !self.has_quorum(&resuming.name) {
                self.resuming.push(resuming);
            } else if self.placing.member(to).is_some() {
                // It said so itself.
                self.resume(now, resuming, claim);
            } else if !self.may_own(&resuming.name) {
                self.resuming.push(resuming);
            } else if self.registry.highest(&resuming.name) >= Some(resuming.above) {
                let to = to.clone();
                self.gone_on(now, &resuming, claim, to);
            } else {
                self.resume(now, resuming, claim);
            }
        }
    }

    /// The target ran it: what has come of it since is in its log, and in those of others.
    fn gone_on(&mut self, now: Instant, resuming: &Resuming, claim: Claim, log: NodeId) {
        let exited = claim.pid().map(|pid| Fact::Exited { pid });
        let (name, token) = (claim.name, claim.token);
        let why = Why::GoneTo { log, token: resuming.above };
        let gone = Fact::Ended { name, token, why };
        self.registry.append_all(now, [gone].into_iter().chain(exited));
        self.names.forget_restart(&resuming.name);
        // Whoever wants it stopped asks where it is now.
        for key in self.asks.stopping(&resuming.name) {
            self.asks.put(&key, Place::Parked(Stage::Resolve));
        }
        self.reconsider(now, &resuming.name);
    }

    /// It goes on here, unless it was to be stopped.
    fn resume(&mut self, now: Instant, resuming: Resuming, claim: Claim) {
        let Resuming { name, above, offer, mails, .. } = resuming;
        // The old process has ended, and nobody may find it any more.
        let exited = claim.pid().map(|pid| Fact::Exited { pid });
        if self.names.is_stopping(&name) {
            // The target may have claimed it with the token that went out with the commit.
            self.released(now, &name, above);
            self.registry.append_all(now, exited);
            return;
        }
        let Ok(args) = Bytes::new(&offer.args) else { return };
        let spec = Spec { kind: offer.kind, args };
        let groups = groups_of(offer.groups);
        let starting = Claim { at: At::Starting, groups: groups.clone(), ..claim };
        self.registry.append_all(now, [Fact::Named(starting)].into_iter().chain(exited));
        let state = offer.state.map(Vec::from);
        let mails = mails.into_iter().map(Vec::from).collect();
        // The token that went out with the commit counts as used, whether or not it was logged.
        let token = self.next_token(&name).max(Token::new(above.epoch + 1, self.me.boot));
        let mode = Mode::Resumed { state, mails };
        self.start(name, spec, token, groups, Cause::Resumed, mode);
    }
}
