//! What was wrong with something from outside.

/// Why something that a peer sent was not taken. It changed nothing, and was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// From a node without a session.
    NoSession,
    /// Facts of the receiver's own log.
    OwnLog,
    /// Of a log that is not held here.
    UnknownLog,
    /// Of a live node that has a session of its own, or had one by then.
    NotTheWriter,
    /// A position that no log has.
    Position,
    /// More facts, marks, pieces or bytes than a message has.
    TooLarge,
    /// More facts in a second than are taken from one peer. It was told to wait.
    TooFast,
    /// Not a run of as many facts as it says.
    Malformed,
    /// A fact of a kind that this release does not know, or that breaks a bound. The rest of its
    /// batch was applied.
    Unreadable,
    /// A piece of a snapshot that was out of order, malformed, or one too many: it begins anew.
    Snapshot,
}

impl Rejection {
    /// The reason in a word or two, the same in every release.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSession => "no session",
            Self::OwnLog => "own log",
            Self::UnknownLog => "unknown log",
            Self::NotTheWriter => "not the writer",
            Self::Position => "position",
            Self::TooLarge => "too large",
            Self::TooFast => "too fast",
            Self::Malformed => "malformed",
            Self::Unreadable => "unreadable",
            Self::Snapshot => "snapshot",
        }
    }
}
