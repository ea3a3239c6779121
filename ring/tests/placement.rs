//! What placement promises, whatever the nodes and the names.

mod golden;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::NodeName;
use swarm_ring::{Rendezvous, Ring, StaticQuorumRing, Strategy, Weight, fingerprint, hash_name};

type Nodes = BTreeMap<NodeName, Weight>;

#[test]
fn a_release_places_names_where_the_last_one_did() {
    let frozen = include_str!("golden/v1.txt");
    let text = golden::text();
    for (line, (frozen, now)) in (1..).zip(frozen.lines().zip(text.lines())) {
        assert_eq!(frozen, now, "line {line} of ring/tests/golden/v1.txt");
    }
    assert!(frozen == text, "the golden vectors have lines more or less than before");
    let names = frozen.lines().filter(|line| !line.starts_with('#')).count();
    assert!(names >= 1000, "{names} names");
}

proptest! {
    #[test]
    fn the_order_of_joining_means_nothing(
        (nodes, order) in nodes(1..12).prop_flat_map(|nodes| {
            let order: Vec<(NodeName, Weight)> = nodes.clone().into_iter().collect();
            (Just(nodes), Just(order).prop_shuffle())
        }),
        passer_by in node(),
        names in names(),
    ) {
        both(|empty| {
            let sorted = filled(empty, &nodes);
            let mut shuffled = empty.boxed();
            shuffled.add(passer_by.clone(), Weight::MAX);
            for (node, weight) in &order {
                shuffled.add(node.clone(), *weight);
            }
            if !nodes.contains_key(&passer_by) {
                shuffled.remove(&passer_by);
            }
            for name in &names {
                prop_assert_eq!(sorted.owners(name, 5), shuffled.owners(name, 5));
            }
            Ok(())
        })?;
        let print = |nodes: &[(NodeName, Weight)]| fingerprint(nodes.iter().map(|(n, w)| (n, *w)));
        prop_assert_eq!(print(&order), fingerprint(nodes.iter().map(|(n, w)| (n, *w))));
    }

    #[test]
    fn a_node_that_joins_takes_names_only_for_itself_and_gives_them_back(
        nodes in nodes(0..12),
        joining in node(),
        weight in weight(),
        names in names(),
    ) {
        prop_assume!(!nodes.contains_key(&joining));
        both(|empty| {
            let before = filled(empty, &nodes);
            let mut strategy = filled(empty, &nodes);
            strategy.add(joining.clone(), weight);
            for name in &names {
                let owner = strategy.owner(name);
                prop_assert!(owner == before.owner(name) || owner == Some(&joining));
                // Who stands behind it in line keeps its order too.
                let mut line = strategy.owners(name, usize::MAX);
                line.retain(|node| **node != joining);
                prop_assert_eq!(line, before.owners(name, usize::MAX));
            }
            strategy.remove(&joining);
            for name in &names {
                prop_assert_eq!(strategy.owners(name, 3), before.owners(name, 3));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_node_that_is_added_again_takes_its_new_weight(
        mut nodes in nodes(1..12),
        changing in any::<prop::sample::Index>(),
        weight in weight(),
        names in names(),
    ) {
        let changing = changing.get(&nodes.keys().cloned().collect::<Vec<_>>()).clone();
        let before = nodes.clone();
        nodes.insert(changing.clone(), weight);
        both(|empty| {
            let mut changed = filled(empty, &before);
            changed.add(changing.clone(), weight);
            let fresh = filled(empty, &nodes);
            for name in &names {
                prop_assert_eq!(changed.owners(name, usize::MAX), fresh.owners(name, usize::MAX));
            }
            Ok(())
        })?;
    }

    #[test]
    fn only_the_names_of_a_node_that_leaves_move_and_to_their_second(
        nodes in nodes(2..12),
        leaving in any::<prop::sample::Index>(),
        names in names(),
    ) {
        let leaving = leaving.get(&nodes.keys().collect::<Vec<_>>()).to_owned();
        both(|empty| {
            let before = filled(empty, &nodes);
            let mut after = filled(empty, &nodes);
            after.remove(leaving);
            for name in &names {
                let line = before.owners(name, 2);
                let heir = if line[0] == leaving { line[1] } else { line[0] };
                prop_assert_eq!(after.owner(name), Some(heir));
            }
            Ok(())
        })?;
    }

    #[test]
    fn owners_are_distinct_and_the_owner_comes_first(
        nodes in nodes(0..12),
        names in names(),
        n in 0usize..15,
    ) {
        both(|empty| {
            let strategy = filled(empty, &nodes);
            for name in &names {
                let owners = strategy.owners(name, n);
                prop_assert_eq!(owners.len(), n.min(nodes.len()));
                prop_assert_eq!(owners.iter().collect::<BTreeSet<_>>().len(), owners.len());
                if n > 0 {
                    prop_assert_eq!(owners.first().copied(), strategy.owner(name));
                }
                for shorter in 0..n {
                    let prefix = &owners[..shorter.min(owners.len())];
                    prop_assert_eq!(&strategy.owners(name, shorter), prefix);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_ring_is_what_the_paper_says(nodes in nodes(0..12), names in names()) {
        // The plain definition: all points, sorted, and the first one from the hash on.
        let mut points: Vec<(u64, &NodeName)> = Vec::new();
        for (node, weight) in &nodes {
            for serial in 0..weight.points() {
                let bytes = [node.as_str().as_bytes(), &serial.to_le_bytes()].concat();
                points.push((hash_name(&bytes), node));
            }
        }
        points.sort();
        let ring = filled(&Ring::new(), &nodes);
        for name in &names {
            let hash = hash_name(name);
            let next = points.iter().find(|(at, _)| *at >= hash).or(points.first());
            prop_assert_eq!(ring.owner(name), next.map(|(_, node)| *node));
        }
    }

    #[test]
    fn a_quorum_ring_is_a_ring_from_its_quorum_on(
        nodes in nodes(0..8),
        quorum in 1usize..8,
        names in names(),
    ) {
        let strategy = filled(&StaticQuorumRing::new(quorum).expect("positive"), &nodes);
        let ring = filled(&Ring::new(), &nodes);
        for name in &names {
            let owner = (nodes.len() >= quorum).then(|| ring.owner(name)).flatten();
            prop_assert_eq!(strategy.owner(name), owner);
            prop_assert_eq!(strategy.owners(name, 3).first().copied(), owner);
        }
    }
}

/// A strategy of either kind, without nodes, to make more of.
trait Empty {
    fn boxed(&self) -> Box<dyn Strategy>;
}

impl<S: Strategy + Clone + 'static> Empty for S {
    fn boxed(&self) -> Box<dyn Strategy> {
        Box::new(self.clone())
    }
}

fn both(
    mut test: impl FnMut(&dyn Empty) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    test(&Ring::new())?;
    test(&Rendezvous::new())
}

fn filled(empty: &dyn Empty, nodes: &Nodes) -> Box<dyn Strategy> {
    let mut strategy = empty.boxed();
    for (node, weight) in nodes {
        strategy.add(node.clone(), *weight);
    }
    strategy
}

fn nodes(n: std::ops::Range<usize>) -> impl Generator<Value = Nodes> {
    btree_map(node(), weight(), n)
}

fn node() -> impl Generator<Value = NodeName> {
    "[a-z0-9@.:-]{1,20}".prop_map(|name| NodeName::new(name).expect("a node's name"))
}

fn weight() -> impl Generator<Value = Weight> {
    (32u32..300).prop_map(|points| Weight::from_points(points).expect("in range"))
}

fn names() -> impl Generator<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..40), 1..60)
}
