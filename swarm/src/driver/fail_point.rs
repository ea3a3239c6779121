//! Points of the move protocol at which a node ends itself, as if it were killed: for tests of what
//! moves survive.

use super::Driver;
use crate::node::{Event, Peer, Wire};
use std::str::FromStr;
use swarm_base::Output;

/// A message of a move, and which end of it dies: see [`Builder::fail_at`](crate::Builder::fail_at).
///
/// As text it is the message and `sent` or `received`, as in `commit:sent`: in the place of sending
/// it, or before it is handled. The messages are `offer`, `ready`, `commit`, `ack` and `done`;
/// `announce`, `chunk` and `chunk-ok` of a large state; `mails` and `taken` of a mailbox in parts;
/// and `refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailPoint {
    message: &'static str,
    end: MessageEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MessageEnd {
    Sent,
    Received,
}

/// The messages of moves that a living source and target send to each other.
const MESSAGES: [&str; 11] = [
    "offer", "announce", "chunk", "chunk-ok", "ready", "refused", "mails", "taken", "commit",
    "ack", "done",
];

/// A text that is no point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no message of a move with `:sent` or `:received`")]
pub struct FailPointError(String);

impl FromStr for FailPoint {
    type Err = FailPointError;

    fn from_str(text: &str) -> Result<Self, FailPointError> {
        let wrong = || FailPointError(text.to_owned());
        let (message, end) = text.split_once(':').ok_or_else(wrong)?;
        let message = MESSAGES.into_iter().find(|known| *known == message).ok_or_else(wrong)?;
        let end = match end {
            "sent" => MessageEnd::Sent,
            "received" => MessageEnd::Received,
            _ => return Err(wrong()),
        };
        Ok(Self { message, end })
    }
}

impl FailPoint {
    fn is_at(self, end: MessageEnd, frame: &[u8]) -> bool {
        self.end == end
            && matches!(Wire::decode(frame), Ok(Wire::Move(it)) if it.label() == self.message)
    }
}

impl Driver {
    /// Ends this process where it was to send such a message.
    pub(super) fn fail_before(&self, output: &Output<Peer, Vec<u8>, Event>) {
        if let Output::Send { to: Peer::Control(_) | Peer::Bulk(_), message } = output
            && self.fail_at.is_some_and(|point| point.is_at(MessageEnd::Sent, message))
        {
            std::process::abort();
        }
    }

    /// Ends this process where such a message has come.
    pub(super) fn fail_on(&self, frame: &[u8]) {
        if self.fail_at.is_some_and(|point| point.is_at(MessageEnd::Received, frame)) {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::Boot;
    use swarm_handoff::{MoveId, MoveMessage};

    #[test]
    fn a_point_is_a_message_and_one_of_its_ends() {
        let id = MoveId { source: Boot { millis: 1, random: 2 }, serial: 3 };
        let frame = Wire::Move(MoveMessage::Ready { id }).encode().expect("it encodes");
        for (text, end, hit) in [
            ("ready:sent", MessageEnd::Sent, true),
            ("ready:sent", MessageEnd::Received, false),
            ("ready:received", MessageEnd::Received, true),
            ("commit:sent", MessageEnd::Sent, false),
            ("chunk-ok:sent", MessageEnd::Sent, false),
        ] {
            let point: FailPoint = text.parse().expect("a point");
            assert_eq!(point.is_at(end, &frame), hit, "{text} {end:?}");
        }
        for known in MESSAGES {
            assert!(format!("{known}:sent").parse::<FailPoint>().is_ok(), "{known}");
        }
        for bad in ["", "ready", "ready:", "ready:late", "hello:sent"] {
            assert_eq!(bad.parse::<FailPoint>(), Err(FailPointError(bad.to_owned())));
        }
    }
}
