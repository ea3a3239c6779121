//! Logs that are longer than what is kept of them: they arrive as snapshots, in pieces.

mod common;

use common::{at_once, bytes, called};
use std::collections::VecDeque;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Claim, Config, Fact, Message, Registry, Resolution, Spec, Why};

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
            let (history_facts_max, snapshot_window, slice_max) = (10, 2, 100);
            let config = Config { history_facts_max, snapshot_window, slice_max, ..at_once() };
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

    fn poll(&mut self) {
        for n in [0, 1] {
            while let Some(output) = self.nodes[n].poll_output() {
                if let Output::Send { message, .. } = output {
                    self.on_way.push_back((1 - n, message));
                }
            }
        }
    }

    /// Goes on with what is due, and delivers one message, if there is one.
    fn step(&mut self) -> bool {
        self.poll();
        let mut is_due = false;
        for node in &mut self.nodes {
            if node.poll_timeout().is_some_and(|at| at <= self.now) {
                is_due = true;
                node.handle_timeout(self.now);
            }
        }
        self.poll();
        let Some((to, message)) = self.on_way.pop_front() else { return is_due };
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
        let (token, at) = (Token::new(epoch, boot), At::Running(Pid::new(boot, i)));
        let claim = Claim::new(called(&format!("device-{i}")), token, at);
        let fact = Fact::Named(Claim { spec: Some(spec), ..claim });
        self.nodes[0].append(self.now, fact);
    }

    fn join(&mut self, i: u64, group: u64) {
        let (group, meta) = (called(&format!("group-{group}")), bytes(&group.to_be_bytes()));
        let pid = Pid::new(node(0).boot, i);
        self.nodes[0].append(self.now, Fact::Joined { group, pid, meta });
    }

    /// Something of all that can happen to a process of the writer.
    fn change(&mut self, rng: &mut Rng, n_names: u64) {
        let i = rng.below(n_names);
        let (name, boot) = (called(&format!("device-{i}")), node(0).boot);
        let (pid, group) = (Pid::new(boot, i), called(&format!("group-{}", i % 7)));
        let token = self.nodes[0].own(&name).map(|claim| claim.token);
        let fact = match (rng.below(5), token) {
            (0, _) | (1, None) => return self.claim(i, self.nodes[0].next_epoch(&name)),
            (1, Some(token)) => {
                let to = NodeId::new(NodeName::new("elsewhere").expect("a name"), boot);
                let why = Why::GoneTo { log: to, token: Token::new(token.epoch + 1, boot) };
                Fact::Ended { name, token, why }
            }
            (2, Some(token)) => Fact::Ended { name, token, why: Why::Stopped },
            (3, _) => Fact::Left { group, pid },
            (4, _) => Fact::Exited { pid },
            _ => return self.join(i, rng.below(7)),
        };
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

/// What happens to a log while its snapshot is being made and taken in is in it, or comes behind
/// it, once: names that end, begin and change, groups that are joined and left, processes that end.
#[test]
fn a_log_goes_on_while_its_snapshot_is_made_and_taken_in() {
    let n_names = 1_000;
    for seed in 0..10 {
        let mut rng = Rng::new(seed);
        let mut pair = Pair::new();
        for i in 0..n_names {
            pair.claim(i, 1);
            pair.join(i, i % 7);
        }
        pair.connect();
        let mut left = 300;
        while pair.step() {
            if left > 0 {
                left -= 1;
                pair.change(&mut rng, n_names);
            }
        }
        pair.compare();
        while pair.step() {}
        assert!(pair.n_pieces > 4, "seed {seed}: {} pieces", pair.n_pieces);
        let [writer, reader] = &pair.nodes;
        assert_eq!(state(reader), state(writer), "seed {seed}");
        assert_eq!(reader.rejected().count(), 0, "seed {seed}");
    }
}

/// Who has which name, and who is in which group, of the writer's log.
fn state(registry: &Registry) -> Vec<String> {
    let mut state: Vec<String> = registry
        .names()
        .flat_map(|name| registry.claims(name).map(|(_, claim, _)| format!("{claim:?}")))
        .collect();
    for serial in 0..1_000 {
        let groups: Vec<_> =
            registry.memberships(&node(0), Pid::new(node(0).boot, serial)).collect();
        state.push(format!("{serial}: {groups:?}"));
    }
    state.sort();
    state
}

/// A node that forgets a log of many names does so in slices, and says nothing of them meanwhile.
#[test]
fn a_settled_log_is_forgotten_in_slices() {
    let mut pair = Pair::new();
    for i in 0..1_000 {
        pair.claim(i, 1);
    }
    pair.connect();
    while pair.step() {}
    pair.agrees(1_000, |_| 1);
    let reader = &mut pair.nodes[1];
    reader.session_down(pair.now, &node(0));
    reader.node_dead(pair.now, &node(0));
    let boot = node(1).boot;
    for i in 0..1_000 {
        let name = called(&format!("device-{i}"));
        let Resolution::Orphan { claim, .. } = reader.resolve(&name) else { panic!("an orphan") };
        let (token, at) = (Token::new(2, boot), At::Running(Pid::new(boot, i)));
        reader.append(pair.now, Fact::Named(Claim { token, at, ..claim }));
    }
    let mut n_slices = 0;
    for _ in 0..2 {
        pair.now += Config::default().compare_interval * 2;
        reader.handle_timeout(pair.now);
        while reader.poll_timeout().is_some_and(|at| at <= pair.now) {
            reader.handle_timeout(pair.now);
            while reader.poll_output().is_some() {}
            n_slices += 1;
        }
    }
    assert_eq!(reader.n_buried(), 1);
    assert!(n_slices >= 10, "{n_slices} slices");
    assert_eq!(reader.log_progress().count(), 1);
    assert_eq!(reader.claims(&called("device-1")).count(), 1);
    assert_eq!(reader.len(), 1_000);
}

/// What a node says of its ring counts behind what it had written: a snapshot is overtaken by it.
#[test]
fn who_expects_facts_is_behind_until_they_have_come() {
    let mut pair = Pair::new();
    for n in 0..1_000 {
        pair.claim(n, 1);
    }
    pair.connect();
    let written = pair.nodes[0].position(&node(0));
    let is_behind = |pair: &Pair| !pair.nodes[1].caught_up();
    assert!(is_behind(&pair), "nobody has told what it holds");
    while is_behind(&pair) {
        assert!(pair.step());
    }
    assert!(pair.nodes[1].len() < 1_000, "the list came first");
    pair.nodes[1].expect(&node(0), written);
    let mut arrived = pair.nodes[1].arrived();
    while is_behind(&pair) {
        assert_eq!(pair.nodes[1].ahead().collect::<Vec<_>>(), [&node(0)]);
        assert!(pair.step(), "it comes");
        let now = pair.nodes[1].arrived();
        assert!(arrived <= now);
        arrived = now;
    }
    assert!(arrived > 0);
    assert_eq!(pair.nodes[1].len(), 1_000);
    pair.nodes[1].expect(&node(0), u64::MAX);
    assert!(pair.nodes[1].caught_up(), "no log goes so far");
}

/// A node that holds nothing of a log is told what is, and not led through what was: names that
/// have long been gone would come back on it for a while.
#[test]
fn who_holds_nothing_is_not_shown_the_past() {
    let mut pair = Pair::new();
    let name = called("device-0");
    pair.claim(0, 1);
    pair.claim(1, 1);
    let token = Token::new(1, node(0).boot);
    pair.nodes[0].append(pair.now, Fact::Ended { name: name.clone(), token, why: Why::Stopped });
    pair.connect();
    loop {
        for output in std::iter::from_fn(|| pair.nodes[1].poll_output()).collect::<Vec<_>>() {
            match output {
                Output::Send { message, .. } => pair.on_way.push_back((0, message)),
                Output::Event(swarm_registry::Event::Changed { name: told, .. }) => {
                    assert_ne!(told, name, "it was gone before the two met");
                }
                Output::Event(_) => {}
            }
        }
        if !pair.step() {
            break;
        }
    }
    assert_eq!(pair.nodes[1].len(), 1);
    pair.claim(2, 1);
    while pair.step() {}
    assert_eq!(pair.nodes[1].len(), 2, "what is new comes as it is written");
}
