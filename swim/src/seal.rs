//! Sealing: every packet is encrypted and authenticated, and nothing of it is believed before.
//!
//! A packet is a clear header, all of it associated data, then the sealed body and its tag:
//!
//! | Field | Bytes | |
//! |---|---|---|
//! | version | 1 | |
//! | key id | 1 | selects the key, so that a packet of another key costs no decryption |
//! | cluster | 8 | a hash of the cluster's name |
//! | sender | 1 + n + 16 | length and name, boot |
//! | receiver | 16 | its boot; zero where the sender does not know it |
//! | counter | 8 | the nonce; counts from 1 for each boot of a sender |
//!
//! The key is derived from the cluster secret, the cluster's name, and the sender's name and boot,
//! so a nonce never occurs twice under one key, across nodes and restarts, without any random
//! draw. The receiver's boot keeps a packet for a former life from being replayed to a new one.

mod header;
use header::Header;

use crate::KeyId;
use crate::budget::Budget;
use crate::keyring::Keyring;
use crate::replay::Window;
use std::collections::BTreeMap;
use swarm_base::{Boot, ClusterSecret, Instant, NodeId, NodeName};
use xxhash_rust::xxh3::xxh3_64;

/// The most bytes in a packet that is opened. What is sent is bounded by
/// [`packet_len_max`](crate::Config::packet_len_max), which is no more.
pub const PACKET_LEN_MAX: usize = 1400;

/// The most bytes of packets that every node can send: below every usual MTU.
const PACKET_LEN_MIN: usize = 1200;

/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;

/// What sealing asks of cryptography: a key derivation and an AEAD.
pub trait Cipher: Send + Sync {
    /// Derives 32 bytes from a secret (HKDF-SHA256 or as good).
    fn derive(&self, secret: &ClusterSecret, salt: &[u8], info: &[u8]) -> [u8; 32];

    /// The key of these bytes.
    fn key(&self, bytes: &[u8; 32]) -> Box<dyn Key>;
}

/// One key of a [`Cipher`]. The counter makes the nonce; sealing never sees one twice.
pub trait Key: Send + Sync {
    /// Encrypts `body` in place and returns the tag over it and `associated`.
    fn seal(&self, counter: u64, associated: &[u8], body: &mut [u8]) -> [u8; TAG_LEN];

    /// Verifies `sealed`, a body and its tag, and decrypts the body in place. `None` where the
    /// tag does not verify; `sealed` is then worthless.
    fn open<'a>(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]>;
}

/// Seals this node's packets and opens everybody's.
pub(crate) struct Seal {
    me: NodeId,
    cipher: Box<dyn Cipher>,
    keyring: Keyring,
    /// The id of each secret in the keyring, in its order.
    key_ids: Vec<u8>,
    cluster_hash: u64,
    own_key: Box<dyn Key>,
    counter: u64,
    senders: BTreeMap<NodeId, Sender>,
}

/// What is remembered of one boot of a sender that has proved itself.
struct Sender {
    window: Window,
    heard: Instant,
    budget: Budget,
    /// Its key for each secret in the keyring, derived when first needed.
    keys: Vec<Option<Box<dyn Key>>>,
}

/// A packet that verified.
pub(crate) struct Opened<'a> {
    pub(crate) sender: NodeId,
    pub(crate) receiver: Boot,
    pub(crate) body: &'a [u8],
}

/// Why a packet is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Oversized,
    Header,
    Cluster,
    Key,
    Receiver,
    Tag,
    Replay,
    Budget,
    Body,
}

impl Seal {
    pub(crate) fn new(me: NodeId, keyring: Keyring, cipher: Box<dyn Cipher>) -> Self {
        let own_key = sender_key(&*cipher, &keyring, 0, &me);
        Self {
            key_ids: key_ids(&*cipher, &keyring),
            cluster_hash: xxh3_64(keyring.cluster().as_bytes()),
            own_key,
            me,
            cipher,
            keyring,
            counter: 0,
            senders: BTreeMap::new(),
        }
    }

    /// Changes the secrets. What was seen of senders stays: a replay stays a replay.
    pub(crate) fn set_keyring(&mut self, keyring: Keyring) {
        self.own_key = sender_key(&*self.cipher, &keyring, 0, &self.me);
        self.key_ids = key_ids(&*self.cipher, &keyring);
        self.cluster_hash = xxh3_64(keyring.cluster().as_bytes());
        self.keyring = keyring;
        for sender in self.senders.values_mut() {
            sender.keys.clear();
        }
    }

    pub(crate) const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// What a key is called.
    pub(crate) fn key_id(&self, secret: &ClusterSecret) -> KeyId {
        let salt = self.keyring.cluster().as_bytes();
        let derived = self.cipher.derive(secret, salt, b"swarm gossip key name");
        KeyId(derived[..8].try_into().expect("it has 32 bytes"))
    }

    /// Seals what `body` appends, some `body_len` bytes, for the boot `receiver`, or for whoever
    /// gets it where that is zero.
    pub(crate) fn seal(
        &mut self,
        receiver: Boot,
        body_len: usize,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        self.counter += 1;
        let header = Header {
            len: Header::LEN_MIN + self.me.name.as_str().len(),
            key_id: self.key_ids[0],
            cluster_hash: self.cluster_hash,
            sender: self.me.clone(),
            receiver,
            counter: self.counter,
        };
        let mut packet = Vec::with_capacity(header.len + body_len + TAG_LEN);
        header.write(&mut packet);
        body(&mut packet);
        assert!(packet.len() + TAG_LEN <= PACKET_LEN_MAX, "a body fits its packet");
        let (associated, body) = packet.split_at_mut(header.len);
        let tag = self.own_key.seal(self.counter, associated, body);
        packet.extend(tag);
        packet
    }

    /// Opens `packet` in place. Remembers its sender and counter only where the tag verifies.
    pub(crate) fn open<'a>(
        &mut self,
        now: Instant,
        packet: &'a mut [u8],
    ) -> Result<Opened<'a>, Refusal> {
        if packet.len() > PACKET_LEN_MAX {
            return Err(Refusal::Oversized);
        }
        let header = Header::parse(packet).ok_or(Refusal::Header)?;
        if header.cluster_hash != self.cluster_hash {
            return Err(Refusal::Cluster);
        }
        if header.receiver != Boot::default() && header.receiver != self.me.boot {
            return Err(Refusal::Receiver);
        }
        if !self.key_ids.contains(&header.key_id) {
            return Err(Refusal::Key);
        }
        if self.senders.get(&header.sender).is_some_and(|s| !s.window.is_fresh(header.counter)) {
            return Err(Refusal::Replay);
        }
        let (associated, sealed) = packet.split_at_mut(header.len);
        let body = self.verify(&header, associated, sealed).ok_or(Refusal::Tag)?;
        self.remember(now, &header)?;
        Ok(Opened { sender: header.sender, receiver: header.receiver, body })
    }

    /// Tries every key whose id the header names: ids have eight bits, so two may be equal.
    fn verify<'a>(
        &mut self,
        header: &Header,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        let n_keys = self.key_ids.len();
        let named: Vec<usize> =
            (0..n_keys).filter(|&idx| self.key_ids[idx] == header.key_id).collect();
        let (&last, others) = named.split_last()?;
        for &idx in others {
            let mut copy = sealed.to_vec();
            if self.try_key(idx, header, associated, &mut copy).is_some() {
                return self.try_key(idx, header, associated, sealed);
            }
        }
        self.try_key(last, header, associated, sealed)
    }

    fn try_key<'a>(
        &mut self,
        idx: usize,
        header: &Header,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        let derive = || sender_key(&*self.cipher, &self.keyring, idx, &header.sender);
        let opened = match self.senders.get_mut(&header.sender) {
            Some(sender) => {
                sender.keys.resize_with(self.key_ids.len(), || None);
                sender.keys[idx].get_or_insert_with(derive).open(header.counter, associated, sealed)
            }
            // A stranger: its key is kept only once it has proved itself.
            None => derive().open(header.counter, associated, sealed),
        };
        opened.map(|body| &*body)
    }

    fn remember(&mut self, now: Instant, header: &Header) -> Result<(), Refusal> {
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&header.sender) {
            let oldest = self.senders.iter().min_by_key(|(_, s)| s.heard).map(|(id, _)| id.clone());
            oldest.map(|id| self.senders.remove(&id));
        }
        let sender = self.senders.entry(header.sender.clone()).or_insert_with(|| Sender {
            window: Window::new(),
            heard: now,
            budget: Budget::new(now),
            keys: Vec::new(),
        });
        if !sender.window.is_fresh(header.counter) {
            return Err(Refusal::Replay);
        }
        sender.heard = now;
        if !sender.budget.take(now) {
            return Err(Refusal::Budget);
        }
        sender.window.advance(header.counter);
        Ok(())
    }
}

/// The id of a key is eight bits derived from its secret, so that no operator has to number keys
/// alike on all nodes.
fn key_ids(cipher: &dyn Cipher, keyring: &Keyring) -> Vec<u8> {
    let salt = keyring.cluster().as_bytes();
    keyring.secrets().iter().map(|s| cipher.derive(s, salt, b"swarm gossip key id")[0]).collect()
}

fn sender_key(cipher: &dyn Cipher, keyring: &Keyring, idx: usize, sender: &NodeId) -> Box<dyn Key> {
    let name = sender.name.as_str().as_bytes();
    let info = [b"swarm gossip v1".as_slice(), name, &sender.boot.to_bytes()].concat();
    let salt = keyring.cluster().as_bytes();
    cipher.key(&cipher.derive(&keyring.secrets()[idx], salt, &info))
}

/// Bytes that are left for a body in the packets of `sender`.
pub(crate) fn body_len_max(packet_len_max: usize, sender: &NodeName) -> usize {
    packet_len_max - TAG_LEN - Header::LEN_MIN - sender.as_str().len()
}

/// Bytes that are left for a body whatever the sender's name and settings.
pub(crate) const BODY_LEN_MIN: usize =
    PACKET_LEN_MIN - TAG_LEN - Header::LEN_MIN - NodeName::LEN_MAX;

/// How many boots of senders are remembered. Only who holds the secret can become one. Beyond
/// that the one unheard for longest is forgotten, and with it what it sent before.
const SENDERS_MAX: usize = 2048;

#[cfg(test)]
mod tests;
