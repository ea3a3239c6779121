//! Who should run what: one ring for each kind, over the nodes that may run it.

use super::meta::NodeMeta;
use super::rings::{MakeStrategy, Rings, Strategies};
use super::seats::Seat;
use crate::lists::Lists;
use crate::scope::split_kind;
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Name, NodeId, NodeName, Scope};
use swarm_process::contain;
use swarm_ring::Weight;
use xxhash_rust::xxh3::Xxh3;

/// The rings of this node, and the members that they are made of.
pub(crate) struct Placing {
    lists: Lists,
    /// The scopes that this node declares, that of none included, and how many nodes must stand
    /// together in each, where its strategy says so.
    quorums: BTreeMap<Scope, Option<usize>>,
    members: BTreeMap<NodeName, (NodeId, NodeMeta)>,
    rings: Rings,
}

/// The answer to "who should run this name".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This node.
    Node(NodeId),
    /// No node may, at present.
    Nobody,
}

impl Placing {
    pub(crate) fn new(strategies: Strategies, lists: Lists) -> Self {
        let quorum = |make: &MakeStrategy| contain(|| make().quorum()).unwrap_or_default();
        let quorums = strategies.0.iter().map(|(scope, make)| (scope.clone(), quorum(make)));
        let quorums = quorums.collect();
        Self { lists, quorums, members: BTreeMap::new(), rings: Rings::new(strategies) }
    }

    /// How many scopes this node declares, that of none included.
    pub(crate) fn scopes(&self) -> usize {
        self.quorums.len()
    }

    /// How many nodes must stand together for the names of a scope to have owners, for each scope
    /// whose strategy says so.
    pub(crate) fn quorums(&self) -> impl Iterator<Item = (&Scope, usize)> {
        self.quorums.iter().filter_map(|(scope, quorum)| Some((scope, (*quorum)?)))
    }

    /// The nodes that could count for a quorum in a scope, and whether they have seats: also those
    /// that are not ready, or serve other kinds, but none that is left out.
    pub(super) fn candidates(&self, scope: &Scope) -> impl Iterator<Item = (NodeId, Seat)> {
        let counts = |meta: &NodeMeta| !meta.is_left_out && meta.is_in(scope.as_str());
        let candidates = self.members().filter(move |(_, meta)| counts(meta));
        candidates.map(|(node, meta)| (node.clone(), meta.seat(scope.as_str())))
    }

    /// The nodes that count for a quorum in a scope.
    pub(super) fn voters(&self, scope: &Scope) -> impl Iterator<Item = NodeId> {
        let has_seat = |(node, seat)| (seat == Seat::Taken).then_some(node);
        self.candidates(scope).filter_map(has_seat)
    }

    /// Tells every ring how many nodes there are.
    fn count(&mut self) {
        let present = |scope: &Scope| (scope.clone(), self.voters(scope).count());
        let counts: Vec<_> = self.quorums.keys().map(present).collect();
        for (scope, present) in counts {
            self.rings.set_present(scope.as_str(), present);
        }
    }

    /// Takes in what a live node says of itself. Tells whether a ring changed.
    pub(crate) fn update(&mut self, node: &NodeId, mut meta: NodeMeta) -> bool {
        meta.is_left_out = !self.lists.admit(&node.name);
        let before = self.members.get(&node.name);
        match before {
            // Gossip can bring an older life late.
            Some((known, _)) if known.boot > node.boot => return false,
            Some((known, old)) if known == node && *old == meta => return false,
            _ => (),
        }
        let old = before.map(|(_, meta)| kinds_of(meta)).unwrap_or_default();
        let new = kinds_of(&meta);
        let reweighed =
            before.is_some_and(|(_, old)| old.weight.to_bits() != meta.weight.to_bits());
        let weight = Weight::new(meta.weight).unwrap_or_default();
        for kind in old.difference(&new) {
            self.rings.remove(kind, &node.name);
        }
        for kind in &new {
            if reweighed || !old.contains(kind) {
                self.rings.add(kind, &node.name, weight);
            }
        }
        self.members.insert(node.name.clone(), (node.clone(), meta));
        self.count();
        true
    }

    /// Forgets a node that is dead or has left. Tells whether it was known.
    pub(crate) fn remove(&mut self, node: &NodeId) -> bool {
        match self.members.get(&node.name) {
            Some((known, _)) if known == node => (),
            _ => return false,
        }
        if let Some((_, meta)) = self.members.remove(&node.name) {
            for kind in kinds_of(&meta) {
                self.rings.remove(&kind, &node.name);
            }
        }
        self.count();
        true
    }

    /// Who should run `name` of `kind`.
    pub(crate) fn owner(&self, kind: &str, name: &Name) -> Owner {
        let owner = self.rings.owner(kind, name.local());
        match owner.and_then(|owner| self.members.get(&owner)) {
            Some((node, _)) => Owner::Node(node.clone()),
            None => Owner::Nobody,
        }
    }

    /// Who should run `name` of `kind`, and who would be next, at most `n` nodes.
    pub(crate) fn owners(&self, kind: &str, name: &Name, n: usize) -> Vec<NodeId> {
        let owners = self.rings.owners(kind, name.local(), n).into_iter();
        owners.filter_map(|owner| Some(self.members.get(&owner)?.0.clone())).collect()
    }

    /// Who should run `name`, were it of the first of the kinds that is served in its scope.
    pub(crate) fn owner_of_first_kind(&self, name: &Name) -> Option<Owner> {
        let owners = self.rings.kinds(name.scope()).map(|kind| self.owner(kind, name));
        owners.into_iter().find(|owner| matches!(owner, Owner::Node(_)))
    }

    /// Who should run `name`, were it of any kind that is served in its scope.
    pub(crate) fn owners_of_any_kind(&self, name: &Name) -> BTreeSet<NodeId> {
        let owner = |kind: &str| match self.owner(kind, name) {
            Owner::Node(node) => Some(node),
            Owner::Nobody => None,
        };
        self.rings.kinds(name.scope()).filter_map(owner).collect()
    }

    /// The kinds whose strategies have panicked since their rings last changed, each once, and what
    /// they said first.
    pub(crate) fn take_failures(&mut self) -> Vec<(String, String)> {
        self.rings.take_failures()
    }

    /// What all nodes must agree on before one of them acts as an owner: a hash of every live
    /// member, its life, its weight, its kinds and scopes, whether it is ready, whether lists leave
    /// it out, and where it waits for a seat.
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        for (node, meta) in self.members.values() {
            hash.update(node.name.as_str().as_bytes());
            hash.update(&[0]);
            hash.update(&node.boot.to_bytes());
            hash.update(&meta.weight.to_bits().to_le_bytes());
            hash.update(&[u8::from(meta.ready) | (u8::from(meta.is_left_out) << 1)]);
            for set in [&meta.kinds, &meta.scopes] {
                for text in set {
                    hash.update(text.as_bytes());
                    hash.update(&[0xff]);
                }
                hash.update(&[0xff]);
            }
            for place in &meta.waits {
                hash.update(&place.to_le_bytes());
            }
        }
        hash.digest()
    }

    /// Whether a node of this name takes names.
    pub(super) fn takes_names(&self, node: &NodeName) -> bool {
        self.members.get(node).is_some_and(|(_, meta)| !kinds_of(meta).is_empty())
    }

    /// The lists of this node.
    pub(crate) const fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The live members.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&NodeId, &NodeMeta)> {
        self.members.values().map(|(node, meta)| (node, meta))
    }

    /// The live node with this life.
    pub(crate) fn member(&self, node: &NodeId) -> Option<&NodeMeta> {
        self.members.get(&node.name).filter(|(known, _)| known == node).map(|(_, meta)| meta)
    }
}

/// The kinds in whose rings a node is.
fn kinds_of(meta: &NodeMeta) -> BTreeSet<String> {
    if !meta.takes_names() {
        return BTreeSet::new();
    }
    let has_seat = |kind: &&String| meta.seat(split_kind(kind).0) == Seat::Taken;
    meta.kinds.iter().filter(has_seat).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::ring;
    use swarm_base::Boot;

    fn node(name: &str, millis: u64) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot { millis, random: 0 })
    }

    fn meta(ready: bool) -> NodeMeta {
        NodeMeta {
            link: ([127, 0, 0, 1], 1).into(),
            kinds: ["device".to_owned()].into(),
            scopes: BTreeSet::new(),
            weight: 1.0,
            roles: BTreeSet::new(),
            ready,
            is_left_out: false,
            settings: 0,
            scope_settings: Vec::new(),
            waits: BTreeSet::new(),
        }
    }

    fn placing() -> Placing {
        Placing::new(Strategies::new(ring()), Lists::default())
    }

    #[test]
    fn a_node_that_is_not_ready_owns_nothing() {
        let (mut placing, name) = (placing(), Name::new("x").expect("a name"));
        assert!(placing.update(&node("a", 1), meta(false)));
        assert_eq!(placing.owner("device", &name), Owner::Nobody);
        assert!(placing.update(&node("a", 1), meta(true)));
        assert_eq!(placing.owner("device", &name), Owner::Node(node("a", 1)));
        assert_eq!(placing.owner("room", &name), Owner::Nobody, "nobody serves rooms");
    }

    #[test]
    fn a_node_that_is_left_out_owns_nothing() {
        let name = Name::new("x").expect("a name");
        let denies_b = Lists::new(&[], &["^b$".into()]).expect("a pattern");
        let mut lists = Placing::new(Strategies::new(ring()), denies_b);
        lists.update(&node("b", 1), meta(true));
        assert_eq!(lists.owner("device", &name), Owner::Nobody);
        lists.update(&node("a", 1), meta(true));
        assert_eq!(lists.owner("device", &name), Owner::Node(node("a", 1)));
        let mut admits = placing();
        admits.update(&node("a", 1), meta(true));
        admits.update(&node("b", 1), meta(true));
        assert_ne!(admits.hash(), lists.hash(), "who would place names elsewhere does not agree");
    }

    #[test]
    fn a_node_that_waits_for_a_seat_owns_nothing_in_that_scope_and_does_not_count() {
        let name = |scope: &Scope| crate::scope::InScope::of(scope).name("x").expect("a name");
        let scoped = Scope::new("s").expect("a scope");
        let in_scope = crate::scope::kind_in(&scoped, "device").into_owned();
        let mut waits = NodeMeta {
            kinds: ["device".to_owned(), in_scope.clone()].into(),
            scopes: ["s".to_owned()].into(),
            waits: [1].into(),
            ..meta(true)
        };
        let mut placing = placing();
        placing.update(&node("a", 1), waits.clone());
        let hash = placing.hash();
        let owner = Owner::Node(node("a", 1));
        assert_eq!(placing.owner(&in_scope, &name(&scoped)), Owner::Nobody);
        assert_eq!(placing.owner("device", &name(&Scope::default())), owner, "there it has one");
        assert_eq!(placing.voters(&scoped).count(), 0);
        assert_eq!(placing.voters(&Scope::default()).count(), 1);
        assert!(!waits.waits_everywhere());
        waits.set_seat(Some("s"), Seat::Taken);
        placing.update(&node("a", 1), waits.clone());
        assert_eq!(placing.owner(&in_scope, &name(&scoped)), owner);
        assert_eq!(placing.voters(&scoped).count(), 1);
        assert_ne!(placing.hash(), hash);
        waits.waits = [0, 1].into();
        assert!(waits.waits_everywhere());
        assert_eq!(NodeMeta::decode(&waits.encode()).as_ref(), Ok(&waits));
    }

    #[test]
    fn an_older_life_changes_nothing() {
        let mut placing = placing();
        placing.update(&node("a", 2), meta(true));
        let hash = placing.hash();
        assert!(!placing.update(&node("a", 1), meta(true)));
        assert!(!placing.remove(&node("a", 1)));
        assert_eq!(placing.hash(), hash);
        assert!(placing.remove(&node("a", 2)));
        assert_ne!(placing.hash(), hash);
    }

    #[test]
    fn all_nodes_name_the_same_first_owner_in_whatever_order_they_learn() {
        let serving = |kind: &str| NodeMeta { kinds: [kind.to_owned()].into(), ..meta(true) };
        let none = NodeMeta { kinds: BTreeSet::new(), ..meta(true) };
        let members = [
            (node("a", 1), serving("device")),
            (node("b", 1), serving("room")),
            (node("c", 1), none),
        ];
        let (mut here, mut there) = (placing(), placing());
        // Its kind comes first of all, and is served by nobody once it has gone.
        let gone = node("gone", 1);
        here.update(&gone, serving("a kind"));
        for (node, meta) in &members {
            here.update(node, meta.clone());
        }
        here.remove(&gone);
        for (node, meta) in members.iter().rev() {
            there.update(node, meta.clone());
        }
        for at in 0..100 {
            let name = Name::new(format!("name-{at}")).expect("a name");
            let owner = here.owner_of_first_kind(&name);
            assert_eq!(owner, Some(Owner::Node(node("a", 1))), "devices come before rooms");
            assert_eq!(owner, there.owner_of_first_kind(&name));
        }
    }
}
