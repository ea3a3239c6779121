//! The rings of a node: one strategy for each kind, whatever a user's strategy does.

use crate::scope::{ring, split_kind};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use swarm_base::{NodeName, Scope};
use swarm_process::contain;
use swarm_ring::{Strategy, Weight};

/// Makes the strategy of one kind's ring.
pub(crate) type MakeStrategy = Arc<dyn Fn() -> Box<dyn Strategy> + Send + Sync>;

/// The rings, by kind.
pub(super) struct Rings {
    strategies: Strategies,
    present: BTreeMap<Option<String>, usize>,
    by_kind: BTreeMap<String, KindRing>,
}

/// How the names of each scope are placed, and those in none. A node that does not declare a scope
/// takes its nodes to use a [`Ring`](swarm_ring::Ring): it passes on what it asks of them.
#[derive(Clone)]
pub(crate) struct Strategies(pub(crate) BTreeMap<Scope, MakeStrategy>);

impl Strategies {
    /// One for names in no scope.
    #[cfg(test)]
    pub(crate) fn new(make: MakeStrategy) -> Self {
        Self(BTreeMap::from([(Scope::default(), make)]))
    }

    fn of_kind(&self, kind: &str) -> MakeStrategy {
        let scope = split_kind(kind).0;
        let found = self.0.iter().find(|(of, _)| of.as_str() == scope);
        found.map_or_else(ring, |(_, make)| Arc::clone(make))
    }
}

/// The ring of one kind. A strategy that panics in a change may be half changed: another one takes
/// its place, which is told of all nodes anew. Where that fails, too, no node owns names of the kind
/// until the next change.
struct KindRing {
    make: MakeStrategy,
    strategy: Option<Box<dyn Strategy>>,
    nodes: BTreeMap<NodeName, Weight>,
    /// What it said when it first panicked since the last change but those in which nobody was told.
    /// Lookups find out, too.
    failure: OnceLock<String>,
    is_told: bool,
}

impl Rings {
    pub(super) const fn new(strategies: Strategies) -> Self {
        Self { strategies, present: BTreeMap::new(), by_kind: BTreeMap::new() }
    }

    /// How many nodes count for a quorum in the scope of `kind`.
    fn present(&self, kind: &str) -> usize {
        let scope = split_kind(kind).0.map(str::to_owned);
        self.present.get(&scope).copied().unwrap_or_default()
    }

    /// Lets a node own names of `kind`, or gives it another weight.
    pub(super) fn add(&mut self, kind: &str, node: &NodeName, weight: Weight) {
        let present = self.present(kind);
        let new = || KindRing::new(self.strategies.of_kind(kind));
        let ring = self.by_kind.entry(kind.to_owned()).or_insert_with(new);
        ring.nodes.insert(node.clone(), weight);
        ring.change(present, |strategy| strategy.add(node.clone(), weight));
    }

    pub(super) fn remove(&mut self, kind: &str, node: &NodeName) {
        let present = self.present(kind);
        let Some(ring) = self.by_kind.get_mut(kind) else { return };
        if ring.nodes.remove(node).is_some() {
            ring.change(present, |strategy| strategy.remove(node));
        }
    }

    /// So many nodes count for a quorum in a scope.
    pub(super) fn set_present(&mut self, scope: Option<&str>, present: usize) {
        if self.present.insert(scope.map(str::to_owned), present) == Some(present) {
            return;
        }
        let in_scope = |kind: &str| split_kind(kind).0 == scope;
        for (_, ring) in self.by_kind.iter_mut().filter(|(kind, _)| in_scope(kind)) {
            ring.change(present, |strategy| strategy.set_present(present));
        }
    }

    /// The node that the strategy names, if it is one of those that it was told of.
    pub(super) fn owner(&self, kind: &str, name: &[u8]) -> Option<NodeName> {
        let ring = self.by_kind.get(kind)?;
        let strategy = ring.strategy.as_ref()?;
        match contain(|| strategy.owner(name).cloned()) {
            Ok(owner) => owner.filter(|owner| ring.nodes.contains_key(owner)),
            Err(reason) => {
                ring.fail(reason);
                None
            }
        }
    }

    /// The node that the strategy names and its successors, of those that it was told of: at most
    /// `n` in all, whatever it says.
    pub(super) fn owners(&self, kind: &str, name: &[u8], n: usize) -> Vec<NodeName> {
        let Some(ring) = self.by_kind.get(kind) else { return Vec::new() };
        let Some(strategy) = &ring.strategy else { return Vec::new() };
        let owners = || strategy.owners(name, n).into_iter().take(n).cloned().collect::<Vec<_>>();
        match contain(owners) {
            Ok(owners) => {
                owners.into_iter().filter(|owner| ring.nodes.contains_key(owner)).collect()
            }
            Err(reason) => {
                ring.fail(reason);
                Vec::new()
            }
        }
    }

    /// The kinds that are served in a scope, or were.
    pub(super) fn kinds(&self, scope: Option<&str>) -> impl Iterator<Item = &str> {
        let kinds = self.by_kind.keys().map(String::as_str);
        kinds.filter(move |kind| split_kind(kind).0 == scope)
    }

    /// The kinds whose strategies have panicked since their last change, each once for that change,
    /// and what they said first.
    pub(super) fn take_failures(&mut self) -> Vec<(String, String)> {
        let untold = |ring: &mut KindRing| {
            let reason = ring.failure.get().filter(|_| !ring.is_told)?.clone();
            ring.is_told = true;
            Some(reason)
        };
        let rings = self.by_kind.iter_mut();
        rings.filter_map(|(kind, ring)| Some((kind.clone(), untold(ring)?))).collect()
    }
}

impl KindRing {
    fn new(make: MakeStrategy) -> Self {
        let (strategy, nodes, failure) = (None, BTreeMap::new(), OnceLock::new());
        Self { make, strategy, nodes, failure, is_told: false }
    }

    fn change(&mut self, present: usize, change: impl FnOnce(&mut Box<dyn Strategy>)) {
        if self.is_told {
            self.failure = OnceLock::new();
            self.is_told = false;
        }
        if let Some(strategy) = &mut self.strategy {
            match contain(|| change(strategy)) {
                Ok(()) => return,
                Err(reason) => self.fail(reason),
            }
        }
        self.discard();
        let rebuilt = contain(|| {
            let mut strategy = (self.make)();
            strategy.set_present(present);
            for (node, weight) in &self.nodes {
                strategy.add(node.clone(), *weight);
            }
            strategy
        });
        match rebuilt {
            Ok(strategy) => self.strategy = Some(strategy),
            Err(reason) => self.fail(reason),
        }
    }

    fn discard(&mut self) {
        let old = self.strategy.take();
        if let Err(reason) = contain(|| drop(old)) {
            self.fail(reason);
        }
    }

    fn fail(&self, reason: String) {
        // Of several the first says most.
        let _ = self.failure.set(reason);
    }
}

impl Drop for KindRing {
    fn drop(&mut self) {
        self.discard();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use swarm_ring::{Ring, StaticQuorumRing};

    /// Fails as it is told to, so many times.
    #[derive(Default)]
    struct Faults {
        make: AtomicU32,
        add: AtomicU32,
        remove: AtomicU32,
        owner: AtomicU32,
        owners: AtomicU32,
        drop: AtomicU32,
    }

    struct Faulty(Box<dyn Strategy>, Arc<Faults>);

    fn fail(what: &str, left: &AtomicU32) {
        let fails = |left: u32| left.checked_sub(1);
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
            panic!("{what} fails");
        }
    }

    impl Strategy for Faulty {
        fn add(&mut self, node: NodeName, weight: Weight) {
            fail("add", &self.1.add);
            self.0.add(node, weight);
        }
        fn remove(&mut self, node: &NodeName) {
            fail("remove", &self.1.remove);
            self.0.remove(node);
        }
        fn owner(&self, name: &[u8]) -> Option<&NodeName> {
            fail("owner", &self.1.owner);
            self.0.owner(name)
        }
        fn owners(&self, name: &[u8], n: usize) -> Vec<&NodeName> {
            fail("owners", &self.1.owners);
            self.0.owners(name, n)
        }
        fn set_present(&mut self, nodes: usize) {
            self.0.set_present(nodes);
        }
    }

    impl Drop for Faulty {
        fn drop(&mut self) {
            fail("drop", &self.1.drop);
        }
    }

    fn rings() -> (Rings, Arc<Faults>) {
        rings_of(|| Box::new(Ring::new()))
    }

    fn rings_of(new: fn() -> Box<dyn Strategy>) -> (Rings, Arc<Faults>) {
        let faults = Arc::new(Faults::default());
        let of_ring = Arc::clone(&faults);
        let make = move || -> Box<dyn Strategy> {
            fail("make", &of_ring.make);
            Box::new(Faulty(new(), Arc::clone(&of_ring)))
        };
        (Rings::new(Strategies::new(Arc::new(make))), faults)
    }

    fn node(name: &str) -> NodeName {
        NodeName::new(name).expect("a name")
    }

    /// The owners of some names by a ring of these nodes.
    fn owners(rings: &Rings) -> Vec<Option<NodeName>> {
        (0..100_u8).map(|name| rings.owner("device", &[name])).collect()
    }

    fn sound(nodes: &[&str]) -> Vec<Option<NodeName>> {
        let mut ring = Ring::new();
        for name in nodes {
            ring.add(node(name), Weight::default());
        }
        (0..100_u8).map(|name| ring.owner(&[name]).cloned()).collect()
    }

    fn failures(rings: &mut Rings) -> Vec<String> {
        let failures = rings.take_failures().into_iter();
        failures.map(|(kind, reason)| format!("{kind}: {reason}")).collect()
    }

    #[test]
    fn a_change_that_panics_is_made_by_another_strategy() {
        let (mut rings, faults) = rings();
        rings.add("device", &node("a"), Weight::default());
        rings.add("device", &node("b"), Weight::default());
        assert_eq!(failures(&mut rings), Vec::<String>::new());
        faults.add.store(1, Ordering::Relaxed);
        rings.add("device", &node("c"), Weight::default());
        assert_eq!(owners(&rings), sound(&["a", "b", "c"]));
        assert_eq!(failures(&mut rings), ["device: add fails"]);
        assert_eq!(failures(&mut rings), Vec::<String>::new(), "once for each change");
        faults.remove.store(1, Ordering::Relaxed);
        faults.drop.store(1, Ordering::Relaxed);
        rings.remove("device", &node("a"));
        assert_eq!(owners(&rings), sound(&["b", "c"]));
        assert_eq!(failures(&mut rings), ["device: remove fails"]);
    }

    #[test]
    fn a_kind_without_a_strategy_has_no_owners_until_the_next_change() {
        let (mut rings, faults) = rings();
        faults.make.store(1, Ordering::Relaxed);
        rings.add("device", &node("a"), Weight::default());
        rings.add("room", &node("a"), Weight::default());
        assert_eq!(owners(&rings), sound(&[]));
        assert_eq!(rings.owner("room", b"x"), Some(node("a")), "other kinds have theirs");
        assert_eq!(failures(&mut rings), ["device: make fails"]);
        rings.add("device", &node("b"), Weight::default());
        assert_eq!(owners(&rings), sound(&["a", "b"]));
        faults.add.store(2, Ordering::Relaxed);
        rings.add("device", &node("c"), Weight::default());
        assert_eq!(owners(&rings), sound(&[]), "the second one failed as well");
        rings.remove("device", &node("c"));
        assert_eq!(owners(&rings), sound(&["a", "b"]));
    }

    #[test]
    fn a_lookup_that_panics_finds_nobody_and_others_go_on() {
        let (mut rings, faults) = rings();
        rings.add("device", &node("a"), Weight::default());
        faults.owner.store(2, Ordering::Relaxed);
        assert_eq!(rings.owner("device", b"x"), None);
        assert_eq!(failures(&mut rings), ["device: owner fails"]);
        assert_eq!(rings.owner("device", b"x"), None);
        assert_eq!(failures(&mut rings), Vec::<String>::new(), "nothing has changed since");
        assert_eq!(rings.owner("device", b"x"), Some(node("a")));
        rings.add("device", &node("a"), Weight::default());
        faults.owner.store(1, Ordering::Relaxed);
        assert_eq!(rings.owner("device", b"x"), None);
        assert_eq!(failures(&mut rings), ["device: owner fails"], "anew after a change");
    }

    #[test]
    fn successors_of_a_strategy_that_panics_are_none() {
        let (mut rings, faults) = rings();
        rings.add("device", &node("a"), Weight::default());
        rings.add("device", &node("b"), Weight::default());
        assert_eq!(rings.owners("device", b"x", 9).len(), 2);
        assert_eq!(rings.owners("device", b"x", 1), Vec::from_iter(rings.owner("device", b"x")));
        assert!(rings.owners("room", b"x", 9).is_empty());
        faults.owners.store(1, Ordering::Relaxed);
        assert!(rings.owners("device", b"x", 9).is_empty());
        assert_eq!(failures(&mut rings), ["device: owners fails"]);
    }

    #[test]
    fn every_ring_is_told_how_many_nodes_there_are_also_one_that_is_made_later_or_again() {
        let (mut rings, faults) =
            rings_of(|| Box::new(StaticQuorumRing::new(2).expect("positive")));
        rings.add("device", &node("a"), Weight::default());
        assert_eq!(rings.owner("device", b"x"), None);
        rings.set_present(None, 2);
        assert_eq!(rings.owner("device", b"x"), Some(node("a")), "the other one serves no devices");
        rings.add("room", &node("b"), Weight::default());
        assert_eq!(rings.owner("room", b"x"), Some(node("b")));
        faults.add.store(1, Ordering::Relaxed);
        rings.add("device", &node("b"), Weight::default());
        rings.remove("device", &node("a"));
        assert_eq!(rings.owner("device", b"x"), Some(node("b")));
        rings.set_present(None, 1);
        assert_eq!(rings.owner("device", b"x"), None);
        assert_eq!(rings.owner("room", b"x"), None);
    }

    #[test]
    fn an_owner_that_the_strategy_was_not_told_of_is_none() {
        struct Stranger(NodeName);
        impl Strategy for Stranger {
            fn add(&mut self, _: NodeName, _: Weight) {}
            fn remove(&mut self, _: &NodeName) {}
            fn owner(&self, _: &[u8]) -> Option<&NodeName> {
                Some(&self.0)
            }
            fn owners(&self, _: &[u8], _: usize) -> Vec<&NodeName> {
                vec![&self.0]
            }
        }
        let mut rings = Rings::new(Strategies::new(Arc::new(|| Box::new(Stranger(node("b"))))));
        rings.add("device", &node("a"), Weight::default());
        rings.add("room", &node("b"), Weight::default());
        assert_eq!(rings.owner("device", b"x"), None, "it serves rooms only");
        assert_eq!(rings.owner("room", b"x"), Some(node("b")));
    }
}
