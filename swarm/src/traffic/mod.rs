//! Messages between processes: around the node's task, from the sender's task straight into a
//! mailbox or into the queue of a connection.

mod following;
mod frame;
mod inbound;
mod letter;
mod many;
pub(crate) use many::Outcomes;
mod outbound;
mod remembered;
mod routes;
mod seldom;
mod trails;
mod watch_books;
mod watches;

pub(crate) use frame::{Call, Frame, Mail, encode_mail};
pub(crate) use inbound::{Inbound, Sink, decode_handed_over, encode_handed_over};
pub(crate) use outbound::Whom;
pub(crate) use remembered::Remembered;
pub(crate) use routes::{Route, Routes};
pub(crate) use trails::Trails;
pub(crate) use watches::{Watcher, Watches};
