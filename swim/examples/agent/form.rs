//! The shape of what is told: objects for programs, sentences and tables for people.

use serde_json::{Value, json};
use swarm_base::NodeId;
use swarm_swim::udp::Group;
use swarm_swim::{Counters, Event, Member, Tags};

/// About whom an event is.
pub(crate) fn subject(event: &Event) -> Option<&NodeId> {
    match event {
        Event::Joined(member) | Event::Updated(member) => Some(&member.id),
        Event::Suspected { node, .. }
        | Event::Refuted { node }
        | Event::Failed { node, .. }
        | Event::Left { node } => Some(node),
        _ => None,
    }
}

/// An event as an object, with what is known of whom it is about.
pub(crate) fn event(event: &Event, known: Option<&Member>) -> Value {
    let mut object = match event {
        Event::Joined(_) => json!({ "event": "joined" }),
        Event::Updated(_) => json!({ "event": "updated" }),
        Event::Suspected { by, .. } => json!({ "event": "suspected", "by": by.name.as_str() }),
        Event::Refuted { .. } => json!({ "event": "refuted" }),
        Event::Failed { why, .. } => {
            json!({ "event": "failed", "why": format!("{why:?}").to_lowercase() })
        }
        Event::Left { .. } => json!({ "event": "left" }),
        Event::Merged => json!({ "event": "merged" }),
        Event::NameTaken { holder } => {
            json!({ "event": "name_taken", "holder": holder.to_string() })
        }
        Event::BootBehind { remembered } => {
            json!({ "event": "boot_behind", "remembered": remembered.to_string() })
        }
        Event::Departed => json!({ "event": "departed" }),
        other => json!({ "event": "other", "text": format!("{other:?}") }),
    };
    // What the event itself carries is as of the event; the table may be ahead of it.
    let known = match event {
        Event::Joined(member) | Event::Updated(member) => Some(member),
        _ => known,
    };
    if let Some(id) = subject(event) {
        object["node"] = id.name.as_str().into();
        object["boot"] = id.boot.to_string().into();
    }
    if let Some(known) = known {
        object["address"] = known.address.to_string().into();
        object["incarnation"] = known.incarnation.into();
        object["tags"] = tags(&Tags::of(&known.metadata));
    }
    object
}

/// An event as a sentence.
pub(crate) fn sentence(event: &Event) -> String {
    match event {
        Event::Joined(member) => format!("joined: {} at {}", member.id, member.address),
        Event::Updated(member) => {
            let tags = tags_on_a_line(&Tags::of(&member.metadata));
            format!("updated: {}: {tags}", member.id)
        }
        Event::Suspected { node, by } => format!("suspected: {node}, by {by}"),
        Event::Refuted { node } => format!("refuted: {node}"),
        Event::Failed { node, why } => format!("failed: {node} ({why:?})"),
        Event::Left { node } => format!("left: {node}"),
        Event::Merged => "merged: the member list is here".to_owned(),
        Event::NameTaken { holder } => format!("this name is taken, by the node at {holder}"),
        Event::BootBehind { remembered } => {
            format!("the clock is behind: the group remembers boot {remembered}")
        }
        Event::Departed => "left".to_owned(),
        other => format!("{other:?}"),
    }
}

/// A member as an object.
pub(crate) fn member(member: &Member) -> Value {
    json!({
        "node": member.id.name.as_str(),
        "boot": member.id.boot.to_string(),
        "address": member.address.to_string(),
        "state": state(member),
        "incarnation": member.incarnation,
        "tags": tags(&Tags::of(&member.metadata)),
    })
}

fn state(member: &Member) -> String {
    format!("{:?}", member.state).to_lowercase()
}

/// The members, in columns that are as wide as they need to be.
pub(crate) fn table(members: &[Member]) -> String {
    let head = ["NAME", "STATE", "ADDRESS", "INCARNATION", "TAGS"].map(String::from);
    let rows = members.iter().map(|member| {
        [
            member.id.name.to_string(),
            state(member),
            member.address.to_string(),
            member.incarnation.to_string(),
            tags_on_a_line(&Tags::of(&member.metadata)),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).filter_map(width).collect();
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(crate) fn tags_on_a_line(tags: &Tags) -> String {
    tags.to_string().replace('\n', " ")
}

/// All that a node counts, its health and its open streams.
pub(crate) fn counts(group: &Group) -> Vec<(&'static str, u64)> {
    let now = [("health", group.health().score().into()), ("streams", group.streams() as u64)];
    counters(&group.counters()).into_iter().chain(now).collect()
}

fn counters(counters: &Counters) -> [(&'static str, u64); 23] {
    let refused = &counters.refused;
    [
        ("packets_out", counters.packets_out),
        ("bytes_out", counters.bytes_out),
        ("packets_in", counters.packets_in),
        ("bytes_in", counters.bytes_in),
        ("probes", counters.probes),
        ("probes_failed", counters.probes_failed),
        ("relayed", counters.relayed),
        ("suspicions", counters.suspicions),
        ("refutations", counters.refutations),
        ("deaths", counters.deaths),
        ("corrections", counters.corrections),
        ("syncs", counters.syncs),
        ("pauses", counters.pauses),
        ("overflow", counters.overflow),
        ("refused_oversized", refused.oversized),
        ("refused_header", refused.header),
        ("refused_cluster", refused.cluster),
        ("refused_key", refused.key),
        ("refused_receiver", refused.receiver),
        ("refused_tag", refused.tag),
        ("refused_replay", refused.replay),
        ("refused_budget", refused.budget),
        ("refused_body", refused.body),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use swarm_base::{Boot, NodeName};
    use swarm_swim::{Failure, Metadata, Record, State};

    fn member() -> Member {
        let record = Record {
            id: NodeId::new(NodeName::new("b").expect("a name"), Boot { millis: 17, random: 0 }),
            address: "127.0.0.1:7".parse().expect("an address"),
            metadata: Metadata::new("role=web").expect("short"),
        };
        Member { record: Arc::new(record), state: State::Suspect, incarnation: 3 }
    }

    #[test]
    fn an_event_is_an_object_with_what_is_known_of_the_node() {
        let object = event(
            &Event::Failed { node: member().id.clone(), why: Failure::Timeout },
            Some(&member()),
        );
        let expected = json!({
            "event": "failed", "why": "timeout", "node": "b", "boot": "11.00000000",
            "address": "127.0.0.1:7", "incarnation": 3, "tags": { "role": "web" },
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn the_table_has_a_line_for_each_member() {
        let expected = "NAME  STATE    ADDRESS      INCARNATION  TAGS\n\
                        b     suspect  127.0.0.1:7  3            role=web";
        assert_eq!(table(&[member()]), expected);
    }

    #[test]
    fn no_counter_is_shown_twice() {
        let mut names = counters(&Counters::default()).map(|(name, _)| name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
