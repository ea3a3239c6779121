//! The node that is fed, and those that it takes for others.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use swarm_base::{Boot, ClusterSecret, Instant, Machine, NodeId, NodeName, Output, Rng};
use swarm_swim::{Checked, Cipher, Config, Key, Keyring, Metadata, NullCipher, Protocol, Swim};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// A member.
    First,
    /// Another member.
    Second,
    /// Who holds the secret and is not a member yet.
    Newcomer,
    /// A later life of a member.
    Reborn,
    /// Who has the node's own name.
    Double,
}

impl Role {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::First, Self::Second, Self::Newcomer, Self::Reborn, Self::Double];

    /// Its name and boot.
    #[must_use]
    pub fn id(self) -> NodeId {
        match self {
            Self::First => id("b", 1),
            Self::Second => id("c", 1),
            Self::Newcomer => id("d", 1),
            Self::Reborn => id("b", 2),
            Self::Double => id("a", 2),
        }
    }

    /// Where it sends from.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        address(2 + self as u8)
    }
}

/// A node that has just joined a group of three, as often as one likes: what it was told until
/// then is told again.
pub struct Settled<M: Machine> {
    fresh: fn(&NodeId, SocketAddr) -> M,
    join: fn(&mut M, Instant, SocketAddr),
    told: Vec<(Instant, Told<M::Message>)>,
}

enum Told<T> {
    Time,
    Message { from: SocketAddr, message: T },
}

impl Settled<Swim> {
    /// A node that opens packets.
    #[must_use]
    pub fn machine() -> Self {
        Self::new(machine, |node, now, seed| node.join(now, [seed]))
    }
}

impl Settled<Protocol> {
    /// A node behind the opening of packets.
    #[must_use]
    pub fn protocol() -> Self {
        Self::new(protocol, |node, now, seed| node.join(now, [seed]))
    }
}

impl<M> Settled<M>
where
    M: Machine<Peer = SocketAddr, Message: Clone>,
{
    fn new(fresh: fn(&NodeId, SocketAddr) -> M, join: fn(&mut M, Instant, SocketAddr)) -> Self {
        let cast =
            [(me(), address(1)), (Role::First.id(), address(2)), (Role::Second.id(), address(3))];
        let mut nodes = cast.map(|(id, address)| fresh(&id, address));
        nodes.iter_mut().for_each(|node| join(node, Instant::START, address(2)));
        let mut told = Vec::new();
        for millis in 0..JOIN_MILLIS {
            let now = Instant::after_start(Duration::from_millis(millis));
            let mut flying = VecDeque::new();
            for (idx, node) in nodes.iter_mut().enumerate() {
                if node.poll_timeout().is_some_and(|due| due <= now) {
                    node.handle_timeout(now);
                    told.extend((idx == 0).then_some((now, Told::Time)));
                }
                send(idx, node, &mut flying);
            }
            while let Some((from, to, message)) = flying.pop_front() {
                let Some(idx) = (1..=3).position(|n| address(n) == to) else { continue };
                let from = address(from as u8 + 1);
                if idx == 0 {
                    told.push((now, Told::Message { from, message: message.clone() }));
                }
                nodes[idx].handle_message(now, from, message);
                send(idx, &mut nodes[idx], &mut flying);
            }
        }
        Self { fresh, join, told }
    }

    /// The node, and the time at which it is there. All that it wanted until then is done.
    #[must_use]
    pub fn node(&self) -> (M, Instant)
    where
        M::Message: Clone,
    {
        let mut node = (self.fresh)(&me(), address(1));
        (self.join)(&mut node, Instant::START, address(2));
        for (now, told) in &self.told {
            match told {
                Told::Time => node.handle_timeout(*now),
                Told::Message { from, message } => {
                    node.handle_message(*now, *from, message.clone());
                }
            }
            while node.poll_output().is_some() {}
        }
        (node, Instant::after_start(Duration::from_millis(JOIN_MILLIS)))
    }
}

type Flying<T> = VecDeque<(usize, SocketAddr, T)>;

fn send<M: Machine<Peer = SocketAddr>>(idx: usize, node: &mut M, flying: &mut Flying<M::Message>) {
    while let Some(output) = node.poll_output() {
        if let Output::Send { to, message } = output {
            flying.push_back((idx, to, message));
        }
    }
}

/// A fresh node that seals and opens.
#[must_use]
pub fn machine(id: &NodeId, address: SocketAddr) -> Swim {
    let (metadata, rng) = (Metadata::default(), Rng::new(address.port().into()));
    let keyring = Keyring::new(CLUSTER, secret());
    let cipher = Box::new(NullCipher);
    Swim::new(Instant::START, id.clone(), address, metadata, config(), keyring, cipher, rng)
}

/// A fresh node behind the opening of packets.
#[must_use]
pub fn protocol(id: &NodeId, address: SocketAddr) -> Protocol {
    let (metadata, rng) = (Metadata::default(), Rng::new(address.port().into()));
    Protocol::new(Instant::START, id.clone(), address, metadata, config(), rng)
}

/// Those who hold the secret, and seal whatever they like.
pub struct Cast {
    seals: Vec<(Vec<u8>, Box<dyn Key>)>,
}

impl Default for Cast {
    fn default() -> Self {
        let seals = Role::ALL.map(|role| (header(role), key(&role.id())));
        Self { seals: seals.into() }
    }
}

impl Cast {
    /// Packet `n` of `by`, with any body: it verifies. They are counted from 1.
    #[must_use]
    pub fn seal(&self, by: Role, receiver: Boot, n: u64, body: &[u8]) -> Vec<u8> {
        let (header, key) = &self.seals[by as usize];
        let counter = SAID_MAX + n;
        let (mut packet, len) = (header.clone(), header.len());
        packet[len - 24..len - 8].copy_from_slice(&receiver.to_bytes());
        packet[len - 8..].copy_from_slice(&counter.to_be_bytes());
        packet.extend(body);
        let (header, body) = packet.split_at_mut(len);
        let tag = key.seal(counter, header, body);
        packet.extend(tag);
        packet
    }

    /// The body of a packet as the cipher that hides nothing shows it.
    #[must_use]
    pub fn body<'a>(by: &NodeId, packet: &'a [u8]) -> &'a [u8] {
        &packet[header_len(by)..packet.len() - swarm_swim::TAG_LEN]
    }
}

/// The header of the first packet that `role` sends, its greeting.
fn header(role: Role) -> Vec<u8> {
    let mut node = machine(&role.id(), role.address());
    node.join(Instant::START, [address(1)]);
    let mut greetings = VecDeque::new();
    send(0, &mut node, &mut greetings);
    let (_, _, mut greeting) = greetings.pop_front().expect("who joins greets its seed");
    greeting.truncate(header_len(&role.id()));
    greeting
}

/// Version, key, cluster, name, boot; then the receiver's boot and the counter.
fn header_len(id: &NodeId) -> usize {
    1 + 1 + 8 + 1 + id.name.as_str().len() + 16 + 16 + 8
}

fn key(id: &NodeId) -> Box<dyn Key> {
    let name = id.name.as_str().as_bytes();
    let info = [b"swarm gossip v1".as_slice(), name, &id.boot.to_bytes()].concat();
    NullCipher.key(&NullCipher.derive(&secret(), CLUSTER.as_bytes(), &info))
}

/// The node that is fed.
pub(crate) fn me() -> NodeId {
    id("a", 1)
}

fn id(name: &str, millis: u64) -> NodeId {
    NodeId::new(NodeName::new(name).expect("a name"), Boot { millis, random: 0 })
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, n), 7000 + u16::from(n)))
}

fn secret() -> ClusterSecret {
    let bytes: [u8; 32] = std::array::from_fn(|at| at as u8);
    ClusterSecret::from_bytes(&bytes).expect("a secret")
}

fn config() -> Checked {
    Config::local().check().expect("a profile is within bounds")
}

const CLUSTER: &str = "fuzz";

/// Those of the group have said less before the node is fed.
const SAID_MAX: u64 = 1_000;

/// How long the group has been together.
const JOIN_MILLIS: u64 = 300;
