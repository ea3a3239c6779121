//! When facts leave the node that wrote them.

mod common;

use common::claim;
use std::time::Duration;
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
