//! The operations that wait: each is a builder that `.await` turns into its future, so that a
//! deadline can be put between the two.

mod call;
pub(crate) use call::Addressee;
pub use call::{Call, Cast, Pick, Publish, SendOne};

mod explain;
pub use explain::Explain;

mod group;
pub(crate) use group::Change;
pub use group::Membership;

mod leave;
pub use leave::{Drain, DrainProgress, DrainStep, Leave};

mod meta;
pub use meta::{UpdateMeta, UpdateNameMeta};

mod multi_call;
pub use multi_call::{MultiCall, MultiCallDetailed, Replies};

mod name;
pub use name::{RegisterPid, StopNamed, Unregister, WhereisAtOwner};

mod register;
pub use register::{Register, Spawn, WhereisOrRegister};

use std::pin::Pin;
use std::time::Duration;

/// The future of an operation.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long an operation waits if nothing else is said.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
