//! What a node tells all others about itself, within SWIM's 512 bytes.

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
    /// Whether its own lists leave it out: it takes no names, however ready it is.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_left_out: bool,
}

impl NodeMeta {
    /// Whether names may be placed on the node, as far as it says so itself.
    pub(crate) const fn takes_names(&self) -> bool {
        self.ready && !self.is_left_out
    }

    /// Whether it is a node of a scope. All are of what is in none.
    pub(crate) fn is_in(&self, scope: Option<&str>) -> bool {
        scope.is_none_or(|scope| self.scopes.contains(scope))
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
