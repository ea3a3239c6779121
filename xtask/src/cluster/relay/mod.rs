//! A relay between hosts: packets pass it late, twice, or behind those that were sent after them.
//!
//! It is a process of its own, in the middle of the network. Each node has a port of the relay
//! that it advertises; what comes to that port from another node goes on to the node, out of the
//! port of the one that sent it. So every node sees the others where they say that they are.

mod forward;
mod held;
mod plan;
pub(super) use held::{Counts, Relay};
pub(super) use plan::Disorder;

use crate::Failure;
use std::net::SocketAddr;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A port of the relay and the node behind it
    #[arg(long = "route", required = true, value_parser = route, value_name = "PORT=NODE")]
    routes: Vec<Route>,
    #[command(flatten)]
    disorder: Disorder,
}

/// A port of the relay, and the node behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) public: SocketAddr,
    pub(super) node: SocketAddr,
}

/// Relays until the end of stdin. Writes a line of JSON with its counts for each line there.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    let relayed = runtime.block_on(forward::relay(&args.routes, &args.disorder));
    // A read of stdin that is under way would hold the process.
    runtime.shutdown_background();
    relayed
}

fn route(text: &str) -> Result<Route, String> {
    let wrong = || format!("{text:?} is no route: want PORT=NODE, two addresses");
    let (public, node) = text.split_once('=').ok_or_else(wrong)?;
    let address = |text: &str| text.parse().map_err(|_| wrong());
    Ok(Route { public: address(public)?, node: address(node)? })
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.public, self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_survives_the_command_line() {
        let text = "10.77.255.1:20000=10.77.0.1:7946";
        assert_eq!(route(text).expect("a route").to_string(), text);
        for wrong in ["", "10.77.255.1:20000", "a=b", "10.77.255.1:20000="] {
            assert!(route(wrong).is_err(), "{wrong:?}");
        }
    }
}
