//! One error for each operation: what was tried, where it got stuck, and what state it left.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Name, NameError, NodeNameError, Pid, SecretError};
use swarm_process::{ExitReason, Stage};

/// The result of an operation; by default of any.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of any operation, for callers that do not tell them apart.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A worker was not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A worker was not spawned.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A name was not taken away, or its process not stopped.
    #[error(transparent)]
    Unregister(#[from] UnregisterError),
    /// The owner of a name could not be asked.
    #[error(transparent)]
    Whereis(#[from] WhereisError),
    /// A call got no reply.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A message was not sent.
    #[error(transparent)]
    Cast(#[from] CastError),
    /// A process did not join or leave a group.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The node did not drain.
    #[error(transparent)]
    Drain(#[from] DrainError),
    /// Not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a cluster secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Error {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Start(error) => error.is_retryable(),
            Self::Register(error) => error.is_retryable(),
            Self::Spawn(error) => error.is_retryable(),
            Self::Unregister(error) => error.is_retryable(),
            Self::Whereis(error) => error.is_retryable(),
            Self::Call(error) => error.is_retryable(),
            Self::Cast(error) => error.is_retryable(),
            Self::Group(error) => error.is_retryable(),
            Self::Drain(error) => error.is_retryable(),
            Self::Name(_) | Self::Secret(_) | Self::Config(_) => false,
        }
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Start(error) => error.code(),
            Self::Register(error) => error.code(),
            Self::Spawn(error) => error.code(),
            Self::Unregister(error) => error.code(),
            Self::Whereis(error) => error.code(),
            Self::Call(error) => error.code(),
            Self::Cast(error) => error.code(),
            Self::Group(error) => error.code(),
            Self::Drain(error) => error.code(),
            Self::Name(_) => "invalid-name",
            Self::Secret(_) => "invalid-secret",
            Self::Config(_) => "invalid-config",
        }
    }
}

/// Why a node did not start. Nothing of it is left.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The name of the node is none.
    #[error("node name: {0}")]
    NodeName(#[from] NodeNameError),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret is none.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {what}: {reason}")]
    Bind {
        /// `gossip` or `links`.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        reason: String,
    },
    /// An address does not resolve.
    #[error("{what} address {address:?} does not resolve: {reason}")]
    Address {
        /// The setting.
        what: &'static str,
        /// As it was given.
        address: String,
        /// What the resolver said.
        reason: String,
    },
    /// The certificate of the node cannot be made or read.
    #[error("credentials: {0}")]
    Credentials(String),
    /// A live node of the cluster has this name. Give this one another.
    #[error("node name {name} is taken: a live node at {holder} has it")]
    NameTaken {
        /// The name.
        name: String,
        /// Where its holder gossips.
        holder: SocketAddr,
    },
}

impl StartError {
    /// Whether the same start can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Bind { .. } | Self::Address { .. } | Self::NameTaken { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NodeName(_) => "invalid-node-name",
            Self::Config(_) => "invalid-config",
            Self::Secret(_) => "invalid-secret",
            Self::Bind { .. } => "cannot-bind",
            Self::Address { .. } => "unresolvable-address",
            Self::Credentials(_) => "invalid-credentials",
            Self::NameTaken { .. } => "name-taken",
        }
    }
}

/// A setting that is wrong. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, it must be {want}")]
#[non_exhaustive]
pub struct ConfigError {
    /// Which setting.
    pub setting: String,
    /// What it is set to.
    pub value: String,
    /// What would be right.
    pub want: String,
}

impl ConfigError {
    pub(crate) fn new(
        setting: impl Into<String>,
        value: impl Into<String>,
        want: impl Into<String>,
    ) -> Self {
        Self { setting: setting.into(), value: value.into(), want: want.into() }
    }
}

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
    /// No node may own the name at present: none serves the kind and is ready, or there are too
    /// few. Nothing changed.
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
            Self::NoNodeAvailable { .. } | Self::Timeout { .. } | Self::StartFailed { .. }
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

/// Why a name was not taken away, or its process not stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnregisterError {
    /// Nobody has the name.
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

/// Why a call got no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nobody has the name, or the process does not live. The message was not handled.
    #[error("no process {target} for message {message}")]
    NotFound {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
    },
    /// The worker does not list the message in its `Accepts`. It was not handled.
    #[error("{target} does not handle message {message}")]
    NotHandled {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
    },
    /// The mailbox, or the queue to its node, has no room. The message was not handled.
    #[error("no room for message {message} to {target}")]
    Full {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
    },
    /// The process ended before it replied. Whether it handled the message is unknown.
    #[error("{target} ended before it replied to {message}: {reason}")]
    Stopped {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
        /// Why it ended.
        reason: ExitReason,
    },
    /// The message or the reply could not be encoded or decoded. In the reply's case it was
    /// handled.
    #[error("message {message} to {target}: {reason}")]
    Codec {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The time was over. From `Queued` on, the message may have been handled, or may yet be.
    #[error("no reply to {message} from {target} within {after:?}: {stage}")]
    Timeout {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// The name is none. Nothing was sent.
    #[error(transparent)]
    Name(#[from] NameError),
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl CallError {
    /// Whether the message was surely not handled, so that a repeated call cannot handle it twice.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::Full { .. } => true,
            Self::Timeout { stage, .. } => matches!(stage, Stage::Resolve | Stage::Connect),
            _ => false,
        }
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::NotHandled { .. } => "not-handled",
            Self::Full { .. } => "full",
            Self::Stopped { .. } => "stopped",
            Self::Codec { .. } => "codec",
            Self::Timeout { .. } => "timeout",
            Self::Name(_) => "invalid-name",
            Self::NodeStopped => "node-stopped",
        }
    }
}

/// Why a message was not sent. It was not handled, and will not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CastError {
    /// Nobody has the name, or the process does not live.
    #[error("no process {target} for message {message}")]
    NotFound {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
    },
    /// The mailbox, or the queue to its node, has no room.
    #[error("no room for message {message} to {target}")]
    Full {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
    },
    /// The message could not be encoded.
    #[error("message {message} to {target}: {reason}")]
    Codec {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The time was over.
    #[error("message {message} to {target} found no room within {after:?}: {stage}")]
    Timeout {
        /// The name or pid.
        target: Arc<str>,
        /// The message.
        message: &'static str,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl CastError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Full { .. } | Self::Timeout { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Full { .. } => "full",
            Self::Codec { .. } => "codec",
            Self::Timeout { .. } => "timeout",
            Self::Name(_) => "invalid-name",
            Self::NodeStopped => "node-stopped",
        }
    }
}

/// Why a process did not join or leave a group. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The process does not live.
    #[error("no process {target}")]
    NotFound {
        /// The name or pid.
        target: Arc<str>,
    },
    /// The name of the group, or of the process, is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The time was over. It may still happen.
    #[error("{target} was not done with group {group} within {after:?}: {stage}")]
    Timeout {
        /// The name or pid.
        target: Arc<str>,
        /// The group.
        group: Name,
        /// Where it waited.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl GroupError {
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

/// Why a node did not hand over everything. What is left runs on here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// The time was over.
    #[error("{left} of {total} names are still here after {after:?}")]
    Timeout {
        /// How many names are left.
        left: usize,
        /// How many there were.
        total: usize,
        /// How long.
        after: Duration,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl DrainError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}
