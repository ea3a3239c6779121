//! How evenly names spread.

use std::collections::BTreeMap;
use swarm_base::{Name, NodeName};
use swarm_ring::{Rendezvous, Ring, Strategy, Weight};

/// How many names each node owns.
type Counts = BTreeMap<NodeName, usize>;

#[test]
fn up_to_fifty_nodes_hold_about_their_share() {
    // A node has 512 points and gets 2,000 names of fifty, so chance alone spreads the nodes by
    // 4.9 % (one sigma): one that holds too little costs nothing, one that holds too much does.
    let check = |label: &str, counts: &Counts, floor: f64, roof: f64| {
        let (least, most) = extremes(counts);
        println!("{label}, {} nodes: {least:.3} to {most:.3}", counts.len());
        assert!(least >= floor && most <= roof, "{label}: {counts:?}");
    };
    for n_nodes in [1, 2, 3, 5, 8, 13, 21, 34, 50] {
        for pattern in ["myapp-#@host", "10.0.0.#:7946", "node#"] {
            let nodes = equal(pattern, n_nodes);
            check("ring", &spread(Ring::new(), &nodes, texts(100_000)), 0.8, 1.15);
            check("rendezvous", &spread(Rendezvous::new(), &nodes, texts(100_000)), 0.9, 1.1);
        }
    }
}

#[test]
fn three_nodes_hold_a_third_each_whatever_names_are_made_of() {
    let nodes = equal("node-#", 3);
    let numbers = (0..30_000u32).map(|n| Name::from_value(&n).expect("short"));
    let pairs = (0..30_000u32).map(|n| Name::from_value(&("room", n)).expect("short"));
    for names in [texts(30_000), numbers.collect(), pairs.collect()] {
        let counts = spread(Ring::new(), &nodes, names);
        let (least, most) = extremes(&counts);
        assert!(least >= 0.9 && most <= 1.1, "{counts:?}");
    }
}

#[test]
fn twice_the_weight_holds_twice_the_names() {
    let weights = [("a", 1.0), ("b", 2.0), ("c", 1.0), ("d", 2.0)];
    let nodes: Vec<_> = weights.into_iter().map(|(name, w)| (node(name), weight(w))).collect();
    let check = |label: &str, counts: Counts| {
        for (light, heavy) in [("a", "b"), ("c", "d"), ("a", "d"), ("c", "b")] {
            let ratio = counts[heavy] as f64 / counts[light] as f64;
            assert!((1.5..=2.5).contains(&ratio), "{label} {heavy}:{light} = {ratio}");
        }
    };
    check("ring", spread(Ring::new(), &nodes, texts(100_000)));
    check("rendezvous", spread(Rendezvous::new(), &nodes, texts(100_000)));
}

#[test]
fn a_fourth_node_takes_a_quarter() {
    let mut ring = Ring::new();
    for (node, weight) in equal("node-#", 3) {
        ring.add(node, weight);
    }
    let before = ring.clone();
    let joining = node("node-4");
    ring.add(joining.clone(), Weight::default());
    let names = texts(30_000);
    let moved = names.iter().filter(|n| ring.owner(n.as_bytes()) != before.owner(n.as_bytes()));
    let moved = moved.inspect(|n| assert_eq!(ring.owner(n.as_bytes()), Some(&joining))).count();
    assert!((6_000..=9_000).contains(&moved), "{moved} of 30,000 moved");
}

/// How many of `names` each node owns.
fn spread(mut strategy: impl Strategy, nodes: &[(NodeName, Weight)], names: Vec<Name>) -> Counts {
    let mut counts = BTreeMap::new();
    for (node, weight) in nodes {
        strategy.add(node.clone(), *weight);
        counts.insert(node.clone(), 0);
    }
    for name in &names {
        let owner = strategy.owner(name.as_bytes()).expect("there are nodes");
        *counts.get_mut(owner).expect("one of the nodes") += 1;
    }
    counts
}

/// The least and the most names of a node, as parts of the mean.
fn extremes(counts: &Counts) -> (f64, f64) {
    let mean = counts.values().sum::<usize>() as f64 / counts.len() as f64;
    let part = |count: Option<&usize>| *count.expect("there are nodes") as f64 / mean;
    (part(counts.values().min()), part(counts.values().max()))
}

fn equal(pattern: &str, n_nodes: usize) -> Vec<(NodeName, Weight)> {
    let name = |n: usize| node(&pattern.replace('#', &n.to_string()));
    (1..=n_nodes).map(|n| (name(n), Weight::default())).collect()
}

fn texts(n: usize) -> Vec<Name> {
    (0..n).map(|n| Name::new(format!("device-{n}")).expect("short")).collect()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a node's name")
}

fn weight(value: f64) -> Weight {
    Weight::new(value).expect("in range")
}
