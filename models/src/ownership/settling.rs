//! Letting closed logs go: once every live node holds the log, and its entry is of no use.

use super::state::{Entry, State};
use super::view::Standing;
use super::{LOGS, NODES, Rule};

impl State {
    pub(super) fn may_bury(&self, rule: Rule, at: usize, log: usize) -> bool {
        let node = &self.nodes[at];
        let is_there = self.standing(at, log) == Standing::Closed && node.read[log] > 0;
        is_there
            && !node.buried[log]
            && match rule {
                Rule::SettledByFlag => self.is_spent(at, log) || self.is_flagged(log),
                _ => self.is_settled(rule, at, log) || self.is_awaited(at, log),
            }
    }

    /// Every live member holds it as it is here, and nothing is needed of it.
    fn is_settled(&self, rule: Rule, at: usize, log: usize) -> bool {
        let holds = |other: usize| {
            let node = &self.nodes[other];
            let as_here = node.read[log] == self.nodes[at].read[log];
            node.buried[log] || as_here && self.standing(other, log) == Standing::Closed
        };
        let mut members =
            (0..NODES).filter(|other| *other != at && self.alive(at, *other).is_some());
        let is_news = |other: usize| self.nodes[other].boot > self.nodes[at].seen[other].boot;
        self.is_spent(at, log)
            && (rule == Rule::SettledBehind || !(0..LOGS).any(|log| self.is_behind(at, log)))
            && !self.live().any(is_news)
            && members.all(|other| self.has_session(at, other) && holds(other))
    }

    /// Whether another member has more of a closed log: a tombstone here may outrank what is there.
    fn is_behind(&self, at: usize, log: usize) -> bool {
        let has_more = |other: usize| {
            let (here, there) = (&self.nodes[at], &self.nodes[other]);
            let is_more = there.read[log] > here.read[log] && !there.buried[log];
            other != at && self.has_session(at, other) && is_more
        };
        self.standing(at, log) == Standing::Closed && (0..NODES).any(has_more)
    }

    /// Another member has let it go, no less of it than there is here, and all has arrived here
    /// that it had.
    fn is_awaited(&self, at: usize, log: usize) -> bool {
        let here = &self.nodes[at];
        let has_all_of = |other: usize| {
            let there = &self.nodes[other];
            let has =
                |id: usize| there.buried[id] || here.buried[id] || here.read[id] >= there.read[id];
            self.has_let_go(at, other, log) && (0..LOGS).all(has)
        };
        (0..NODES).any(has_all_of)
    }

    /// Whether this node waits for what it lacks before it lets go a log as well.
    pub(super) fn is_let_go_elsewhere(&self, at: usize, log: usize) -> bool {
        let is_kept = self.standing(at, log) == Standing::Closed && !self.nodes[at].buried[log];
        is_kept
            && self.nodes[at].read[log] > 0
            && (0..NODES).any(|other| self.has_let_go(at, other, log))
    }

    fn has_let_go(&self, at: usize, other: usize, log: usize) -> bool {
        let (here, there) = (&self.nodes[at], &self.nodes[other]);
        let is_no_less = there.buried[log] && here.read[log] <= there.read[log];
        other != at && self.has_session(at, other) && is_no_less
    }

    pub(super) fn bury(&mut self, rule: Rule, at: usize, log: usize) {
        let is_followed = rule != Rule::SettledByFlag && !self.is_settled(rule, at, log);
        let end = is_followed.then(|| self.end_for(at, log));
        if let Some(end) = end.flatten() {
            self.append(at, end);
        }
        self.nodes[at].buried[log] = true;
    }

    /// What a node has to say of a name before it lets go a log that says that it is stopped:
    /// where a dead node's log stays that would bring it back, it keeps the tombstone from now on,
    /// and its own pointer to the name goes.
    fn end_for(&self, at: usize, log: usize) -> Option<Entry> {
        let own = self.nodes[at].log(at);
        let tombstone = self.last_read(at, log);
        if tombstone.can_start() || matches!(self.last_read(at, own), Entry::Claim(_)) {
            return None;
        }
        let outranked =
            |(_, entry): &(usize, Entry)| entry.can_start() && entry.rank() < tombstone.rank();
        let outranked: Vec<usize> =
            self.entries(at).filter(outranked).map(|(log, _)| log).collect();
        if outranked.iter().any(|log| self.standing(at, *log) == Standing::Closed) {
            return Some(tombstone);
        }
        outranked.contains(&own).then_some(Entry::Nothing)
    }

    /// A name that could be started from it is beaten by what another log says; a tombstone beats
    /// nothing any more.
    fn is_spent(&self, at: usize, log: usize) -> bool {
        let entry = self.last_read(at, log);
        let mut others = self.entries(at).filter(|(other, _)| *other != log);
        if entry.can_start() {
            let counts = |log: usize| self.standing(at, log) != Standing::Unseen;
            others.any(|(other, above)| counts(other) && above.rank() > entry.rank())
        } else {
            !others.any(|(_, below)| below.can_start() && below.rank() < entry.rank())
        }
    }

    /// Somebody has marked it as settled, and the mark has come around.
    fn is_flagged(&self, log: usize) -> bool {
        self.live().any(|other| self.nodes[other].buried[log])
    }
}
