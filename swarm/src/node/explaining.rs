//! Why a name runs where it runs, and what became of a start that nobody waited for any more.

use super::asks::AskKey;
use super::quorum::Under;
use super::seats::Seat;
use super::wire::{Outcome, Told, What};
use super::{Node, Owner};
use crate::LeftOut;
use crate::explain::{
    Explanation, LateFate, LateStart, Placed, QuorumStanding, RingStanding, Whereabouts,
};
use crate::member::left_out;
use crate::scope::split_kind;
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_handoff::Standing as Agreed;
use swarm_registry::{At, Request, Resolution, Standing};

/// Starts that went on after their `register` was over.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// What the callers of this node gave up.
    given_up: Recent<Request>,
    /// Starts of this node that are being ended, or were.
    ended: Recent<Ended>,
    /// The names of those that have not ended, by ticket.
    tickets: BTreeMap<u64, Name>,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    ticket: u64,
    is_over: bool,
}

impl Late {
    /// How many of each are remembered, about 100 KB; the oldest is forgotten.
    const KEPT_MAX: usize = 1_024;

    fn give_up(&mut self, now: Instant, name: &Name, request: Request) {
        self.given_up.insert(now, name, request);
    }

    /// A start is being ended, since nobody waits for it.
    pub(super) fn end(&mut self, now: Instant, name: &Name, ticket: u64) {
        self.tickets.insert(ticket, name.clone());
        for gone in self.ended.insert(now, name, Ended { ticket, is_over: false }) {
            self.tickets.remove(&gone.ticket);
        }
    }

    /// A start that nobody waits for has ended.
    pub(super) fn is_over(&mut self, ticket: u64) {
        let Some(name) = self.tickets.remove(&ticket) else { return };
        if let Some((_, ended)) = self.ended.by_name.get_mut(&name) {
            ended.is_over = true;
        }
    }

    /// What is known here of the last late start of a name. `registered` gives the node of the
    /// claim that a request has made.
    fn of(
        &self,
        now: Instant,
        me: &NodeId,
        name: &Name,
        registered: impl Fn(Request) -> Option<NodeId>,
    ) -> Option<LateStart> {
        let given_up = self.given_up.by_name.get(name);
        if let Some((at, request)) = given_up
            && let Some(node) = registered(*request)
        {
            return Some(LateStart { ago: now.since(*at), fate: LateFate::Registered { node } });
        }
        if let Some((at, ended)) = self.ended.by_name.get(name) {
            let node = me.clone();
            let fate =
                if ended.is_over { LateFate::Ended { node } } else { LateFate::Ending { node } };
            return Some(LateStart { ago: now.since(*at), fate });
        }
        let (at, _) = given_up?;
        Some(LateStart { ago: now.since(*at), fate: LateFate::NotStarted })
    }
}

/// The last of something for each name, as far as it is remembered.
#[derive(Debug)]
struct Recent<T> {
    by_name: BTreeMap<Name, (Instant, T)>,
    by_age: BTreeSet<(Instant, Name)>,
}

impl<T> Recent<T> {
    /// Returns what is forgotten for it.
    fn insert(&mut self, now: Instant, name: &Name, item: T) -> Vec<T> {
        let mut gone = Vec::new();
        if let Some((at, before)) = self.by_name.insert(name.clone(), (now, item)) {
            self.by_age.remove(&(at, name.clone()));
            gone.push(before);
        }
        self.by_age.insert((now, name.clone()));
        while self.by_age.len() > Late::KEPT_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            gone.extend(self.by_name.remove(&oldest).map(|(_, item)| item));
        }
        gone
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { by_name: BTreeMap::new(), by_age: BTreeSet::new() }
    }
}

impl Node {
    /// A question of a caller of this node is over without an answer.
    pub(super) fn gave_up(&mut self, now: Instant, key: &AskKey) {
        if key.0 != self.me.boot {
            return;
        }
        if let Some(What::Register { name, .. }) = self.asks.get(key).map(|open| &open.ask.what) {
            self.late.give_up(now, name, Request::new(key.0, key.1));
        }
    }

    /// What this node knows of `name`.
    pub(crate) fn explain(&self, now: Instant, name: &Name) -> Explanation {
        let kind = match self.registry.resolve(name) {
            Resolution::Held { claim, .. } | Resolution::Orphan { claim, .. } => {
                Some(claim.spec.map(|spec| spec.kind))
            }
            Resolution::Free | Resolution::Pending { .. } => None,
        };
        let placed = match kind {
            Some(Some(kind)) => vec![self.placed(&kind, name)],
            // Nobody places what was registered by pid.
            Some(None) => Vec::new(),
            None => {
                let kinds = self.placing.members().flat_map(|(_, meta)| &meta.kinds);
                let kinds: BTreeSet<&String> =
                    kinds.filter(|kind| split_kind(kind).0 == name.scope()).collect();
                kinds.into_iter().map(|kind| self.placed(kind, name)).collect()
            }
        };
        let at = self.whereabouts(name);
        let runs = match &at {
            Whereabouts::Runs { pid, .. } | Whereabouts::Moving { pid, .. } => Some(*pid),
            _ => None,
        };
        let live: Vec<_> = self
            .registry
            .claims(name)
            .filter(|(_, _, standing)| *standing == Standing::Live)
            .collect();
        let rival = |(node, claim): (&NodeId, Option<Pid>)| {
            claim.filter(|pid| Some(*pid) != runs).map(|pid| (node.clone(), pid))
        };
        let registered = |request: Request| {
            let mut made = live.iter().filter(|(_, claim, _)| claim.request == Some(request));
            made.next().map(|(node, ..)| (*node).clone())
        };
        Explanation {
            name: name.clone(),
            scope: name.scope().map(str::to_owned),
            node: self.me.clone(),
            hash: swarm_ring::hash_name(name.local()),
            placed,
            token: self.token_of(name),
            rivals: live.iter().filter_map(|(node, claim, _)| rival((node, claim.pid()))).collect(),
            ring: self.ring_standing(),
            quorum: self.quorum_standing(name),
            late: self.late.of(now, &self.me, name, registered),
            at,
            is_whole: true,
        }
    }

    fn placed(&self, kind: &str, name: &Name) -> Placed {
        let owner = match self.placing.owner(kind, name) {
            Owner::Node(node) => Some(node),
            Owner::Nobody => None,
        };
        let mut successors = self.placing.owners(kind, name, Placed::SUCCESSORS_MAX + 1);
        successors.retain(|node| Some(node) != owner.as_ref());
        successors.truncate(Placed::SUCCESSORS_MAX);
        let lists = self.placing.lists();
        let out = |(node, meta): (&NodeId, &super::NodeMeta)| {
            let why = match left_out(&node.name, meta, lists) {
                Some(why) => why,
                None if !meta.is_in(name.scope()) => LeftOut::ScopeNotDeclared,
                None if meta.seat(name.scope()) == Seat::Waits => LeftOut::TooMany,
                None if !meta.kinds.contains(kind) => LeftOut::KindNotServed,
                None => return None,
            };
            Some((node.clone(), why))
        };
        let kept_out = self.kept_out.iter().map(|node| (node.clone(), LeftOut::Settings));
        let left_out = self.placing.members().filter_map(out).chain(kept_out).collect();
        let kind = split_kind(kind).1.to_owned();
        Placed { kind, owner, successors, left_out }
    }

    fn whereabouts(&self, name: &Name) -> Whereabouts {
        match self.registry.resolve(name) {
            _ if self.names.is_starting(name) => Whereabouts::Starting { node: self.me.clone() },
            Resolution::Free => Whereabouts::Nobody,
            Resolution::Pending { to } => Whereabouts::Pending { to: to.clone() },
            Resolution::Orphan { node, claim } => {
                let to = match claim.at {
                    At::Moving { to, .. } if self.placing.member(&to).is_some() => Some(to),
                    _ => None,
                };
                Whereabouts::Orphan { node: node.clone(), to }
            }
            Resolution::Held { node, claim } => {
                let node = node.clone();
                match claim.at {
                    At::Starting => Whereabouts::Starting { node },
                    At::Running(pid) => Whereabouts::Runs { node, pid },
                    At::Moving { pid, to, .. } => Whereabouts::Moving { node, pid, to },
                    At::Waiting => Whereabouts::Waiting { node },
                }
            }
        }
    }

    fn token_of(&self, name: &Name) -> Option<swarm_base::Token> {
        match self.registry.resolve(name) {
            Resolution::Held { claim, .. } | Resolution::Orphan { claim, .. } => Some(claim.token),
            Resolution::Free | Resolution::Pending { .. } => None,
        }
    }

    fn ring_standing(&self) -> RingStanding {
        let missing = || self.agreement.waiting_for().cloned().collect();
        match self.agreement.may_act() {
            _ if self.alone_until.is_some() => RingStanding::Alone,
            Agreed::Waiting => RingStanding::Waiting { missing: missing() },
            Agreed::Overdue => RingStanding::Overdue { missing: missing() },
            Agreed::Agreed if self.behind.is_some() => {
                RingStanding::Behind { missing: self.registry.ahead().cloned().collect() }
            }
            Agreed::Agreed => RingStanding::Agreed { round: self.agreement.round() },
        }
    }

    /// Another node wants to know what is known only here: of a start that is not logged, or that
    /// was ended.
    pub(super) fn consider_explain(&mut self, now: Instant, key: &AskKey, name: &Name) {
        let is_starting = self.names.is_starting(name);
        let late = self.late.ended.by_name.get(name).map(|(at, ended)| {
            let ago_ms = u64::try_from(now.since(*at).as_millis()).unwrap_or(u64::MAX);
            (ago_ms, ended.is_over)
        });
        if is_starting || late.is_some() {
            let told = Told { node: self.me.clone(), is_starting, late };
            return self.answer(now, key, Outcome::Told(Some(told)), None);
        }
        match self.registry.resolve(name) {
            Resolution::Held { node, .. } if *node != self.me => {
                let node = node.clone();
                self.pass_on(now, key, Owner::Node(node));
            }
            Resolution::Held { .. } => self.answer(now, key, Outcome::Told(None), None),
            _ => self.ask_owners(now, key, name, Outcome::Told(None)),
        }
    }

    fn quorum_standing(&self, name: &Name) -> Option<QuorumStanding> {
        let machine = &Under::of(&self.under, name)?.machine;
        let (have, want) = (machine.present(), machine.want());
        Some(QuorumStanding { have, want, is_held: machine.is_held() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use swarm_base::{Boot, NodeName};

    const S: Duration = Duration::from_secs(1);

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot::default())
    }

    fn name(at: usize) -> Name {
        Name::new(format!("name-{at}")).expect("a name")
    }

    fn fate(late: &Late, now: Instant, of: usize, made: Option<Request>) -> Option<LateFate> {
        let registered = |request| (Some(request) == made).then(|| node("b"));
        late.of(now, &node("a"), &name(of), registered).map(|late| late.fate)
    }

    #[test]
    fn a_late_start_is_registered_or_ended() {
        let (mut late, now) = (Late::default(), Instant::START);
        let request = Request::new(Boot::default(), 7);
        assert_eq!(fate(&late, now, 0, None), None);
        late.give_up(now, &name(0), request);
        assert_eq!(fate(&late, now, 0, None), Some(LateFate::NotStarted));
        // Its claim carries the request, wherever it was made.
        assert_eq!(
            fate(&late, now, 0, Some(request)),
            Some(LateFate::Registered { node: node("b") })
        );
        let other = Request::new(Boot::default(), 8);
        assert_eq!(fate(&late, now, 0, Some(other)), Some(LateFate::NotStarted), "another one's");
        late.end(now + S, &name(0), 1);
        let told = late.of(now + S * 3, &node("a"), &name(0), |_| None).expect("it is known");
        let ending = LateFate::Ending { node: node("a") };
        assert_eq!((told.ago, told.fate), (S * 2, ending.clone()));
        late.is_over(2);
        assert_eq!(fate(&late, now, 0, None), Some(ending), "another start");
        late.is_over(1);
        assert_eq!(fate(&late, now, 0, None), Some(LateFate::Ended { node: node("a") }));
    }

    #[test]
    fn the_oldest_late_starts_are_forgotten() {
        let mut late = Late::default();
        for at in 0..2 * Late::KEPT_MAX {
            let now = Instant::START + S * u32::try_from(at).expect("few");
            late.end(now, &name(at), at as u64);
            late.end(now, &name(at), 10_000 + at as u64);
        }
        let kept = (late.ended.by_name.len(), late.ended.by_age.len(), late.tickets.len());
        assert_eq!(kept, (Late::KEPT_MAX, Late::KEPT_MAX, Late::KEPT_MAX));
        let now = Instant::START;
        assert_eq!(fate(&late, now, Late::KEPT_MAX - 1, None), None);
        assert!(fate(&late, now, Late::KEPT_MAX, None).is_some());
    }
}
