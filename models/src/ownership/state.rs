//! The nodes, their logs, what each has read of them, and what is under way.

use super::{LOGS, NODES};

/// Everything there is. Small enough to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) nodes: [Node; NODES],
    pub(super) logs: [Log; LOGS],
    /// What the node of a loser asks the node of its winner.
    pub(super) asks: [[Option<Claims>; NODES]; NODES],
    /// What that one answers.
    pub(super) answers: [[Option<Answer>; NODES]; NODES],
    pub(super) crashes: u8,
    pub(super) reboots: u8,
    pub(super) false_deaths: u8,
    pub(super) stops: u8,
    /// A node started a name of which a live node knew that it was stopped.
    pub(super) came_back: bool,
}

/// One node, in the boot that it has now or had last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) up: bool,
    pub(super) boot: u8,
    /// What it holds of each node, itself included.
    pub(super) seen: [Seen; NODES],
    /// How many entries of each log it has read.
    pub(super) read: [u8; LOGS],
    /// The closed logs that it has let go.
    pub(super) buried: [bool; LOGS],
    /// Who has acknowledged its present view.
    pub(super) acked: [bool; NODES],
    pub(super) process: Option<Process>,
}

/// What is known of a node. News are higher: a boot above the one before it, a refutation above
/// the death that it refutes, and a death above the life that it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    /// Which boot.
    pub boot: u8,
    /// How many times that has refuted its death.
    pub incarnation: u8,
    /// Whether it is dead.
    pub dead: bool,
}

/// The process of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) token: Token,
    /// It is frozen, for it is to end in favour of this claim.
    pub(super) losing_to: Option<Token>,
}

/// Which claim it is. Compared as one: the log decides between claims of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Token {
    pub(super) epoch: u8,
    pub(super) log: u8,
}

/// What a node has written about the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Log {
    pub(super) len: u8,
    pub(super) entries: [Entry; LOG_MAX],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Nothing,
    Claim(Token),
    /// A pointer to the claim that took its place.
    Gone(Token),
    Stopped(Token),
}

/// What a message of the handshake is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claims {
    pub(super) loser: Token,
    pub(super) winner: Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Yes(Claims),
    No(Claims),
}

/// Runs that write so much are not followed further.
pub(super) const LOG_MAX: usize = 6;

impl State {
    /// The name runs on the first node, and nobody else has heard of it. A node that does not take
    /// part died long ago.
    pub(super) fn new(nodes: usize) -> Self {
        let seen = |node| Seen { boot: 0, incarnation: 0, dead: node >= nodes };
        let node = Node {
            up: true,
            boot: 0,
            seen: std::array::from_fn(seen),
            read: [0; LOGS],
            buried: [false; LOGS],
            acked: [true; NODES],
            process: None,
        };
        let log = Log { len: 0, entries: [Entry::Nothing; LOG_MAX] };
        let mut state = Self {
            nodes: [node; NODES],
            logs: [log; LOGS],
            asks: [[None; NODES]; NODES],
            answers: [[None; NODES]; NODES],
            crashes: 0,
            reboots: 0,
            false_deaths: 0,
            stops: 0,
            came_back: false,
        };
        for absent in nodes..NODES {
            (state.nodes[absent].up, state.nodes[absent].boot) = (false, 1);
        }
        state.run(0, Token { epoch: 1, log: 0 });
        state
    }

    /// The name runs at `at`, whose claim has this token.
    pub(super) fn run(&mut self, at: usize, token: Token) {
        self.nodes[at].process = Some(Process { token, losing_to: None });
        self.append(at, Entry::Claim(token));
    }

    pub(super) fn append(&mut self, at: usize, entry: Entry) {
        let id = self.nodes[at].log(at);
        let log = &mut self.logs[id];
        log.entries[usize::from(log.len)] = entry;
        log.len += 1;
        self.nodes[at].read[id] = log.len;
    }

    /// The node loses all that it knows, and all that it alone had written.
    pub(super) fn crash(&mut self, at: usize) {
        let log = self.nodes[at].log(at);
        let node = &mut self.nodes[at];
        *node = Node { up: false, boot: node.boot, ..Self::new(NODES).nodes[1] };
        for other in 0..NODES {
            (self.asks[at][other], self.asks[other][at]) = (None, None);
            (self.answers[at][other], self.answers[other][at]) = (None, None);
        }
        for id in 0..LOGS {
            if id == log || !self.nodes[id / 2].up {
                let read = self.live().map(|live| self.nodes[live].read[id]).max().unwrap_or(0);
                let log = &mut self.logs[id];
                log.entries[usize::from(read)..].fill(Entry::Nothing);
                log.len = read;
            }
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = usize> {
        (0..NODES).filter(|at| self.nodes[*at].up)
    }
}

impl Node {
    /// The log of the node `at`, in its present boot.
    pub(super) const fn log(&self, at: usize) -> usize {
        at * 2 + self.boot as usize
    }
}

impl Entry {
    pub(super) const fn token(self) -> Option<Token> {
        match self {
            Self::Nothing => None,
            Self::Claim(token) | Self::Gone(token) | Self::Stopped(token) => Some(token),
        }
    }

    /// The order of entries that are not live claims.
    pub(super) const fn rank(self) -> Option<(Token, u8)> {
        match self {
            Self::Nothing => None,
            Self::Gone(token) => Some((token, 0)),
            Self::Claim(token) => Some((token, 1)),
            Self::Stopped(token) => Some((token, 2)),
        }
    }

    /// Whether the name can be started from it.
    pub(super) const fn can_start(self) -> bool {
        matches!(self, Self::Claim(_) | Self::Gone(_))
    }
}
