//! Why there is no session: one plain sentence for an operator, one variant for a program.

use crate::Reason;
use swarm_base::{Boot, NodeName};

/// Why a session could not be made, or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// This node closed it.
    #[error("closed by this node: {0}")]
    Here(Reason),
    /// The other node closed it.
    #[error("closed by the other node: {0}")]
    There(Reason),
    /// The other node's certificate is not of this cluster's authority, or it says so of ours.
    #[error("the two nodes hold different cluster secrets")]
    WrongSecret,
    /// Either certificate is not valid at this time.
    #[error("a certificate has expired or is not valid yet: check the clocks")]
    Expired,
    /// A certificate that is signed by the cluster's authority, but names no member of a cluster.
    #[error("the other node's certificate names no member of a cluster")]
    WrongCertificate,
    /// The certificates, or the hello, name different clusters.
    #[error("this node belongs to cluster {ours:?}, the other to {theirs:?}")]
    WrongCluster {
        /// This node's cluster.
        ours: String,
        /// The other's.
        theirs: String,
    },
    /// The other node is not the one that was dialled, or claims another name than its certificate
    /// carries.
    #[error("expected node {expected}, found {found}")]
    WrongName {
        /// Who was dialled, or is certified.
        expected: NodeName,
        /// Who answered, or what it claims.
        found: NodeName,
    },
    /// The other node bears this node's own name: it is this node, or a second one started under
    /// its name.
    #[error("the other node bears this node's own name")]
    OwnName,
    /// The other node is an old life of its name.
    #[error("node boot {found} has been replaced by {newest}")]
    StaleBoot {
        /// The boot in its hello.
        found: Boot,
        /// The newest known.
        newest: Boot,
    },
    /// The nodes have no version of the protocol in common.
    #[error("this node speaks protocol versions {}–{}, the other {}–{}", ours.0, ours.1, theirs.0, theirs.1)]
    Version {
        /// The oldest and newest that this node speaks.
        ours: (u16, u16),
        /// The oldest and newest that the other speaks.
        theirs: (u16, u16),
    },
    /// A setting that all nodes of a cluster must share is another one on the other node.
    #[error("{setting} is {here} on this node and {there} on the other, all nodes must share it")]
    Settings {
        /// Which.
        setting: String,
        /// What it is set to on this node.
        here: String,
        /// What it is set to on the other.
        there: String,
    },
    /// What answered speaks another protocol than Swarm's.
    #[error("what answered does not speak this protocol")]
    OtherProtocol,
    /// Nothing was heard for the idle timeout, or nobody answered a dial.
    #[error("nothing was heard from the other node in time")]
    Silent,
    /// The other node does not know the session any more: it has restarted.
    #[error("the other node has restarted")]
    Reset,
    /// The other node takes no more sessions just now.
    #[error("the other node takes no more sessions just now")]
    Busy,
    /// The transport failed in another way.
    #[error("the transport failed: {reason}")]
    Transport {
        /// What it said.
        reason: String,
    },
}
