//! What a node knows: who lives, what the logs say, and who has the name by that.

use super::state::{Entry, State, Token};
use super::{LOGS, NODES, Rule};

/// How a node takes a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its writer lives.
    Live,
    /// Its writer is dead, or has a newer boot.
    Closed,
    /// Nobody has said yet that its writer lives.
    Unseen,
}

/// Who has the name, as far as a node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    Free,
    /// The live claim that wins.
    Held(Token),
    /// It is to be started again, in place of this.
    Orphan(Entry),
    /// Somebody who lives has it, and the claim has not arrived.
    Pending,
}

impl State {
    pub(super) fn standing(&self, at: usize, log: usize) -> Standing {
        let (node, boot) = (log / 2, (log % 2) as u8);
        let seen = self.nodes[at].seen[node];
        if boot > seen.boot {
            Standing::Unseen
        } else if boot == seen.boot && !seen.dead {
            Standing::Live
        } else {
            Standing::Closed
        }
    }

    /// The boot of `node` that `at` holds alive.
    pub(super) fn alive(&self, at: usize, node: usize) -> Option<u8> {
        let seen = self.nodes[at].seen[node];
        (!seen.dead).then_some(seen.boot)
    }

    /// Whether `node` lives in the very boot that `at` holds alive.
    pub(super) fn is_right_about(&self, at: usize, node: usize) -> bool {
        self.nodes[node].up && self.alive(at, node) == Some(self.nodes[node].boot)
    }

    /// Whether the two read each other's logs: a node closes its session with one that it holds
    /// dead.
    pub(super) fn has_session(&self, a: usize, b: usize) -> bool {
        self.is_right_about(a, b) && self.is_right_about(b, a)
    }

    /// Whether both hold the same nodes alive.
    pub(super) fn same_ring(&self, a: usize, b: usize) -> bool {
        (0..NODES).all(|node| self.alive(a, node) == self.alive(b, node))
    }

    /// The ring's owner of the name, as `at` sees it.
    pub(super) fn owner(&self, at: usize) -> Option<usize> {
        (0..NODES).find(|node| self.alive(at, *node).is_some())
    }

    /// Whether everybody whom it holds alive has acknowledged the view of `at`.
    pub(super) fn agreed(&self, at: usize) -> bool {
        let others = (0..NODES).filter(|node| *node != at && self.alive(at, *node).is_some());
        others.into_iter().all(|node| self.nodes[at].acked[node])
    }

    /// What `at` has read last in this log.
    pub(super) fn last_read(&self, at: usize, log: usize) -> Entry {
        match self.nodes[at].read[log] {
            0 => Entry::Nothing,
            read => self.logs[log].entries[usize::from(read) - 1],
        }
    }

    /// What `at` goes by: the logs that say something to it.
    pub(super) fn entries(&self, at: usize) -> impl Iterator<Item = (usize, Entry)> {
        let logs = (0..LOGS).filter(move |log| !self.nodes[at].buried[*log]);
        logs.map(move |log| (log, self.last_read(at, log)))
            .filter(|(_, entry)| *entry != Entry::Nothing)
    }

    /// Live claims always count, and the highest wins. Only where there is none, the highest entry
    /// of any log decides.
    pub(super) fn resolve(&self, rule: Rule, at: usize) -> Resolution {
        let (mut live, mut highest) = (None, Entry::Nothing);
        for (log, entry) in self.entries(at) {
            let is_void = rule == Rule::BootVoids
                && (log % 2) < usize::from(self.nodes[at].seen[log / 2].boot);
            match (self.standing(at, log), entry) {
                (Standing::Unseen, _) => (),
                _ if is_void => (),
                (Standing::Live, Entry::Claim(token)) => live = live.max(Some(token)),
                _ if highest.rank() < entry.rank() => highest = entry,
                _ => (),
            }
        }
        match (live, highest) {
            (Some(token), _) => Resolution::Held(token),
            (None, Entry::Gone(to)) if self.standing(at, to.log.into()) == Standing::Live => {
                Resolution::Pending
            }
            (None, entry) if entry.can_start() => Resolution::Orphan(entry),
            (None, _) => Resolution::Free,
        }
    }

    /// The highest token of the logs that `at` keeps.
    pub(super) fn highest(&self, at: usize) -> Option<Token> {
        self.entries(at).filter_map(|(_, entry)| entry.token()).max()
    }

    /// The highest token that `at` has ever read of.
    fn highest_ever(&self, at: usize) -> Option<Token> {
        let logs = 0..LOGS;
        logs.filter_map(|log| {
            let read = usize::from(self.nodes[at].read[log]);
            let tokens = self.logs[log].entries[..read].iter();
            tokens.filter_map(|entry| entry.token()).max()
        })
        .max()
    }

    /// The token of the next claim of `at`: also above what it has let go.
    pub(super) fn next_token(&self, at: usize) -> Token {
        let epoch = self.highest_ever(at).map_or(0, |token| token.epoch) + 1;
        Token { epoch, log: self.nodes[at].log(at) as u8 }
    }
}
