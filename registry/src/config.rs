//! What can be tuned, and its bounds.

use crate::history::BATCH_FACTS_MAX;
use std::time::Duration;

/// How facts are replicated. The defaults suit a LAN and up to a few hundred nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often a node tells its peers how far it holds every log. Repairs what sessions lost
    /// and lets settled logs go; it costs about 70 bytes per log and peer. Jittered by a quarter.
    pub compare_interval: Duration,
    /// How often a node asks one random peer for the logs of live nodes that it has no session
    /// with: while a link is cut, their facts arrive with about this delay.
    pub relay_interval: Duration,
    /// How long facts of this node wait for others to share a message with, once some have been
    /// sent: the first after a pause of that length goes at once. At most a tenth of a second.
    pub push_delay: Duration,
    /// How long an acknowledgement waits for others to share its message with. Below a second:
    /// a peer sends at most [`feed_len_max`](Self::feed_len_max) ahead of it.
    pub ack_delay: Duration,
    /// After how long without progress a missing run of facts is asked for again, elsewhere.
    pub ask_timeout: Duration,
    /// The most facts of its own log that a node keeps encoded, for peers that have not
    /// acknowledged them. Of what all have acknowledged it keeps as many as a snapshot would have, at
    /// least 256. A peer that misses more than is kept gets a snapshot.
    pub history_facts_max: usize,
    /// The most bytes of the same.
    pub history_len_max: usize,
    /// The most names that may be taken in the whole cluster: this node registers none beyond it.
    /// Nodes that register at the same time may pass it by as many as they start at once.
    pub names_max: usize,
    /// The most groups that a process of this node may be in.
    pub groups_max: usize,
    /// The most facts that are taken from one peer in a second, and at once after a quiet second.
    /// Over it nothing is taken in, and the peer is told how long to wait. At least 4,096, the
    /// most in one message; snapshots are bounded by [`snapshot_window`](Self::snapshot_window)
    /// instead.
    pub peer_facts_max: u32,
    /// The most bytes of facts on their way to one peer, unacknowledged. Bounds the memory that
    /// a slow peer takes; a whole batch at least, so that a round trip moves one.
    pub feed_len_max: usize,
    /// The most chunks (of 256 KiB) of a snapshot on their way to one peer.
    pub snapshot_window: u32,
    /// How many names and processes of a snapshot a node goes through before it sees to anything
    /// else, when it makes one and when one takes the place of what it held: the default takes it
    /// a few milliseconds.
    pub slice_max: usize,
    /// The most bytes of one snapshot that a node takes in.
    pub snapshot_len_max: usize,
    /// How long the boot of a dead node whose log is settled stays known, so that a late copy of
    /// the log is not taken for news. At least as long as nodes that were cut off may come back.
    pub buried_keep: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            compare_interval: Duration::from_secs(10),
            relay_interval: Duration::from_secs(1),
            push_delay: Duration::from_millis(1),
            ack_delay: Duration::from_millis(50),
            ask_timeout: Duration::from_secs(1),
            history_facts_max: 64 * 1024,
            history_len_max: 16 * 1024 * 1024,
            names_max: 4 * 1024 * 1024,
            groups_max: 1024 * 1024,
            peer_facts_max: 1_000_000,
            feed_len_max: 4 * 1024 * 1024,
            snapshot_window: 8,
            slice_max: 2_048,
            snapshot_len_max: 512 * 1024 * 1024,
            buried_keep: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that is out of bounds.
    pub fn check(self) -> Result<Checked, ConfigError> {
        let bad = |setting, wanted| Err(ConfigError { setting, wanted });
        if self.compare_interval < Duration::from_millis(100) {
            return bad("registry.compare_interval", "at least 100 ms");
        }
        if self.relay_interval < Duration::from_millis(10) {
            return bad("registry.relay_interval", "at least 10 ms");
        }
        if self.push_delay > Duration::from_millis(100) {
            return bad("registry.push_delay", "at most 100 ms");
        }
        if self.ack_delay > Duration::from_secs(1) {
            return bad("registry.ack_delay", "at most 1 s");
        }
        if self.ask_timeout < Duration::from_millis(100) {
            return bad("registry.ask_timeout", "at least 100 ms");
        }
        if self.history_facts_max == 0 {
            return bad("registry.history_facts_max", "positive integer");
        }
        if self.history_len_max == 0 {
            return bad("registry.history_len_max", "positive integer");
        }
        if self.names_max == 0 {
            return bad("registry.names_max", "positive integer");
        }
        if self.groups_max == 0 {
            return bad("registry.groups_max", "positive integer");
        }
        if self.peer_facts_max < BATCH_FACTS_MAX {
            return bad("registry.peer_facts_max", "at least 4096");
        }
        if self.feed_len_max < 1024 * 1024 {
            return bad("registry.feed_len_max", "at least 1 MiB");
        }
        if self.snapshot_window == 0 {
            return bad("registry.snapshot_window", "positive integer");
        }
        if self.slice_max == 0 {
            return bad("registry.slice_max", "positive integer");
        }
        if self.snapshot_len_max < 1024 * 1024 {
            return bad("registry.snapshot_len_max", "at least 1 MiB");
        }
        if self.buried_keep < Duration::from_secs(60) {
            return bad("registry.buried_keep", "at least 60 s");
        }
        Ok(Checked(self))
    }
}

/// Settings that are within their bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Config);

impl Checked {
    pub(crate) const fn config(&self) -> &Config {
        &self.0
    }
}

/// A setting that is out of its bounds. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be: {wanted}")]
pub struct ConfigError {
    /// Which one.
    pub setting: &'static str,
    /// What would be right.
    pub wanted: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Config), setting: &str) {
        let mut config = Config::default();
        change(&mut config);
        assert_eq!(config.check().expect_err(setting).setting, setting);
    }

    #[test]
    fn the_defaults_are_within_their_bounds() {
        assert!(Config::default().check().is_ok());
    }

    #[test]
    fn a_setting_out_of_bounds_is_named() {
        check(|c| c.compare_interval = Duration::ZERO, "registry.compare_interval");
        check(|c| c.relay_interval = Duration::ZERO, "registry.relay_interval");
        check(|c| c.push_delay = Duration::from_secs(1), "registry.push_delay");
        check(|c| c.ack_delay = Duration::from_secs(2), "registry.ack_delay");
        check(|c| c.ask_timeout = Duration::ZERO, "registry.ask_timeout");
        check(|c| c.history_facts_max = 0, "registry.history_facts_max");
        check(|c| c.history_len_max = 0, "registry.history_len_max");
        check(|c| c.peer_facts_max = 4_095, "registry.peer_facts_max");
        check(|c| c.feed_len_max = 0, "registry.feed_len_max");
        check(|c| c.snapshot_window = 0, "registry.snapshot_window");
        check(|c| c.snapshot_len_max = 0, "registry.snapshot_len_max");
        check(|c| c.slice_max = 0, "registry.slice_max");
        check(|c| c.buried_keep = Duration::ZERO, "registry.buried_keep");
    }
}
