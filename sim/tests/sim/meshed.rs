//! The adapter for machines whose messages travel on sessions between all pairs.

use crate::ms;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, Machine, Output, Rng};
use swarm_sim::{Faults, Mesh, Meshed, World, addr};

/// Greets whoever comes up, and answers greetings.
#[derive(Default)]
struct Greeter {
    out: VecDeque<Output<Key, u32, Event>>,
}

/// An address and a life: a restarted node is another peer.
type Key = (SocketAddr, u64);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Up(Key),
    Down(Key),
    Heard(Key, u32),
}

impl Machine for Greeter {
    type Peer = Key;
    type Message = u32;
    type Event = Event;

    fn handle_message(&mut self, _: Instant, from: Key, message: u32) {
        self.out.push_back(Output::Event(Event::Heard(from, message)));
        if message == 0 {
            self.out.push_back(Output::Send { to: from, message: 1 });
        }
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_output(&mut self) -> Option<Output<Key, u32, Event>> {
        self.out.pop_front()
    }
}

impl Mesh for Greeter {
    fn peer_up(&mut self, _: Instant, peer: &Key) {
        self.out.push_back(Output::Event(Event::Up(*peer)));
        self.out.push_back(Output::Send { to: *peer, message: 0 });
    }

    fn peer_down(&mut self, _: Instant, peer: &Key) {
        self.out.push_back(Output::Event(Event::Down(*peer)));
    }
}

fn start(world: &mut World<Meshed<Greeter>>, n: u16) {
    let (me, life) = (addr(n), world.lives(addr(n)) + 1);
    let others = (1..=3).map(addr);
    world.insert(me, Meshed::new(world.now(), me, (me, life), Greeter::default(), others));
}

fn world(seed: u64, faults: Faults) -> World<Meshed<Greeter>> {
    let mut world = World::new(seed, faults);
    (1..=3).for_each(|n| start(&mut world, n));
    world
}

fn told(world: &World<Meshed<Greeter>>, n: u16, since: Instant) -> Vec<Event> {
    let of_node = world.events().filter(|(at, node, _)| *node == addr(n) && since <= *at);
    of_node.map(|(_, _, event)| event.clone()).collect()
}

fn is_whole(world: &World<Meshed<Greeter>>) -> bool {
    world.hosts().values().all(|host| host.peers().count() == world.hosts().len() - 1)
}

#[test]
fn all_pairs_meet_and_talk() {
    let mut world = world(1, Faults::calm());
    let took = world.run_to(ms(500), is_whole).expect("nothing is checked");
    assert!(took.is_some());
    world.run_for(ms(50)).expect("nothing is checked");
    assert_eq!(world.open_sessions(), 3);
    for n in 1..=3 {
        for other in (1..=3).filter(|other| *other != n) {
            let key = (addr(other), 1);
            let events = told(&world, n, Instant::START);
            let of_peer: Vec<_> = events
                .into_iter()
                .filter(|event| matches!(event, Event::Up(k) | Event::Heard(k, _) if *k == key))
                .collect();
            assert_eq!(of_peer[0], Event::Up(key));
            assert!(of_peer[1..].contains(&Event::Heard(key, 0)), "{of_peer:?}");
            assert!(of_peer[1..].contains(&Event::Heard(key, 1)), "{of_peer:?}");
        }
    }
}

#[test]
fn a_restarted_node_is_another_peer_and_the_old_one_goes() {
    let mut world = world(2, Faults::calm());
    world.run_for(ms(500)).expect("nothing is checked");
    let crashed_at = world.now();
    world.crash(addr(2));
    start(&mut world, 2);
    world.run_for(Faults::calm().idle_timeout * 3).expect("nothing is checked");
    assert!(is_whole(&world));
    for n in [1, 3] {
        let events = told(&world, n, crashed_at);
        assert!(events.contains(&Event::Up((addr(2), 2))), "{events:?}");
        assert!(events.contains(&Event::Down((addr(2), 1))), "{events:?}");
        assert!(!events.contains(&Event::Down((addr(2), 2))), "{events:?}");
    }
}

#[test]
fn pairs_that_lose_each_other_meet_again() {
    for seed in 0..50 {
        let faults = Faults::draw(&mut Rng::new(seed));
        let mut world = world(seed, Faults { break_gap: Some(ms(300)), ..faults });
        world.run_for(Duration::from_secs(20)).expect("nothing is checked");
        world.heal();
        let took = world
            .run_to(Duration::from_secs(10), |world| is_whole(world) && world.open_sessions() == 3);
        assert!(matches!(took, Ok(Some(_))), "seed {seed}: {took:?}");
        let mut up = [false; 4];
        for event in told(&world, 1, Instant::START) {
            match event {
                Event::Up((peer, _)) | Event::Down((peer, _)) => {
                    let is_up = &mut up[usize::from(peer == addr(3))];
                    assert_ne!(*is_up, matches!(event, Event::Up(_)), "seed {seed}: in turns");
                    *is_up = !*is_up;
                }
                Event::Heard((peer, _), _) => {
                    assert!(up[usize::from(peer == addr(3))], "seed {seed}: heard while down");
                }
            }
        }
    }
}
