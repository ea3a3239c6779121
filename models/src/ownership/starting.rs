//! Who starts the name, stops it, and claims it anew.

use super::state::{Entry, State};
use super::view::Resolution;
use super::{LOGS, NODES, Rule};

impl State {
    /// An owner with whom everybody agrees, and who does not lack what others have let go, starts
    /// an orphan.
    pub(super) fn may_start(&self, rule: Rule, at: usize) -> bool {
        self.nodes[at].process.is_none()
            && self.owner(at) == Some(at)
            && self.agreed(at)
            && !(0..LOGS).any(|log| self.is_let_go_elsewhere(at, log))
            && matches!(self.resolve(rule, at), Resolution::Orphan(_))
    }

    pub(super) fn start(&mut self, rule: Rule, at: usize) {
        if let Resolution::Orphan(orphan) = self.resolve(rule, at) {
            self.came_back |= self.false_deaths == 0 && self.is_known_stopped(at, orphan);
        }
        self.run(at, self.next_token(at));
    }

    /// Whether some node has read that what can be started from this entry was stopped. A node that
    /// has not heard of all who live starts it on a side of its own.
    fn is_known_stopped(&self, at: usize, orphan: Entry) -> bool {
        let stops =
            |entry: Entry| matches!(entry, Entry::Stopped(_)) && entry.rank() > orphan.rank();
        self.live().all(|node| self.is_right_about(at, node))
            && self.live().any(|node| (0..LOGS).any(|log| stops(self.last_read(node, log))))
    }

    pub(super) fn may_stop(&self, rule: Rule, at: usize) -> bool {
        let process = self.nodes[at].process.filter(|process| process.losing_to.is_none());
        process.is_some_and(|process| self.resolve(rule, at) == Resolution::Held(process.token))
    }

    pub(super) fn stop(&mut self, at: usize) {
        if let Some(process) = self.nodes[at].process.take() {
            self.append(at, Entry::Stopped(process.token));
        }
    }

    /// The survivor of a conflict, or of a false death, holds the highest token that is known.
    pub(super) fn may_claim_above(&self, rule: Rule, at: usize) -> bool {
        let process = self.nodes[at].process.filter(|process| process.losing_to.is_none());
        process.is_some_and(|process| {
            self.highest(at) > Some(process.token)
                && self.resolve(rule, at) == Resolution::Held(process.token)
        })
    }

    /// How many processes of the name there are, on live nodes.
    pub(super) fn running(&self) -> usize {
        (0..NODES).filter(|at| self.nodes[*at].process.is_some()).count()
    }
}
