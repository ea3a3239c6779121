//! The owners that version 1 of the ring gives to known names, as one text.

use std::fmt::Write;
use swarm_base::{Name, NodeName};
use swarm_ring::{RING_VERSION, Rendezvous, Ring, Strategy, Weight, fingerprint, hash_name};

/// Every name's owner, as the number of the node in its topology, under each strategy.
pub(crate) fn text() -> String {
    let topologies = topologies();
    let mut text = format!(
        "# Ring version {RING_VERSION}. To change a line is to change the protocol.\n\
         # Each line: the name's hash, the number of its owner in every topology by Ring and by\n\
         # Rendezvous, and the name.\n"
    );
    for (number, nodes) in topologies.iter().enumerate() {
        let print = fingerprint(nodes.iter().map(|(node, weight)| (node, *weight)));
        writeln!(text, "# topology {number}, fingerprint {print:016x}:").expect(STRING);
        for (node, weight) in nodes {
            writeln!(text, "#   {node} {weight}").expect(STRING);
        }
    }
    let rings: Vec<Ring> = topologies.iter().map(|nodes| filled(nodes)).collect();
    let draws: Vec<Rendezvous> = topologies.iter().map(|nodes| filled(nodes)).collect();
    for (label, name) in names() {
        let name = name.as_bytes();
        write!(text, "{:016x}", hash_name(name)).expect(STRING);
        let rings = topologies.iter().zip(rings.iter().map(|ring| ring.owner(name)));
        let draws = topologies.iter().zip(draws.iter().map(|draws| draws.owner(name)));
        for (nodes, owner) in rings.chain(draws) {
            let owner = nodes.iter().position(|(node, _)| Some(node) == owner);
            write!(text, " {}", owner.expect("one of the nodes")).expect(STRING);
        }
        writeln!(text, " {label}").expect(STRING);
    }
    text
}

const STRING: &str = "a string takes everything";

fn filled<S: Strategy + Default>(nodes: &[(NodeName, Weight)]) -> S {
    let mut strategy = S::default();
    for (node, weight) in nodes {
        strategy.add(node.clone(), *weight);
    }
    strategy
}

/// One to fifty nodes, names of every shape, weights from the least to the greatest.
fn topologies() -> Vec<Vec<(NodeName, Weight)>> {
    let equal = |names: Vec<String>| names.into_iter().map(|name| (name, 1.0)).collect();
    let topologies: [Vec<(String, f64)>; 8] = [
        equal(vec!["a".into()]),
        equal(vec!["a".into(), "b".into()]),
        equal((1..=3).map(|n| format!("myapp-{n}@host")).collect()),
        equal((1..=5).map(|n| format!("10.0.0.{n}:7946")).collect()),
        equal((0..10).map(|n| format!("worker-{:08x}", n * 0x1234_5677u32)).collect()),
        equal((1..=50).map(|n| format!("myapp-{n}@host")).collect()),
        [("tiny", 0.0625), ("half", 0.5), ("one", 1.0), ("two", 2.0), ("third", 1.0 / 3.0)]
            .into_iter()
            .chain([("four", 4.0)])
            .map(|(name, weight)| (name.into(), weight))
            .collect(),
        ["Zürich", "東京", "ß", "n", "nn"]
            .map(String::from)
            .into_iter()
            .chain([17, 129, 236, 240, 255].map(|len| "x".repeat(len)))
            .map(|name| (name, 1.5))
            .collect(),
    ];
    topologies
        .into_iter()
        .map(|nodes| {
            nodes
                .into_iter()
                .map(|(name, weight)| {
                    let node = NodeName::new(name).expect("a node's name");
                    (node, Weight::new(weight).expect("in range"))
                })
                .collect()
        })
        .collect()
}

/// Strings, values, and lengths on both sides of where XXH3 changes its ways (16, 128, 240, 1024).
fn names() -> Vec<(String, Name)> {
    let text = |text: String| (format!("text {text}"), Name::new(&text).expect("short"));
    let mut names: Vec<_> = (0..400).map(|n| text(format!("device-{n}"))).collect();
    names.extend((0..100).map(|n| text(format!("{n}"))));
    names.extend((0..200i64).map(|n| {
        let value = (n - 100) * n * n * n;
        (format!("value {value}"), Name::from_value(&value).expect("short"))
    }));
    names.extend((0..150u32).map(|n| {
        let value = ("room", n, n % 2 == 0);
        (format!("value {value:?}"), Name::from_value(&value).expect("short"))
    }));
    let lens = (0..=130).chain(236..=244).chain([255, 256, 257, 511, 512, 513, 1022, 1023, 1024]);
    names.extend(lens.chain(600..=620).map(|len| {
        let text: String = ('a'..='z').cycle().take(len).collect();
        (format!("letters {len}"), Name::new(text).expect("at most 1 KiB"))
    }));
    names
}
