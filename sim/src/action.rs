//! What is done to particular nodes and pairs: the entries of a schedule of faults.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;

use crate::{Cut, Faults};

/// One thing done to the world from outside. Checkers hear of each before it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A node starts, for the first time or again.
    Start(SocketAddr),
    /// A node dies without a word.
    Crash(SocketAddr),
    /// A node ends and says so to its sessions.
    Stop(SocketAddr),
    /// A node handles nothing for a while, then everything at once (SIGSTOP, SIGCONT).
    Pause(SocketAddr, Duration),
    /// A node takes this many times [`World::SERVICE_TIME`](crate::World::SERVICE_TIME) for each
    /// input; zero is a node of normal speed.
    Slow(SocketAddr, u32),
    /// A node's clock runs at this many thousandths of the true rate.
    Skew(SocketAddr, u32),
    /// Nothing gets from the first node to the second.
    Cut(SocketAddr, SocketAddr),
    /// Two nodes do not reach each other, but still reach the others.
    Sever(SocketAddr, SocketAddr),
    /// Each group reaches only itself. Nodes of no group reach everybody.
    Partition(Vec<Vec<SocketAddr>>),
    /// Takes away the cuts of one kind.
    Mend(Cut),
    /// Takes away whatever is wrong between two nodes.
    Join(SocketAddr, SocketAddr),
    /// Two nodes are cut off for one period, reach each other for the next, and so on.
    Flap {
        /// One of the two.
        a: SocketAddr,
        /// The other.
        b: SocketAddr,
        /// Half a cycle.
        period: Duration,
        /// When it ends.
        until: Instant,
    },
    /// This many datagrams in a thousand from the first to the second are lost, besides those
    /// that [`Faults::loss_permille`] takes.
    Lossy(SocketAddr, SocketAddr, u32),
    /// All sessions between two nodes break.
    Break(SocketAddr, SocketAddr),
    /// The network behaves differently from now on.
    Network(Box<Faults>),
    /// All cuts, flaps and lossy pairs are gone, no node is paused, slow or skewed, and the
    /// network is calm. Dead nodes stay dead.
    Heal,
}
