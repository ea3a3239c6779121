//! A group of nodes in a world, and what tests ask of it.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, ClusterSecret, NodeId, NodeName, Rng};
use swarm_sim::{Datagrams, Faults, World, addr};
use swarm_swim::{
    Checked, Cipher, Config, Event, Failure, Keyring, Metadata, NullCipher, State, Swim,
};

pub(crate) type Group = World<Datagrams<Swim>>;

/// The nodes 1 to `n`, each with node 1 as its seed.
pub(crate) fn group(n: u16, seed: u64) -> Group {
    let mut world = World::new(seed, Faults::calm());
    for idx in 1..=n {
        start(&mut world, idx, &[1]);
    }
    world
}

/// As [`group`], once all know all.
pub(crate) fn settled(n: u16, seed: u64) -> Group {
    let mut world = group(n, seed);
    until(&mut world, 10, |world| agree(world, 1..=n));
    world
}

/// Starts a life of node `idx`, at its own address, in a boot above its last.
pub(crate) fn start(world: &mut Group, idx: u16, seeds: &[u16]) {
    let boot = 1 + world.lives(addr(idx));
    start_as(world, idx, &name(idx), boot, seeds);
}

pub(crate) fn start_as(world: &mut Group, idx: u16, name: &str, boot: u64, seeds: &[u16]) {
    let (now, rng) = (world.now(), world.rng(addr(idx)));
    let id = NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: boot, random: 0 });
    let machine = swim(now, id, addr(idx), "cluster", rng);
    world.insert(addr(idx), Datagrams::new(machine).with_bit_flips());
    let seeds: Vec<_> = seeds.iter().map(|idx| addr(*idx)).collect();
    world.with(addr(idx), |host, now| host.machine.join(now, seeds));
}

pub(crate) fn swim(
    now: swarm_base::Instant,
    id: NodeId,
    address: SocketAddr,
    cluster: &str,
    rng: Rng,
) -> Swim {
    swim_with(now, id, address, cluster, Box::new(NullCipher), rng)
}

pub(crate) fn swim_with(
    now: swarm_base::Instant,
    id: NodeId,
    address: SocketAddr,
    cluster: &str,
    cipher: Box<dyn Cipher>,
    rng: Rng,
) -> Swim {
    let metadata = Metadata::new(format!("at {address}")).expect("short");
    let keyring = Keyring::new(cluster, secret(1));
    Swim::new(now, id, address, metadata, brisk(), keyring, cipher, rng)
}

/// Half the periods of a local network.
pub(crate) fn brisk() -> Checked {
    let config = Config {
        probe_interval: Duration::from_millis(500),
        probe_timeout: Duration::from_millis(200),
        probe_timeout_min: Duration::from_millis(50),
        suspicion_max_mult: 2,
        leave_timeout: Duration::from_secs(1),
        ..Config::lan()
    };
    config.check().expect("within bounds")
}

pub(crate) fn secret(byte: u8) -> ClusterSecret {
    let bytes: [u8; 32] = std::array::from_fn(|at| byte.wrapping_add(at as u8));
    ClusterSecret::from_bytes(&bytes).expect("a secret")
}

pub(crate) fn name(idx: u16) -> String {
    format!("n{idx:02}")
}

/// The id of the present life of node `idx`.
pub(crate) fn id(world: &Group, idx: u16) -> NodeId {
    let name = NodeName::new(name(idx)).expect("a name");
    NodeId::new(name, Boot { millis: world.lives(addr(idx)), random: 0 })
}

pub(crate) fn state(world: &Group, at: u16, of: &NodeId) -> Option<State> {
    world.host(addr(at)).machine.member(of).map(|member| member.state)
}

/// Whether each of these nodes holds exactly all of them to be alive.
pub(crate) fn agree(world: &Group, nodes: impl IntoIterator<Item = u16>) -> bool {
    let nodes: Vec<u16> = nodes.into_iter().collect();
    let mut expected: Vec<NodeId> = nodes.iter().map(|idx| id(world, *idx)).collect();
    expected.sort();
    nodes.iter().all(|idx| {
        let members = world.host(addr(*idx)).machine.members();
        let live = members.filter(|member| member.is_live());
        let mut live: Vec<_> = live.map(|member| (&member.id, member.state)).collect();
        live.sort();
        live.len() == expected.len()
            && live
                .iter()
                .zip(&expected)
                .all(|((id, state), expected)| *id == expected && *state == State::Alive)
    })
}

/// Runs until `condition` holds and returns how long that took; fails after `secs`.
pub(crate) fn until(world: &mut Group, secs: u64, condition: impl Fn(&Group) -> bool) -> Duration {
    let start = world.now();
    while !condition(world) {
        let elapsed = world.now().since(start);
        if elapsed > Duration::from_secs(secs) {
            let views: Vec<_> = world.hosts().values().map(|host| &host.machine).collect();
            panic!("seed {}: not within {secs} s: {views:#?}", world.seed());
        }
        run(world, 10);
    }
    world.now().since(start)
}

pub(crate) fn run(world: &mut Group, ms: u64) {
    world.run_for(Duration::from_millis(ms)).unwrap_or_else(|v| panic!("{v}"));
}

/// The events of node `idx`, in order.
pub(crate) fn events(world: &Group, idx: u16) -> Vec<&Event> {
    world.events().filter(|(_, at, _)| *at == addr(idx)).map(|(_, _, event)| event).collect()
}

/// How often any node declared another dead by timeout.
pub(crate) fn deaths(world: &Group) -> usize {
    let is_death = |event: &Event| matches!(event, Event::Failed { why: Failure::Timeout, .. });
    world.events().filter(|(_, _, event)| is_death(event)).count()
}
