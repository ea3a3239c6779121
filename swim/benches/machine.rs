//! The machine alone: decoded packets in, decoded packets out, for small and large groups; then
//! what the codec and sealing add.
//!
//! The cost of each row should not grow with the group, but for the misses of a larger table.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, ClusterSecret, Instant, Machine, NodeId, NodeName, Output, Rng};
use swarm_swim::udp::RingCipher;
use swarm_swim::{Checked, Cipher, Keyring, Metadata, NullCipher, Packet, Protocol, Swim};

const GROUPS: [usize; 3] = [100, 1_000, 10_000];

criterion_group!(benches, ping, known, new, round, codec, sealed);
criterion_main!(benches);

/// A ping without news, and its ack.
fn ping(c: &mut Criterion) {
    let mut group = c.benchmark_group("ping to ack");
    for n in GROUPS {
        let mut subject = Subject::of(n);
        let packet = ping_from(1, subject.machine.digest(), 0..0, 0);
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || packet.clone(),
                |packet| black_box(subject.hear(packet)),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Gossip of ten statements, all of them known.
fn known(c: &mut Criterion) {
    let mut group = c.benchmark_group("10 known updates");
    for n in GROUPS {
        let mut subject = Subject::of(n);
        let packet = gossip_from(1, 20..30, 0);
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || packet.clone(),
                |packet| black_box(subject.hear(packet)),
                BatchSize::SmallInput,
            );
        });
    }
}

/// A ping with ten new statements; the ack carries what there is to pass on: a backlog of
/// thousands in the large groups.
fn new(c: &mut Criterion) {
    let mut group = c.benchmark_group("ping with 10 new updates");
    for n in GROUPS {
        let mut subject = Subject::of(n);
        let (mut n_said, digest) = (0, subject.machine.digest());
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || {
                    n_said += 1;
                    let first = 2 + n_said as usize * 10 % (n - 20);
                    ping_from(1, digest, first..first + 10, n_said)
                },
                |packet| black_box(subject.hear(packet)),
                // One by one: what is new depends on what was heard before.
                BatchSize::PerIteration,
            );
        });
    }
}

/// A timer that sends a ping, and its ack.
fn round(c: &mut Criterion) {
    let mut group = c.benchmark_group("probe round");
    for n in GROUPS {
        let mut subject = Subject::of(n);
        group.bench_function(BenchmarkId::from_parameter(n), |b| b.iter(|| subject.round()));
    }
}

/// A packet of ten statements to bytes, and back.
fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec, 10 updates");
    let packet = gossip_from(1, 20..30, 0);
    group.throughput(Throughput::Bytes(packet.body_len() as u64));
    group.bench_function("encode", |b| b.iter(|| black_box(&packet).encode()));
    let body = packet.encode();
    group.bench_function("decode", |b| {
        b.iter(|| Packet::decode(id(1), id(0).boot, black_box(&body)));
    });
}

/// A probe between two nodes, with encoding and sealing: two packets out, two packets in.
fn sealed(c: &mut Criterion) {
    let mut group = c.benchmark_group("sealed probe, both sides");
    let mut run = |label: &str, cipher: fn() -> Box<dyn Cipher>| {
        let mut now = Instant::START;
        let node = |idx| {
            let secret =
                ClusterSecret::from_bytes(&std::array::from_fn::<u8, 32, _>(|at| at as u8))
                    .expect("32 bytes");
            let keyring = Keyring::new("bench", secret);
            let (metadata, config, rng) = (Metadata::default(), Checked::default(), Rng::new(1));
            Swim::new(now, id(idx), address(idx), metadata, config, keyring, cipher(), rng)
        };
        let (mut one, mut other) = (node(0), node(1));
        other.join(now, [address(0)]);
        let mut play = |now| {
            one.handle_timeout(now);
            other.handle_timeout(now);
            while pass(&mut one, 0, &mut other, now) + pass(&mut other, 1, &mut one, now) > 0 {}
        };
        (0..100).for_each(|_| play(now));
        group.throughput(Throughput::Elements(2));
        group.bench_function(label, |b| {
            b.iter(|| {
                now += Duration::from_secs(1);
                play(now);
            });
        });
    };
    run("checksum", || Box::new(NullCipher));
    run("AES-256-GCM", || Box::new(RingCipher::new()));
}

fn pass(from: &mut Swim, idx: usize, to: &mut Swim, now: Instant) -> usize {
    let mut n_passed = 0;
    while let Some(output) = from.poll_output() {
        if let Output::Send { message, .. } = output {
            to.handle_message(now, address(idx), message);
            n_passed += 1;
        }
    }
    n_passed
}

/// A member of a group, that has told all that it knows.
struct Subject {
    machine: Protocol,
    now: Instant,
}

impl Subject {
    fn of(n: usize) -> Self {
        let (metadata, config) = (Metadata::default(), Checked::default());
        let now = Instant::START;
        let machine = Protocol::new(now, id(0), address(0), metadata, config, Rng::new(1));
        let mut subject = Self { machine, now };
        for first in (1..n).step_by(10) {
            subject.hear(gossip_from(1, first..n.min(first + 10), 0));
        }
        assert_eq!(subject.machine.n_live(), n);
        let ping = ping_from(1, subject.machine.digest(), 0..0, 0);
        let ack_len = |subject: &mut Self| subject.hear(ping.clone());
        let empty = 1 + 8 + 8;
        while ack_len(&mut subject) > empty {}
        subject
    }

    /// Returns how many bytes it sends.
    fn hear(&mut self, packet: Packet) -> usize {
        self.machine.handle_message(self.now, address(1), packet);
        let mut len = 0;
        while let Some(output) = self.machine.poll_output() {
            if let Output::Send { message, .. } = output {
                len += message.body_len();
            }
        }
        len
    }

    fn round(&mut self) {
        self.now += Duration::from_secs(1);
        self.machine.handle_timeout(self.now);
        while let Some(output) = self.machine.poll_output() {
            let Output::Send { to, message } = output else { continue };
            let ping = message.encode();
            let mut ack = vec![9];
            ack.extend(&ping[1..17]);
            let ack = packet(usize::from(to.port()), ack, 0..0, 0);
            self.machine.handle_message(self.now, to, ack);
        }
    }
}

fn ping_from(sender: usize, digest: u64, told: std::ops::Range<usize>, incarnation: u64) -> Packet {
    let mut body = vec![8];
    body.extend(1u64.to_be_bytes());
    body.extend(digest.to_be_bytes());
    packet(sender, body, told, incarnation)
}

fn gossip_from(sender: usize, told: std::ops::Range<usize>, incarnation: u64) -> Packet {
    packet(sender, vec![11], told, incarnation)
}

/// A packet to the subject, in which the nodes `told` say that they live.
fn packet(
    sender: usize,
    mut body: Vec<u8>,
    told: std::ops::Range<usize>,
    incarnation: u64,
) -> Packet {
    for idx in told {
        let (id, port) = (id(idx), idx as u16);
        let mut update = vec![id.name.as_str().len() as u8];
        update.extend(id.name.as_str().as_bytes());
        update.extend(id.boot.to_bytes());
        update.extend(incarnation.to_be_bytes());
        update.extend([4, 10, 0, 0, 1]);
        update.extend(port.to_be_bytes());
        body.push(1);
        body.extend((update.len() as u16).to_be_bytes());
        body.extend(update);
    }
    Packet::decode(id(sender), id(0).boot, &body).expect("well formed")
}

fn id(idx: usize) -> NodeId {
    let name = NodeName::new(format!("node-{idx}")).expect("a name");
    NodeId::new(name, Boot { millis: 1, random: idx as u64 })
}

/// Told apart by their ports.
fn address(idx: usize) -> SocketAddr {
    ([10, 0, 0, 1], idx as u16).into()
}
