//! Starting and draining a node.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{NodeName, NodeNameError, SecretError};

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
    /// The nodes of the cluster have another setting that all must share. Set it as they do, or stop
    /// them all and start them with the new one.
    #[error("{setting} is {here}, but {there} on {peer}: all nodes must have the same")]
    SettingsDiffer {
        /// One of the nodes that it is another one on.
        peer: NodeName,
        /// The setting.
        setting: String,
        /// What it is set to on this node.
        here: String,
        /// What it is set to on the other.
        there: String,
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
            Self::SettingsDiffer { .. } => "settings-differ",
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

impl From<swarm_ring::ConfigError> for ConfigError {
    fn from(error: swarm_ring::ConfigError) -> Self {
        Self::new(error.setting, error.value, format!("a {}", error.expected))
    }
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
    /// No other node may run what is left.
    #[error("no other node takes the {left} of {total} names that are still here")]
    Nowhere {
        /// How many names are left.
        left: usize,
        /// How many there were.
        total: usize,
    },
    /// Readiness was set meanwhile, which calls a drain off.
    #[error("the drain was called off with {left} of {total} names still here")]
    Cancelled {
        /// How many names are left.
        left: usize,
        /// How many there were.
        total: usize,
    },
    /// This node has stopped.
    #[error("the node has stopped")]
    NodeStopped,
}

impl DrainError {
    /// Whether the same operation can succeed when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::NodeStopped)
    }

    /// A name for the error that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Nowhere { .. } => "nowhere",
            Self::Cancelled { .. } => "cancelled",
            Self::NodeStopped => "node-stopped",
        }
    }
}
