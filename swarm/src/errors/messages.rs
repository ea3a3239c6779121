//! Messages and groups.

use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Name, NameError, NodeId};
use swarm_process::{ExitReason, Stage};

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
    #[error("no reply to {message} from {target}{on} within {after:?}: {stage}", on = on(.node))]
    Timeout {
        /// The name or pid.
        target: Arc<str>,
        /// The node where it was last seen; `None` while it has no process.
        node: Option<NodeId>,
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

    /// Says on which node the process is that did not answer in time.
    pub(crate) fn with_node(mut self, at: impl FnOnce() -> Option<NodeId>) -> Self {
        if let Self::Timeout { node, .. } = &mut self {
            *node = at();
        }
        self
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

fn on(node: &Option<NodeId>) -> String {
    node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default()
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
    /// What it says of itself in the group is more than every node keeps. Nothing changed.
    #[error("{target} says {len} bytes of itself in group {group}, at most {max} are kept")]
    MetaTooLong {
        /// The name or pid.
        target: Arc<str>,
        /// The group.
        group: Name,
        /// How many bytes it says.
        len: usize,
        /// The most that can be.
        max: usize,
    },
    /// The process is not in the group. Nothing changed.
    #[error("{target} is not in group {group}")]
    NotMember {
        /// The name or pid.
        target: Arc<str>,
        /// The group.
        group: Name,
    },
    /// The process is in as many groups as the settings of its node allow
    /// (`config.registry.groups_max`). Nothing changed.
    #[error("{target} did not join group {group}: it is in {max} groups, as many as may be")]
    Full {
        /// The name or pid.
        target: Arc<str>,
        /// The group.
        group: Name,
        /// The most groups that a process may be in.
        max: u64,
    },
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
        matches!(self, Self::Timeout { .. } | Self::Full { .. })
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Name(_) => "invalid-name",
            Self::MetaTooLong { .. } => "invalid-meta",
            Self::NotMember { .. } => "not-member",
            Self::Full { .. } => "full",
            Self::Timeout { .. } => "timeout",
            Self::NodeStopped => "node-stopped",
        }
    }
}
