//! Both ends of a move, what is under way between them, and what nobody in the model can see.

use super::{ENDS, MOVES};
use std::collections::BTreeSet;

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The two ends.
    pub ends: [End; ENDS],
    pub(super) wire: BTreeSet<Sent>,
    pub(super) begun: u8,
    /// The newest state that a process has reached.
    pub(super) newest: u8,
    /// A process went on from a state that was not the newest.
    pub(super) went_back: bool,
    /// A process was started beside another of the same end.
    pub(super) beside: bool,
    pub(super) outcomes: [Outcomes; MOVES],
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Whether it lives.
    pub up: bool,
    /// The process of the name, if it is here.
    pub process: Option<Process>,
    /// It knows that the other end is dead.
    pub(super) alone: bool,
    pub(super) leaving: Option<Leaving>,
    pub(super) standby: Option<Standby>,
    pub(super) past: [Past; MOVES],
    /// What its log says last about the name.
    pub(super) entry: Option<Entry>,
}

/// A process of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// How far it has come.
    pub state: u8,
    /// Whether it handles anything.
    pub frozen: bool,
}

/// A move at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leaving {
    pub(super) id: u8,
    pub(super) snapshot: u8,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Offered,
    Stopping,
    Committed { token: u8 },
}

/// A move at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standby {
    pub(super) id: u8,
    pub(super) snapshot: u8,
    pub(super) ready: bool,
}

/// Which part an end has in which move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the phases of swarm-handoff")]
pub enum Role {
    Offered(u8),
    Stopping(u8),
    Committed(u8),
    Building(u8),
    Ready(u8),
}

/// What a target remembers of a move that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Past {
    Unknown,
    Refused,
    Promoted,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) token: u8,
    pub(super) at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum At {
    Running,
    Moving { id: u8 },
    Gone,
}

/// A message, or a copy of it. What was sent twice is one thing that can arrive twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    /// Which end it goes to.
    pub to: u8,
    /// What it says.
    pub message: Message,
}

/// What the ends tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "they are those of swarm-handoff")]
pub enum Message {
    Offer {
        id: u8,
        snapshot: u8,
    },
    Ready {
        id: u8,
    },
    Refused {
        id: u8,
    },
    Commit {
        id: u8,
        token: u8,
    },
    Ack {
        id: u8,
    },
    Nack {
        id: u8,
    },
    Abort {
        id: u8,
    },
    Query {
        id: u8,
    },
    Done {
        id: u8,
    },
    /// Only where the state is sent once: it is all there is.
    Cast {
        id: u8,
        token: u8,
        snapshot: u8,
    },
}

/// What became of one move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Outcomes {
    /// The process ran at the target.
    pub(super) promoted: bool,
    /// From its standby, after the source had died.
    pub(super) orphaned: bool,
    /// The process went on at the source.
    pub(super) thawed: bool,
    /// So, after its commit.
    pub(super) resumed: bool,
}

impl State {
    pub(super) fn new() -> Self {
        let end = End {
            up: true,
            process: None,
            alone: false,
            leaving: None,
            standby: None,
            past: [Past::Unknown; MOVES],
            entry: None,
        };
        let mut runs = end.clone();
        runs.process = Some(Process { state: 0, frozen: false });
        runs.entry = Some(Entry { token: 1, at: At::Running });
        Self {
            ends: [runs, end],
            wire: BTreeSet::new(),
            begun: 0,
            newest: 0,
            went_back: false,
            beside: false,
            outcomes: [Outcomes::default(); MOVES],
        }
    }

    /// Which part an end has in which move.
    #[must_use]
    pub fn role(&self, at: usize) -> Option<Role> {
        let end = &self.ends[at];
        let leaving = end.leaving.map(|leaving| match leaving.phase {
            Phase::Offered => Role::Offered(leaving.id),
            Phase::Stopping => Role::Stopping(leaving.id),
            Phase::Committed { .. } => Role::Committed(leaving.id),
        });
        let standby = end.standby.map(|standby| match standby.ready {
            true => Role::Ready(standby.id),
            false => Role::Building(standby.id),
        });
        leaving.or(standby)
    }

    /// What is under way.
    pub fn wire(&self) -> impl Iterator<Item = &Sent> {
        self.wire.iter()
    }

    /// Whether the standby of a move ran by the log of its dead source.
    #[must_use]
    pub fn ran_as_orphan(&self, id: u8) -> bool {
        self.outcomes[usize::from(id)].orphaned
    }

    pub(super) fn send(&mut self, from: usize, message: Message) {
        let to = 1 - from;
        if self.ends[to].up {
            self.wire.insert(Sent { to: to as u8, message });
        }
    }

    /// The name runs at `at` from here on, and gets something done at once.
    pub(super) fn run(&mut self, at: usize, snapshot: u8, token: u8) {
        let both_live = self.ends.iter().all(|end| end.up);
        self.went_back |= both_live && snapshot != self.newest;
        self.newest = self.newest.max(snapshot) + 1;
        let end = &mut self.ends[at];
        self.beside |= end.process.is_some();
        end.process = Some(Process { state: self.newest, frozen: false });
        end.entry = Some(Entry { token, at: At::Running });
    }

    /// The name runs at `at` from its spec: what it had reached is gone with the other end.
    pub(super) fn run_from_spec(&mut self, at: usize) {
        let token = self.highest() + 1;
        self.run(at, self.newest, token);
    }

    /// The highest token of any log.
    pub(super) fn highest(&self) -> u8 {
        let tokens = self.ends.iter().filter_map(|end| end.entry).map(|entry| entry.token);
        tokens.max().unwrap_or(0)
    }

    /// The winning claim of both logs, and whose it is.
    pub(super) fn claim(&self) -> Option<(usize, Entry)> {
        let entries = self.ends.iter().enumerate();
        let claims = entries.filter_map(|(at, end)| Some((at, end.entry?)));
        claims.filter(|(_, entry)| entry.at != At::Gone).max_by_key(|(_, entry)| entry.token)
    }

    /// Nothing is under way, and no end waits for anything.
    pub(super) fn is_quiet(&self) -> bool {
        let crashed = self.ends.iter().any(|end| !end.up);
        let rests =
            |end: &End| end.leaving.is_none() && end.standby.is_none() && (end.alone || !crashed);
        self.wire.is_empty() && self.ends.iter().filter(|end| end.up).all(rests)
    }
}

impl Message {
    /// What it is called.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Offer { .. } => "offer",
            Self::Ready { .. } => "ready",
            Self::Refused { .. } => "refused",
            Self::Commit { .. } => "commit",
            Self::Ack { .. } => "ack",
            Self::Nack { .. } => "nack",
            Self::Abort { .. } => "abort",
            Self::Query { .. } => "query",
            Self::Done { .. } => "done",
            Self::Cast { .. } => "cast",
        }
    }

    /// Which move it is about.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Offer { id, .. }
            | Self::Ready { id }
            | Self::Refused { id }
            | Self::Commit { id, .. }
            | Self::Ack { id }
            | Self::Nack { id }
            | Self::Abort { id }
            | Self::Query { id }
            | Self::Done { id }
            | Self::Cast { id, .. } => id,
        }
    }
}
