//! Whole runs from a seed: any faults, then a heal, then all must agree.

use crate::group::swim_with;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, Instant, NodeId, NodeName};
use swarm_sim::{Birth, Check, Datagrams, Plan, Scenario, Trouble, Violation, World, seeds};
use swarm_swim::{Cipher, Event, Member, Metadata, NullCipher, Record, State, Swim};

type Node = Datagrams<Swim>;

#[test]
fn after_any_chaos_all_agree_and_nobody_live_is_dead() {
    let plan = Plan {
        replay: "SWARM_SEED={seed} cargo test -p swarm-swim --test world chaos",
        nodes: 3..=8,
        down_max: 2,
        converge_max: Duration::from_secs(30),
        troubles: Trouble::ALL.into_iter().filter(|trouble| *trouble != Trouble::Break).collect(),
        ..Plan::default()
    };
    let totals =
        plan.run_seeds(seeds(0..250), |seed| Membership { seed }).unwrap_or_else(|failure| {
            panic!("{}", plan.shrink(*failure, 40, |seed| Membership { seed }));
        });
    println!("{totals}");
    if totals.seeds >= 200 {
        assert_eq!(totals.never_judged().collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let hash = |seed| {
        let plan = Plan { chaos: Duration::from_secs(5), ..Plan::default() };
        plan.run_seed(seed, &mut Membership { seed }).map(|report| report.trace_hash)
    };
    for seed in 1_000..1_004 {
        let first = hash(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(hash(seed).ok(), Some(first), "seed {seed}");
    }
}

struct Membership {
    seed: u64,
}

/// The real cipher in a quarter of the seeds, where there is one.
fn cipher(seed: u64) -> Box<dyn Cipher> {
    #[cfg(feature = "udp")]
    if seed % 4 == 3 {
        return Box::new(swarm_swim::udp::RingCipher::new());
    }
    let _ = seed;
    Box::new(NullCipher)
}

impl Scenario for Membership {
    type Host = Node;

    fn start(&mut self, birth: Birth<'_>) -> Node {
        let idx = birth.addrs.iter().position(|addr| *addr == birth.addr).unwrap_or_default();
        let name = NodeName::new(format!("n{idx}")).expect("a name");
        let id = NodeId::new(name, Boot { millis: birth.life, random: 0 });
        let cipher = cipher(self.seed);
        let mut machine = swim_with(birth.now, id, birth.addr, "chaos", cipher, birth.rng);
        machine.join(birth.now, birth.addrs.iter().copied().take(2));
        Datagrams::new(machine).with_bit_flips()
    }

    fn checks(&self) -> Vec<Box<dyn Check<Node>>> {
        vec![Box::new(Stories::default()), Box::new(Selves::default())]
    }

    fn operate(&mut self, world: &mut World<Node>, rng: &mut swarm_base::Rng) {
        let addrs: Vec<SocketAddr> = world.hosts().keys().copied().collect();
        let Some(idx) = rng.index(addrs.len()) else { return };
        let metadata = Metadata::new(rng.next_u64().to_be_bytes()).expect("short");
        if rng.chance(100) {
            world.try_with(addrs[idx], |host, now| host.machine.set_metadata(now, metadata));
        }
    }

    fn converged(&mut self, world: &World<Node>) -> Result<(), String> {
        let mut truth = BTreeMap::new();
        for (addr, host) in world.hosts() {
            let own = own(host, *addr);
            truth.insert(own.id.clone(), own);
        }
        for (addr, host) in world.hosts() {
            let live: BTreeMap<NodeId, Member> = host
                .machine
                .members()
                .filter(|member| member.is_live())
                .map(|member| (member.id.clone(), member.clone()))
                .collect();
            if live != truth {
                return Err(format!("{addr} holds {live:#?}, the truth is {truth:#?}"));
            }
        }
        Ok(())
    }
}

fn own(host: &Node, addr: SocketAddr) -> Member {
    let mut members = host.machine.members();
    members.find(|member| member.address == addr).cloned().expect("a node holds itself")
}

/// What each node tells of each other one makes sense as a story: nobody fails who was not there,
/// nobody joins twice, boots only grow, and the dead come back only by a higher incarnation.
#[derive(Default)]
struct Stories {
    known: BTreeMap<(SocketAddr, NodeName), Story>,
    lives: BTreeMap<SocketAddr, NodeId>,
    n_judged: u64,
}

struct Story {
    boot: Boot,
    incarnation: u64,
    is_live: bool,
}

impl Stories {
    fn judge(&mut self, addr: SocketAddr, event: &Event) -> Result<(), String> {
        match event {
            Event::Joined(member) => self.joined(addr, member),
            Event::Updated(member) => self.of(addr, &member.id)?.live(event),
            Event::Suspected { node, .. } | Event::Refuted { node } => {
                self.of(addr, node)?.live(event)
            }
            Event::Failed { node, .. } | Event::Left { node } => {
                let story = self.of(addr, node)?;
                story.live(event)?;
                story.is_live = false;
                Ok(())
            }
            Event::NameTaken { .. } | Event::BootBehind { .. } | Event::Departed => {
                Err(format!("{event:?}, where every life has a name and a higher boot"))
            }
            _ => Ok(()),
        }
    }

    fn joined(&mut self, addr: SocketAddr, member: &Member) -> Result<(), String> {
        let story = Story { boot: member.id.boot, incarnation: member.incarnation, is_live: true };
        let Some(old) = self.known.insert((addr, member.id.name.clone()), story) else {
            return Ok(());
        };
        if old.is_live {
            return Err(format!("{member:?} joined and was there"));
        }
        if (member.id.boot, member.incarnation) <= (old.boot, old.incarnation) {
            return Err(format!("{member:?} came back from the dead"));
        }
        Ok(())
    }

    fn of(&mut self, addr: SocketAddr, id: &NodeId) -> Result<&mut Story, String> {
        let story = self.known.get_mut(&(addr, id.name.clone()));
        story.filter(|story| story.boot == id.boot).ok_or_else(|| format!("{id:?} is unknown"))
    }
}

impl Story {
    fn live(&self, event: &Event) -> Result<(), String> {
        if self.is_live { Ok(()) } else { Err(format!("{event:?} about the dead")) }
    }
}

impl Check<Node> for Stories {
    fn name(&self) -> &'static str {
        "events tell a story"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Event,
        hosts: &BTreeMap<SocketAddr, Node>,
    ) -> Result<(), Violation> {
        self.n_judged += 1;
        let id = own(&hosts[&addr], addr).id.clone();
        if self.lives.insert(addr, id.clone()).is_some_and(|before| before != id) {
            self.known.retain(|(observer, _), _| *observer != addr);
        }
        self.judge(addr, event)
            .map_err(|sentence| Violation::new(self.name(), now, format!("{addr}: {sentence}")))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

/// A running node never holds itself to be anything but alive (M5).
#[derive(Default)]
struct Selves {
    n_judged: u64,
}

impl Check<Node> for Selves {
    fn name(&self) -> &'static str {
        "a node is alive to itself"
    }

    fn step(&mut self, now: Instant, hosts: &BTreeMap<SocketAddr, Node>) -> Result<(), Violation> {
        self.n_judged += 1;
        for (addr, host) in hosts {
            let own = own(host, *addr);
            if own.state != State::Alive {
                return Err(Violation::new(self.name(), now, format!("{own:?}")));
            }
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

mod checks {
    use super::*;

    fn member(boot: u64, incarnation: u64) -> Member {
        let id = NodeId::new(NodeName::new("x").expect("a name"), Boot { millis: boot, random: 0 });
        let address = "10.0.0.9:1".parse().expect("an address");
        let metadata = Metadata::default();
        let record = Arc::new(Record { id, address, metadata });
        Member { record, state: State::Alive, incarnation }
    }

    fn check(events: &[Event], is_right: bool) {
        let mut stories = Stories::default();
        let addr = "10.0.0.1:1".parse().expect("an address");
        let verdict = events.iter().try_for_each(|event| stories.judge(addr, event));
        assert_eq!(verdict.is_ok(), is_right, "{events:?}: {verdict:?}");
    }

    #[test]
    fn the_checker_sees_what_makes_no_sense() {
        let joined = |boot, incarnation| Event::Joined(member(boot, incarnation));
        let left = || Event::Left { node: member(1, 0).id.clone() };
        check(&[joined(1, 0), left(), joined(1, 1)], true);
        check(&[joined(1, 5), left(), joined(2, 0)], true);
        check(&[left()], false);
        check(&[joined(1, 0), joined(1, 1)], false);
        check(&[joined(1, 0), left(), left()], false);
        check(&[joined(1, 3), left(), joined(1, 3)], false);
        check(&[joined(2, 0), left()], false);
    }
}
