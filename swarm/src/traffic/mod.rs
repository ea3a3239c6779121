//! Messages between processes: around the node's task, from the sender's task straight into a
//! mailbox or into the queue of a connection.

mod frame;
mod gone;
mod inbound;
mod letter;
mod many;
pub(crate) use many::Outcomes;
mod outbound;
mod routes;
mod seldom;
mod watch_books;
mod watches;

pub(crate) use frame::{Call, Frame, Mail, encode_mail};
pub(crate) use gone::Gone;
pub(crate) use inbound::{Inbound, Sink, decode_handed_over, encode_handed_over};
pub(crate) use outbound::Whom;
pub(crate) use routes::{Route, Routes};
pub(crate) use watches::{Watcher, Watches};
