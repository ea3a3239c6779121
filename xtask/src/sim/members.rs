//! Groups of nodes that run nothing but the membership protocol.

use std::time::Duration;
use swarm_base::{Boot, NodeId, NodeName};
use swarm_sim::{Crowd, Seen, addr};
use swarm_swim::{Checked, Metadata, Protocol};

pub(super) type Members = Crowd<Protocol>;

/// Nobody looks on.
pub(super) fn unseen(_: swarm_base::Instant, _: u16, _: Seen<'_, Protocol>) {}

/// A network like that of one building, losing `loss_permille` in a thousand.
pub(super) fn empty(seed: u64, loss_permille: u32) -> Members {
    Crowd::new(seed, Duration::from_micros(200)..=Duration::from_millis(1), loss_permille)
}

/// Starts a life of the node `n`, which looks for `seeds`.
pub(super) fn start(members: &mut Members, n: u16, life: u64, config: Checked, seeds: &[u16]) {
    let (now, rng) = (members.now(), members.fork_rng());
    let name = NodeName::new(format!("m{n}")).expect("a name");
    let id = NodeId::new(name, Boot { millis: life, random: 0 });
    let mut machine = Protocol::new(now, id, addr(n), Metadata::default(), config, rng);
    machine.join(now, seeds.iter().map(|seed| addr(*seed)));
    members.insert(n, machine);
}

/// The nodes 1 to `n`, who know each other and have nothing more to tell.
pub(super) fn settled(n: u16, config: Checked, seed: u64) -> Members {
    let mut members = empty(seed, 0);
    for member in 1..=n {
        start(&mut members, member, 1, config, &[1]);
    }
    let took = until_all_agree(&mut members, Duration::from_secs(600));
    assert!(took.is_some(), "{n} nodes do not find each other");
    let end = members.now() + Duration::from_secs(5);
    members.run_until(end, &mut unseen);
    members
}

/// Runs until all agree, and tells how long that took; `None` where it takes longer than `limit`.
pub(super) fn until_all_agree(members: &mut Members, limit: Duration) -> Option<Duration> {
    let start = members.now();
    while !agree(members) {
        let end = members.now() + Duration::from_millis(100);
        members.run_until(end, &mut unseen);
        if end.since(start) > limit {
            return None;
        }
    }
    Some(members.now().since(start))
}

/// Whether all who run hold exactly each other to be live.
pub(super) fn agree(members: &Members) -> bool {
    let n_running = members.nodes().count();
    let mut digests = members.nodes().map(|(_, machine)| machine.digest());
    let first = digests.next();
    digests.all(|digest| Some(digest) == first)
        && members.nodes().all(|(_, machine)| machine.n_live() == n_running)
}

/// The number of a node that [`start`] named.
pub(super) fn number(id: &NodeId) -> u16 {
    id.name.as_str()[1..].parse().expect("a number")
}
