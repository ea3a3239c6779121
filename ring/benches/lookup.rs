//! The cost of a lookup, and of a change, for small and large clusters.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use swarm_base::NodeName;
use swarm_ring::{Rendezvous, Ring, Strategy, Weight};

const CLUSTERS: [usize; 3] = [3, 50, 500];

criterion_group!(benches, lookup, successors, change);
criterion_main!(benches);

fn lookup(c: &mut Criterion) {
    let names = names();
    let mut group = c.benchmark_group("owner");
    for n_nodes in CLUSTERS {
        let mut run = |label: &str, strategy: &dyn Strategy| {
            let mut next = names.iter().cycle();
            group.bench_function(BenchmarkId::new(label, n_nodes), |b| {
                b.iter(|| {
                    let name = next.next().expect("a cycle has no end");
                    black_box(strategy.owner(black_box(name)));
                });
            });
        };
        run("ring", &filled(Ring::new(), n_nodes));
        run("rendezvous", &filled(Rendezvous::new(), n_nodes));
    }
}

fn successors(c: &mut Criterion) {
    let names = names();
    let mut group = c.benchmark_group("owners of 3");
    for n_nodes in CLUSTERS {
        let ring = filled(Ring::new(), n_nodes);
        let mut next = names.iter().cycle();
        group.bench_function(BenchmarkId::new("ring", n_nodes), |b| {
            b.iter(|| {
                let name = next.next().expect("a cycle has no end");
                black_box(ring.owners(black_box(name), 3));
            });
        });
    }
}

fn change(c: &mut Criterion) {
    let mut group = c.benchmark_group("join and leave");
    for n_nodes in CLUSTERS {
        let mut ring = filled(Ring::new(), n_nodes);
        let joining = node(n_nodes);
        group.bench_function(BenchmarkId::new("ring", n_nodes), |b| {
            b.iter(|| {
                ring.add(joining.clone(), Weight::default());
                ring.remove(&joining);
            });
        });
    }
}

fn filled<S: Strategy>(mut strategy: S, n_nodes: usize) -> S {
    for index in 0..n_nodes {
        strategy.add(node(index), Weight::default());
    }
    strategy
}

fn node(index: usize) -> NodeName {
    NodeName::new(format!("myapp-{index}@host")).expect("a node's name")
}

/// Few enough to stay in the cache, enough to reach all over the ring.
fn names() -> Vec<Vec<u8>> {
    (0..1024).map(|index| format!("device-{index}").into_bytes()).collect()
}
