//! What one fact costs where: encoded and appended by its writer, decoded and applied by a reader
//! that holds a thousand to a million names, and told to the view.
//!
//! A row grows with the number of names by the cache misses of larger tables only: some three for
//! each name that is touched (its place in the hash table, its record, its log's list), and each
//! goes from a few nanoseconds to a hundred once the tables leave the caches.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Bytes, Claim, Config, Event, Fact, Message, Registry, Spec, State, View};

const NAMES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The facts of a batch.
const BATCH: u64 = 1_000;

criterion_group!(benches, codec, append, apply, merge, resolve, view);
criterion_main!(benches);

fn codec(c: &mut Criterion) {
    let writer = node(1).boot;
    for (what, fact) in [("by pid", by_pid(1, 7, 1)), ("placed", placed(1, 7, 1))] {
        c.bench_function(&format!("encode/{what}"), |b| {
            b.iter(|| black_box(&fact).encode(writer));
        });
        let bytes = fact.encode(writer);
        c.bench_function(&format!("decode/{what}"), |b| {
            b.iter(|| Fact::decode(black_box(&bytes), writer));
        });
    }
}

/// By the writer: encoded, digested, applied, and taken out as messages.
fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append a batch of 1,000");
    group.throughput(Throughput::Elements(BATCH));
    for n in NAMES {
        let mut pair = Pair::of(n);
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_custom(|rounds| {
                timed(rounds, || {
                    let facts = pair.facts(1);
                    let start = clock();
                    pair.nodes[0].append_all(Instant::START, facts);
                    drain(&mut pair.nodes[0]);
                    clock() - start
                })
            });
        });
    }
}

/// By a reader: decoded, digested, applied.
fn apply(c: &mut Criterion) {
    let mut group = c.benchmark_group("apply a batch of 1,000");
    group.throughput(Throughput::Elements(BATCH));
    for n in NAMES {
        let mut pair = Pair::of(n);
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_custom(|rounds| timed(rounds, || pair.exchange(0)));
        });
    }
}

/// By a reader that claims the same names itself: each is decided between the two.
fn merge(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge a batch of 1,000");
    group.throughput(Throughput::Elements(BATCH));
    for n in NAMES {
        let mut pair = Pair::of(n);
        for chunk in (0..n).collect::<Vec<_>>().chunks(1_000) {
            let facts: Vec<_> = chunk.iter().map(|i| by_pid(2, *i, 1)).collect();
            pair.nodes[1].append_all(Instant::START, facts);
            drain(&mut pair.nodes[1]);
        }
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_custom(|rounds| timed(rounds, || pair.exchange(0)));
        });
    }
}

fn resolve(c: &mut Criterion) {
    let mut group = c.benchmark_group("resolve a name");
    for n in NAMES {
        let pair = Pair::of(n);
        let names = shuffled(n);
        let mut names = names.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| black_box(pair.nodes[1].resolve(names.next().expect("a cycle"))));
        });
    }
}

fn view(c: &mut Criterion) {
    for n in NAMES {
        let (names, view) = (shuffled(n), View::new());
        for name in &names {
            view.apply(&changed(name, Some(1)));
        }
        let mut names = names.iter().cycle();
        let mut next = || names.next().expect("a cycle");
        c.bench_function(&format!("view, get/{n}"), |b| {
            b.iter(|| view.whereis(next().as_bytes()));
        });
        c.bench_function(&format!("view, change/{n}"), |b| {
            b.iter(|| view.apply(&changed(next(), Some(2))));
        });
        c.bench_function(&format!("view, remove and insert/{n}"), |b| {
            b.iter(|| {
                let name = next();
                view.apply(&changed(name, None));
                view.apply(&changed(name, Some(3)));
            });
        });
    }
}

/// A writer of so many names, and a reader that holds them.
struct Pair {
    nodes: [Registry; 2],
    n_names: u64,
    epoch: u64,
    rng: Rng,
}

impl Pair {
    fn of(n_names: u64) -> Self {
        // The clock stands still, so what a peer may send in a second does not grow back.
        let (push_delay, peer_facts_max) = (Duration::ZERO, u32::MAX);
        let config = Config { push_delay, peer_facts_max, ..Config::default() };
        let config = config.check().expect("within bounds");
        let now = Instant::START;
        let mut nodes = [1, 2].map(|n| Registry::new(now, node(n), config.clone(), Rng::new(n)));
        for (n, other) in [(0, 2), (1, 1)] {
            nodes[n].node_up(now, node(other));
            nodes[n].session_up(now, node(other));
        }
        let mut pair = Self { nodes, n_names, epoch: 1, rng: Rng::new(1) };
        pair.exchange_all();
        for chunk in (0..n_names).collect::<Vec<_>>().chunks(1_000) {
            let facts: Vec<_> = chunk.iter().map(|i| placed(1, *i, 1)).collect();
            pair.nodes[0].append_all(now, facts);
            pair.exchange_all();
        }
        assert_eq!(pair.nodes[1].len() as u64, n_names);
        pair
    }

    /// New claims of a node on names at random.
    fn facts(&mut self, of: u64) -> Vec<Fact> {
        self.epoch += 1;
        (0..BATCH).map(|_| placed(of, self.rng.below(self.n_names), self.epoch)).collect()
    }

    fn exchange_all(&mut self) {
        while self.deliver(0, &mut Duration::default()) + self.deliver(1, &mut Duration::default())
            > 0
        {}
    }

    /// How long the other takes for a batch of `from`.
    fn exchange(&mut self, from: usize) -> Duration {
        let facts = self.facts(from as u64 + 1);
        self.nodes[from].append_all(Instant::START, facts);
        let mut spent = Duration::default();
        self.deliver(from, &mut spent);
        self.exchange_all();
        spent
    }

    /// Hands over what `from` sends, and adds how long the other takes for the facts in it.
    fn deliver(&mut self, from: usize, spent: &mut Duration) -> usize {
        let mut sent = Vec::new();
        while let Some(output) = self.nodes[from].poll_output() {
            if let Output::Send { message, .. } = output {
                sent.push(message);
            }
        }
        let n_sent = sent.len();
        let me = self.nodes[from].me().clone();
        for message in sent {
            let is_run = matches!(message, Message::Facts { .. });
            let start = clock();
            self.nodes[1 - from].handle_message(Instant::START, me.clone(), message);
            if is_run {
                *spent += clock() - start;
            }
        }
        n_sent
    }
}

fn timed(rounds: u64, mut round: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| round()).sum()
}

fn drain(registry: &mut Registry) {
    while let Some(output) = registry.poll_output() {
        black_box(output);
    }
}

/// Time as it goes by.
fn clock() -> Duration {
    use std::sync::LazyLock;
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// In an order of their own, so that a walk through them goes through the tables at random.
fn shuffled(n: u64) -> Vec<Name> {
    let (mut names, mut rng): (Vec<Name>, Rng) = ((0..n).map(name).collect(), Rng::new(1));
    for last in (1..names.len()).rev() {
        names.swap(last, rng.below(last as u64 + 1) as usize);
    }
    names
}

fn name(i: u64) -> Name {
    Name::new(format!("device-{i}")).expect("a name")
}

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n, random: n })
}

fn by_pid(n: u64, i: u64, epoch: u64) -> Fact {
    let boot = node(n).boot;
    Fact::Named(Claim::new(name(i), Token::new(epoch, boot), At::Running(Pid::new(boot, i + 1))))
}

fn placed(n: u64, i: u64, epoch: u64) -> Fact {
    let args = Bytes::new(b"\x93\x01\x02\x03").expect("short");
    let Fact::Named(claim) = by_pid(n, i, epoch) else { unreachable!("it names") };
    Fact::Named(Claim { spec: Some(Spec { kind: "device".into(), args }), ..claim })
}

fn changed(name: &Name, serial: Option<u64>) -> Event {
    Event::Changed {
        name: name.clone(),
        was: None,
        now: serial.map(|serial| Pid::new(Boot::default(), serial)),
        kind: None,
        token: Token::default(),
        state: if serial.is_some() { State::Held } else { State::Free },
    }
}
