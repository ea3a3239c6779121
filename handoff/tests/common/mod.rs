//! What the step tables are written with.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

mod end;
pub(crate) use end::{Node, Said, five_mails, offer};

use std::time::Duration;
use swarm_base::{Boot, Instant, Name, NodeId, NodeName, Token};
use swarm_handoff::MoveId;

/// The move `serial` of `source`.
pub(crate) fn id(source: &str, serial: u64) -> MoveId {
    MoveId { source: node(source).boot, serial }
}

/// The token `epoch` of no boot in particular.
pub(crate) fn token(epoch: u64) -> Token {
    Token::new(epoch, Boot::default())
}

/// A name.
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Each name is one life.
pub(crate) fn node(text: &str) -> NodeId {
    let millis = text.bytes().fold(1, |sum, byte| sum * 31 + u64::from(byte));
    NodeId::new(NodeName::new(text).expect("a node name"), Boot { millis, random: 0 })
}

/// So many milliseconds after the start.
pub(crate) fn at(millis: u64) -> Instant {
    Instant::after_start(Duration::from_millis(millis))
}
