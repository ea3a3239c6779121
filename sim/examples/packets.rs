//! How many packets a second the world moves: toy machines that pass tokens round, in a calm and
//! in a rough network.
//!
//! `cargo run --release -p swarm-sim --example packets`
#![expect(clippy::disallowed_methods, reason = "it measures how long the world takes")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Machine, Output};
use swarm_sim::{Datagrams, Faults, World, addr};

/// Passes every token on to the next node, and starts a few of its own now and then, for the
/// network loses some.
struct Passer {
    next: SocketAddr,
    restart_at: Instant,
    out: VecDeque<Output<SocketAddr, u64, ()>>,
}

impl Machine for Passer {
    type Peer = SocketAddr;
    type Message = u64;
    type Event = ();

    fn handle_message(&mut self, now: Instant, _: SocketAddr, hops: u64) {
        self.restart_at = now + RESTART;
        if hops > 0 {
            self.out.push_back(Output::Send { to: self.next, message: hops - 1 });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.restart_at <= now {
            self.restart_at = now + RESTART;
            self.out.extend((0..8).map(|_| Output::Send { to: self.next, message: 1_000 }));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.restart_at)
    }

    fn poll_output(&mut self) -> Option<Output<SocketAddr, u64, ()>> {
        self.out.pop_front()
    }
}

fn main() {
    let rough = Faults {
        tail_permille: 20,
        tail_max: Duration::from_millis(500),
        loss_permille: 10,
        duplicate_permille: 5,
        reorder_permille: 100,
        reorder_max: Duration::from_millis(5),
        ..Faults::calm()
    };
    for (name, faults) in [("calm", Faults::calm()), ("rough", rough)] {
        for n_nodes in [3, 8, 50] {
            let mut world = World::new(1, faults.clone());
            for n in 0..n_nodes {
                let passer = Passer {
                    next: addr((n + 1) % n_nodes),
                    restart_at: Instant::START,
                    out: VecDeque::new(),
                };
                world.insert(addr(n), Datagrams::new(passer));
            }
            let start = std::time::Instant::now();
            while world.steps() < STEPS && world.run_for(Duration::from_millis(100)).is_ok() {}
            let took = start.elapsed().as_secs_f64();
            let rate = world.steps() as f64 / took;
            println!(
                "{name}, {n_nodes} nodes: {rate:.0} packets/s, trace {:016x}",
                world.trace_hash()
            );
        }
    }
}

const RESTART: Duration = Duration::from_millis(100);
const STEPS: u64 = 1_000_000;
