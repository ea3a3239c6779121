//! Logs that are longer than what is kept of them: they arrive as snapshots, in pieces.

mod common;

use common::{bytes, called};
use std::collections::VecDeque;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Claim, Config, Fact, Message, Registry, Resolution, Spec};

/// A writer and a reader on a session that delivers in order.
struct Pair {
    now: Instant,
    nodes: [Registry; 2],
    on_way: VecDeque<(usize, Message)>,
    /// How many pieces of snapshots were delivered.
    n_pieces: usize,
}

impl Pair {
    fn new() -> Self {
        let make = |n: u64| {
            let config = Config { history_facts_max: 10, snapshot_window: 2, ..Config::default() };
            let config = config.check().expect("within bounds");
            let mut registry = Registry::new(Instant::START, node(n), config, Rng::new(n));
            registry.node_up(Instant::START, node(1 - n));
            registry
        };
        Self {
            now: Instant::START,
            nodes: [make(0), make(1)],
            on_way: VecDeque::new(),
            n_pieces: 0,
        }
    }

    fn connect(&mut self) {
        self.on_way.clear();
        for n in [0, 1] {
            self.nodes[n].session_up(self.now, node(1 - n as u64));
        }
    }

    fn disconnect(&mut self) {
        self.on_way.clear();
        for n in [0, 1] {
            self.nodes[n].session_down(self.now, &node(1 - n as u64));
        }
    }

    /// Delivers one message, if there is one.
    fn step(&mut self) -> bool {
        for n in [0, 1] {
            while let Some(output) = self.nodes[n].poll_output() {
                if let Output::Send { message, .. } = output {
                    self.on_way.push_back((1 - n, message));
                }
            }
        }
        let Some((to, message)) = self.on_way.pop_front() else { return false };
        self.n_pieces += usize::from(matches!(message, Message::Chunk { .. }));
        self.nodes[to].handle_message(self.now, node(1 - to as u64), message);
        true
    }

    /// Lets a compare interval go by.
    fn compare(&mut self) {
        self.now += Config::default().compare_interval * 2;
        for n in [0, 1] {
            self.nodes[n].handle_timeout(self.now);
        }
    }

    fn claim(&mut self, i: u64, epoch: u64) {
        // 1 KiB each: a piece takes about 230 of them.
        let spec = Spec { kind: "device".into(), args: bytes(&[7; 1024]) };
        let boot = node(0).boot;
        let fact = Fact::Named(Claim {
            name: called(&format!("device-{i}")),
            token: Token::new(epoch, boot),
            spec: Some(spec),
            at: At::Running(Pid::new(boot, i)),
            request: None,
            groups: Vec::new(),
        });
        self.nodes[0].append(self.now, fact);
    }

    fn agrees(&self, n_names: u64, epoch: impl Fn(u64) -> u64) {
        let [writer, reader] = &self.nodes;
        assert_eq!(reader.position(&node(0)), writer.position(&node(0)));
        assert_eq!(reader.len() as u64, n_names);
        for i in 0..n_names {
            let name = called(&format!("device-{i}"));
            assert_eq!(reader.resolve(&name), writer.resolve(&name));
            assert!(
                matches!(reader.resolve(&name), Resolution::Held { claim, .. } if claim.token.epoch == epoch(i))
            );
        }
        let digest = |registry: &Registry| {
            registry.log_progress().find(|log| log.log == node(0)).map(|log| log.digest)
        };
        assert_eq!(digest(reader), digest(writer));
    }
}

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n + 1, random: n })
}

#[test]
fn a_snapshot_is_overtaken_by_appends() {
    let mut pair = Pair::new();
    for i in 0..1_000 {
        pair.claim(i, 1);
    }
    pair.connect();
    let mut n_more = 0;
    while pair.step() {
        // More than is kept passes while the pieces are on their way.
        if n_more < 100 {
            pair.claim(n_more, 2);
            n_more += 1;
        }
    }
    assert!(pair.n_pieces > 4, "{} pieces", pair.n_pieces);
    pair.agrees(1_000, |i| if i < 100 { 2 } else { 1 });
    assert_eq!(pair.nodes[1].rejected().count(), 0);
}

#[test]
fn a_session_may_break_between_any_two_frames() {
    let mut breaks = 0;
    for after in 0.. {
        let mut pair = Pair::new();
        for i in 0..600 {
            pair.claim(i, 1);
        }
        pair.connect();
        let broke = (0..after).all(|_| pair.step());
        for i in 0..5 {
            pair.claim(i, 2);
        }
        pair.disconnect();
        pair.connect();
        while pair.step() {}
        pair.agrees(600, |i| if i < 5 { 2 } else { 1 });
        breaks += 1;
        if !broke {
            break;
        }
    }
    assert!(breaks > 8, "{breaks} frames");
}

#[test]
fn a_piece_out_of_order_begins_the_snapshot_anew() {
    let mut pair = Pair::new();
    for i in 0..1_000 {
        pair.claim(i, 1);
    }
    pair.connect();
    // The third piece is lost, on a session that is said not to lose.
    let is_third =
        |(_, message): &(usize, Message)| matches!(message, Message::Chunk { index: 2, .. });
    while !pair.on_way.iter().any(is_third) {
        assert!(pair.step());
    }
    pair.on_way.retain(|frame| !is_third(frame));
    while pair.step() {}
    assert!(pair.nodes[1].is_empty(), "half a snapshot is nothing");
    for _ in 0..4 {
        pair.compare();
        while pair.step() {}
    }
    pair.agrees(1_000, |_| 1);
}
