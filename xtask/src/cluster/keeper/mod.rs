//! A node of the whole product on a host, which keeps names and groups: this very program, driven
//! over its stdin.

mod counted;
mod held;
mod load;
mod node;
mod protocol;
mod worker;
pub(super) use held::{Keepers, Names, PATIENCE, Setup, equal, exactly, members, name, until};
pub(super) use protocol::{Load, Outcome, Peer, Report, Request, Table, Try, Way};

use super::setting;
use crate::{Failure, driven};
use node::Keeper;
use std::net::SocketAddr;
use std::path::PathBuf;
use swarm::{ClusterSecret, FailPoint};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The node's name
    #[arg(long)]
    name: String,
    /// Where it gossips
    #[arg(long)]
    bind: SocketAddr,
    /// The cluster's name
    #[arg(long)]
    cluster: String,
    /// The cluster's secret, as digits
    #[arg(long, value_parser = setting::secret)]
    secret: ClusterSecret,
    /// Where other nodes gossip
    #[arg(long)]
    seed: Vec<SocketAddr>,
    /// Where workers that count write down their lives
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// How many nodes must be there for names to run
    #[arg(long)]
    quorum: Option<usize>,
    /// The point of a move at which the process ends, for example `commit:sent`
    #[arg(long)]
    fail_at: Option<FailPoint>,
    /// How many bytes workers that count take along besides
    #[arg(long, default_value_t = 0)]
    state_bytes: usize,
    /// How many of the messages that wait in a process go to its new node at once
    #[arg(long)]
    mails_max: Option<usize>,
    /// How many processes of others are built at once
    #[arg(long)]
    standbys_max: Option<usize>,
}

/// Answers requests until the end of stdin.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    driven::run(Keeper::start(args))
}
