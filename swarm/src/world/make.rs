//! How a node of the world is made: the parts that the builder would make, from a seed.

use super::Defect;
use super::temper::Temper;
use crate::Escalation;
use crate::lists::Lists;
use crate::node::{MakeStrategy, Node, NodeMeta, Parts, Placing, Policy, Seat, Strategies};
use crate::resolver::{Keep, Resolvers};
use crate::scope::kind_in;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, ClusterSecret, Instant, NodeId, NodeName, Rng, Scope};
use swarm_handoff::{Agreement, Moves, Reconciler};
use swarm_link::Links;
use swarm_process::{Intensity, Restart};
use swarm_registry::Registry;
use swarm_ring::{Ring, StaticQuorumRing};
use swarm_swim::{Cipher, Keyring, Metadata, NullCipher, Swim, udp::RingCipher};

/// The name of the simulated cluster.
pub(crate) const CLUSTER: &str = "world";

/// A kind that every node serves.
pub(crate) const EVERYWHERE: &str = "everywhere";

/// A kind that only some nodes serve.
pub(crate) const SOMEWHERE: &str = "somewhere";

/// A scope that every node declares, with both kinds.
pub(crate) fn scope() -> Scope {
    Scope::new("scoped").expect("a short name")
}

/// What a node is made from.
#[derive(Debug)]
pub(crate) struct Make {
    pub(crate) now: Instant,
    pub(crate) addr: SocketAddr,
    pub(crate) seeds: Vec<SocketAddr>,
    pub(crate) life: u64,
    pub(crate) rng: Rng,
    pub(crate) sealing: Sealing,
    pub(crate) temper: Temper,
    pub(crate) defect: Option<Defect>,
    /// How many nodes must stand together for names to run.
    pub(crate) quorum: Option<usize>,
}

/// How the gossip of a world is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    /// With a checksum, which is fast.
    Checksum,
    /// As in production.
    Real,
}

impl Make {
    /// The node, and a generator for the rest of its host.
    pub(super) fn node(self) -> (Node, Rng) {
        let Self { now, addr, mut rng, .. } = self;
        let name = NodeName::new(format!("n{}", last_octet(addr))).expect("a short name");
        // Worlds begin at zero; a life that follows another one in the same millisecond is later.
        let since = now.since_start() + Duration::from_millis(self.life);
        let millis = 1_000_000 + u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let me = NodeId::new(name, Boot { millis, random: rng.next_u64() });
        let served: &[&str] =
            if last_octet(addr) % 3 == 1 { &[EVERYWHERE] } else { &[EVERYWHERE, SOMEWHERE] };
        let scopes = [Scope::default(), scope()];
        let with_scope =
            |kind: &&str| scopes.clone().map(|scope| kind_in(&scope, kind).into_owned());
        let kinds: BTreeSet<String> = served.iter().flat_map(with_scope).collect();
        let mut meta = NodeMeta {
            link: addr,
            kinds,
            scopes: scopes.iter().filter_map(Scope::as_str).map(str::to_owned).collect(),
            weight: 1.0,
            roles: BTreeSet::new(),
            ready: true,
            is_left_out: false,
            settings: 0,
            scope_settings: Vec::new(),
            waits: BTreeSet::new(),
        };
        if self.quorum.is_some() {
            for scope in &scopes {
                meta.set_seat(scope.as_str(), Seat::Waits);
            }
        }
        let metadata = Metadata::new(meta.encode()).expect("a few kinds fit");
        let secret = ClusterSecret::from_bytes(&std::array::from_fn::<u8, 32, _>(|n| n as u8))
            .expect("32 bytes");
        let cipher: Box<dyn Cipher> = match self.sealing {
            Sealing::Checksum => Box::new(NullCipher),
            Sealing::Real => Box::new(RingCipher::new()),
        };
        let swim = crate::Config::default().swim.check().expect("the defaults are sound");
        let keyring = Keyring::new(CLUSTER, secret);
        let mut swim =
            Swim::new(now, me.clone(), addr, metadata, swim, keyring, cipher, rng.fork());
        let seeds = self.seeds.iter().copied().filter(|seed| *seed != addr);
        let seeds: Vec<_> = seeds.collect();
        swim.join(now, seeds.iter().copied());
        let link = swarm_link::Config::default().check().expect("the defaults are sound");
        let registry = swarm_registry::Config::default().check().expect("the defaults are sound");
        let handoff = swarm_handoff::Config {
            // What waits in a process is little here: some nodes send it one by one.
            mails_max: if last_octet(addr).is_multiple_of(2) { 1 } else { 1024 },
            // One state is a single chunk there, and more than are under way at once elsewhere.
            chunk_bytes: (4 << 10) << (last_octet(addr) % 6),
            quorum_margin: match self.defect {
                Some(Defect::LongMargin) => Duration::from_secs(60),
                _ => swarm_handoff::Config::default().quorum_margin,
            },
            ..swarm_handoff::Config::default()
        };
        let handoff = handoff.check().expect("sound settings");
        let intensity = Intensity { restarts: 3, within: Duration::from_secs(5) };
        let policy = |kind: String| {
            let escalation =
                if kind.ends_with(SOMEWHERE) { Escalation::Move } else { Escalation::Release };
            (kind, Policy { restart: Restart::Transient, intensity, escalation })
        };
        let policies = [EVERYWHERE, SOMEWHERE].iter().flat_map(with_scope).map(policy);
        let strategy: MakeStrategy = match self.quorum {
            None => Arc::new(|| Box::new(Ring::new())),
            Some(want) => Arc::new(move || {
                Box::new(StaticQuorumRing::new(want).expect("more than half is positive"))
            }),
        };
        let parts = Parts {
            swim,
            links: Links::new(me.clone(), CLUSTER.to_owned(), link, rng.fork()),
            registry: Registry::new(now, me.clone(), registry, rng.fork()),
            agreement: Agreement::new(now, handoff.clone(), me.clone()),
            moves: Moves::new(now, handoff.clone(), me.clone(), rng.fork()),
            reconciler: Reconciler::new(now, handoff.clone(), me.clone(), rng.fork()),
            handoff,
            placing: Placing::new(
                Strategies(scopes.clone().map(|scope| (scope, Arc::clone(&strategy))).into()),
                Lists::default(),
            ),
            policies: policies.collect(),
            resolvers: resolvers(),
            seeded: !seeds.is_empty(),
            me,
            meta,
        };
        let mut node = Node::new(now, parts);
        if self.defect == Some(Defect::NoMargin) {
            node.drop_margin();
        }
        if self.defect == Some(Defect::SquatsSeat) {
            node.add_seats();
        }
        (node, rng)
    }
}

/// In the scope a resolver decides, as often for the one copy as for the other.
fn resolvers() -> Resolvers {
    let mut resolvers = Resolvers::default();
    for kind in [EVERYWHERE, SOMEWHERE] {
        resolvers.add(kind_in(&scope(), kind).into_owned(), |_, first, second| {
            let random = first.pid.boot.random ^ second.pid.boot.random;
            if random.is_multiple_of(2) { Keep::First } else { Keep::Second }
        });
    }
    resolvers
}

/// The number of a node, from 1.
pub(crate) fn last_octet(addr: SocketAddr) -> u8 {
    match addr.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(ip) => ip.octets()[15],
    }
}
