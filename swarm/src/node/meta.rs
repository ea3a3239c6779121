//! What a node tells all others about itself, within SWIM's 512 bytes.

use super::seats::Seat;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use swarm_base::codec::{self, DecodeError, Limits};

/// A node's description of itself, as its metadata carries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeMeta {
    /// Where its links listen.
    #[serde(rename = "l")]
    pub link: SocketAddr,
    /// The kinds that it serves, with their scopes.
    #[serde(rename = "k", default)]
    pub kinds: BTreeSet<String>,
    /// The scopes that it declares.
    #[serde(rename = "s", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scopes: BTreeSet<String>,
    /// Its share of the ring.
    #[serde(rename = "w", default = "one")]
    pub weight: f64,
    /// What the operator calls it.
    #[serde(rename = "r", default)]
    pub roles: BTreeSet<String>,
    /// Whether names may be placed on it.
    #[serde(rename = "y", default)]
    pub ready: bool,
    /// Whether the lists leave it out: it takes no names, however ready it is. Not told, since all
    /// nodes have the same lists.
    #[serde(skip)]
    pub is_left_out: bool,
    /// The hash of the settings that all nodes must share.
    #[serde(rename = "h", default)]
    pub settings: u64,
    /// Those of the settings that all nodes of a scope must share, for each scope in order.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub scope_settings: Vec<u32>,
    /// The scopes in which a quorum does not count it, by their places in order: 0 is that of none.
    #[serde(rename = "q", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub waits: BTreeSet<u16>,
}

impl NodeMeta {
    /// Whether names may be placed on the node.
    pub(crate) const fn takes_names(&self) -> bool {
        self.ready && !self.is_left_out
    }

    /// Whether it is a node of a scope. All are of what is in none.
    pub(crate) fn is_in(&self, scope: Option<&str>) -> bool {
        scope.is_none_or(|scope| self.scopes.contains(scope))
    }

    /// Whether the node has a seat in a scope that it declares, where a quorum wants one.
    pub(crate) fn seat(&self, scope: Option<&str>) -> Seat {
        match self.place_of(scope) {
            Some(place) if self.waits.contains(&place) => Seat::Waits,
            _ => Seat::Taken,
        }
    }

    pub(crate) fn set_seat(&mut self, scope: Option<&str>, seat: Seat) {
        let Some(place) = self.place_of(scope) else { return };
        match seat {
            Seat::Taken => self.waits.remove(&place),
            Seat::Waits => self.waits.insert(place),
        };
    }

    /// Whether there is no scope in which the node may host anything.
    pub(crate) fn waits_everywhere(&self) -> bool {
        self.waits.len() > self.scopes.len()
    }

    fn place_of(&self, scope: Option<&str>) -> Option<u16> {
        let Some(scope) = scope else { return Some(0) };
        let place = self.scopes.iter().position(|of| of == scope)? + 1;
        u16::try_from(place).ok()
    }

    /// The hash of a scope's settings, where the node declares it.
    fn settings_of(&self, scope: &str) -> Option<u32> {
        let mut scopes = self.scopes.iter().zip(&self.scope_settings);
        scopes.find(|(of, _)| *of == scope).map(|(_, hash)| *hash)
    }

    /// Whether two nodes have the same settings, as far as all must share them, and in the scopes
    /// that both declare.
    pub(crate) fn shares_settings(&self, other: &Self) -> bool {
        let differs = |scope: &String| {
            let (here, there) = (self.settings_of(scope), other.settings_of(scope));
            here.is_some() && there.is_some() && here != there
        };
        self.settings == other.settings && !self.scopes.iter().any(differs)
    }

    /// The bytes of the metadata.
    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(self).expect("strings, numbers and a socket address encode")
    }

    /// Reads what another node sent.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, Limits::of_bytes(512))
    }
}

const fn one() -> f64 {
    1.0
}
