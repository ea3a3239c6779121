//! What one agent has said, in order, with the time at which it arrived here.

use super::says::{Event, Kind, Life, Line};
use super::view::View;
use crate::process::Written;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

#[derive(Default)]
pub(in super::super) struct Log {
    started: Option<(Life, SocketAddr)>,
    /// Up to [`EVENTS_MAX`]; what came after is counted.
    events: Vec<(Instant, Event)>,
    n_too_many: u64,
    /// The reply that came last, and its number.
    reply: (u64, serde_json::Value),
    view: View,
    /// As they were written, up to [`LAST_MAX`].
    last: VecDeque<String>,
    has_ended: bool,
}

impl Log {
    pub(super) fn take(&mut self, at: Instant, written: Written) {
        let text = match written {
            Written::Out(text) => text,
            Written::Err(text) => return self.keep(format!("stderr: {text}")),
            Written::End => {
                self.has_ended = true;
                return self.keep("(ended)".to_owned());
            }
        };
        match Line::parse(&text) {
            Some(Line::Event(event)) => {
                self.take_event(at, event);
                self.keep(text);
            }
            Some(Line::Snapshot(members)) => {
                let own = self.started.as_ref().map_or("", |(life, _)| &life.node);
                self.view.take_all(own, members);
            }
            // A reply is long, and was asked for by who reads it.
            Some(Line::Reply { object, .. }) => self.reply = (self.reply.0 + 1, object),
            None => self.keep(format!("not understood: {text}")),
        }
    }

    fn take_event(&mut self, at: Instant, event: Event) {
        self.view.take(&event);
        if let (Kind::Started, Some(life), Some(address)) =
            (event.kind, event.about.clone(), event.address)
        {
            self.started = Some((life, address));
        }
        if self.events.len() < EVENTS_MAX {
            self.events.push((at, event));
        } else {
            self.n_too_many += 1;
        }
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Who the agent is and where, once it has said so.
    pub(super) const fn started(&self) -> Option<&(Life, SocketAddr)> {
        self.started.as_ref()
    }

    /// What it believes of the others.
    pub(in super::super) const fn view(&self) -> &View {
        &self.view
    }

    /// The events since a moment.
    pub(in super::super) fn since(
        &self,
        moment: Instant,
    ) -> impl Iterator<Item = &(Instant, Event)> {
        let first = self.events.partition_point(|(at, _)| *at < moment);
        self.events[first..].iter()
    }

    /// When it first said this of that life since a moment.
    pub(in super::super) fn heard(
        &self,
        moment: Instant,
        kind: Kind,
        life: &Life,
    ) -> Option<Instant> {
        let is_it = |event: &Event| event.kind == kind && event.about.as_ref() == Some(life);
        self.since(moment).find(|(_, event)| is_it(event)).map(|(at, _)| *at)
    }

    /// All events.
    pub(in super::super) fn all(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter().map(|(_, event)| event)
    }

    /// When it said something last.
    pub(in super::super) fn last_at(&self) -> Option<Instant> {
        self.events.last().map(|(at, _)| *at)
    }

    /// The reply that came last, and how many came.
    pub(in super::super) const fn reply(&self) -> (u64, &serde_json::Value) {
        (self.reply.0, &self.reply.1)
    }

    pub(in super::super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Why the events are not all that happened, if they are not.
    pub(in super::super) fn gap(&self) -> Option<String> {
        if self.n_too_many > 0 {
            return Some(format!("{} events more than the harness keeps", self.n_too_many));
        }
        let missed = self.events.iter().any(|(_, event)| event.kind == Kind::Missed);
        missed.then(|| "it missed events of its own".to_owned())
    }

    /// The last lines that it wrote.
    pub(in super::super) fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

/// An agent of a thousand that joins, suspects all and buries all has some 5,000.
const EVENTS_MAX: usize = 100_000;

/// How many lines of each agent a failure shows.
const LAST_MAX: usize = 12;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the log is about moments")]
mod tests {
    use super::*;

    fn say(log: &mut Log, text: &str) -> Instant {
        let at = Instant::now();
        log.take(at, Written::Out(text.to_owned()));
        at
    }

    fn b() -> Life {
        Life { node: "b".into(), boot: "1".into() }
    }

    #[test]
    fn an_event_is_found_by_its_kind_its_life_and_since_when() {
        let mut log = Log::default();
        let first = say(&mut log, r#"{"event":"failed","node":"b","boot":"1"}"#);
        assert_eq!(log.heard(first, Kind::Failed, &b()), Some(first));
        assert_eq!(log.heard(first, Kind::Left, &b()), None);
        let other = Life { boot: "2".into(), ..b() };
        assert_eq!(log.heard(first, Kind::Failed, &other), None);
        let later = first + std::time::Duration::from_nanos(1);
        assert_eq!(log.heard(later, Kind::Failed, &b()), None);
    }

    #[test]
    fn the_last_lines_are_kept_and_replies_are_not_among_them() {
        let mut log = Log::default();
        for n in 0..20 {
            say(&mut log, &format!("line {n}"));
        }
        say(&mut log, r#"{"reply":"members","members":[]}"#);
        log.take(Instant::now(), Written::End);
        assert_eq!(log.last().count(), LAST_MAX);
        assert_eq!(log.last().last(), Some("(ended)"));
        assert!(log.has_ended());
        assert_eq!(log.reply().0, 1);
    }

    #[test]
    fn who_missed_events_has_a_gap() {
        let mut log = Log::default();
        say(&mut log, r#"{"event":"merged"}"#);
        assert_eq!(log.gap(), None);
        say(&mut log, r#"{"event":"missed","n":3}"#);
        assert!(log.gap().is_some());
    }
}
