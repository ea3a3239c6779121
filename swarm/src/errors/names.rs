//! Names and processes.

use std::time::Duration;
use swarm_base::{Name, NameError, Pid};
use swarm_process::Stage;

/// Why a worker or a process was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another process holds the name. Nothing changed.
    #[error("name {name} is already registered, by {pid}")]
    AlreadyRegistered {
        /// The name.
        name: Name,
        /// Its process.
        pid: Pid,
    },
    /// A worker of another kind holds the name. Nothing changed.
    #[error("name {name} is held by {pid}, a {held}, not a {want}")]
    KindMismatch {
        /// The name.
        name: Name,
        /// Its process.
        pid: Pid,
        /// The kind that holds it; `process` for one registered by pid.
        held: String,
        /// The kind that was asked for.
        want: &'static str,
    },
    /// No node may own the name at present: none serves the kind, is ready and passes the lists, or
    /// there are too few. Nothing changed.
    #[error("no node is available for name {name} of kind {kind}")]
    NoNodeAvailable {
        /// The name.
        name: Name,
        /// The kind.
        kind: &'static str,
    },
    /// `start` returned an error or panicked. The name is free.
    #[error("worker {name} did not start: {reason}")]
    StartFailed {
        /// The name.
        name: Name,
        /// What `start` said.
        reason: String,
    },
    /// The arguments cannot be encoded. Nothing changed.
    #[error("the arguments of {name} cannot be encoded: {reason}")]
    Arguments {
        /// The name.
        name: Name,
        /// What serde said.
        reason: String,
    },
    /// The name is none. Nothing changed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There are as many names in the cluster as the settings allow (`config.registry.names_max`).
    /// Nothing changed.
    #[error("{name} was not registered: there are {max} names, as many as may be")]
    Full {
        /// The name.
        name: Name,
        /// The most names that may be.
        max: u64,
    },
    /// There is no such process to register. Nothing changed.
    #[error("no process {pid} to register as {name}")]
    NoProcess {
        /// The name.
        name: Name,
        /// The process.
        pid: Pid,
    },
    /// The time was over. A start that was under way is ended, and the name is free; where the
    /// answer alone was lost, the name may be registered.
    #[error("{name} was not registered within {after:?}: {stage}")]
    Timeout {
        /// The name.
        name: Name,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl RegisterError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NoNodeAvailable { .. }
                | Self::Timeout { .. }
                | Self::StartFailed { .. }
                | Self::Full { .. }
        )
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered { .. } => "already-registered",
            Self::KindMismatch { .. } => "kind-mismatch",
            Self::NoNodeAvailable { .. } => "no-node-available",
            Self::StartFailed { .. } => "start-failed",
            Self::Arguments { .. } => "invalid-arguments",
            Self::Name(_) => "invalid-name",
            Self::NoProcess { .. } => "no-process",
            Self::Full { .. } => "full",
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}

/// Why a process was not spawned. There is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The node was not told of this kind: `builder.worker::<W>()` does.
    #[error("kind {kind} is not served by this node")]
    UnknownKind {
        /// The kind.
        kind: &'static str,
    },
    /// `start` returned an error or panicked.
    #[error("{kind} did not start: {reason}")]
    StartFailed {
        /// The kind.
        kind: &'static str,
        /// What `start` said.
        reason: String,
    },
    /// The time was over. The start was ended.
    #[error("{kind} did not start within {after:?}")]
    Timeout {
        /// The kind.
        kind: &'static str,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl SpawnError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::StartFailed { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } => "unknown-kind",
            Self::StartFailed { .. } => "start-failed",
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}

/// Why what is said of a name was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// Nobody has the name.
    #[error("no process has the name {name}")]
    NotFound {
        /// The name.
        name: Name,
    },
    /// It is too long. Nothing changed.
    #[error("metadata of {len} bytes for {name}, at most {max} are kept on every node")]
    TooLong {
        /// The name.
        name: Name,
        /// How many bytes there were.
        len: usize,
        /// How many there may be.
        max: usize,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The time was over. It may still happen.
    #[error("what is said of {name} was not changed within {after:?}: {stage}")]
    Timeout {
        /// The name.
        name: Name,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl MetaError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::NotFound { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::TooLong { .. } => "invalid-meta",
            Self::Name(_) => "invalid-name",
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}

/// Why a name was not taken away, or its process not stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnregisterError {
    /// Nobody has the name whose process was to be stopped.
    #[error("no process has the name {name}")]
    NotFound {
        /// The name.
        name: Name,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The time was over. It may still happen.
    #[error("{name} was not done within {after:?}: {stage}")]
    Timeout {
        /// The name.
        name: Name,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl UnregisterError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Name(_) => "invalid-name",
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}

/// Why the owner of a name could not be asked. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhereisError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The time was over.
    #[error("the owner of {name} did not answer within {after:?}: {stage}")]
    Timeout {
        /// The name.
        name: Name,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl WhereisError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "invalid-name",
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}
