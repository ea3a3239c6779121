//! What a node's operator can set about its processes.

use std::time::Duration;

/// Settings of a node's processes. [`check`](Self::check) them before use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many messages wait in one mailbox before senders wait. Messages from other nodes are
    /// taken beyond it while their nodes are told to pause, up to 64 MiB. 1 to 1,048,576.
    /// More hides a slow worker longer and costs memory; fewer makes bursts wait.
    pub mailbox_messages: usize,
    /// How many bytes wait in one mailbox before senders wait: of a message from this node its
    /// size in memory without what it points to, of one from another node its encoded size. A
    /// larger message is taken while the mailbox is empty. 1 KiB to 1 GiB.
    pub mailbox_bytes: usize,
    /// How long `begin_handoff` may take. After that the process stays where it is and goes on
    /// working. 1 ms to one hour; below the deadline that a move has.
    pub handoff_timeout: Duration,
    /// How long `die` may take before the process is killed. 1 ms to one hour.
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mailbox_messages: 1024,
            mailbox_bytes: 1024 * 1024,
            handoff_timeout: Duration::from_secs(5),
            grace: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that is out of range, its value, and the range.
    pub fn check(self) -> Result<Checked, ConfigError> {
        number("mailbox_messages", self.mailbox_messages, 1, 1 << 20)?;
        number("mailbox_bytes", self.mailbox_bytes, 1 << 10, 1 << 30)?;
        time("handoff_timeout", self.handoff_timeout)?;
        time("grace", self.grace)?;
        Ok(Checked(self))
    }
}

/// Settings that were checked.
#[derive(Clone, Debug, Default)]
pub struct Checked(Config);

impl std::ops::Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

/// A setting that is out of range. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number.
    #[error("process.{setting} is {value}, it can be {min} to {max}")]
    Number {
        /// The setting.
        setting: &'static str,
        /// What it is set to.
        value: usize,
        /// The least it can be.
        min: usize,
        /// The most it can be.
        max: usize,
    },
    /// A duration.
    #[error("process.{setting} is {value:?}, it can be {min:?} to {max:?}")]
    Time {
        /// The setting.
        setting: &'static str,
        /// What it is set to.
        value: Duration,
        /// The least it can be.
        min: Duration,
        /// The most it can be.
        max: Duration,
    },
}

fn number(setting: &'static str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Number { setting, value, min, max })
}

fn time(setting: &'static str, value: Duration) -> Result<(), ConfigError> {
    let (min, max) = (Duration::from_millis(1), Duration::from_secs(3600));
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Time { setting, value, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_range_is_named() {
        let error = Config { mailbox_messages: 0, ..Config::default() }.check();
        let text = error.expect_err("0 is out of range").to_string();
        assert_eq!(text, "process.mailbox_messages is 0, it can be 1 to 1048576");
        let error = Config { grace: Duration::ZERO, ..Config::default() }.check();
        let text = error.expect_err("0 is out of range").to_string();
        assert_eq!(text, "process.grace is 0ns, it can be 1ms to 3600s");
    }
}
