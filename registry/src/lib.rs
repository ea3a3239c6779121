//! The replicated log of facts, and names on top of it.
//!
//! Each node appends facts about its own processes to its own log, and holds a copy of every
//! node's log: so there is no merge of concurrent writers, a lookup is a local read, and removal
//! is an entry in an ordered log. Several claims on one name are resolved by a total order on the
//! claims alone. The log of a dead node never changes any more: whoever holds more of it serves it
//! to who holds less, and its claims are *orphans* until another node has started them.
//!
//! | Piece | For |
//! |---|---|
//! | [`Registry`] | the machine: logs, names, replication |
//! | [`Fact`], [`Claim`], [`At`], [`Why`] | what a node says about its own processes |
//! | [`Resolution`] | who has a name |
//! | [`Event`] | what changed |
//! | [`View`] | names for concurrent readers |
//! | [`Config`] | what can be tuned |

mod bytes;
pub use bytes::{Bytes, Encoded, TooLong};

mod claim;
pub use claim::{At, CLAIM_GROUPS_LEN_MAX, CLAIM_GROUPS_MAX, Claim, KIND_LEN_MAX, Spec};

mod compare;

mod config;
pub use config::{Checked, Config, ConfigError};

mod encoding;

mod event;
pub use event::{Event, State};

mod fact;
pub use fact::{Fact, Why};

mod few;
mod history;

mod log;
pub use log::Standing;

mod machine;
pub use machine::Registry;

mod members;

mod message;
pub use message::{Held, Mark, Message, Scope};

mod peer;

mod progress;
pub use progress::{LogProgress, PeerProgress};

mod quota;

mod recent;

mod record;
pub use record::Resolution;

mod rejection;
pub use rejection::Rejection;

mod replica;

mod request;
pub use request::Request;

mod settle;
mod shared;
mod snapshot;
mod staged;
mod stored;
mod sync;
mod table;

mod view;
pub use view::{Found, Names, View};

mod wire;
mod writer;
