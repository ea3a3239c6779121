//! When to dial, and for how long to wait.

use std::ops::Deref;
use std::time::Duration;

/// The timing of sessions. The defaults suit one data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long the node with the larger name waits for the other to dial. Shorter heals one-way
    /// trouble sooner, longer wastes fewer second connections. Well above a round trip.
    pub larger_waits: Duration,
    /// The first wait after a session failed. Doubled with each failure, less up to half at random.
    pub backoff_min: Duration,
    /// The longest wait between two attempts, and how long a session has to last for the waits to
    /// begin anew. At least [`backoff_min`](Self::backoff_min).
    pub backoff_max: Duration,
    /// How long a dial may take. Below [`hello_timeout`](Self::hello_timeout), so that a node that
    /// cannot reach the other has given up before the other stops waiting for its hello.
    pub dial_timeout: Duration,
    /// How long an open session waits for the other's hello and membership.
    pub hello_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            larger_waits: Duration::from_millis(500),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
            dial_timeout: Duration::from_secs(3),
            hello_timeout: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Checks the settings against each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the setting and what would be right.
    pub fn check(self) -> Result<Checked, ConfigError> {
        let above = |setting, value: Duration, least: Duration| {
            if value < least {
                return Err(ConfigError::TooShort { setting, value, least });
            }
            Ok(())
        };
        let tick = Duration::from_millis(1);
        above("link.larger_waits", self.larger_waits, tick)?;
        above("link.backoff_min", self.backoff_min, tick)?;
        above("link.backoff_max", self.backoff_max, self.backoff_min)?;
        above("link.dial_timeout", self.dial_timeout, tick)?;
        above("link.hello_timeout", self.hello_timeout, self.dial_timeout)?;
        Ok(Checked(self))
    }
}

/// A [`Config`] that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Config);

impl Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A wait that is too short.
    #[error("{setting} is {value:?}, at least {least:?} would be right")]
    TooShort {
        /// Which setting.
        setting: &'static str,
        /// What it is.
        value: Duration,
        /// The least that would be right.
        least: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_held_against_each_other() {
        assert!(Config::default().check().is_ok());
        let check = |config: Config, want: &str| {
            assert_eq!(config.check().expect_err("refused").to_string(), want);
        };
        let ms = Duration::from_millis;
        check(
            Config { backoff_max: ms(10), ..Config::default() },
            "link.backoff_max is 10ms, at least 50ms would be right",
        );
        check(
            Config { hello_timeout: ms(2000), ..Config::default() },
            "link.hello_timeout is 2s, at least 3s would be right",
        );
        check(
            Config { larger_waits: ms(0), ..Config::default() },
            "link.larger_waits is 0ns, at least 1ms would be right",
        );
    }
}
