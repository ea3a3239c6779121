//! What the reconciler costs when a node comes or goes and all of a million names are this node's
//! to look at: the whole of it, and the longest step, for which the node's other work waits.
//!
//! Each step is a plan and a part of a sweep, as in a node.
//! Most of the time is cache misses, some for each name: in the marks, and in the places that stand
//! for the registry.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;
use swarm_base::{Boot, Index, Instant, Name, NodeId, NodeName, Rng};
use swarm_handoff::{Acting, Action, Config, Is, Placement, Reconciler, Should};
use swarm_ring::{Ring, Strategy, Weight};

const NAMES: u32 = 1_000_000;

/// How many names a node looks at before it handles other inputs.
const STEP: usize = 1_000;

/// How long all of it may take, and any step.
const WHOLE_MAX: Duration = Duration::from_secs(1);
const STEP_MAX: Duration = Duration::from_millis(5);

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(10));
    targets = reconcile
}
criterion_main!(benches);

fn reconcile(c: &mut Criterion) {
    for change in [Change::Dies, Change::Joins] {
        let (cluster, mut steps) = (Cluster::after(change), Vec::new());
        c.bench_function(change.name(), |b| {
            b.iter_custom(|rounds| {
                let mut whole = Duration::ZERO;
                for _ in 0..rounds {
                    let round = cluster.reconcile();
                    whole += round.iter().sum::<Duration>();
                    shortest(&mut steps, &round);
                }
                whole
            });
        });
        let Some(longest) = steps.iter().max() else { continue };
        let whole: Duration = steps.iter().sum();
        println!("undisturbed: {whole:.1?}, the longest of {} steps {longest:.2?}\n", steps.len());
        assert!(whole <= WHOLE_MAX, "{}: {whole:?}", change.name());
        assert!(*longest <= STEP_MAX, "{}: a step of {longest:?}", change.name());
    }
}

/// Every round takes the same steps: whatever else the machine does makes some of them longer, each
/// time others.
fn shortest(steps: &mut Vec<Duration>, round: &[Duration]) {
    if steps.is_empty() {
        steps.extend_from_slice(round);
    }
    assert_eq!(steps.len(), round.len(), "a round takes the steps of the one before");
    steps.iter_mut().zip(round).for_each(|(step, new)| *step = (*step).min(*new));
}

/// What became of a third node.
#[derive(Clone, Copy)]
enum Change {
    /// A third of the names were its own: they are orphans.
    Dies,
    /// A third of the names are to be its own.
    Joins,
}

impl Change {
    const fn name(self) -> &'static str {
        match self {
            Self::Dies => "1,000,000 names, a node dies",
            Self::Joins => "1,000,000 names, a node joins",
        }
    }
}

/// The names as one node sees them.
struct Cluster {
    me: NodeId,
    nodes: BTreeMap<NodeName, NodeId>,
    ring: Ring,
    names: Vec<Name>,
    is_orphan: Index<Name, bool>,
}

impl Cluster {
    fn after(change: Change) -> Self {
        let (here, there, third) = (node("n1"), node("n2"), node("n3"));
        let nodes = match change {
            Change::Dies => vec![here.clone(), there],
            Change::Joins => vec![here.clone(), there, third],
        };
        let mut ring = Ring::new();
        nodes.iter().for_each(|node| ring.add(node.name.clone(), Weight::default()));
        let name = |n| Name::new(format!("device-{n:07}")).expect("a short name");
        let names: Vec<Name> = (0..NAMES).map(name).collect();
        let mut rng = Rng::new(1);
        let is_orphan = |name: &Name| {
            let orphan = matches!(change, Change::Dies) && rng.below(3) == 0;
            (name.clone(), orphan)
        };
        let is_orphan = names.iter().map(is_orphan).collect();
        let nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        Self { me: here, nodes, ring, names, is_orphan }
    }

    /// From the change on, until every name has been looked at: how long each step took.
    fn reconcile(&self) -> Vec<Duration> {
        let config = Config::default().check().expect("the defaults are sound");
        let now = Instant::START;
        let mut reconciler = Reconciler::new(now, config, self.me.clone(), Rng::new(2));
        let acting = Acting { decides: true, slots: 32 };
        let mut sweep = self.names.chunks(STEP);
        let begun = clock();
        reconciler.expect(self.names.len());
        reconciler.ring_changed(now);
        let mut steps = vec![begun.elapsed()];
        loop {
            let step = clock();
            let mut actions: Vec<Action> = reconciler.plan(now, self, STEP, acting);
            let names = sweep.next();
            for name in names.unwrap_or_default() {
                actions.extend(reconciler.sweep(self, name.clone()));
            }
            black_box(actions);
            steps.push(step.elapsed());
            if names.is_none() && reconciler.poll_timeout() != Some(now) {
                return steps;
            }
        }
    }
}

impl Placement for Cluster {
    fn owner(&self, name: &Name) -> Should {
        match self.ring.owner(name.as_bytes()).and_then(|node| self.nodes.get(node)) {
            Some(node) => Should::Node(node.clone()),
            None => Should::Nobody,
        }
    }

    fn is(&self, name: &Name) -> Is {
        match self.is_orphan.get(name) {
            Some(true) => Is::Orphan,
            Some(false) => Is::Here { movable: true, moving: false },
            None => Is::Free,
        }
    }
}

fn node(name: &str) -> NodeId {
    NodeId::new(NodeName::new(name).expect("a short name"), Boot { millis: 1, random: 1 })
}

fn clock() -> std::time::Instant {
    std::time::Instant::now()
}
