//! The nodes of the cluster, as one of them sees them.

use crate::lists::{Lists, Verdict};
use crate::node::{Node, NodeMeta};
use crate::scope::split_kind;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use swarm_base::{NodeId, NodeName};
use swarm_swim::State;

/// A node of the cluster, as this one sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Member {
    /// Its name and life.
    pub id: NodeId,
    /// Whether it answers.
    pub state: MemberState,
    /// How often it has had to say that it lives, or changed its metadata.
    pub incarnation: u64,
    /// Where it gossips: what seeds name.
    pub address: SocketAddr,
    /// Where its links listen.
    pub link: SocketAddr,
    /// The kinds of workers that it serves in no scope.
    pub kinds: BTreeSet<String>,
    /// The scopes that it declares, and the kinds that it serves in each.
    pub scopes: BTreeMap<String, BTreeSet<String>>,
    /// Its weight in the ring.
    pub weight: f64,
    /// What its operator calls it.
    pub roles: BTreeSet<String>,
    /// Whether it says that names may be placed on it.
    pub ready: bool,
    /// Why no names are placed on it, whatever it serves. `None` where they are.
    pub left_out: Option<LeftOut>,
    /// The share of the names that it is due, 0 to 1: its weight in that of all that take names.
    pub share: f64,
}

/// Why no names are placed on a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum LeftOut {
    /// It is not ready.
    NotReady,
    /// It is not in the list of [`Builder::allow`](crate::Builder::allow).
    NotAllowed,
    /// This entry of the list of [`Builder::deny`](crate::Builder::deny), or a built-in one, means
    /// it.
    Denied {
        /// The entry.
        pattern: String,
    },
    /// It is kept out: a setting that all nodes must share is another one there.
    /// [`Event::LinkRefused`](crate::Event::LinkRefused) says which.
    Settings,
    /// It has no seat under the quorum: there are 2 · quorum − 1 nodes without it, or it has just
    /// started. As the reason of a [`Member`], in all scopes and in none; as that of an
    /// [`Explanation`](crate::Explanation), in the scope of the name.
    TooMany,
    /// It does not serve the kind: only where one is spoken of, as
    /// [`Swarm::explain`](crate::Swarm::explain) does.
    KindNotServed,
    /// It does not declare the scope: likewise.
    ScopeNotDeclared,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("it is not ready"),
            Self::NotAllowed => f.write_str("it is not in the allow list"),
            Self::Denied { pattern } => write!(f, "it is denied by {pattern:?}"),
            Self::Settings => f.write_str("its settings are not those of this node"),
            Self::TooMany => f.write_str("it has no seat under the quorum"),
            Self::KindNotServed => f.write_str("it does not serve the kind"),
            Self::ScopeNotDeclared => f.write_str("it does not declare the scope"),
        }
    }
}

/// Whether a member answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum MemberState {
    /// It does.
    Alive,
    /// It did not lately. It stays a member until it is declared dead.
    Suspect,
}

/// The members of `node`'s cluster that it does not hold dead, in order of their names.
pub(crate) fn members(node: &Node) -> Arc<[Member]> {
    let members = node.swim().members().filter_map(|found| member(found, node));
    let mut members: Vec<_> = members.collect();
    members.sort_by(|one, other| one.id.cmp(&other.id));
    let total: f64 = members.iter().filter(|m| m.left_out.is_none()).map(|m| m.weight).sum();
    for member in members.iter_mut().filter(|member| member.left_out.is_none()) {
        member.share = member.weight / total;
    }
    members.into()
}

fn member(member: &swarm_swim::Member, node: &Node) -> Option<Member> {
    let state = match member.state {
        State::Alive => MemberState::Alive,
        State::Suspect => MemberState::Suspect,
        _ => return None,
    };
    let meta = NodeMeta::decode(member.metadata.as_bytes()).ok()?;
    let mut kinds = BTreeSet::new();
    let mut scopes: BTreeMap<_, BTreeSet<_>> =
        meta.scopes.iter().map(|scope| (scope.clone(), BTreeSet::new())).collect();
    for kind in &meta.kinds {
        let (scope, kind) = split_kind(kind);
        match scope {
            Some(scope) => scopes.entry(scope.to_owned()).or_default().insert(kind.to_owned()),
            None => kinds.insert(kind.to_owned()),
        };
    }
    let left_out = match node.shares_settings(&meta) {
        true => left_out(&member.id.name, &meta, node.placing().lists()),
        false => Some(LeftOut::Settings),
    };
    Some(Member {
        left_out,
        id: member.id.clone(),
        state,
        incarnation: member.incarnation,
        address: member.address,
        link: meta.link,
        kinds,
        scopes,
        weight: meta.weight,
        roles: meta.roles,
        ready: meta.ready,
        share: 0.0,
    })
}

/// Why names are not placed on a node, whatever it serves.
pub(crate) fn left_out(name: &NodeName, meta: &NodeMeta, lists: &Lists) -> Option<LeftOut> {
    match lists.verdict(name) {
        Verdict::NotAllowed => Some(LeftOut::NotAllowed),
        Verdict::Denied(pattern) => Some(LeftOut::Denied { pattern: pattern.to_owned() }),
        Verdict::Admitted if !meta.ready => Some(LeftOut::NotReady),
        Verdict::Admitted if meta.waits_everywhere() => Some(LeftOut::TooMany),
        Verdict::Admitted => None,
    }
}
