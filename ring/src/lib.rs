//! Placement: which node runs which name.
//!
//! Every name belongs to one node, by a hash of the name over the nodes that may run it: no
//! election, no lock, no coordinator. Nodes that hold the same set of (node, [`Weight`]) agree on
//! every name, in whatever order they learned of each other, on every platform and release.
//!
//! ```
//! use swarm_base::NodeName;
//! use swarm_ring::{Ring, Strategy, Weight};
//!
//! let mut ring = Ring::new();
//! ring.add(NodeName::new("a@host")?, Weight::default());
//! ring.add(NodeName::new("b@host")?, Weight::new(2.0)?);
//!
//! let owner = ring.owner(b"device-1").expect("two nodes to choose from");
//! assert_eq!(ring.owners(b"device-1", 2)[0], owner);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | Strategy | Lookup | Choose it |
//! |---|---|---|
//! | [`Ring`] | constant time | by default: every node that is reachable may own names |
//! | [`StaticQuorumRing`] | constant time | where fewer nodes than a majority must own nothing |
//! | [`Rendezvous`] | linear in the nodes | for few nodes and the best balance |
//!
//! What places names otherwise implements [`Strategy`].

mod error;
pub use error::ConfigError;

mod hash;
pub use hash::{RING_VERSION, fingerprint, hash_name};

mod log2;

mod points;

mod quorum;
pub use quorum::StaticQuorumRing;

mod rendezvous;
pub use rendezvous::Rendezvous;

mod ring;
pub use ring::Ring;

mod strategy;
pub use strategy::Strategy;

mod weight;
pub use weight::Weight;
