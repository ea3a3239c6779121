//! What all logs together say about one name. Everything here is a pure function of the entries
//! and of who lives.

use crate::log::{LogId, Logs, Standing};
use crate::stored::{AtState, Stored};
use crate::{Bytes, Claim, State, Why};
use std::sync::Arc;
use swarm_base::{Boot, Name, NodeId, Pid, Token};

/// What one log says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The node claims it.
    Claim(Stored),
    /// A pointer: the node gave it to another, whose claim has this token.
    Gone(Box<Gone>),
    /// A tombstone: the node ended the claim with this token, for good.
    Stopped(Token),
}

/// What a pointer says. In a box: there are few, and a claim is smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The claim that the node had.
    pub(crate) claim: Stored,
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
        self.claim().is_some_and(Stored::has_spec)
    }

    /// Where a pointer points.
    pub(crate) fn target(&self) -> Option<&NodeId> {
        match self {
            Self::Gone(gone) => Some(&gone.to),
            Self::Claim(_) | Self::Stopped(_) => None,
        }
    }

    /// The claim that a restart would start from.
    pub(crate) fn claim(&self) -> Option<&Stored> {
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
fn pick(claim: &Stored, boot: Boot) -> (Token, Option<Pid>) {
    (claim.token, claim.pid(boot))
}

/// What an end makes of an entry; `groups` gives those that a process is in. `None`: nothing
/// changes.
#[expect(clippy::option_option, reason = "no change, or a change to an entry or to none")]
pub(crate) fn after_end(
    entry: Option<&Entry>,
    groups: impl FnOnce(&Stored) -> Vec<(Name, Bytes)>,
    token: Token,
    why: Why,
) -> Option<Option<Entry>> {
    if entry.is_some_and(|entry| entry.token() > token) {
        return None;
    }
    match (why, entry) {
        (Why::Stopped, _) => Some(Some(Entry::Stopped(token))),
        (Why::Settled, entry) => entry.map(|_| None),
        (Why::GoneTo { log: to, token }, Some(Entry::Claim(claim))) => {
            let mut claim = claim.clone();
            // A restart joins the groups again, and the process is about to leave them.
            if claim.groups().is_empty() {
                claim.set_groups(groups(&claim));
            }
            Some(Some(Entry::Gone(Box::new(Gone { claim, to, token }))))
        }
        (Why::GoneTo { .. }, _) => None,
    }
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
        claim: Claim,
    },
    /// No live node claims it, and it is to be started again: its node is dead, or gave it to a
    /// node that died before anybody here saw its claim. Never a claim without a spec.
    Orphan {
        /// The node whose claim it was.
        node: &'a NodeId,
        /// The claim to start from. The new one's epoch is
        /// [`next_epoch`](crate::Registry::next_epoch).
        claim: Claim,
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
    One(Held),
    Many(Vec<Held>),
}

/// What one log says, and where the name stands in that log's list.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    log: LogId,
    pos: u32,
    entry: Entry,
}

impl Record {
    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    pub(crate) fn of(&self, log: LogId) -> Option<&Entry> {
        self.held().iter().find(|held| held.log == log).map(|held| &held.entry)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LogId, &Entry)> {
        self.held().iter().map(|held| (held.log, &held.entry))
    }

    /// Where the name stands in the list of each log.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (LogId, u32)> {
        self.held().iter().map(|held| (held.log, held.pos))
    }

    pub(crate) fn pos(&self, log: LogId) -> Option<u32> {
        self.held().iter().find(|held| held.log == log).map(|held| held.pos)
    }

    pub(crate) fn set_pos(&mut self, log: LogId, pos: u32) {
        if let Some(held) = self.held_mut().iter_mut().find(|held| held.log == log) {
            held.pos = pos;
        }
    }

    /// Sets what `log` says from now on, and returns what it said.
    pub(crate) fn replace(&mut self, log: LogId, entry: Entry) -> Option<Entry> {
        let held = self.held_mut().iter_mut().find(|held| held.log == log)?;
        Some(std::mem::replace(&mut held.entry, entry))
    }

    /// Adds what `log` says, which has said nothing so far.
    pub(crate) fn add(&mut self, log: LogId, pos: u32, entry: Entry) {
        let new = Held { log, pos, entry };
        *self = match std::mem::take(self) {
            Self::Empty => Self::One(new),
            Self::One(one) => Self::Many(vec![one, new]),
            Self::Many(mut many) => {
                many.push(new);
                Self::Many(many)
            }
        };
    }

    /// Removes what `log` says, and returns it.
    pub(crate) fn remove(&mut self, log: LogId) -> Option<Entry> {
        let idx = self.held().iter().position(|held| held.log == log)?;
        match std::mem::take(self) {
            Self::Empty => None,
            Self::One(one) => Some(one.entry),
            Self::Many(mut many) => {
                let old = many.swap_remove(idx);
                *self = match many.pop() {
                    Some(one) if many.is_empty() => Self::One(one),
                    Some(last) => {
                        many.push(last);
                        Self::Many(many)
                    }
                    None => Self::Empty,
                };
                Some(old.entry)
            }
        }
    }

    fn held(&self) -> &[Held] {
        match self {
            Self::Empty => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn held_mut(&mut self) -> &mut [Held] {
        match self {
            Self::Empty => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }

    /// The highest token of a pointer to `node`.
    pub(crate) fn pointed(&self, node: &NodeId) -> Option<Token> {
        let pointers = self.iter().filter(|(_, entry)| entry.target() == Some(node));
        pointers.map(|(_, entry)| entry.token()).max()
    }

    /// Live claims always count, and the highest of them wins. Only where there is none, the
    /// highest entry of any log decides.
    pub(crate) fn resolve<'a>(&'a self, name: &Name, logs: &'a Logs) -> Resolution<'a> {
        match self.decide(logs) {
            Decision::Free => Resolution::Free,
            Decision::Held(log, claim) => {
                let node = &logs[log].node;
                Resolution::Held { node, claim: claim.claim(name, node.boot) }
            }
            Decision::Orphan(log, claim) => {
                let node = &logs[log].node;
                Resolution::Orphan { node, claim: claim.claim(name, node.boot) }
            }
            Decision::Pending(to) => Resolution::Pending { to },
        }
    }

    /// The kind of the claim that counts, where it has a spec.
    pub(crate) fn kind(&self, summary: &Summary) -> Option<Arc<str>> {
        self.of(summary.log?)?.claim()?.kind()
    }

    /// The name in a few words, to tell whether something changed.
    pub(crate) fn summary(&self, logs: &Logs) -> Summary {
        let (state, log, claim) = match self.decide(logs) {
            Decision::Free => (State::Free, None, None),
            Decision::Held(log, claim) => (State::Held, Some(log), Some(claim)),
            Decision::Orphan(log, claim) => (State::Orphan, Some(log), Some(claim)),
            Decision::Pending(_) => (State::Pending, None, None),
        };
        let boot = log.map(|log| logs[log].node.boot);
        Summary {
            state,
            log,
            token: claim.map_or_else(Token::default, |claim| claim.token),
            at: claim.map(|claim| claim.state),
            pid: claim.zip(boot).and_then(|(claim, boot)| claim.pid(boot)),
            moving: claim.and_then(Stored::moving).map(|(_, id)| *id),
            top: self.iter().map(|(_, entry)| entry.token()).max().unwrap_or_default(),
            n_live: self.iter().filter(|(log, entry)| is_live_claim(logs, *log, entry)).count(),
        }
    }

    fn decide<'a>(&'a self, logs: &Logs) -> Decision<'a> {
        let mut live: Option<(LogId, &Stored)> = None;
        let mut highest: Option<(LogId, &Entry)> = None;
        for (log, entry) in self.iter() {
            match (logs[log].standing, entry) {
                (Standing::Unseen, _) => {}
                (Standing::Live, Entry::Claim(claim)) => {
                    let rank = |(log, claim): (LogId, &Stored)| pick(claim, logs[log].node.boot);
                    if live.is_none_or(|best| rank(best) < rank((log, claim))) {
                        live = Some((log, claim));
                    }
                }
                _ => {
                    if highest.is_none_or(|(_, best)| best.rank() < entry.rank()) {
                        highest = Some((log, entry));
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
            Some(claim) if claim.has_spec() => Decision::Orphan(log, claim),
            Some(_) | None => Decision::Free,
        }
    }
}

fn is_live_claim(logs: &Logs, log: LogId, entry: &Entry) -> bool {
    matches!(entry, Entry::Claim(_)) && logs[log].standing == Standing::Live
}

enum Decision<'a> {
    Free,
    Held(LogId, &'a Stored),
    Orphan(LogId, &'a Stored),
    Pending(&'a NodeId),
}

/// A name in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) state: State,
    log: Option<LogId>,
    pub(crate) token: Token,
    at: Option<AtState>,
    pid: Option<Pid>,
    moving: Option<u64>,
    top: Token,
    pub(crate) n_live: usize,
}

impl Summary {
    /// The process that a lookup gives.
    pub(crate) fn found(&self) -> Option<Pid> {
        self.pid.filter(|_| self.state == State::Held)
    }
}
