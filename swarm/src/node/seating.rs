//! How a node comes by its [seats](super::seats), and what it tells of those it knows.

use super::Node;
use super::quorum::Under;
use super::seats::{Live, Seat};
use super::wire::{SeatsFrame, SeatsStep, Wire};
use crate::Event as Public;
use std::time::Duration;
use swarm_base::{Instant, NodeId};
use swarm_swim::State;

/// How often a node that waits asks those that have not told it of the seats they know.
const ASK_EVERY: Duration = Duration::from_millis(500);

impl Node {
    /// Takes the seats that are there for this node, and gives up those that are not.
    pub(super) fn look_for_seats(&mut self, now: Instant) {
        let asks = |under: &Under| under.seats.ask_at.is_some_and(|at| at <= now);
        let is_due = self.seats_due || self.under.iter().any(asks);
        if !is_due || self.alone_until.is_some() {
            return;
        }
        self.seats_due = false;
        let before = self.meta.waits.clone();
        for at in 0..self.under.len() {
            self.look_for_seat(now, at);
        }
        if self.meta.waits != before {
            self.say_anew(now);
        }
    }

    fn look_for_seat(&mut self, now: Instant, at: usize) {
        let live = self.look_at_seats(at);
        // Lists leave it out: it is an observer.
        let Some(seat) = live.get(&self.me).copied() else { return };
        let is_agreed = self.agreement.agreed();
        let hash = self.agreement.hash().filter(|_| is_agreed);
        let under = &mut self.under[at];
        under.seats.ask_at = under.seats.ask_at.filter(|_| seat == Seat::Waits && is_agreed);
        match (seat, hash) {
            (Seat::Taken, _) if under.seats.is_beyond(&self.me) => {
                self.meta.set_seat(under.scope.as_str(), Seat::Waits);
            }
            (Seat::Waits, Some(hash)) => {
                let silent: Vec<NodeId> =
                    under.seats.silent(&self.me, &live, hash).cloned().collect();
                if silent.is_empty() {
                    under.seats.ask_at = None;
                    if under.seats.is_free_for(&self.me) {
                        self.meta.set_seat(under.scope.as_str(), Seat::Taken);
                    }
                } else if under.seats.ask_at.is_none_or(|at| at <= now) {
                    under.seats.ask_at = Some(now + ASK_EVERY);
                    let scope = under.scope.clone();
                    for node in silent {
                        let frame = SeatsFrame { scope: scope.clone(), step: SeatsStep::Ask };
                        self.send(&node, &Wire::Seats(frame));
                    }
                }
            }
            (Seat::Taken, _) | (Seat::Waits, None) => (),
        }
    }

    /// Takes in what the nodes of a scope say of themselves.
    fn look_at_seats(&mut self, at: usize) -> Live {
        let under = &mut self.under[at];
        let live: Live = self.placing.candidates(&under.scope).collect();
        let (swim, placing) = (&self.swim, &self.placing);
        let is_gone = |node: &NodeId| {
            let mut known = swim.members().filter(|known| known.id.name == node.name);
            // Whom membership does not remember any more is nobody, and who is back and could not
            // have the seat any more wants none.
            known.next().is_none_or(|known| {
                let has_left = known.state == State::Left && known.id.boot >= node.boot;
                has_left || placing.member(&known.id).is_some()
            })
        };
        under.seats.look(&live, is_gone);
        let (have, most) = (under.seats.count(&live), under.seats.most());
        let before = std::mem::replace(&mut under.seats.have, have);
        if have > most && have != before {
            let scope = under.scope();
            self.tell(Public::TooManyNodes { scope, have, most });
        }
        live
    }

    pub(super) fn on_seats(&mut self, now: Instant, from: NodeId, frame: SeatsFrame) {
        let SeatsFrame { scope, step } = frame;
        let Some(at) = self.under.iter().position(|under| under.scope == scope) else { return };
        match step {
            SeatsStep::Ask => {
                self.look_at_seats(at);
                let (taken, waiting) = self.under[at].seats.tell();
                let step = SeatsStep::Told { hash: self.placing.hash(), taken, waiting };
                self.send(&from, &Wire::Seats(SeatsFrame { scope, step }));
            }
            SeatsStep::Told { hash, taken, waiting } => {
                self.under[at].seats.hear(from, hash, taken, waiting);
                self.seats_due = true;
                self.plan_at = Some(now);
            }
        }
    }
}
