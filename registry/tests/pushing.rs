//! When facts leave the node that wrote them.

mod common;

use common::claim;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Config, Fact, Message, Registry};

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n, random: n })
}

/// A writer whose peer has told that it holds nothing of its log.
fn writer(now: Instant) -> Registry {
    let config = Config::default().check().expect("within bounds");
    let mut writer = Registry::new(now, node(1), config.clone(), Rng::new(1));
    let mut peer = Registry::new(now, node(2), config, Rng::new(2));
    for (registry, other) in [(&mut writer, 2), (&mut peer, 1)] {
        registry.node_up(now, node(other));
        registry.session_up(now, node(other));
    }
    while let Some(output) = peer.poll_output() {
        if let Output::Send { message, .. } = output {
            writer.handle_message(now, node(2), message);
        }
    }
    assert_eq!(sent(&mut writer), []);
    writer
}

fn register(writer: &mut Registry, now: Instant, serial: u64) {
    let boot = node(1).boot;
    let at = At::Running(Pid::new(boot, serial));
    writer.append(now, Fact::Named(claim(&format!("x{serial}"), Token::new(1, boot), at)));
}

/// How many facts each message has that is sent now.
fn sent(writer: &mut Registry) -> Vec<u32> {
    let mut sent = Vec::new();
    while let Some(output) = writer.poll_output() {
        if let Output::Send { message: Message::Facts { count, .. }, .. } = output {
            sent.push(count);
        }
    }
    sent
}

#[test]
fn the_first_fact_goes_at_once_and_those_close_behind_it_together() {
    let mut now = Instant::after_start(Duration::from_secs(1));
    let delay = Config::default().push_delay;
    let mut writer = writer(now);
    register(&mut writer, now, 1);
    assert_eq!(sent(&mut writer), [1]);
    for serial in 2..5 {
        now += delay / 4;
        register(&mut writer, now, serial);
        assert_eq!(sent(&mut writer), []);
    }
    let due = writer.poll_timeout().expect("there are facts to send");
    assert_eq!(due, Instant::after_start(Duration::from_secs(1)) + delay);
    writer.handle_timeout(due);
    assert_eq!(sent(&mut writer), [3]);
    now = due + delay * 2;
    register(&mut writer, now, 5);
    assert_eq!(sent(&mut writer), [1], "after a pause the next goes at once");
}

#[test]
fn a_flush_sends_what_waits() {
    let now = Instant::after_start(Duration::from_secs(1));
    let mut writer = writer(now);
    for serial in 1..4 {
        register(&mut writer, now, serial);
        writer.flush();
        assert_eq!(sent(&mut writer), [1]);
        writer.flush();
        assert_eq!(sent(&mut writer), []);
    }
}

/// A peer that takes few facts a second gets all of them, at that pace, and is sent none that it
/// refuses but those that were on their way when it said so.
#[test]
fn a_peer_that_is_sent_too_much_says_so_and_gets_it_later() {
    let mut now = Instant::after_start(Duration::from_secs(1));
    let most = 5_000;
    let config = |peer_facts_max| {
        let push_delay = Duration::ZERO;
        Config { peer_facts_max, push_delay, ..Config::default() }.check().expect("within bounds")
    };
    let mut nodes = [
        Registry::new(now, node(1), config(1_000_000), Rng::new(1)),
        Registry::new(now, node(2), config(most), Rng::new(2)),
    ];
    for (n, other) in [(0, 2), (1, 1)] {
        nodes[n].node_up(now, node(other));
        nodes[n].session_up(now, node(other));
    }
    let all = 20_000;
    let (mut n_sent, mut n_slow, mut n_told) = (0, 0, 0);
    let start = now;
    let mut is_known = false;
    while nodes[1].position(&node(1)) < all {
        assert!(now.since(start) < Duration::from_secs(30), "it does not arrive");
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for n in [0, 1] {
                while let Some(output) = nodes[n].poll_output() {
                    match output {
                        Output::Send { message, .. } => {
                            is_quiet = false;
                            n_sent += u64::from(matches!(message, Message::Facts { .. }));
                            n_slow += u64::from(matches!(message, Message::Slow { .. }));
                            let from = nodes[n].me().clone();
                            nodes[1 - n].handle_message(now, from, message);
                        }
                        Output::Event(swarm_registry::Event::Slowed { .. }) => n_told += 1,
                        Output::Event(_) => {}
                    }
                }
            }
        }
        // The two know of each other before there is anything: else a snapshot would tell it all.
        if !std::mem::replace(&mut is_known, true) {
            for serial in 1..=all {
                register(&mut nodes[0], now, serial);
            }
            continue;
        }
        let taken = nodes[1].position(&node(1));
        let allowed = u64::from(most) * (1 + now.since(start).as_millis() as u64 / 1_000 + 1);
        assert!(taken <= allowed, "{taken} facts after {:?}", now.since(start));
        now = nodes.iter().filter_map(Machine::poll_timeout).min().expect("it goes on").max(now);
        for node in &mut nodes {
            node.handle_timeout(now);
        }
    }
    assert!(now.since(start) >= Duration::from_millis(2_900), "{:?}", now.since(start));
    assert!(n_slow > 1 && n_told == n_slow, "told {n_told} times of {n_slow}");
    let refused: Vec<_> = nodes[1].rejected().map(|(why, _)| why.as_str()).collect();
    assert_eq!(refused, ["too fast"]);
    assert!(n_sent < 200, "{n_sent} messages");
    assert_eq!(nodes[1].len() as u64, all);
}

/// A comparison says how far each log is held, and not what is in it.
#[test]
fn nodes_that_hold_the_same_compare_in_less_than_a_kibibyte() {
    let mut now = Instant::after_start(Duration::from_secs(1));
    let ids = 1..=10;
    let config = Config::default().check().expect("within bounds");
    let make = |n: u64| Registry::new(now, node(n), config.clone(), Rng::new(n));
    let mut nodes: BTreeMap<u64, Registry> = ids.clone().map(|n| (n, make(n))).collect();
    for (n, registry) in &mut nodes {
        for other in ids.clone().filter(|other| other != n) {
            registry.node_up(now, node(other));
            registry.session_up(now, node(other));
        }
        let boot = node(*n).boot;
        let claim = |serial| {
            let (token, at) = (Token::new(1, boot), At::Running(Pid::new(boot, serial)));
            Fact::Named(claim(&format!("n{n}-{serial}"), token, at))
        };
        registry.append_all(now, (1..=1_000).map(claim));
    }
    // Delivers until nobody has anything to say, and returns what was said from whom to whom.
    let talk = |nodes: &mut BTreeMap<u64, Registry>, now| {
        let mut said: BTreeMap<(u64, u64), Vec<Message>> = BTreeMap::new();
        loop {
            let mut on_way = Vec::new();
            for (n, registry) in &mut *nodes {
                while registry.poll_timeout().is_some_and(|at| at <= now) {
                    registry.handle_timeout(now);
                }
                while let Some(output) = registry.poll_output() {
                    if let Output::Send { to, message } = output {
                        on_way.push((*n, to.boot.millis, message));
                    }
                }
            }
            if on_way.is_empty() {
                return said;
            }
            for (from, to, message) in on_way {
                said.entry((from, to)).or_default().push(message.clone());
                let registry = nodes.get_mut(&to).expect("it is one of them");
                registry.handle_message(now, node(from), message);
            }
        }
    };
    for _ in 0..2 {
        talk(&mut nodes, now);
        now += Config::default().push_delay + Config::default().ack_delay;
    }
    assert!(nodes.values().all(|registry| registry.len() == 10_000));
    now += Config::default().compare_interval * 2;
    let said = talk(&mut nodes, now);
    assert_eq!(said.len(), 90, "everybody compares with everybody");
    for ((from, to), messages) in said {
        let is_compare = |message: &Message| matches!(message, Message::Compare { .. });
        assert!(messages.iter().all(is_compare), "from {from} to {to}: nothing is missing");
        let len: usize = messages.iter().map(|m| codec::encode(m).expect("it encodes").len()).sum();
        assert!(len <= 1_024, "from {from} to {to}: {len} bytes");
    }
}
