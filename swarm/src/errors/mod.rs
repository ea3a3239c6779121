//! One error for each operation: what was tried, where it got stuck, and what state it left.

mod messages;
pub use messages::{CallError, CastError, GroupError};

mod names;
pub use names::{MetaError, RegisterError, SpawnError, UnregisterError, WhereisError};

mod start;
pub use start::{ConfigError, DrainError, StartError};

use swarm_base::{NameError, SecretError};

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
    /// What is said of a name was not changed.
    #[error(transparent)]
    Meta(#[from] MetaError),
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

impl From<swarm_ring::ConfigError> for Error {
    fn from(error: swarm_ring::ConfigError) -> Self {
        Self::Config(error.into())
    }
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
            Self::Meta(error) => error.is_retryable(),
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
            Self::Meta(error) => error.code(),
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
