//! What the agent prints: a line for a person, or a JSON object a line for a program.
//!
//! Each object has `at_ms`, the milliseconds since the start by a clock that never steps, and
//! `wall_ms`, the milliseconds since 1970. What happens has `event`, what was asked for `reply`.

#![expect(clippy::disallowed_methods, reason = "each line tells when it was written")]

use crate::command::HELP;
use crate::form;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use swarm_base::NodeId;
use swarm_swim::udp::{Group, Notice};
use swarm_swim::{Event, KeyId, KeyReport, Member, Tags};

#[derive(Clone, Copy)]
pub(crate) enum Style {
    Text,
    Json,
}

pub(crate) struct Report {
    style: Style,
    started: Instant,
    /// The life of this node that it told of last.
    shown: Option<NodeId>,
}

impl Report {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, started: Instant::now(), shown: None }
    }

    /// Which life of the node this is, and where.
    pub(crate) fn started(&mut self, group: &Group) -> io::Result<()> {
        let (me, address) = (group.id(), group.address());
        self.shown = Some(me.clone());
        let object = json!({
            "event": "started",
            "node": me.name.as_str(),
            "boot": me.boot.to_string(),
            "address": address.to_string(),
        });
        self.say(object, || format!("{me} at {address}, boot {}", me.boot))
    }

    /// What the subscription tells, with what the member table says of whom it is about.
    pub(crate) fn notice(&mut self, notice: &Notice, group: &Group) -> io::Result<()> {
        match notice {
            Notice::Snapshot(members) => {
                let list: Value = members.iter().map(form::member).collect();
                self.say(json!({ "event": "snapshot", "members": list }), || form::table(members))?;
            }
            Notice::Lagged { missed } => {
                self.say(json!({ "event": "missed", "n": missed }), || {
                    format!("missed {missed} events: this is how things stand")
                })?;
            }
            Notice::Event(event) => {
                let members = group.members();
                let is_it = |member: &&Member| Some(&member.id) == form::subject(event);
                let known = members.iter().find(is_it);
                self.say(form::event(event, known), || form::sentence(event))?;
            }
        }
        // The group remembered a later life than this one: another one has begun.
        if self.shown.as_ref().is_some_and(|shown| *shown != group.id()) {
            self.started(group)?;
        }
        Ok(())
    }

    /// An event after the goodbye, when there is no table any more.
    pub(crate) fn last_event(&self, event: &Event) -> io::Result<()> {
        self.say(form::event(event, None), || form::sentence(event))
    }

    pub(crate) fn members(&self, group: &Group) -> io::Result<()> {
        let members = group.members();
        let list: Value = members.iter().map(form::member).collect();
        self.say(json!({ "reply": "members", "members": list }), || form::table(&members))
    }

    pub(crate) fn counters(&self, group: &Group) -> io::Result<()> {
        let counters = form::counts(group);
        let object: Value = counters.iter().map(|(name, n)| (*name, *n)).collect();
        self.say(json!({ "reply": "counters", "counters": object }), || {
            let lines = counters.iter().map(|(name, n)| format!("{name:<20} {n:>10}"));
            lines.collect::<Vec<_>>().join("\n")
        })
    }

    pub(crate) fn own_tags(&self, group: &Group) -> io::Result<()> {
        let (me, members) = (group.id(), group.members());
        let own = members.iter().find(|member| member.id == me);
        self.tags(&own.map(|own| Tags::of(&own.metadata)).unwrap_or_default())
    }

    pub(crate) fn tags(&self, tags: &Tags) -> io::Result<()> {
        let object = json!({ "reply": "tags", "tags": form::tags(tags) });
        self.say(object, || format!("tags: {}", form::tags_on_a_line(tags)))
    }

    pub(crate) fn help(&self) -> io::Result<()> {
        self.say(json!({ "reply": "help", "text": HELP }), || HELP.to_owned())
    }

    pub(crate) fn keys(&self, group: &Group) -> io::Result<()> {
        let keys: Vec<String> = group.keys().iter().map(KeyId::to_string).collect();
        self.say(json!({ "reply": "keys", "keys": keys }), || keys.join("\n"))
    }

    /// A step that every member has confirmed.
    pub(crate) fn key_change(&self, done: &KeyReport) -> io::Result<()> {
        let (key, n_confirmed) = (done.id.to_string(), done.confirmed.len());
        let object = json!({ "reply": "key", "key": key, "confirmed": n_confirmed });
        self.say(object, || done.to_string())
    }

    pub(crate) fn done(&self, what: &str) -> io::Result<()> {
        self.say(json!({ "reply": what }), || format!("{what}: done, or under way"))
    }

    pub(crate) fn refused(&self, sentence: &str) -> io::Result<()> {
        self.say(json!({ "reply": "refused", "why": sentence }), || sentence.to_owned())
    }

    fn say(&self, mut object: Value, text: impl FnOnce() -> String) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.style {
            Style::Text => writeln!(out, "{}", text())?,
            Style::Json => {
                let wall = SystemTime::now().duration_since(UNIX_EPOCH);
                object["at_ms"] = (self.started.elapsed().as_millis() as u64).into();
                object["wall_ms"] = wall.map_or(0, |since| since.as_millis() as u64).into();
                writeln!(out, "{object}")?;
            }
        }
        out.flush()
    }
}
