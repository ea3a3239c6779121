//! What is wrong with a setting.

/// A setting that placement refuses. Nothing was made of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value:?}, want a {expected}")]
#[non_exhaustive]
pub struct ConfigError {
    /// Which setting: `quorum` or `weight`.
    pub setting: &'static str,
    /// Its value, as text.
    pub value: String,
    /// What would be right, for example `positive integer`.
    pub expected: &'static str,
}

impl ConfigError {
    pub(crate) fn new(setting: &'static str, value: impl ToString, expected: &'static str) -> Self {
        Self { setting, value: value.to_string(), expected }
    }
}
