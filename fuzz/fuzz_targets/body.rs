//! The body of a packet: it decodes to what it says, or not at all, and a node in a group takes it
//! whoever sends it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use swarm_base::Boot;
use swarm_fuzz::{Line, Role, Script, Settled, Watch};
use swarm_swim::{Packet, Protocol};

static SETTLED: LazyLock<Settled<Protocol>> = LazyLock::new(Settled::protocol);

fuzz_target!(|input: &[u8]| {
    let mut node = Watch::new(SETTLED.node());
    for line in Script::new(input) {
        let (by, receiver, body) = match line {
            Line::Wait(time) => {
                node.wait(time);
                continue;
            }
            Line::Pause(time) => {
                node.pause(time);
                continue;
            }
            Line::Raw(body) => (Role::Newcomer, Boot::default(), body),
            Line::Sealed { by, to_anybody: true, body } => (by, Boot::default(), body),
            Line::Sealed { by, body, .. } => (by, Boot { millis: 1, random: 0 }, body),
        };
        let Some(packet) = Packet::decode(by.id(), receiver, body) else { continue };
        let encoded = packet.encode();
        assert_eq!(encoded.len(), packet.body_len());
        assert_eq!(Packet::decode(by.id(), receiver, &encoded).as_ref(), Some(&packet));
        node.feed(by.address(), body.len(), packet);
    }
});
