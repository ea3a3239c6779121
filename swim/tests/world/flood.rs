//! A flood of packets that are not from members: a machine counts each by its reason, and does
//! nothing else.

use crate::bytes::{at, node, play};
use std::time::Instant;
use swarm_base::{Boot, Machine, NodeId, NodeName, Rng};
use swarm_sim::addr;
use swarm_swim::{Counters, PACKET_LEN_MAX, Swim};

#[test]
fn a_flood_is_counted_by_reason_and_changes_nothing() {
    let mut nodes = [node(1, "a", "c"), node(2, "b", "c"), node(3, "d", "c")];
    nodes.iter_mut().for_each(|node| node.join(at(0), [addr(1)]));
    let recorded = play(&mut nodes, 0, 3_000);
    let recorded = recorded.into_iter().filter(|(idx, _)| *idx == 0).map(|(_, packet)| packet);
    let mut flood = Flood { recorded: recorded.collect(), last: FRESH, rng: Rng::new(1) };

    let [a, ..] = &mut nodes;
    let before = (a.members().cloned().collect::<Vec<_>>(), a.digest(), a.poll_timeout());
    let mut expected = a.counters();
    let begin = now();
    for n in 0..PACKETS {
        let (packet, counted) = flood.packet(n);
        a.handle_message(at(3_000), addr(9), packet);
        assert_eq!(a.poll_output(), None, "packet {n} is answered");
        *counted(&mut expected) += 1;
    }
    let rate = PACKETS as f64 / begin.elapsed().as_secs_f64();
    println!("{PACKETS} packets, {rate:.0} a second: {:?}", a.counters().refused);
    assert_eq!(a.counters(), expected, "each is counted once, by its reason, and nothing else is");
    let after = (a.members().cloned().collect::<Vec<_>>(), a.digest(), a.poll_timeout());
    assert_eq!(after, before);

    // What members go on to say is heard: no counter of theirs was used up.
    let opened = |nodes: &[Swim]| nodes[0].counters().packets_in;
    let (heard, refused) = (opened(&nodes), nodes[0].counters().refused);
    let to_a = play(&mut nodes, 3_000, 5_000).into_iter().filter(|(idx, _)| *idx == 0).count();
    assert_eq!(opened(&nodes) - heard, to_a as u64);
    assert_eq!(nodes[0].counters().refused, refused);
    assert!(nodes.iter().all(|node| node.n_live() == 3 && node.counters().deaths == 0));
    assert!(nodes.iter().all(|node| node.counters().suspicions == 0));
}

/// Makes bad packets from good ones.
struct Flood {
    recorded: Vec<Vec<u8>>,
    /// A counter that no member has used.
    last: u64,
    rng: Rng,
}

/// Which count a packet raises.
type Counted = fn(&mut Counters) -> &mut u64;

impl Flood {
    /// The next packet, and what it is counted as.
    fn packet(&mut self, n: u64) -> (Vec<u8>, Counted) {
        let idx = self.rng.index(self.recorded.len()).expect("some were recorded");
        let mut packet = self.recorded[idx].clone();
        let header_len = HEAD_LEN + usize::from(packet[HEAD_LEN - 1]) + 16 + 16 + 8;
        match n % 10 {
            0 => (packet, |counted| &mut counted.refused.replay),
            1 => {
                packet[0] ^= 1 << self.rng.below(8);
                (packet, |counted| &mut counted.refused.header)
            }
            2 => {
                packet.truncate(self.rng.below(header_len as u64) as usize);
                (packet, |counted| &mut counted.refused.header)
            }
            3 => {
                packet[2 + self.rng.below(8) as usize] ^= 1;
                (packet, |counted| &mut counted.refused.cluster)
            }
            4 => {
                packet[1] ^= 1 << self.rng.below(8);
                (packet, |counted| &mut counted.refused.key)
            }
            5 => {
                packet[header_len - 24] ^= 0x80;
                (packet, |counted| &mut counted.refused.receiver)
            }
            6 => {
                packet.resize(PACKET_LEN_MAX + 1 + self.rng.below(600) as usize, 0);
                (packet, |counted| &mut counted.refused.oversized)
            }
            // The rest would be new, if it were true.
            7 => {
                self.renumber(&mut packet[..header_len]);
                (packet, |counted| &mut counted.refused.tag)
            }
            8 => {
                self.renumber(&mut packet[..header_len]);
                let len = header_len + self.rng.below((packet.len() - header_len) as u64) as usize;
                packet.truncate(len);
                (packet, |counted| &mut counted.refused.tag)
            }
            _ => (self.of_a_stranger(&packet, header_len), |counted| &mut counted.refused.tag),
        }
    }

    fn renumber(&mut self, header: &mut [u8]) {
        self.last += 1;
        let at = header.len() - 8;
        header[at..].copy_from_slice(&self.last.to_be_bytes());
    }

    /// The same from somebody who was never heard of.
    fn of_a_stranger(&mut self, packet: &[u8], header_len: usize) -> Vec<u8> {
        self.last += 1;
        let name = NodeName::new(format!("stranger-{}", self.last)).expect("a name");
        let boot = Boot { millis: self.last, random: self.rng.next_u64() };
        let stranger = NodeId::new(name, boot);
        let name = stranger.name.as_str().as_bytes();
        let mut forged = packet[..HEAD_LEN - 1].to_vec();
        forged.push(name.len() as u8);
        forged.extend(name);
        forged.extend(boot.to_bytes());
        forged.extend(&packet[header_len - 24..]);
        forged
    }
}

const PACKETS: u64 = 1_000_000;

/// Version, key, cluster, and the length of the sender's name.
const HEAD_LEN: usize = 1 + 1 + 8 + 1;

/// Above what any member has counted.
const FRESH: u64 = 1 << 40;

#[expect(clippy::disallowed_methods, reason = "how many packets a second is measured")]
fn now() -> Instant {
    Instant::now()
}
