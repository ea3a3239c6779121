//! Bugs on purpose: one for each checker, to show that it catches what it is for.

use std::fmt;

/// A bug that a simulated node has on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// One change of a name in forty does not reach the node's view.
    DeafView,
    /// The end of a membership does not reach the node's view of groups.
    StickyGroups,
    /// A dead node is reported as back, now and then.
    Ghosts,
    /// A process that moves away goes on running.
    Undead,
    /// A process that ends does not tell its node.
    SilentExit,
    /// A crash is reported as a regular end, so that the name is released.
    QuietCrash,
    /// A stop is answered at once, and nothing is stopped.
    EmptyStop,
    /// A process that moves begins to count at zero.
    Forgetful,
    /// A message is handled twice, now and then.
    Twice,
    /// A standby that is thrown away stays.
    Hoarder,
    /// One answer in thirty does not reach its caller.
    LostAnswer,
    /// A process takes in the state of a copy that loses to it twice.
    ResolvesTwice,
    /// A process says that it has taken in the state of a copy that loses to it, and has not.
    DropsState,
    /// A process that loses its name ends as soon as it has handed over its state.
    StopsFirst,
    /// A process that is to stop takes ten seconds more, and is not killed when its time is over.
    LateStop,
    /// Those that hold a quorum do not wait until others have stopped.
    NoMargin,
    /// They wait for a minute.
    LongMargin,
    /// What waited for the quorum is forgotten when the quorum is back.
    ForgetsSuspended,
    /// A node takes a seat where there is none for it.
    SquatsSeat,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::DeafView,
        Self::StickyGroups,
        Self::Ghosts,
        Self::Undead,
        Self::SilentExit,
        Self::QuietCrash,
        Self::EmptyStop,
        Self::Forgetful,
        Self::Twice,
        Self::Hoarder,
        Self::LostAnswer,
        Self::ResolvesTwice,
        Self::DropsState,
        Self::StopsFirst,
        Self::LateStop,
        Self::NoMargin,
        Self::LongMargin,
        Self::ForgetsSuspended,
        Self::SquatsSeat,
    ];

    /// Whether it shows under a quorum only.
    #[must_use]
    pub const fn needs_quorum(self) -> bool {
        matches!(
            self,
            Self::LateStop
                | Self::NoMargin
                | Self::LongMargin
                | Self::ForgetsSuspended
                | Self::SquatsSeat
        )
    }
}

impl fmt::Display for Defect {
    /// Its name, in lower case and with hyphens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, letter) in format!("{self:?}").chars().enumerate() {
            let hyphen = if nth > 0 && letter.is_uppercase() { "-" } else { "" };
            write!(f, "{hyphen}{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}
