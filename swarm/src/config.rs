//! All settings of a node, one section for each layer.

use crate::ConfigError;
use std::time::Duration;

/// The settings of a node. Every section has defaults for nodes on one network.
#[derive(Clone, Debug)]
pub struct Config {
    /// Membership: how soon a node is held dead, and how quiet it all is.
    pub swim: swarm_swim::Config,
    /// Which sessions are tried, and how often.
    pub link: swarm_link::Config,
    /// The transport of sessions.
    pub quic: swarm_link::quic::Settings,
    /// Mailboxes and grace periods.
    pub process: swarm_process::Config,
    /// Replication of names and groups.
    pub registry: swarm_registry::Config,
    /// Moves of names between nodes. Where `freeze_timeout` is shorter than
    /// `process.handoff_timeout`, the latter counts: a move waits for as long as `begin_handoff` may
    /// take.
    pub handoff: swarm_handoff::Config,
}

impl Default for Config {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            // Half the periods of a local network: what waits for a death are calls.
            swim: swarm_swim::Config {
                probe_interval: ms(500),
                probe_timeout: ms(200),
                probe_timeout_min: ms(50),
                suspicion_max_mult: 2,
                leave_timeout: ms(1000),
                ..swarm_swim::Config::lan()
            },
            link: swarm_link::Config::default(),
            quic: swarm_link::quic::Settings::default(),
            process: swarm_process::Config::default(),
            registry: swarm_registry::Config::default(),
            handoff: swarm_handoff::Config::default(),
        }
    }
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub swim: swarm_swim::Checked,
    pub link: swarm_link::Checked,
    pub quic: swarm_link::quic::Settings,
    pub process: swarm_process::Checked,
    pub registry: swarm_registry::Checked,
    pub handoff: swarm_handoff::Checked,
}

impl Config {
    /// Checks every section.
    pub(crate) fn check(mut self) -> Result<Checked, ConfigError> {
        let freeze_timeout = &mut self.handoff.freeze_timeout;
        *freeze_timeout = self.process.handoff_timeout.max(*freeze_timeout);
        Ok(Checked {
            swim: self.swim.check().map_err(|error| section("swim", &error))?,
            link: self.link.check().map_err(|error| section("link", &error))?,
            quic: self.quic,
            process: self.process.check().map_err(|error| section("process", &error))?,
            registry: self.registry.check().map_err(|error| section("registry", &error))?,
            handoff: self.handoff.check().map_err(|error| section("handoff", &error))?,
        })
    }
}

/// The layers' errors are sentences that name the setting, its value and what would be right.
fn section(name: &str, error: &dyn std::error::Error) -> ConfigError {
    ConfigError::new(format!("config.{name}"), format!("wrong ({error})"), "within its bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_waits_for_as_long_as_a_handoff_may_take() {
        let timeouts = |handoff: u64, freeze: u64| {
            let mut config = Config::default();
            config.process.handoff_timeout = Duration::from_secs(handoff);
            config.handoff.freeze_timeout = Duration::from_secs(freeze);
            config.check().expect("within the bounds").handoff.freeze_timeout.as_secs()
        };
        assert_eq!((timeouts(20, 5), timeouts(1, 5)), (20, 5));
    }
}
