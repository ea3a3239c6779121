//! The properties, one file each (M1 to M8): what must hold, and a history that violates it.

mod accuracy;
pub(crate) use accuracy::Accuracy;

mod completeness;
pub(crate) use completeness::Completeness;

mod convergence;
pub(crate) use convergence::{Convergence, disagreement};

mod load;
pub(crate) use load::Load;

mod refutation;
pub(crate) use refutation::Refutation;

mod selves;
pub(crate) use selves::Selves;

mod small;
pub(crate) use small::SmallGroups;

mod stories;
pub(crate) use stories::Stories;

mod histories;

use crate::node::Node;
use std::collections::BTreeMap;
use std::net::SocketAddr;

pub(crate) type Hosts = BTreeMap<SocketAddr, Node>;
