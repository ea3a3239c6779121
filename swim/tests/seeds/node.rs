//! A node of a randomized run: the machine, sealed or not, and what restarts it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Boot, ClusterSecret, Instant, Machine, NodeId, Output, Rng, Session};
use swarm_sim::{Effect, Host, SessionInput};
use swarm_swim::{
    Checked, Counters, Event, Health, Keyring, Member, Metadata, NullCipher, Packet, Protocol,
    State, Swim,
};

/// A member of the group. Told that its clock is behind, it starts again above what is
/// remembered, as the program around it would.
pub(crate) struct Node {
    machine: Whole,
    birth: Birth,
    /// When the last ping to each address went out.
    pub(crate) pinged: BTreeMap<SocketAddr, Instant>,
    has_left: bool,
    last_now: Instant,
}

/// What a node is made from, each time it starts.
pub(crate) struct Birth {
    pub(crate) id: NodeId,
    pub(crate) address: SocketAddr,
    pub(crate) seeds: Vec<SocketAddr>,
    pub(crate) config: Checked,
    pub(crate) sealing: Sealing,
    pub(crate) rng: Rng,
}

/// What is around the protocol. Sealing costs most of the time and decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    Open,
    Null,
    Real,
}

enum Whole {
    Open(Box<Protocol>),
    Sealed(Box<Swim>),
}

#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Open(Packet),
    Sealed(Vec<u8>),
}

/// The same call on whichever machine it is.
macro_rules! either {
    ($node:expr, $machine:ident => $call:expr) => {
        match $node {
            Whole::Open($machine) => $call,
            Whole::Sealed($machine) => $call,
        }
    };
}

impl Node {
    pub(crate) fn new(now: Instant, mut birth: Birth) -> Self {
        let machine = birth.machine(now);
        Self { machine, birth, pinged: BTreeMap::new(), has_left: false, last_now: now }
    }

    pub(crate) const fn id(&self) -> &NodeId {
        &self.birth.id
    }

    pub(crate) fn seeds(&self) -> &[SocketAddr] {
        &self.birth.seeds
    }

    pub(crate) fn config(&self) -> &Checked {
        &self.birth.config
    }

    /// What it holds of itself.
    pub(crate) fn own(&self) -> &Member {
        self.member(self.id()).expect("a node holds itself")
    }

    pub(crate) fn member(&self, id: &NodeId) -> Option<&Member> {
        either!(&self.machine, machine => machine.member(id))
    }

    pub(crate) fn holds_live(&self, id: &NodeId) -> bool {
        self.member(id).is_some_and(Member::is_live)
    }

    pub(crate) fn live(&self) -> BTreeMap<&NodeId, &Member> {
        fn live<'a>(members: impl Iterator<Item = &'a Member>) -> BTreeMap<&'a NodeId, &'a Member> {
            members.filter(|member| member.is_live()).map(|member| (&member.id, member)).collect()
        }
        either!(&self.machine, machine => live(machine.members()))
    }

    pub(crate) fn n_live(&self) -> usize {
        either!(&self.machine, machine => machine.n_live())
    }

    pub(crate) fn remembers_dead(&self) -> bool {
        either!(&self.machine, machine => machine.members().any(|m| m.state == State::Dead))
    }

    pub(crate) fn digest(&self) -> u64 {
        either!(&self.machine, machine => machine.digest())
    }

    pub(crate) fn counters(&self) -> Counters {
        either!(&self.machine, machine => machine.counters())
    }

    pub(crate) fn health(&self) -> Health {
        either!(&self.machine, machine => machine.health())
    }

    /// Whether its packets can be looked into.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.machine, Whole::Open(_))
    }

    /// Whether it has been asked to leave.
    pub(crate) const fn has_left(&self) -> bool {
        self.has_left
    }

    pub(crate) fn leave(&mut self, now: Instant) {
        (self.has_left, self.last_now) = (true, now);
        either!(&mut self.machine, machine => machine.leave(now));
    }

    pub(crate) fn set_metadata(&mut self, now: Instant, metadata: Metadata) {
        self.last_now = now;
        either!(&mut self.machine, machine => machine.set_metadata(now, metadata));
    }

    fn start_above(&mut self, remembered: Boot) {
        self.birth.id.boot = Boot { millis: remembered.millis + 1, ..self.birth.id.boot };
        self.machine = self.birth.machine(self.last_now);
        self.pinged.clear();
    }
}

impl Birth {
    fn machine(&mut self, now: Instant) -> Whole {
        let (id, address, config) = (self.id.clone(), self.address, self.config);
        let metadata = Metadata::new(format!("at {address}")).expect("short");
        let (rng, seeds) = (self.rng.fork(), self.seeds.clone());
        let cipher = match self.sealing {
            Sealing::Open => {
                let mut machine = Protocol::new(now, id, address, metadata, config, rng);
                machine.join(now, seeds);
                return Whole::Open(Box::new(machine));
            }
            Sealing::Null => Box::new(NullCipher),
            Sealing::Real => real_cipher(),
        };
        let secret: [u8; 32] = std::array::from_fn(|at| at as u8);
        let secret = ClusterSecret::from_bytes(&secret).expect("a secret");
        let keyring = Keyring::new("seeds", secret);
        let mut machine = Swim::new(now, id, address, metadata, config, keyring, cipher, rng);
        machine.join(now, seeds);
        Whole::Sealed(Box::new(machine))
    }
}

/// The real cipher, where there is one.
fn real_cipher() -> Box<dyn swarm_swim::Cipher> {
    #[cfg(feature = "udp")]
    return Box::new(swarm_swim::udp::RingCipher::new());
    #[cfg(not(feature = "udp"))]
    Box::new(NullCipher)
}

impl Host for Node {
    type Datagram = Wire;
    type Frame = ();
    type Identity = ();
    type Event = Event;

    fn identity(&self) {}

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: Wire) {
        self.last_now = now;
        match (&mut self.machine, datagram) {
            (Whole::Open(machine), Wire::Open(packet)) => machine.handle_message(now, from, packet),
            (Whole::Sealed(machine), Wire::Sealed(bytes)) => {
                machine.handle_message(now, from, bytes);
            }
            _ => unreachable!("all nodes of a world are sealed alike"),
        }
    }

    fn handle_session(&mut self, _: Instant, _: Session, _: SessionInput<(), ()>) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.last_now = now;
        either!(&mut self.machine, machine => machine.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        either!(&self.machine, machine => machine.poll_timeout())
    }

    fn poll_effect(&mut self) -> Option<Effect<Wire, (), Event>> {
        let output = match &mut self.machine {
            Whole::Open(machine) => wired(machine.poll_output()?, Wire::Open),
            Whole::Sealed(machine) => wired(machine.poll_output()?, Wire::Sealed),
        };
        match &output {
            Effect::Datagram { to, datagram: Wire::Open(packet) } if packet.kind() == "ping" => {
                self.pinged.insert(*to, self.last_now);
            }
            Effect::Event(Event::BootBehind { remembered }) => self.start_above(*remembered),
            _ => {}
        }
        Some(output)
    }

    fn damaged(&self, datagram: &Wire, rng: &mut Rng) -> Option<Wire> {
        // Undecoded packets cannot be damaged: their tag would not verify.
        let Wire::Sealed(bytes) = datagram else { return None };
        let mut bytes = bytes.clone();
        let idx = rng.index(bytes.len())?;
        bytes[idx] ^= 1 << rng.below(8);
        if rng.chance(200) {
            bytes.truncate(idx);
        }
        Some(Wire::Sealed(bytes))
    }
}

fn wired<M>(
    output: Output<SocketAddr, M, Event>,
    wire: impl FnOnce(M) -> Wire,
) -> Effect<Wire, (), Event> {
    match output {
        Output::Send { to, message } => Effect::Datagram { to, datagram: wire(message) },
        Output::Event(event) => Effect::Event(event),
    }
}
