//! What all logs together say about one name. Everything here is a pure function of the entries
//! and of who lives.

use crate::log::{LogId, Logs, Standing};
use crate::{At, Claim, State};
use std::sync::Arc;
use swarm_base::{NodeId, Pid, Token};

/// What one log says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The node claims it.
    Claim(Claim),
    /// A pointer: the node gave it to another, whose claim has this token.
    Gone(Box<Gone>),
    /// A tombstone: the node ended the claim with this token, for good.
    Stopped(Token),
}

/// What a pointer says. In a box: there are few, and a claim is smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The claim that the node had.
    pub(crate) claim: Claim,
    /// Who has the name now.
    pub(crate) to: NodeId,
    /// The token of the claim there.
    pub(crate) token: Token,
}

impl Entry {
    pub(crate) fn token(&self) -> Token {
        match self {
            Self::Claim(claim) => claim.token,
            Self::Gone(gone) => gone.token,
            Self::Stopped(token) => *token,
        }
    }

    /// The order of entries that are not live claims. A claim outranks the pointer to it, and its
    /// end outranks the claim.
    pub(crate) fn rank(&self) -> (Token, u8) {
        match self {
            Self::Gone(gone) => (gone.token, 0),
            Self::Claim(claim) => (claim.token, 1),
            Self::Stopped(token) => (*token, 2),
        }
    }

    /// Whether a name can be started from it.
    pub(crate) fn can_start(&self) -> bool {
        self.claim().is_some_and(|claim| claim.spec.is_some())
    }

    /// Where a pointer points.
    pub(crate) fn target(&self) -> Option<&NodeId> {
        match self {
            Self::Gone(gone) => Some(&gone.to),
            Self::Claim(_) | Self::Stopped(_) => None,
        }
    }

    /// The claim that a restart would start from.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Claim(claim) => Some(claim),
            Self::Gone(gone) => Some(&gone.claim),
            Self::Stopped(_) => None,
        }
    }
}

/// The order in which live claims win: by the claims alone, so that every node agrees whatever
/// its ring or its clock says. Tokens differ between claims; the pid decides between claims of a
/// node that broke that rule.
pub(crate) fn pick(claim: &Claim) -> (Token, Option<Pid>) {
    (claim.token, claim.pid())
}

/// Who has a name, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// Nobody.
    Free,
    /// The live claim that wins.
    Held {
        /// The node whose claim it is.
        node: &'a NodeId,
        /// The claim.
        claim: &'a Claim,
    },
    /// No live node claims it, and it is to be started again: its node is dead, or gave it to a
    /// node that died before anybody here saw its claim. Never a claim without a spec.
    Orphan {
        /// The node whose claim it was.
        node: &'a NodeId,
        /// The claim to start from. The new one's epoch is
        /// [`next_epoch`](crate::Registry::next_epoch).
        claim: &'a Claim,
    },
    /// A node gave it to a live node, whose claim has not arrived here. Neither free nor to be
    /// started: the claim arrives, or its node dies and the name is an orphan.
    Pending {
        /// The node that has it, or had it last.
        to: &'a NodeId,
    },
}

/// All entries of one name, at most one per log.
#[derive(Clone, Debug, Default)]
pub(crate) enum Record {
    #[default]
    Empty,
    /// The rule, without memory of its own: that spares a lookup a cache miss.
    One((LogId, Entry)),
    Many(Vec<(LogId, Entry)>),
}

impl Record {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    pub(crate) fn of(&self, log: LogId) -> Option<&Entry> {
        self.iter().find(|(id, _)| *id == log).map(|(_, entry)| entry)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (LogId, Entry)> {
        self.entries().iter()
    }

    /// Sets or removes what `log` says, and returns what it said.
    pub(crate) fn put(&mut self, log: LogId, entry: Option<Entry>) -> Option<Entry> {
        let idx = self.iter().position(|(id, _)| *id == log);
        match (idx, entry) {
            (Some(idx), Some(entry)) => {
                Some(std::mem::replace(&mut self.entries_mut()[idx].1, entry))
            }
            (Some(idx), None) => self.remove(idx),
            (None, Some(entry)) => {
                *self = match std::mem::take(self) {
                    Self::Empty => Self::One((log, entry)),
                    Self::One(one) => Self::Many(vec![one, (log, entry)]),
                    Self::Many(mut many) => {
                        many.push((log, entry));
                        Self::Many(many)
                    }
                };
                None
            }
            (None, None) => None,
        }
    }

    fn remove(&mut self, idx: usize) -> Option<Entry> {
        match std::mem::take(self) {
            Self::Empty => None,
            Self::One((_, entry)) => Some(entry),
            Self::Many(mut many) => {
                let (_, entry) = many.swap_remove(idx);
                *self = match many.pop() {
                    Some(one) if many.is_empty() => Self::One(one),
                    Some(last) => {
                        many.push(last);
                        Self::Many(many)
                    }
                    None => Self::Empty,
                };
                Some(entry)
            }
        }
    }

    fn entries(&self) -> &[(LogId, Entry)] {
        match self {
            Self::Empty => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn entries_mut(&mut self) -> &mut [(LogId, Entry)] {
        match self {
            Self::Empty => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }

    /// Live claims always count, and the highest of them wins. Only where there is none, the
    /// highest entry of any log decides.
    pub(crate) fn resolve<'a>(&'a self, logs: &'a Logs) -> Resolution<'a> {
        match self.decide(logs) {
            Decision::Free => Resolution::Free,
            Decision::Held(log, claim) => Resolution::Held { node: &logs[log].node, claim },
            Decision::Orphan(log, claim) => Resolution::Orphan { node: &logs[log].node, claim },
            Decision::Pending(to) => Resolution::Pending { to },
        }
    }

    /// The kind of the claim that counts, where it has a spec.
    pub(crate) fn kind(&self, summary: &Summary) -> Option<Arc<str>> {
        let claim = self.of(summary.log?)?.claim()?;
        claim.spec.as_ref().map(|spec| spec.kind.clone())
    }

    /// The name in a few words, to tell whether something changed.
    pub(crate) fn summary(&self, logs: &Logs) -> Summary {
        let (state, log, claim) = match self.decide(logs) {
            Decision::Free => (State::Free, None, None),
            Decision::Held(log, claim) => (State::Held, Some(log), Some(claim)),
            Decision::Orphan(log, claim) => (State::Orphan, Some(log), Some(claim)),
            Decision::Pending(_) => (State::Pending, None, None),
        };
        let (at, pid, moving) = match claim.map(|claim| &claim.at) {
            None => (0, None, None),
            Some(At::Starting) => (1, None, None),
            Some(At::Running(pid)) => (2, Some(*pid), None),
            Some(At::Moving { pid, id, .. }) => (3, Some(*pid), Some(*id)),
            Some(At::Waiting) => (4, None, None),
        };
        let token = claim.map_or_else(Token::default, |claim| claim.token);
        let top = self.iter().map(|(_, entry)| entry.token()).max().unwrap_or_default();
        let n_live = self.iter().filter(|(log, entry)| is_live_claim(logs, *log, entry)).count();
        Summary { state, log, token, at, pid, moving, top, n_live }
    }

    fn decide<'a>(&'a self, logs: &Logs) -> Decision<'a> {
        let mut live: Option<(LogId, &Claim)> = None;
        let mut highest: Option<&(LogId, Entry)> = None;
        for held in self.entries() {
            let (log, entry) = held;
            match (logs[*log].standing, entry) {
                (Standing::Unseen, _) => {}
                (Standing::Live, Entry::Claim(claim)) => {
                    if live.is_none_or(|(_, best)| pick(best) < pick(claim)) {
                        live = Some((*log, claim));
                    }
                }
                _ => {
                    if highest.is_none_or(|(_, best)| best.rank() < entry.rank()) {
                        highest = Some(held);
                    }
                }
            }
        }
        if let Some((log, claim)) = live {
            return Decision::Held(log, claim);
        }
        let Some((log, entry)) = highest else { return Decision::Free };
        if let Some(to) = entry.target()
            && logs.standing(to) == Some(Standing::Live)
        {
            return Decision::Pending(to);
        }
        match entry.claim() {
            Some(claim) if claim.spec.is_some() => Decision::Orphan(*log, claim),
            Some(_) | None => Decision::Free,
        }
    }
}

fn is_live_claim(logs: &Logs, log: LogId, entry: &Entry) -> bool {
    matches!(entry, Entry::Claim(_)) && logs[log].standing == Standing::Live
}

enum Decision<'a> {
    Free,
    Held(LogId, &'a Claim),
    Orphan(LogId, &'a Claim),
    Pending(&'a NodeId),
}

/// A name in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) state: State,
    log: Option<LogId>,
    pub(crate) token: Token,
    at: u8,
    pid: Option<Pid>,
    moving: Option<u64>,
    top: Token,
    pub(crate) n_live: usize,
}

impl Summary {
    pub(crate) const FREE: Self = Self {
        state: State::Free,
        log: None,
        token: Token::new(0, swarm_base::Boot { millis: 0, random: 0 }),
        at: 0,
        pid: None,
        moving: None,
        top: Token::new(0, swarm_base::Boot { millis: 0, random: 0 }),
        n_live: 0,
    };

    /// The process that a lookup gives.
    pub(crate) fn found(&self) -> Option<Pid> {
        self.pid.filter(|_| self.state == State::Held)
    }
}
