//! The settings that all nodes of a cluster must share: those that say who owns a name, and when it
//! may run. Nodes in which they differ would place names apart for ever, so that one whose settings
//! are not those of the others is kept out.
//!
//! Gossip carries a hash of them; the values go with the hello of a session, so that both ends can
//! say which setting it is.

use crate::lists::Lists;
use crate::node::{MakeStrategy, Strategies};
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_link::SCOPED;
use swarm_process::contain;
use xxhash_rust::xxh3::xxh3_64;

/// Settings by name, with what they are set to, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Those that all nodes must share.
    all: Pairs,
    /// Those that the nodes that declare a scope must share, by scope.
    scopes: BTreeMap<String, Pairs>,
}

type Pairs = Vec<(String, String)>;

impl Settings {
    /// Those of a node that is set up so.
    pub(crate) fn of(
        strategies: &Strategies,
        lists: &Lists,
        handoff: &swarm_handoff::Config,
    ) -> Self {
        let mut settings = Self::default();
        add(&mut settings.all, "ring version", swarm_ring::RING_VERSION.to_string());
        for (scope, strategy) in &strategies.0 {
            let of = match scope.as_str() {
                None => &mut settings.all,
                Some(scope) => settings.scopes.entry(scope.to_owned()).or_default(),
            };
            placed_by(of, strategy, handoff);
        }
        add(&mut settings.all, "allow", lists.allowed());
        add(&mut settings.all, "deny", lists.denied());
        settings
    }

    /// Equal on nodes that share all that all must.
    pub(crate) fn hash(&self) -> u64 {
        hash(&self.all)
    }

    /// Equal on nodes that share all of a scope, for each scope in order.
    pub(crate) fn scope_hashes(&self) -> Vec<u32> {
        self.scopes.values().map(|pairs| hash(pairs) as u32).collect()
    }

    /// All of them, as a hello carries them.
    pub(crate) fn into_pairs(self) -> Pairs {
        let scoped = self.scopes.into_iter().flat_map(|(scope, pairs)| {
            let name = move |setting| format!("{SCOPED}{scope}: {setting}");
            pairs.into_iter().map(move |(setting, value)| (name(setting), value))
        });
        self.all.into_iter().chain(scoped).collect()
    }
}

/// What decides where names are, and when they may run.
fn placed_by(to: &mut Pairs, strategy: &MakeStrategy, handoff: &swarm_handoff::Config) {
    let asked = contain(|| {
        let strategy = strategy();
        (strategy.describe(), strategy.quorum())
    });
    let (strategy, quorum) = asked.unwrap_or_else(|_| ("one that panics".to_owned(), None));
    add(to, "strategy", strategy);
    if quorum.is_some() {
        let mut add = |setting: &str, value: Duration| {
            add(to, &format!("config.handoff.{setting}"), format!("{value:?}"));
        };
        add("quorum_lease", handoff.quorum_lease);
        add("quorum_ask", handoff.quorum_ask);
        add("quorum_grace", handoff.quorum_grace);
        add("quorum_margin", handoff.quorum_margin);
    }
}

/// A value that is too long for a sentence is cut, and told apart by its hash.
fn add(to: &mut Pairs, setting: &str, value: String) {
    let value = if value.chars().count() > VALUE_MAX {
        let start: String = value.chars().take(VALUE_MAX).collect();
        format!("{start}… (hash {:x})", xxh3_64(value.as_bytes()))
    } else {
        value
    };
    to.push((setting.to_owned(), value));
}

fn hash(pairs: &[(String, String)]) -> u64 {
    let mut text = String::new();
    for (setting, value) in pairs {
        // Lengths, so that no value can pass for two.
        text += &format!("{}:{setting}{}:{value}", setting.len(), value.len());
    }
    xxh3_64(text.as_bytes())
}

/// How many characters of a value are told.
const VALUE_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodePattern;
    use std::sync::Arc;
    use swarm_base::Scope;
    use swarm_ring::{Ring, StaticQuorumRing};

    fn settings(allow: &[NodePattern], deny: &[NodePattern], quorum: Option<usize>) -> Settings {
        let lists = Lists::new(allow, deny).expect("patterns");
        let strategy: MakeStrategy = match quorum {
            None => Arc::new(|| Box::new(Ring::new())),
            Some(n) => Arc::new(move || Box::new(StaticQuorumRing::new(n).expect("positive"))),
        };
        Settings::of(&Strategies::new(strategy), &lists, &swarm_handoff::Config::default())
    }

    #[test]
    fn lists_are_compared_as_sets_of_what_they_mean() {
        let of = |allow: &[NodePattern]| settings(allow, &[], None).hash();
        assert_eq!(of(&["a".into(), "b".into()]), of(&["b".into(), "a".into(), "b".into()]));
        assert_ne!(of(&["a".into()]), of(&[NodePattern::name("a")]));
        assert_ne!(of(&[NodePattern::regex("a")]), of(&[NodePattern::name("a")]));
        assert_ne!(of(&["a".into(), "b".into()]), of(&["a\", \"b".into()]));
        assert_ne!(of(&[]), settings(&[], &["a".into()], None).hash());
    }

    #[test]
    fn the_times_of_a_quorum_count_only_under_one() {
        let names = |settings: Settings| settings.into_pairs().into_iter().map(|(name, _)| name);
        let plain: Vec<_> = names(settings(&[], &[], None)).collect();
        assert_eq!(plain, ["ring version", "strategy", "allow", "deny"]);
        assert_eq!(names(settings(&[], &[], Some(2))).count(), 8);
        assert_ne!(settings(&[], &[], Some(2)).hash(), settings(&[], &[], Some(3)).hash());
    }

    #[test]
    fn scopes_are_told_apart_from_what_all_must_share() {
        let make: MakeStrategy = Arc::new(|| Box::new(Ring::new()));
        let scope = Scope::new("games").expect("a scope");
        let strategies = BTreeMap::from([(Scope::default(), Arc::clone(&make)), (scope, make)]);
        let handoff = swarm_handoff::Config::default();
        let scoped = Settings::of(&Strategies(strategies), &Lists::default(), &handoff);
        let plain = settings(&[], &[], None);
        assert_eq!(scoped.hash(), plain.hash());
        assert_eq!((scoped.scope_hashes().len(), plain.scope_hashes().len()), (1, 0));
        let last = ("scope games: strategy".to_owned(), "ring".to_owned());
        assert_eq!(scoped.into_pairs().last(), Some(&last));
    }

    #[test]
    fn long_values_are_cut_and_still_differ() {
        let long = |end: &str| settings(&[format!("{}{end}", "é".repeat(500)).into()], &[], None);
        assert_ne!(long("a").hash(), long("b").hash());
        for (_, value) in long("a").into_pairs() {
            assert!(value.chars().count() < VALUE_MAX + 32, "{value}");
        }
    }
}
