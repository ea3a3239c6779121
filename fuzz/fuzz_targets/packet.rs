//! The opening of packets: any bytes, and packets that verify with any body.
//!
//! Of each datagram exactly one thing is counted: that it came in, or why it did not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use swarm_base::Boot;
use swarm_fuzz::{Cast, Line, Role, Script, Settled, Watch};
use swarm_swim::{Counters, Swim};

static SETTLED: LazyLock<Settled<Swim>> = LazyLock::new(Settled::machine);
static CAST: LazyLock<Cast> = LazyLock::new(Cast::default);

fuzz_target!(|input: &[u8]| {
    let mut node = Watch::new(SETTLED.node());
    for (n, line) in (1..).zip(Script::new(input)) {
        let (by, packet) = match line {
            Line::Wait(time) => {
                node.wait(time);
                continue;
            }
            Line::Pause(time) => {
                node.pause(time);
                continue;
            }
            Line::Raw(bytes) => (Role::Newcomer, bytes.to_vec()),
            Line::Sealed { by, to_anybody, body } => {
                let receiver =
                    if to_anybody { Boot::default() } else { Boot { millis: 1, random: 0 } };
                (by, CAST.seal(by, receiver, n, body))
            }
        };
        let before = counted(&node.counts());
        let was_silent = node.is_silent();
        node.feed(by.address(), packet.len(), packet);
        let n = counted(&node.counts()) - before;
        assert!(n == 1 || was_silent && n == 0, "{n} things are counted of one packet");
    }
});

/// All that came, whatever came of it.
const fn counted(counters: &Counters) -> u64 {
    counters.packets_in + counters.refused.total()
}
