//! The body of a packet: one message, then updates up to the end.
//!
//! A compact encoding of its own: a member's record with short metadata takes some sixty bytes,
//! half of what named fields would, and packets are what bounds how fast news spreads. Integers
//! are big-endian. An update carries its length, so that a node skips kinds that it does not know
//! while newer nodes run beside it.

mod keys;

mod update;
pub(crate) use update::{Claim, Update};

use crate::keys::{KeyRefusal, Step};
use std::net::SocketAddr;
use swarm_base::{Boot, NodeId, NodeName};

/// What a packet is for. Any of them may carry updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Who are you? The only message for an unknown boot; it changes nothing at the receiver, so
    /// a replay to a new life is harmless.
    Hello { nonce: u64 },
    /// The sender in the header. Answers `Hello`.
    HelloAck { nonce: u64 },
    /// Let me in, and give me the table. The first update is the sender's own record.
    Join,
    /// Another live node has your name.
    Taken { holder: SocketAddr },
    /// A later life of yours is remembered.
    Behind { remembered: Boot },
    /// Give me the table, where the names' hashes are `from` or more and differ from mine.
    Pull { from: u64, ranges: Vec<Range> },
    /// The updates are all that the table has where the names' hashes are in `from..until`, but for
    /// ranges that the asker has alike; `until == 0` means to the end. Whether `more` pages are on
    /// their way; if not, the asker asks for what is behind `until`.
    Page { from: u64, until: u64, more: bool },
    /// Are you there? My table's hash is `digest`.
    Ping { seq: u64, digest: u64 },
    /// I am, or the one that I was asked to ping is. My table's hash is `digest`.
    Ack { seq: u64, digest: u64 },
    /// Ping `target` for me, and say so where it has not answered after `patience_ms`.
    PingReq { seq: u64, target: NodeId, address: SocketAddr, patience_ms: u32 },
    /// I am here, and the one that I was asked to ping has not answered (Lifeguard).
    Nack { seq: u64 },
    /// Only updates.
    Gossip,
    /// I have told all that is new. My table's hash is `digest`.
    Told { digest: u64 },
    /// Take this step of changing the secret.
    KeyAsk { seq: u64, step: Step },
    /// It is taken, or why not.
    KeyDone { seq: u64, refusal: Option<KeyRefusal> },
    /// Goodbye. The first update says the same. Answered by `Ack`.
    Leave { seq: u64 },
}

impl Message {
    /// Appends the message to `body`. What follows it there are updates.
    pub(crate) fn encode(&self, body: &mut Vec<u8>) {
        match self {
            Self::Hello { nonce } => words(body, HELLO, &[*nonce]),
            Self::HelloAck { nonce } => words(body, HELLO_ACK, &[*nonce]),
            Self::Join => body.push(JOIN),
            Self::Taken { holder } => {
                body.push(TAKEN);
                put_address(body, holder);
            }
            Self::Behind { remembered } => {
                body.push(BEHIND);
                body.extend(remembered.to_bytes());
            }
            Self::Pull { from, ranges } => {
                words(body, PULL, &[*from]);
                body.push(ranges.len() as u8);
                for Range { until, digest } in ranges {
                    body.extend(until.to_be_bytes());
                    body.extend(digest.to_be_bytes());
                }
            }
            Self::Page { from, until, more } => {
                words(body, PAGE, &[*from, *until]);
                body.push(u8::from(*more));
            }
            Self::Ping { seq, digest } => words(body, PING, &[*seq, *digest]),
            Self::Ack { seq, digest } => words(body, ACK, &[*seq, *digest]),
            Self::PingReq { seq, target, address, patience_ms } => {
                words(body, PING_REQ, &[*seq]);
                put_id(body, target);
                put_address(body, address);
                body.extend(patience_ms.to_be_bytes());
            }
            Self::Nack { seq } => words(body, NACK, &[*seq]),
            Self::Gossip => body.push(GOSSIP),
            Self::Told { digest } => words(body, TOLD, &[*digest]),
            Self::KeyAsk { seq, step } => {
                words(body, KEY_ASK, &[*seq]);
                keys::put_step(body, step);
            }
            Self::KeyDone { seq, refusal } => {
                words(body, KEY_DONE, &[*seq]);
                body.push(keys::refusal_byte(*refusal));
            }
            Self::Leave { seq } => words(body, LEAVE, &[*seq]),
        }
    }

    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::HelloAck { .. } => "hello-ack",
            Self::Join => "join",
            Self::Taken { .. } => "taken",
            Self::Behind { .. } => "behind",
            Self::Pull { .. } => "pull",
            Self::Page { .. } => "page",
            Self::Ping { .. } => "ping",
            Self::Ack { .. } => "ack",
            Self::PingReq { .. } => "ping-req",
            Self::Nack { .. } => "nack",
            Self::Gossip => "gossip",
            Self::Told { .. } => "told",
            Self::KeyAsk { .. } => "key-ask",
            Self::KeyDone { .. } => "key-done",
            Self::Leave { .. } => "leave",
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub(crate) fn len(&self) -> usize {
        1 + match self {
            Self::Join | Self::Gossip => 0,
            Self::Hello { .. } | Self::HelloAck { .. } => 8,
            Self::Told { .. } | Self::Nack { .. } | Self::Leave { .. } => 8,
            Self::Ping { .. } | Self::Ack { .. } | Self::Behind { .. } => 16,
            Self::Page { .. } => 16 + 1,
            Self::KeyAsk { step, .. } => 8 + keys::step_len(step),
            Self::KeyDone { .. } => 8 + 1,
            Self::Taken { holder } => address_len(holder),
            Self::Pull { ranges, .. } => 8 + 1 + ranges.len() * RANGE_LEN,
            Self::PingReq { target, address, .. } => 8 + id_len(target) + address_len(address) + 4,
        }
    }
}

/// A range of names' hashes, from the end of the one before to `until` (0: to the end), and a
/// hash of all that the table has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) until: u64,
    pub(crate) digest: u64,
}

/// The bytes of an encoded range.
const RANGE_LEN: usize = 16;

/// The most ranges in one message: a kilobyte.
pub(crate) const RANGES_MAX: usize = 48;

/// Decodes a body. `None` for anything that `Message::encode` and `Update::encode` do not write,
/// apart from updates of unknown kinds, which are skipped.
pub(crate) fn decode(body: &[u8]) -> Option<(Message, Vec<Update>)> {
    let mut reader = Reader(body);
    let message = match reader.u8()? {
        HELLO => Message::Hello { nonce: reader.u64()? },
        HELLO_ACK => Message::HelloAck { nonce: reader.u64()? },
        JOIN => Message::Join,
        TAKEN => Message::Taken { holder: reader.address()? },
        BEHIND => Message::Behind { remembered: reader.boot()? },
        PULL => Message::Pull { from: reader.u64()?, ranges: reader.ranges()? },
        PAGE => Message::Page { from: reader.u64()?, until: reader.u64()?, more: reader.bool()? },
        PING => Message::Ping { seq: reader.u64()?, digest: reader.u64()? },
        ACK => Message::Ack { seq: reader.u64()?, digest: reader.u64()? },
        PING_REQ => Message::PingReq {
            seq: reader.u64()?,
            target: reader.id()?,
            address: reader.address()?,
            patience_ms: reader.u32()?,
        },
        NACK => Message::Nack { seq: reader.u64()? },
        GOSSIP => Message::Gossip,
        TOLD => Message::Told { digest: reader.u64()? },
        KEY_ASK => Message::KeyAsk { seq: reader.u64()?, step: keys::step(&mut reader)? },
        KEY_DONE => Message::KeyDone { seq: reader.u64()?, refusal: keys::refusal(&mut reader)? },
        LEAVE => Message::Leave { seq: reader.u64()? },
        _ => return None,
    };
    let mut updates = Vec::new();
    while !reader.0.is_empty() {
        updates.extend(Update::decode(&mut reader)?);
    }
    Some((message, updates))
}

/// Reads from the front of a slice. Every read is checked; nothing is allocated by a length that
/// the bytes do not back.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.chunk().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_be_bytes)
    }

    fn ranges(&mut self) -> Option<Vec<Range>> {
        let n = usize::from(self.u8()?);
        if n > RANGES_MAX {
            return None;
        }
        (0..n).map(|_| Some(Range { until: self.u64()?, digest: self.u64()? })).collect()
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn boot(&mut self) -> Option<Boot> {
        self.chunk().map(Boot::from_bytes)
    }

    fn id(&mut self) -> Option<NodeId> {
        let len = self.u8()?;
        let name = std::str::from_utf8(self.take(usize::from(len))?).ok()?;
        Some(NodeId::new(NodeName::new(name).ok()?, self.boot()?))
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let address = match self.u8()? {
            4 => SocketAddr::from((self.chunk::<4>()?, self.u16()?)),
            6 => SocketAddr::from((self.chunk::<16>()?, self.u16()?)),
            _ => return None,
        };
        Some(canonical(address))
    }
}

fn words(body: &mut Vec<u8>, kind: u8, words: &[u64]) {
    body.push(kind);
    words.iter().for_each(|word| body.extend(word.to_be_bytes()));
}

fn put_id(body: &mut Vec<u8>, id: &NodeId) {
    body.push(id.name.as_str().len() as u8);
    body.extend(id.name.as_str().as_bytes());
    body.extend(id.boot.to_bytes());
}

fn id_len(id: &NodeId) -> usize {
    1 + id.name.as_str().len() + 16
}

const fn address_len(address: &SocketAddr) -> usize {
    match address {
        SocketAddr::V4(_) => 1 + 4 + 2,
        SocketAddr::V6(_) => 1 + 16 + 2,
    }
}

fn put_address(body: &mut Vec<u8>, address: &SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            body.push(4);
            body.extend(v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            body.push(6);
            body.extend(v6.ip().octets());
        }
    }
    body.extend(address.port().to_be_bytes());
}

/// One address has one form: IPv4 mapped into IPv6 is IPv4 (al8n/memberlist#170: else one node
/// appears as two).
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whatever the names, one update fits behind the messages that carry what must arrive.
const _: () = assert!(PAGE_LEN + update::LEN_MAX <= crate::seal::BODY_LEN_MIN);

/// The longest of `Join`, `Page`, `Ping`, `Ack`, `Gossip` and `Leave`.
const PAGE_LEN: usize = 1 + 8 + 8 + 1;

const HELLO: u8 = 1;
const HELLO_ACK: u8 = 2;
const JOIN: u8 = 3;
const TAKEN: u8 = 4;
const BEHIND: u8 = 5;
const PULL: u8 = 6;
const PAGE: u8 = 7;
const PING: u8 = 8;
const ACK: u8 = 9;
const PING_REQ: u8 = 10;
const GOSSIP: u8 = 11;
const LEAVE: u8 = 12;
const NACK: u8 = 13;
const TOLD: u8 = 14;
const KEY_ASK: u8 = 15;
const KEY_DONE: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyId, Metadata, Record};
    use std::sync::Arc;
    use swarm_base::{ClusterSecret, Rng};

    fn id(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: 5, random: 6 })
    }

    fn secret() -> ClusterSecret {
        let bytes: [u8; 32] = std::array::from_fn(|at| at as u8);
        ClusterSecret::from_bytes(&bytes).expect("a secret")
    }

    fn samples() -> Vec<(Message, Vec<Update>)> {
        let address: SocketAddr = "127.0.0.1:7001".parse().expect("an address");
        let v6: SocketAddr = "[2001:db8::1]:7001".parse().expect("an address");
        let metadata = Metadata::new([7; 512]).expect("as long as can be");
        let update = |claim| Update { incarnation: 3, claim };
        let updates = vec![
            update(Claim::Alive(Arc::new(Record { id: id("b"), address, metadata }))),
            update(Claim::Suspect { id: id("b"), by: id("c") }),
            update(Claim::Dead { id: id("b"), address: v6 }),
            update(Claim::Refused { id: id("b"), address }),
            update(Claim::Left { id: id("b"), address }),
        ];
        let messages = [
            Message::Hello { nonce: 1 },
            Message::HelloAck { nonce: 2 },
            Message::Join,
            Message::Taken { holder: v6 },
            Message::Behind { remembered: id("a").boot },
            Message::Pull { from: 9, ranges: Vec::new() },
            Message::Pull { from: 9, ranges: vec![Range { until: 20, digest: 5 }; RANGES_MAX] },
            Message::Page { from: 9, until: 10, more: true },
            Message::Ping { seq: 1, digest: u64::MAX },
            Message::Ack { seq: 1, digest: 2 },
            Message::PingReq { seq: 4, target: id("z"), address, patience_ms: 5 },
            Message::Nack { seq: 4 },
            Message::Gossip,
            Message::Told { digest: 3 },
            Message::KeyAsk { seq: 1, step: Step::Install(secret()) },
            Message::KeyAsk { seq: 1, step: Step::Use(KeyId([7; 8])) },
            Message::KeyDone { seq: 1, refusal: None },
            Message::KeyDone { seq: 1, refusal: Some(KeyRefusal::Full) },
            Message::Leave { seq: 5 },
        ];
        messages.into_iter().map(|message| (message, updates.clone())).collect()
    }

    fn encode(message: &Message, updates: &[Update]) -> Vec<u8> {
        let mut body = Vec::new();
        message.encode(&mut body);
        updates.iter().for_each(|update| update.encode(&mut body));
        body
    }

    #[test]
    fn what_is_encoded_decodes() {
        for (message, updates) in samples() {
            let body = encode(&message, &updates);
            let len = message.len() + updates.iter().map(Update::len).sum::<usize>();
            assert_eq!(body.len(), len, "{message:?}");
            assert_eq!(decode(&body), Some((message, updates)));
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_refused_or_has_fewer_updates() {
        for (message, updates) in samples() {
            let body = encode(&message, &updates);
            for cut in 0..body.len() {
                if let Some((_, decoded)) = decode(&body[..cut]) {
                    assert!(decoded.len() < updates.len() && updates.starts_with(&decoded));
                }
            }
        }
    }

    #[test]
    fn random_bytes_do_not_panic() {
        for seed in 0..20_000 {
            let mut rng = Rng::new(seed);
            let len = rng.below(200);
            let mut body: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
            if let Some(kind) = body.first_mut() {
                *kind %= 18;
            }
            drop(decode(&body));
        }
    }

    #[test]
    fn an_update_of_an_unknown_kind_is_skipped() {
        let mut body = encode(&Message::Gossip, &[]);
        body.extend([200, 0, 3, 1, 2, 3]);
        let claim = Claim::Suspect { id: id("b"), by: id("c") };
        let known = Update { incarnation: 1, claim };
        known.encode(&mut body);
        assert_eq!(decode(&body), Some((Message::Gossip, vec![known])));
    }
}
