//! Settings, and what they trade.

use crate::PACKET_LEN_MAX;
use std::time::Duration;

/// Settings of the membership protocol. The default is [`lan`](Self::lan).
///
/// All nodes of a cluster should have the same settings; nothing breaks where they differ, but
/// the shortest timeouts then decide. All of them can be changed while the node runs
/// ([`set_config`](crate::Swim::set_config)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often this node probes one other (the paper's protocol period T′). Shorter notices
    /// failures sooner and costs two packets per period and node. At least twice
    /// `probe_timeout`.
    pub probe_interval: Duration,
    /// The longest that a direct ping may take before others are asked to ping, and the longest
    /// that their answers may take. A high quantile of the round trip, and of the pauses of a
    /// loaded host.
    pub probe_timeout: Duration,
    /// The shortest that a direct ping may take, where the round trips measured to that member
    /// are shorter: its smoothed round trip and four times their variation count (RFC 6298), and
    /// three times that for answers by way of others.
    /// Shorter asks others sooner when a packet is lost, and costs packets when a host stutters.
    /// At most `probe_timeout`; equal to it switches the measuring off.
    pub probe_timeout_min: Duration,
    /// How many others are asked (the paper's k). More hide more loss and cost more packets, but
    /// only after a ping went unanswered. 1 to 8.
    pub indirect_probes: usize,
    /// The shortest suspicion, in probe intervals, for up to ten nodes; for more it grows with
    /// log₁₀ of their number. An accused node refutes within it or is dead: it must exceed the
    /// pauses that a node may make. 2 to 100.
    pub suspicion_mult: u32,
    /// The longest suspicion, as a multiple of the shortest. A suspicion starts that long and
    /// shrinks as others confirm it independently (Lifeguard, LHA-Suspicion), so that one node
    /// with a bad connection cannot bury others quickly. 1 switches this off. 1 to 10.
    pub suspicion_max_mult: u32,
    /// How far this node's own bad health stretches its probes (Lifeguard, LHA-Probe): interval
    /// and timeouts are up to this many times as long. 1 switches this off. 1 to 16.
    pub health_mult_max: u32,
    /// Whether a suspect is told first of all, in every packet to it, what it is accused of
    /// (Lifeguard, Buddy System). Off is for experiments.
    pub buddy: bool,
    /// Whether the ping that went unanswered is sent once more while others are asked. Costs one
    /// packet of five and halves the false suspicions of a lossy network. Off is for experiments.
    pub ping_again: bool,
    /// Whether a death that others declare only accuses, so that everybody buries by his own
    /// timer, and who lives can still refute. Off, it is believed at once, as in SWIM: for
    /// experiments.
    pub doubt_deaths: bool,
    /// How often news is passed on besides what rides on probes. Shorter spreads faster. Nothing
    /// is sent without news.
    pub gossip_interval: Duration,
    /// To how many members news goes at each such tick. 1 to 8.
    pub gossip_fanout: usize,
    /// How often each piece of news is sent, times ⌈log₁₀(n + 1)⌉ (the paper's λ). More reach
    /// everybody under more loss. 1 to 20.
    pub retransmit_mult: u32,
    /// How often the table is compared with a random member's whole. A backstop only: members
    /// that differ notice by the hash that rides on each probe.
    pub sync_interval: Duration,
    /// The first wait before a seed that does not answer is tried again; it doubles up to
    /// `seed_retry_max`.
    pub seed_retry_min: Duration,
    /// The longest wait between tries of a seed; tries never end. One small packet each.
    pub seed_retry_max: Duration,
    /// How long a dead member is remembered. While it is, its death cannot be unlearned by old
    /// news, and it is tried now and then.
    pub dead_memory: Duration,
    /// How often one of the remembered dead is tried, in turn: how soon two halves that buried
    /// each other find together after the network heals. One small packet each time.
    pub dead_retry_interval: Duration,
    /// How long a goodbye waits to be heard.
    pub leave_timeout: Duration,
    /// How many others watch a node's stream, and tell at once when its system closes it. None
    /// leaves every death to the probes. 0 to 8. Costs so many idle connections per node.
    pub watchers: usize,
    /// The longest packet that this node sends, in bytes. Below the network's MTU, or packets are
    /// fragmented and lost more often. 1,200 to 1,400.
    pub packet_len_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

impl Config {
    /// For one network: round trips of milliseconds, little loss.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            probe_interval: ms(1000),
            probe_timeout: ms(500),
            probe_timeout_min: ms(100),
            indirect_probes: 3,
            suspicion_mult: 3,
            suspicion_max_mult: 6,
            health_mult_max: 8,
            buddy: true,
            ping_again: true,
            doubt_deaths: true,
            gossip_interval: ms(100),
            gossip_fanout: 3,
            retransmit_mult: 4,
            sync_interval: ms(30_000),
            seed_retry_min: ms(250),
            seed_retry_max: ms(2000),
            dead_memory: Duration::from_hours(24),
            dead_retry_interval: ms(1000),
            leave_timeout: ms(2000),
            watchers: 3,
            packet_len_max: 1200,
        }
    }

    /// For nodes that are far apart: round trips of hundreds of milliseconds, bursts of loss.
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            probe_interval: ms(5000),
            probe_timeout: ms(2500),
            probe_timeout_min: ms(500),
            suspicion_mult: 4,
            gossip_interval: ms(500),
            gossip_fanout: 4,
            sync_interval: ms(60_000),
            seed_retry_min: ms(1000),
            seed_retry_max: ms(10_000),
            dead_retry_interval: ms(5000),
            leave_timeout: ms(5000),
            ..Self::lan()
        }
    }

    /// For nodes on one machine: no loss, and only their own pauses.
    #[must_use]
    pub const fn local() -> Self {
        Self {
            probe_interval: ms(500),
            probe_timeout: ms(200),
            probe_timeout_min: ms(50),
            indirect_probes: 1,
            gossip_interval: ms(50),
            retransmit_mult: 2,
            sync_interval: ms(15_000),
            dead_retry_interval: ms(500),
            leave_timeout: ms(1000),
            ..Self::lan()
        }
    }

    /// Checks every setting and their relations.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that is wrong, and what would be right.
    pub fn check(self) -> Result<Checked, ConfigError> {
        let at_least = |setting, value: Duration, least: Duration, want| {
            if value < least {
                return Err(ConfigError { setting, value: format!("{value:?}"), want });
            }
            Ok(())
        };
        let within = |setting, value: usize, range: std::ops::RangeInclusive<usize>, want| {
            if !range.contains(&value) {
                return Err(ConfigError { setting, value: value.to_string(), want });
            }
            Ok(())
        };
        // Above, deadlines that are computed from them would overflow.
        for (setting, value) in self.durations() {
            if value > DURATION_MAX {
                let value = format!("{value:?}");
                return Err(ConfigError { setting, value, want: "at most a year" });
            }
        }
        at_least("probe_timeout", self.probe_timeout, ms(1), "at least 1 ms")?;
        at_least(
            "probe_interval",
            self.probe_interval,
            self.probe_timeout * 2,
            "at least twice probe_timeout: a ping through others takes as long again",
        )?;
        at_least("probe_timeout_min", self.probe_timeout_min, ms(1), "at least 1 ms")?;
        at_least(
            "probe_timeout",
            self.probe_timeout,
            self.probe_timeout_min,
            "at least probe_timeout_min",
        )?;
        within("indirect_probes", self.indirect_probes, 1..=8, "1 to 8")?;
        within("suspicion_mult", self.suspicion_mult as usize, 2..=100, "2 to 100")?;
        within("suspicion_max_mult", self.suspicion_max_mult as usize, 1..=10, "1 to 10")?;
        within("health_mult_max", self.health_mult_max as usize, 1..=16, "1 to 16")?;
        at_least("gossip_interval", self.gossip_interval, ms(1), "at least 1 ms")?;
        within("gossip_fanout", self.gossip_fanout, 1..=8, "1 to 8")?;
        within("retransmit_mult", self.retransmit_mult as usize, 1..=20, "1 to 20")?;
        at_least("sync_interval", self.sync_interval, ms(100), "at least 100 ms")?;
        at_least("seed_retry_min", self.seed_retry_min, ms(10), "at least 10 ms")?;
        at_least(
            "seed_retry_max",
            self.seed_retry_max,
            self.seed_retry_min,
            "at least seed_retry_min",
        )?;
        at_least(
            "dead_memory",
            self.dead_memory,
            self.probe_interval * self.suspicion_mult * self.suspicion_max_mult * 10,
            "at least ten of the longest suspicions, else old news revives the dead",
        )?;
        at_least("dead_retry_interval", self.dead_retry_interval, ms(10), "at least 10 ms")?;
        at_least(
            "leave_timeout",
            self.leave_timeout,
            self.gossip_interval,
            "at least gossip_interval",
        )?;
        within("watchers", self.watchers, 0..=8, "0 to 8")?;
        within("packet_len_max", self.packet_len_max, 1200..=PACKET_LEN_MAX, "1200 to 1400")?;
        Ok(Checked(self))
    }

    const fn durations(&self) -> [(&'static str, Duration); 10] {
        [
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
            ("probe_timeout_min", self.probe_timeout_min),
            ("gossip_interval", self.gossip_interval),
            ("sync_interval", self.sync_interval),
            ("seed_retry_min", self.seed_retry_min),
            ("seed_retry_max", self.seed_retry_max),
            ("dead_memory", self.dead_memory),
            ("dead_retry_interval", self.dead_retry_interval),
            ("leave_timeout", self.leave_timeout),
        ]
    }
}

/// Settings that have been checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked(Config);

impl Checked {
    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.0
    }
}

impl std::ops::Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, want {want}")]
pub struct ConfigError {
    /// Its name.
    pub setting: &'static str,
    /// What it was set to.
    pub value: String,
    /// What would be right.
    pub want: &'static str,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const DURATION_MAX: Duration = Duration::from_hours(365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_are_right() {
        assert_eq!(Config::default().check(), Ok(Checked::default()));
        assert!(Config::wan().check().is_ok() && Config::local().check().is_ok());
    }

    #[test]
    fn an_error_names_the_setting_and_what_would_be_right() {
        let check = |config: Config, expected: &str| {
            assert_eq!(config.check().expect_err("refused").to_string(), expected);
        };
        let default = Config::default();
        check(Config { indirect_probes: 0, ..default }, "indirect_probes is 0, want 1 to 8");
        check(
            Config { probe_interval: Duration::from_millis(900), ..default },
            "probe_interval is 900ms, want at least twice probe_timeout: a ping through \
             others takes as long again",
        );
        check(
            Config { seed_retry_max: Duration::from_millis(1), ..default },
            "seed_retry_max is 1ms, want at least seed_retry_min",
        );
        let endless = Config { probe_interval: Duration::MAX, ..default }.check();
        assert_eq!(endless.expect_err("refused").want, "at most a year");
    }
}
