//! Why the view is a table of its own: looked up beside `dashmap` and `papaya`, each with the same
//! names, hasher and values, while nobody writes and while one writer changes names as fast as it
//! can.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use swarm_base::{Boot, Fixed, Name, Pid, Rng, Token};
use swarm_registry::{Event, State, View};

const NAMES: [u64; 3] = [10_000, 100_000, 1_000_000];

criterion_group!(benches, get, get_while_one_writes);
criterion_main!(benches);

/// A table of names.
trait Table: Send + Sync + 'static {
    const NAME: &'static str;
    fn new() -> Self;
    fn put(&self, name: &Name, pid: Pid);
    fn get(&self, name: &[u8]) -> Option<Pid>;
}

/// What a name is found with.
type Value = (Pid, Option<Arc<str>>);

impl Table for View {
    const NAME: &'static str = "view";

    fn new() -> Self {
        Self::new()
    }

    fn put(&self, name: &Name, pid: Pid) {
        self.apply(&Event::Changed {
            name: name.clone(),
            was: None,
            now: Some(pid),
            kind: None,
            token: Token::default(),
            state: State::Held,
        });
    }

    fn get(&self, name: &[u8]) -> Option<Pid> {
        self.whereis(name)
    }
}

impl Table for dashmap::DashMap<Name, Value, Fixed> {
    const NAME: &'static str = "dashmap";

    fn new() -> Self {
        Self::with_hasher(Fixed)
    }

    fn put(&self, name: &Name, pid: Pid) {
        self.insert(name.clone(), (pid, None));
    }

    fn get(&self, name: &[u8]) -> Option<Pid> {
        Self::get(self, name).map(|found| found.0)
    }
}

impl Table for papaya::HashMap<Name, Value, Fixed> {
    const NAME: &'static str = "papaya";

    fn new() -> Self {
        Self::with_hasher(Fixed)
    }

    fn put(&self, name: &Name, pid: Pid) {
        self.pin().insert(name.clone(), (pid, None));
    }

    fn get(&self, name: &[u8]) -> Option<Pid> {
        self.pin().get(name).map(|found| found.0)
    }
}

fn get(c: &mut Criterion) {
    for n in NAMES {
        get_from::<View>(c, n);
        get_from::<dashmap::DashMap<Name, Value, Fixed>>(c, n);
        get_from::<papaya::HashMap<Name, Value, Fixed>>(c, n);
    }
}

fn get_from<T: Table>(c: &mut Criterion, n: u64) {
    let (names, table) = filled::<T>(n);
    let mut rng = Rng::new(1);
    c.benchmark_group("get").bench_function(BenchmarkId::new(T::NAME, n), |b| {
        b.iter(|| black_box(table.get(names[rng.below(n) as usize].as_bytes())));
    });
}

fn get_while_one_writes(c: &mut Criterion) {
    for n in NAMES {
        get_beside_a_writer::<View>(c, n);
        get_beside_a_writer::<dashmap::DashMap<Name, Value, Fixed>>(c, n);
        get_beside_a_writer::<papaya::HashMap<Name, Value, Fixed>>(c, n);
    }
}

fn get_beside_a_writer<T: Table>(c: &mut Criterion, n: u64) {
    let (names, table) = filled::<T>(n);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(2);
            while !is_over.load(Ordering::Relaxed) {
                let i = rng.below(n);
                table.put(&names[i as usize], Pid::new(Boot::default(), i));
            }
        });
        let mut rng = Rng::new(1);
        let mut group = c.benchmark_group("get while one writes");
        group.bench_function(BenchmarkId::new(T::NAME, n), |b| {
            b.iter(|| black_box(table.get(names[rng.below(n) as usize].as_bytes())));
        });
        is_over.store(true, Ordering::Relaxed);
    });
}

fn filled<T: Table>(n: u64) -> (Vec<Name>, T) {
    let name = |i| Name::new(format!("device-{i}")).expect("a name");
    let (names, table): (Vec<Name>, T) = ((0..n).map(name).collect(), T::new());
    for (i, name) in names.iter().enumerate() {
        table.put(name, Pid::new(Boot::default(), i as u64));
    }
    (names, table)
}
