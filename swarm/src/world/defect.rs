//! Bugs on purpose: one for each checker, to show that it catches what it is for.

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
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 13] = [
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
    ];
}
