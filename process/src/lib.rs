//! Processes on one node: mailboxes, the table, monitors and links, calls with deadlines,
//! supervision.
//!
//! A process is one task with a mailbox. What it does is a [`Behaviour`]; everything here is
//! untyped, and typed workers stand on top of it.
//!
//! | Piece | For |
//! |---|---|
//! | [`Processes`] | spawn, find, stop, monitor, link: all processes of a node |
//! | [`Handle`] | one process: send to it, signal it, kill it |
//! | [`Behaviour`], [`Context`] | what a process does, and what it can ask for |
//! | [`Mail`], [`Payload`], [`ReplyTo`] | a message, as a value or encoded, and the way back |
//! | [`Call`], [`Calls`], [`Slot`] | waiting for an answer, from here or from another node |
//! | [`Signal`], [`Notice`] | what a node tells a process, and a process its node |
//! | [`ExitReason`], [`Down`], [`Monitor`] | how processes end, and who is told |
//! | [`Supervision`] | whether a process that ended runs again |
//! | [`Wheel`], [`Clock`] | many coarse deadlines, and the one clock |

mod behaviour;
pub use behaviour::{Behaviour, Rival};

mod call;
pub use call::Call;

mod calls;
pub use calls::Calls;

mod clock;
pub use clock::Clock;

mod config;
pub use config::{Checked, Config, ConfigError};

mod context;
pub use context::Context;

mod exit;
pub use exit::{Down, ExitReason};

mod handle;
pub use handle::Handle;

mod lanes;

mod life;
pub use life::Mode;

mod mail;
pub use mail::{Mail, Parcel, Payload, Wire};

mod mailbox;
pub use mailbox::{Pressure, SendError};

mod monitor;
pub use monitor::{Monitor, MonitorId};

mod notice;
pub use notice::{Ask, Handoff, Notice, ResolveError};

mod panics;
pub use panics::contain;

mod processes;
pub use processes::{Processes, Spawn};

mod relations;
pub use relations::DownSink;

mod reply;
pub use reply::{ReplySink, ReplyTo, Route};

mod signal;
pub use signal::{Forward, Signal};

mod slot;
pub use slot::{Answer, CallFailure, Slot, Stage, Waiter};

mod supervision;
pub use supervision::{Decision, Intensity, Restart, Supervision};

mod table;
pub use table::Lookup;

mod timers;

mod wheel;
pub use wheel::{Timer, Wheel};
