//! The packets of a flood.

use super::Args;
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use swarm_swim::udp::RingCipher;
use swarm_swim::{Config, Keyring, Metadata, PACKET_LEN_MAX, Swim};

/// What a node says first to one that it does not know.
pub(super) fn greeting(args: &Args, own: SocketAddr) -> Vec<u8> {
    let id = NodeId::new(NodeName::new(NAME).expect("a name"), Boot { millis: 1, random: 1 });
    let config = Config::lan().check().expect("a profile is within bounds");
    let keyring = Keyring::new(&args.cluster, args.secret.clone());
    let (metadata, cipher) = (Metadata::default(), Box::new(RingCipher::new()));
    let (now, rng) = (Instant::START, Rng::new(1));
    let mut node = Swim::new(now, id, own, metadata, config, keyring, cipher, rng);
    node.join(now, [args.to]);
    let outputs = std::iter::from_fn(|| node.poll_output());
    let mut sent = outputs.filter_map(|output| match output {
        Output::Send { message, .. } => Some(message),
        Output::Event(_) => None,
    });
    sent.next().expect("who joins greets its seed")
}

/// Packets of one length, which the system is handed at once (UDP segmentation offload).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// One after the other.
    pub(super) bytes: Vec<u8>,
    pub(super) packet_len: usize,
}

impl Batch {
    pub(super) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.packet_len)
    }
}

/// Bad packets of every kind, in turn: in each batch packets of one.
pub(super) fn pool(greeting: &[u8]) -> Vec<Batch> {
    let mut rng = Rng::new(2);
    let batch = |n: usize| {
        let packet_len = match n % KINDS {
            5 => 1 + rng.index(HEADER_LEN - 1).expect("not empty"),
            6 => PACKET_LEN_MAX + 1,
            _ => greeting.len(),
        };
        let packets = (0..BATCH_LEN).map(|idx| {
            let mut packet = bad(greeting, n % KINDS, n * BATCH_LEN + idx, &mut rng);
            packet.resize(packet_len, 0);
            packet
        });
        Batch { bytes: packets.flatten().collect(), packet_len }
    };
    (0..POOL_LEN).map(batch).collect()
}

/// A packet that is bad in its way. Those that are too short or too long are cut by the caller.
fn bad(greeting: &[u8], kind: usize, n: usize, rng: &mut Rng) -> Vec<u8> {
    let mut packet = greeting.to_vec();
    let mut below = |n: usize| rng.below(n as u64) as usize;
    match kind {
        // Replayed.
        0 => {}
        // Of another version.
        1 => packet[0] ^= 1 << below(8),
        // Of another cluster.
        2 => packet[2 + below(8)] ^= 1 << below(8),
        // Under another key.
        3 => packet[1] ^= 1 << below(8),
        // For another life.
        4 => packet[HEADER_LEN - 24 + below(16)] ^= 1 << below(8),
        // Too short, too long.
        5 | 6 => {}
        // Forged, in the name of who is known.
        7 => packet[HEADER_LEN - 8..HEADER_LEN].copy_from_slice(&(n as u64 + 2).to_be_bytes()),
        // Forged, in the name of a stranger.
        _ => packet[11..11 + NAME.len()].copy_from_slice(format!("{:05}", n % 100_000).as_bytes()),
    }
    packet
}

const NAME: &str = "flood";

/// Version, key, cluster, the name and its length, two boots, the counter.
const HEADER_LEN: usize = 1 + 1 + 8 + 1 + NAME.len() + 16 + 16 + 8;

const KINDS: usize = 9;

const POOL_LEN: usize = KINDS * 64;

/// As many as the system takes at once, and fewer bytes.
const BATCH_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_of_the_pool_is_bad_in_its_way() {
        let greeting: Vec<u8> = (0..100).collect();
        let pool = pool(&greeting);
        assert_eq!(pool.len(), POOL_LEN);
        let packets: Vec<&[u8]> = pool.iter().flat_map(Batch::packets).collect();
        assert_eq!(packets.len(), POOL_LEN * BATCH_LEN);
        let replayed = packets.iter().filter(|packet| **packet == greeting).count();
        assert_eq!(replayed, packets.len() / KINDS);
        assert!(pool.iter().all(|batch| batch.bytes.len() < 65_000));
    }
}
