//! What all scenarios of a run have in common: the program, the secret, the profile.

use super::stage::Start;
use crate::{Failure, root, step};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use swarm_base::ClusterSecret;

#[derive(Clone)]
pub(super) struct Setting {
    agent: PathBuf,
    secret: String,
    profile: Profile,
    extent: Extent,
}

/// How far those scenarios go that leave it open.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Extent {
    /// What is drawn at random comes from this seed, in scenarios of names (default: a new one)
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u32>,
    /// How many rounds, in scenarios that have rounds
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(super) rounds: Option<u32>,
    /// How long, in scenarios that have no end of their own
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub(super) minutes: Option<u32>,
}

impl Extent {
    /// As options.
    pub(super) fn options(self) -> String {
        let Self { seed, rounds, minutes } = self;
        let options = [("seed", seed), ("rounds", rounds), ("minutes", minutes)];
        let options = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let options: Vec<_> = options.map(|(name, value)| format!("--{name} {value}")).collect();
        options.join(" ")
    }
}

/// The timings of the agents, which are theirs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Profile {
    Lan,
    Wan,
    Local,
}

impl Profile {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
            Self::Local => "local",
        }
    }

    /// How many times as long as in one network everything may take.
    pub(super) const fn slowness(self) -> u32 {
        match self {
            Self::Lan | Self::Local => 1,
            Self::Wan => 5,
        }
    }
}

impl Setting {
    /// Builds the agent, optimised as this program is.
    pub(super) fn new(profile: Profile, extent: Extent) -> Result<Self, Failure> {
        let this = std::env::current_exe()
            .map_err(|error| Failure::new(format!("this program has no place: {error}")))?;
        let folder = this.parent().ok_or_else(|| Failure::new("this program has no folder"))?;
        // With this package, so that it shares what is built.
        let status = Command::new(step::cargo())
            .args(["build", "--release", "--quiet", "--package", "xtask"])
            .args(["--package", "swarm-swim", "--example", "agent"])
            .current_dir(root())
            .status();
        let status = status.map_err(|error| Failure::new(format!("cargo did not run: {error}")))?;
        if !status.success() {
            return Err(Failure::new("the agent does not build, see above"));
        }
        Ok(Self {
            agent: folder.join("examples").join("agent"),
            secret: new_secret(),
            profile,
            extent,
        })
    }

    pub(super) const fn profile(&self) -> Profile {
        self.profile
    }

    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    /// With what is drawn at random from this seed.
    pub(super) fn with_seed(&self, seed: u32) -> Self {
        Self { extent: Extent { seed: Some(seed), ..self.extent }, ..self.clone() }
    }

    /// The cluster's name and its secret as digits.
    pub(super) fn cluster(&self) -> (&str, &str) {
        (CLUSTER, &self.secret)
    }

    /// The program of an agent and its arguments.
    pub(super) fn agent_command(&self, name: &str, bind: SocketAddr, start: &Start) -> Vec<String> {
        let agent = self.agent.to_string_lossy().into_owned();
        let bind = bind.to_string();
        let mut command: Vec<String> = vec![agent, "--json".into(), "--end-with-stdin".into()];
        let mut pair = |option: &str, value: &str| command.extend([option.into(), value.into()]);
        pair("--name", name);
        pair("--bind", &bind);
        pair("--cluster", CLUSTER);
        pair("--secret", start.secret.as_ref().unwrap_or(&self.secret));
        pair("--profile", self.profile.name());
        if let Some(address) = start.advertise {
            pair("--advertise", &address.to_string());
        }
        if start.clock_ahead != 0 {
            pair("--boot-offset", &start.clock_ahead.to_string());
        }
        command
    }
}

const CLUSTER: &str = "harness";

/// The secret of these digits.
pub(super) fn secret(digits: &str) -> Result<ClusterSecret, String> {
    let wrong = || "a secret is 64 hexadecimal digits".to_owned();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or_else(wrong)?;
    ClusterSecret::from_bytes(&bytes).map_err(|error| error.to_string())
}

/// A seed that was not there before.
pub(super) fn new_seed() -> u32 {
    let bytes = *ClusterSecret::generate().as_bytes();
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A secret that nobody has, as digits.
pub(super) fn new_secret() -> String {
    let secret = ClusterSecret::generate();
    secret.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_told_again() {
        let extent = Extent { seed: Some(7), rounds: None, minutes: Some(10) };
        assert_eq!(extent.options(), "--seed 7 --minutes 10");
    }
}
