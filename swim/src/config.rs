//! Settings, and what they trade.

use std::time::Duration;

/// Settings of the membership protocol. The default is for a local network: a killed node is
/// noticed by all of a small group within about 2.5 s, and one that pauses for a second is not
/// declared dead.
///
/// All nodes of a cluster should have the same settings; nothing breaks where they differ, but
/// the shortest timeouts then decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often this node probes one other (the paper's protocol period T′). Shorter notices
    /// failures sooner and costs two packets per period and node. At least twice
    /// `probe_timeout`. Default 500 ms.
    pub probe_interval: Duration,
    /// How long a direct ping may take before others are asked to ping. A high quantile of the
    /// round trip, and of the pauses of a loaded host. Default 200 ms.
    pub probe_timeout: Duration,
    /// How many others are asked (the paper's k). More hide more loss and cost more packets, but
    /// only after a ping went unanswered. 1 to 8, default 3.
    pub indirect_probes: usize,
    /// The shortest suspicion, in probe intervals, for up to ten nodes; for more it grows with
    /// log₁₀ of their number. An accused node refutes within it or is dead: it must exceed the
    /// pauses that a node may make. 2 to 100, default 3.
    pub suspicion_mult: u32,
    /// The longest suspicion, as a multiple of the shortest. A suspicion starts that long and
    /// shrinks as others confirm it independently (Lifeguard, LHA-Suspicion), so that one node
    /// with a bad connection cannot bury others quickly. 1 switches this off. 1 to 10, default 2.
    pub suspicion_max_mult: u32,
    /// How often news is passed on besides what rides on probes. Shorter spreads faster. Nothing
    /// is sent without news. Default 100 ms.
    pub gossip_interval: Duration,
    /// To how many members news goes at each such tick. 1 to 8, default 3.
    pub gossip_fanout: usize,
    /// How often each piece of news is sent, times ⌈log₁₀(n + 1)⌉ (the paper's λ). More reach
    /// everybody under more loss. 1 to 20, default 4.
    pub retransmit_mult: u32,
    /// How often the whole table is fetched from a random member. A backstop only: members that
    /// differ notice by the hash that rides on each probe. Default 30 s.
    pub sync_interval: Duration,
    /// The first wait before a seed that does not answer is tried again; it doubles up to
    /// `seed_retry_max`. Default 250 ms.
    pub seed_retry_min: Duration,
    /// The longest wait between tries of a seed; tries never end. One small packet each. Default
    /// 2 s.
    pub seed_retry_max: Duration,
    /// How long a dead member is remembered. While it is, its death cannot be unlearned by old
    /// news, and it is tried now and then. Default 24 h.
    pub dead_memory: Duration,
    /// How often one of the remembered dead is tried: how soon two halves that buried each other
    /// find together after the network heals. One small packet each time. Default 5 s.
    pub dead_retry_interval: Duration,
    /// How long a goodbye waits to be heard. Default 1 s.
    pub leave_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            probe_interval: Duration::from_millis(500),
            probe_timeout: Duration::from_millis(200),
            indirect_probes: 3,
            suspicion_mult: 3,
            suspicion_max_mult: 2,
            gossip_interval: Duration::from_millis(100),
            gossip_fanout: 3,
            retransmit_mult: 4,
            sync_interval: Duration::from_secs(30),
            seed_retry_min: Duration::from_millis(250),
            seed_retry_max: Duration::from_secs(2),
            dead_memory: Duration::from_hours(24),
            dead_retry_interval: Duration::from_secs(5),
            leave_timeout: Duration::from_secs(1),
        }
    }
}

impl Config {
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
        let ms = Duration::from_millis;
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
        within("indirect_probes", self.indirect_probes, 1..=8, "1 to 8")?;
        within("suspicion_mult", self.suspicion_mult as usize, 2..=100, "2 to 100")?;
        within("suspicion_max_mult", self.suspicion_max_mult as usize, 1..=10, "1 to 10")?;
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
        Ok(Checked(self))
    }

    const fn durations(&self) -> [(&'static str, Duration); 9] {
        [
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
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

const DURATION_MAX: Duration = Duration::from_hours(365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_right() {
        assert_eq!(Config::default().check(), Ok(Checked::default()));
    }

    #[test]
    fn an_error_names_the_setting_and_what_would_be_right() {
        let check = |config: Config, expected: &str| {
            assert_eq!(config.check().expect_err("refused").to_string(), expected);
        };
        let default = Config::default();
        check(Config { indirect_probes: 0, ..default }, "indirect_probes is 0, want 1 to 8");
        check(
            Config { probe_interval: Duration::from_millis(300), ..default },
            "probe_interval is 300ms, want at least twice probe_timeout: a ping through \
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
