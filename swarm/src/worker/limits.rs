//! What is taken from other nodes before it is decoded.

use swarm_base::codec::Limits;

/// One message or reply: no more than a frame of the message stream.
pub(crate) const MESSAGE: Limits = of(1 << 20);

/// The arguments of a worker, which every node keeps.
pub(crate) const ARGS: Limits = of(1 << 20);

/// The state that a worker takes along when it moves.
pub(super) const fn state(bytes_max: usize) -> Limits {
    of(bytes_max)
}

/// As many values as bytes: what a user sends may be a list of numbers.
const fn of(bytes: usize) -> Limits {
    Limits { bytes, depth: Limits::DEPTH_MAX, items: bytes }
}
