//! How fast facts are appended and applied, and names resolved, in CPU time of Linux. Run with
//! `--release`.

use std::hint::black_box;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Bytes, Claim, Config, Fact, Registry, Spec, View};

const NAMES: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (a, b) = (node("a", 1)?, node("b", 2)?);
    let (mut writer, mut reader) = (registry(&a)?, registry(&b)?);
    let now = Instant::START;
    for (here, there) in [(&mut writer, &b), (&mut reader, &a)] {
        here.node_up(now, there.clone());
        here.session_up(now, there.clone());
    }
    exchange(&mut writer, &mut reader);

    let names: Vec<Name> =
        (0..NAMES).map(|i| Name::new(format!("device-{i}"))).collect::<Result<_, _>>()?;
    let args = Bytes::new(*b"\x93\x01\x02\x03")?;
    let facts: Vec<Fact> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            Fact::Named(Claim {
                name: name.clone(),
                token: Token::new(1, a.boot),
                spec: Some(Spec { kind: "device".into(), args: args.clone() }),
                at: At::Running(Pid::new(a.boot, i as u64)),
                request: None,
                groups: Vec::new(),
            })
        })
        .collect();

    let start = clock();
    let mut sent = Vec::new();
    for facts in facts.chunks(1_000) {
        for fact in facts {
            writer.append(now, fact.clone());
        }
        while let Some(output) = writer.poll_output() {
            if let Output::Send { message, .. } = output {
                sent.push(message);
            }
        }
    }
    report("append and encode", NAMES as f64 / (clock() - start), "facts/s");

    let start = clock();
    let view = View::new();
    for message in sent {
        reader.handle_message(now, a.clone(), message);
        while let Some(output) = reader.poll_output() {
            if let Output::Event(event) = output {
                view.apply(&event);
            }
        }
    }
    assert_eq!(reader.len() as u64, NAMES, "all have arrived");
    report("decode, apply, and update the view", NAMES as f64 / (clock() - start), "facts/s");

    let mut rng = Rng::new(1);
    let order: Vec<usize> = (0..NAMES).map(|_| rng.below(NAMES) as usize).collect();
    let start = clock();
    for idx in &order {
        black_box(reader.resolve(&names[*idx]));
    }
    report("resolve, at random", (clock() - start) * 1e9 / NAMES as f64, "ns");
    let start = clock();
    for idx in &order {
        black_box(view.whereis(names[*idx].as_bytes()));
    }
    report("whereis, at random", (clock() - start) * 1e9 / NAMES as f64, "ns");

    let start = clock();
    reader.node_dead(now, &a);
    report("a death with all names", (clock() - start) * 1e3, "ms");
    while reader.poll_output().is_some() {}

    let mut third = registry(&node("c", 3)?)?;
    third.session_up(now, a.clone());
    third.node_up(now, a.clone());
    writer.session_up(now, node("c", 3)?);
    let start = clock();
    exchange(&mut writer, &mut third);
    assert_eq!(third.len() as u64, NAMES, "the snapshot has arrived");
    report("a snapshot of all names", clock() - start, "s");
    Ok(())
}

fn report(what: &str, value: f64, unit: &str) {
    println!("{what}: {value:.1} {unit}");
}

fn node(name: &str, millis: u64) -> Result<NodeId, Box<dyn std::error::Error>> {
    Ok(NodeId::new(NodeName::new(name)?, Boot { millis, random: 0 }))
}

fn registry(me: &NodeId) -> Result<Registry, Box<dyn std::error::Error>> {
    // All is sent before anything is acknowledged.
    let config = Config { feed_len_max: 1 << 30, ..Config::default() };
    Ok(Registry::new(Instant::START, me.clone(), config.check()?, Rng::new(1)))
}

/// Hands messages to and fro until there are none.
fn exchange(a: &mut Registry, b: &mut Registry) {
    while deliver(a, b) + deliver(b, a) > 0 {}
}

fn deliver(from: &mut Registry, to: &mut Registry) -> usize {
    let mut n_delivered = 0;
    while let Some(output) = from.poll_output() {
        if let Output::Send { to: peer, message } = output
            && peer == *to.me()
        {
            to.handle_message(Instant::START, from.me().clone(), message);
            n_delivered += 1;
        }
    }
    n_delivered
}

/// Seconds that this thread has run, so that other programs on the machine count less.
fn clock() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok());
    nanos.map_or(f64::NAN, |nanos| nanos as f64 / 1e9)
}
