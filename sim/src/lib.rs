//! A world of simulated nodes: one thread, one seed, every fault, and checkers that watch.
//!
//! A [`World`] holds [`Host`]s by address and plays clock and network for them. Time jumps from
//! one thing to do to the next, so that minutes of a cluster take milliseconds. Everything that
//! could be random is drawn from the seed: the same seed gives the same run, line by line, on every
//! machine.
//!
//! Two lanes join the nodes. *Datagrams* are lost, duplicated, damaged, delayed and overtaken.
//! *Sessions* are ordered and reliable until they break, and then lose their tail. [`Faults`] says
//! how bad the network is for all; an [`Action`] befalls particular nodes and pairs; [`Struck`]
//! counts what really struck. A [`Check`] sees every event and every step, and its first
//! [`Violation`] stops the run.
//!
//! A [`Scenario`] under a [`Plan`] is one seed from start to end: boot, chaos, heal, a bounded
//! time to converge, the last checks. A seed that fails prints the line that replays it.
//!
//! | To simulate | Wrap it in |
//! |---|---|
//! | a machine whose peers are addresses | [`Datagrams`] |
//! | a machine whose messages need sessions between all pairs | [`Meshed`] |
//! | a whole node | your own [`Host`] |
//!
//! A [`Crowd`] is for figures of very large groups: delay, loss, and nothing else.
//!
//! ```
//! use std::time::Duration;
//! use swarm_sim::{Datagrams, Faults, World, addr};
//! # use std::net::SocketAddr;
//! # use swarm_base::{Instant, Machine, Output};
//! # #[derive(Default)]
//! # struct Echo { heard: u32, out: Vec<Output<SocketAddr, u8, ()>> }
//! # impl Machine for Echo {
//! #     type Peer = SocketAddr; type Message = u8; type Event = ();
//! #     fn handle_message(&mut self, _: Instant, from: SocketAddr, hops: u8) {
//! #         self.heard += 1;
//! #         self.send(from, hops);
//! #     }
//! #     fn handle_timeout(&mut self, _: Instant) {}
//! #     fn poll_timeout(&self) -> Option<Instant> { None }
//! #     fn poll_output(&mut self) -> Option<Output<SocketAddr, u8, ()>> { self.out.pop() }
//! # }
//! # impl Echo {
//! #     fn send(&mut self, to: SocketAddr, hops: u8) {
//! #         if hops > 0 { self.out.push(Output::Send { to, message: hops - 1 }) }
//! #     }
//! # }
//!
//! let mut world = World::new(42, Faults::calm());
//! world.insert(addr(1), Datagrams::new(Echo::default()));
//! world.insert(addr(2), Datagrams::new(Echo::default()));
//! world.with(addr(1), |host, _now| host.machine.send(addr(2), 10));
//! world.run_for(Duration::from_secs(1))?;
//! assert_eq!(world.host(addr(2)).machine.heard, 5);
//! # Ok::<(), swarm_sim::Violation>(())
//! ```

mod action;
pub use action::Action;

mod check;
pub use check::{Check, Violation};

mod crowd;
pub use crowd::{Crowd, Seen};

mod datagrams;
pub use datagrams::Datagrams;

mod faults;
pub use faults::Faults;

mod host;
pub use host::{Effect, Host, SessionInput};

mod links;
pub use links::Cut;

mod meshed;
pub use meshed::{Mesh, Meshed};

mod queue;

mod report;
pub use report::{Failure, Report, Totals};

mod scenario;
pub use scenario::{Birth, Detail, Plan, Revival, Scenario, Weather};

mod schedule;
pub use schedule::{Schedule, Trouble};

mod seed_run;

mod seeds;
pub use seeds::seeds;

mod struck;
pub use struck::Struck;

mod sweep;
pub use sweep::sweep;

mod trace;

mod world;
pub use world::World;

use std::net::SocketAddr;

/// The address of the `n`th node, for worlds that need no particular ones.
#[must_use]
pub const fn addr(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, high, low)), 7000)
}
