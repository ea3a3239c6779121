//! The command line, and the node that it asks for.

#![expect(clippy::disallowed_methods, reason = "a boot comes from the wall clock")]

use crate::command::tags;
use crate::report::Style;
use clap::{Parser, ValueEnum};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use swarm_base::{Boot, ClusterSecret, NodeName};
use swarm_swim::udp::{Group, Udp};
use swarm_swim::{Config, Filter, Keyring};

/// One node of a group.
#[derive(Parser)]
#[command(name = "agent")]
pub(crate) struct Args {
    /// Its name, unique in the group
    #[arg(long, value_parser = |text: &str| NodeName::new(text))]
    name: NodeName,
    /// Where it listens; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    bind: SocketAddr,
    /// Where others send to, if not to the bound address
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<SocketAddr>,
    /// Where a member may be, as `host:port`; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    seed: Vec<String>,
    /// The cluster's secret: a file of 64 hex digits, or the digits
    #[arg(long, value_name = "FILE|HEX")]
    secret: String,
    /// The cluster's name: two clusters never mix, whatever their secrets
    #[arg(long, default_value = "example")]
    cluster: String,
    /// What the node tells about itself, as `key=value`; may be given more than once
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
    /// Show only who has this tag, as `key` or `key=value`; may be given more than once
    #[arg(long, value_name = "KEY[=VALUE]")]
    filter: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// The timings
    #[arg(long, value_enum, default_value_t = Profile::Lan)]
    profile: Profile,
    /// Leave the group at the end of stdin
    #[arg(long)]
    end_with_stdin: bool,
    /// Start as if the wall clock were so many seconds ahead, or behind
    #[arg(long, hide = true, default_value_t = 0, allow_negative_numbers = true)]
    boot_offset: i64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    /// Nodes in one network
    Lan,
    /// Nodes far apart
    Wan,
    /// Nodes on one machine
    Local,
}

impl Args {
    pub(crate) const fn style(&self) -> Style {
        if self.json { Style::Json } else { Style::Text }
    }

    pub(crate) const fn ends_with_stdin(&self) -> bool {
        self.end_with_stdin
    }

    /// Who is shown.
    pub(crate) fn filter(&self) -> Filter {
        self.filter.iter().fold(Filter::all(), |filter, wanted| match wanted.split_once('=') {
            Some((key, value)) => filter.tag(key, value),
            None => filter.has(wanted),
        })
    }

    /// The addresses of the seeds.
    pub(crate) async fn seeds(&self) -> Result<Vec<SocketAddr>, Box<dyn Error>> {
        let mut seeds = Vec::new();
        for seed in &self.seed {
            let found = tokio::net::lookup_host(seed).await;
            seeds.extend(found.map_err(|error| format!("seed {seed:?}: {error}, want host:port"))?);
        }
        Ok(seeds)
    }

    pub(crate) async fn start(&self) -> Result<Group, Box<dyn Error>> {
        let keyring = Keyring::new(self.cluster.clone(), secret(&self.secret)?);
        let metadata = tags(&self.tags)?.to_metadata()?;
        let config = match self.profile {
            Profile::Lan => Config::lan(),
            Profile::Wan => Config::wan(),
            Profile::Local => Config::local(),
        };
        let bound = Udp::bind(self.bind).await;
        let mut udp = bound.map_err(|error| format!("cannot listen at {}: {error}", self.bind))?;
        if let Some(address) = self.advertise {
            udp = udp.advertise(address);
        }
        if self.boot_offset != 0 {
            udp = udp.boot(boot(self.boot_offset));
        }
        Ok(udp.start(self.name.clone(), metadata, config.check()?, keyring)?)
    }
}

/// A boot by a clock that is so many seconds ahead.
fn boot(offset: i64) -> Boot {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = wall.map_or(0, |since| since.as_millis() as u64);
    let random = std::process::id().into();
    Boot { millis: millis.saturating_add_signed(offset.saturating_mul(1000)), random }
}

pub(crate) fn secret(text: &str) -> Result<ClusterSecret, Box<dyn Error>> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Ok(ClusterSecret::from_file(Path::new(text))?);
    }
    let bytes: Result<Vec<u8>, _> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16)).collect();
    Ok(ClusterSecret::from_bytes(&bytes?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_wrong_argument_is_named() {
        let check = |args: &[&str], words: &str| {
            let args = ["agent", "--secret", "s"].iter().chain(args);
            let error = Args::try_parse_from(args).err().expect("refused").to_string();
            assert!(error.contains(words), "{error}");
        };
        check(&["--name", "a b"], "no white space");
        check(&["--name", "a", "--bind", "here"], "--bind");
        check(&["--name", "a", "--profile", "moon"], "possible values: lan, wan, local");
    }

    #[test]
    fn a_secret_is_its_digits_or_a_file_of_them() {
        let digits: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let bytes: Vec<u8> = (0..32).collect();
        let same = ClusterSecret::from_bytes(&bytes).expect("32 different bytes");
        assert!(secret(&digits).is_ok_and(|secret| secret == same));
        let error = secret("/no/such/file").expect_err("refused").to_string();
        assert!(error.starts_with("secret file /no/such/file: "), "{error}");
    }
}
