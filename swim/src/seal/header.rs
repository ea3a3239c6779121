//! The clear header of a packet.

use swarm_base::{Boot, NodeId, NodeName};

/// The header of a packet, as it claims to be.
pub(super) struct Header {
    pub(super) len: usize,
    pub(super) key_id: u8,
    pub(super) cluster_hash: u64,
    pub(super) sender: NodeId,
    pub(super) receiver: Boot,
    pub(super) counter: u64,
}

impl Header {
    /// Bytes of a header with an empty name.
    pub(super) const LEN_MIN: usize = 1 + 1 + 8 + 1 + 16 + 16 + 8;

    pub(super) fn write(&self, packet: &mut Vec<u8>) {
        let name = self.sender.name.as_str().as_bytes();
        packet.extend([VERSION, self.key_id]);
        packet.extend(self.cluster_hash.to_be_bytes());
        packet.push(name.len() as u8);
        packet.extend(name);
        packet.extend(self.sender.boot.to_bytes());
        packet.extend(self.receiver.to_bytes());
        packet.extend(self.counter.to_be_bytes());
    }

    /// `None` for what is no header of this version. Nothing of it is proved yet.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let (&[version, key_id], rest) = packet.split_first_chunk()?;
        if version != VERSION {
            return None;
        }
        let (cluster_hash, rest) = rest.split_first_chunk()?;
        let (&name_len, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
        let (boot, rest) = rest.split_first_chunk()?;
        let (receiver, rest) = rest.split_first_chunk()?;
        let (counter, rest) = rest.split_first_chunk()?;
        let name = NodeName::new(std::str::from_utf8(name).ok()?).ok()?;
        Some(Self {
            len: packet.len() - rest.len(),
            key_id,
            cluster_hash: u64::from_be_bytes(*cluster_hash),
            sender: NodeId::new(name, Boot::from_bytes(*boot)),
            receiver: Boot::from_bytes(*receiver),
            counter: u64::from_be_bytes(*counter),
        })
    }
}

const VERSION: u8 = 1;
