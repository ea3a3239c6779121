//! The lines of an agent, as the harness reads them.

use super::view::State;
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;

/// A node in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Life {
    pub(in super::super) node: String,
    pub(in super::super) boot: String,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.node, self.boot)
    }
}

/// What an event line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Event {
    pub(in super::super) kind: Kind,
    /// About whom it is, if about anybody.
    pub(in super::super) about: Option<Life>,
    pub(in super::super) address: Option<SocketAddr>,
    pub(in super::super) incarnation: Option<u64>,
    /// How a failure is known.
    pub(in super::super) why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Kind {
    Started,
    Joined,
    Updated,
    Suspected,
    Refuted,
    Failed,
    Left,
    Merged,
    NameTaken,
    BootBehind,
    Departed,
    /// The agent was too slow for its own events: what it believes is in none of them.
    Missed,
    /// One that no scenario asks for.
    #[serde(other)]
    Other,
}

/// A member in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Listed {
    pub(super) node: String,
    pub(super) boot: String,
    pub(super) address: SocketAddr,
    pub(super) state: State,
}

/// A line of an agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    Event(Event),
    /// All that the agent believes, in the place of what its events had added up to.
    Snapshot(Vec<Listed>),
    Reply {
        to: String,
        object: serde_json::Value,
    },
}

impl Line {
    /// Reads a line; `None` where it is none of an agent's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Fields {
            event: Option<Kind>,
            reply: Option<String>,
            node: Option<String>,
            boot: Option<String>,
            address: Option<SocketAddr>,
            incarnation: Option<u64>,
            why: Option<String>,
            members: Option<Vec<Listed>>,
        }
        let fields: Fields = serde_json::from_str(text).ok()?;
        if let Some(to) = fields.reply {
            return Some(Self::Reply { to, object: serde_json::from_str(text).ok()? });
        }
        if let Some(members) = fields.members {
            return Some(Self::Snapshot(members));
        }
        let about = fields.node.zip(fields.boot).map(|(node, boot)| Life { node, boot });
        let Fields { address, incarnation, why, .. } = fields;
        Some(Self::Event(Event { kind: fields.event?, about, address, incarnation, why }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_with_what_it_is_about() {
        let text = r#"{"event":"joined","at_ms":7,"node":"b","boot":"1.2",
                       "address":"10.77.0.2:7946","incarnation":3,"tags":{}}"#;
        let event = Event {
            kind: Kind::Joined,
            about: Some(Life { node: "b".into(), boot: "1.2".into() }),
            address: Some("10.77.0.2:7946".parse().expect("an address")),
            incarnation: Some(3),
            why: None,
        };
        assert_eq!(Line::parse(text), Some(Line::Event(event)));
    }

    #[test]
    fn a_snapshot_is_read_with_its_members() {
        let text = r#"{"event":"snapshot","members":[{"node":"b","boot":"1.2","state":"suspect",
                       "address":"10.77.0.2:7946","incarnation":3,"tags":{}}]}"#;
        let Some(Line::Snapshot(members)) = Line::parse(text) else { panic!("it is a snapshot") };
        assert_eq!((members[0].node.as_str(), members[0].state), ("b", State::Suspect));
    }

    #[test]
    fn an_event_that_is_new_is_another_one() {
        let Some(Line::Event(event)) = Line::parse(r#"{"event":"moved_house"}"#) else {
            panic!("it is an event");
        };
        assert_eq!(event.kind, Kind::Other);
    }

    #[test]
    fn what_is_neither_event_nor_reply_is_nothing() {
        for text in ["", "thread panicked", "{}", r#"{"event":7}"#, r#"{"node":"b"}"#] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
        let reply = Line::parse(r#"{"reply":"tags","tags":{"a":"1"}}"#);
        assert!(matches!(reply, Some(Line::Reply { to, .. }) if to == "tags"));
    }
}
