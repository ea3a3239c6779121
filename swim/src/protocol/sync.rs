//! Fetching a table, page by page: how a newcomer gets the member list, and how members whose
//! tables differ become equal.
//!
//! A page covers a range of the names' hashes, so it means the same while the table changes:
//! whoever is there the whole time is in one of the pages. The asker joins ranges and asks again
//! from the first gap. It says with a hash for each small range what it has there, and is sent
//! only the ranges that differ.

use super::join::Purpose;
use super::{Protocol, Sender};
use crate::packet::Draft;
use crate::wire::{Message, RANGES_MAX, Range, Update};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, NodeId};

/// A table being fetched.
#[derive(Debug)]
pub(super) struct Pull {
    from: SocketAddr,
    pub(super) purpose: Purpose,
    /// Everything below is here.
    cursor: u64,
    /// Pages beyond a gap, by where they begin.
    ahead: BTreeMap<u64, Part>,
    n_tries: u32,
    next: Instant,
}

/// How a page ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// 0: the table ends with it.
    pub(super) until: u64,
    /// Whether the page after it is on its way without being asked for.
    pub(super) more: bool,
}

/// Some of a table, up to a position (0: to the end).
struct Differing {
    updates: Vec<(u64, Update)>,
    until: u64,
}

impl Pull {
    pub(super) const fn due(&self) -> Instant {
        self.next
    }
}

impl Protocol {
    /// Fetches what a member's table has that this one lacks. While news travels tables differ
    /// anyhow, so then at most once per probe interval, and once per gossip interval otherwise.
    pub(super) fn start_sync(&mut self, now: Instant, sender: &Sender) {
        let rest = match self.news.is_empty() {
            true => self.config.gossip_interval,
            false => self.config.probe_interval,
        };
        let is_rested = self.last_sync.is_none_or(|last| last + rest <= now);
        // A newcomer is about to get a whole table.
        let is_joining = self.pulls.values().any(|pull| pull.purpose != Purpose::Sync);
        if is_rested && !is_joining && self.may_cause(0) {
            self.last_sync = Some(now);
            self.start_pull(now, sender, Purpose::Sync);
        }
    }

    pub(super) fn start_pull(&mut self, now: Instant, sender: &Sender, purpose: Purpose) {
        let is_known = self.pulls.contains_key(&sender.id);
        let is_sync = purpose == Purpose::Sync;
        let n_max = if is_sync { SYNCS_MAX } else { PULLS_MAX };
        let is_needless = is_sync && (is_known || self.is_self(&sender.id.name));
        if is_needless || (!is_known && self.pulls.len() >= n_max) {
            return;
        }
        self.counters.syncs += 1;
        let pull = Pull {
            from: sender.from,
            purpose,
            cursor: 0,
            ahead: BTreeMap::new(),
            n_tries: 0,
            next: now,
        };
        self.pulls.insert(sender.id.clone(), pull);
        self.ask(now, &sender.id);
    }

    /// Asks (again) where an answer is missing.
    pub(super) fn pull_tick(&mut self, now: Instant) {
        let due: Vec<NodeId> = self
            .pulls
            .iter()
            .filter(|(_, pull)| pull.next <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.ask(now, &id);
        }
    }

    /// Asks one member (again) for what is missing.
    fn ask(&mut self, now: Instant, id: &NodeId) {
        let timeout = self.config.probe_timeout;
        let Some(pull) = self.pulls.get_mut(id) else { return };
        if pull.n_tries >= TRIES {
            // A seed is tried again from the start, and tables are compared again.
            self.pulls.remove(id);
            return;
        }
        pull.n_tries += 1;
        pull.next = now + timeout;
        let (from, cursor, asks_in) =
            (pull.from, pull.cursor, pull.cursor == 0 && pull.purpose != Purpose::Sync);
        if asks_in {
            let own = self.own_statement();
            self.send(from, id, Message::Join, &[own]);
        } else {
            let ranges = self.table.ranges(cursor, RANGE_ITEMS, RANGES_MAX);
            self.send(from, id, Message::Pull { from: cursor, ranges }, &[]);
        }
    }

    pub(super) fn handle_pull(
        &mut self,
        now: Instant,
        sender: &Sender,
        from: u64,
        ranges: &[Range],
    ) {
        let n_pages = self.send_pages(sender, from, ranges);
        // Who lacks something mostly has something that is lacking here. Not on top of a whole
        // burst: no packet causes more than four.
        let differ = (1..PAGES_PER_PULL).contains(&n_pages);
        if from == 0 && differ && self.table.member(&sender.id).is_some_and(crate::Member::is_live)
        {
            self.start_sync(now, sender);
        }
    }

    /// Sends the table from `from` on, but for the `ranges` that are alike, up to a bounded
    /// number of packets. Returns how many had anything in them.
    pub(super) fn send_pages(&mut self, to: &Sender, mut from: u64, ranges: &[Range]) -> u32 {
        let Differing { updates, until: end } = self.differing(from, ranges);
        let is_anything = !updates.is_empty();
        let mut n_pages = 0;
        let mut rest = updates.into_iter().peekable();
        while n_pages < PAGES_PER_PULL && self.may_cause(0) {
            // These have the same length whatever they are, so the page can be filled before.
            let page = Message::Page { from, until: 0, more: false };
            let mut draft = Draft::new(page, self.body_len_max);
            while let Some((_, update)) = rest.next_if(|(_, update)| update.len() <= draft.room()) {
                draft.push(update);
            }
            let next = rest.peek().map(|(position, _)| *position);
            n_pages += 1;
            let more = next.is_some() && n_pages < PAGES_PER_PULL && self.may_cause(1);
            let page = Message::Page { from, until: next.unwrap_or(end), more };
            self.post(to.from, to.id.boot, draft.with_message(page));
            let Some(next) = next else { break };
            from = next;
        }
        if is_anything { n_pages } else { 0 }
    }

    /// What this table has from `from` on, but for the `ranges` that are alike.
    fn differing(&self, from: u64, ranges: &[Range]) -> Differing {
        let mut updates = Vec::new();
        let whole = [Range { until: 0, digest: 0 }];
        let described = if ranges.is_empty() { &whole } else { ranges };
        let mut start = from;
        for range in described {
            if ranges.is_empty() || self.table.range_digest(start, range.until) != range.digest {
                let entries = self.table.range(start, range.until);
                let entries = entries.take(ANSWER_ITEMS_MAX - updates.len());
                updates.extend(entries.map(|(at, entry)| (at, entry.statement(None))));
            }
            start = range.until;
            if range.until == 0 || updates.len() == ANSWER_ITEMS_MAX {
                break;
            }
        }
        Differing { updates, until: start }
    }

    /// A page arrived; its updates are merged already.
    pub(super) fn handle_page(&mut self, now: Instant, sender: &Sender, from: u64, part: Part) {
        let (reordered, timeout) = (self.config.probe_timeout_min, self.config.probe_timeout);
        let Some(pull) = self.pulls.get_mut(&sender.id) else { return };
        if part.until != 0 && part.until <= from {
            return;
        }
        if pull.ahead.len() < PAGES_AHEAD_MAX || from <= pull.cursor {
            pull.ahead.insert(from, part);
        }
        let (before, mut more) = (pull.cursor, true);
        while let Some((&from, &part)) = pull.ahead.first_key_value()
            && from <= pull.cursor
        {
            pull.ahead.pop_first();
            if part.until == 0 {
                return self.finish_pull(now, &sender.id);
            }
            if part.until > pull.cursor {
                (pull.cursor, more) = (part.until, part.more);
            }
        }
        if pull.cursor > before {
            (pull.n_tries, pull.next) = (0, now + timeout);
            if !more {
                return self.ask(now, &sender.id);
            }
        }
        // The last one has overtaken another one, or that is lost.
        if pull.ahead.values().any(|ahead| !ahead.more) {
            pull.next = pull.next.min(now + reordered);
        }
    }

    fn finish_pull(&mut self, now: Instant, id: &NodeId) {
        if let Some(pull) = self.pulls.remove(id) {
            self.last_sync = Some(now);
            self.handle_pulled(now, id, &pull.purpose);
        }
    }

    /// A member's table has the hash `digest`. Where it differs, this node fetches what it lacks;
    /// the other does the same by the hash in its answer.
    pub(super) fn compare(&mut self, now: Instant, sender: &Sender, digest: u64) {
        if digest != self.table.digest()
            && self.table.member(&sender.id).is_some_and(crate::Member::is_live)
        {
            self.start_sync(now, sender);
        }
    }

    /// Now and then the whole table is fetched from anybody: a hash can only tell of the live.
    pub(super) fn sync_tick(&mut self, now: Instant) {
        if self.next_sync > now {
            return;
        }
        self.next_sync = now + self.config.sync_interval;
        self.table.forget(now - self.config.dead_memory);
        let other = self.order.sample(&mut self.rng, &mut self.table, 1, None).pop();
        if let Some(entry) = other.and_then(|position| self.table.at(position)) {
            let sender = Sender { id: entry.member.id.clone(), from: entry.member.address };
            self.start_sync(now, &sender);
        }
    }
}

/// The most packets that answer one request: bounds what a request can cause.
const PAGES_PER_PULL: u32 = 3;

/// More records than the packets of one answer can hold, so that it is cut by those and not here.
const ANSWER_ITEMS_MAX: usize = 64 * PAGES_PER_PULL as usize;

/// How many records a range has that is described by one hash: about what one packet holds.
const RANGE_ITEMS: usize = 8;

/// The most pages kept beyond a gap.
const PAGES_AHEAD_MAX: usize = 16;

/// The most tables fetched at once for comparison, and for all reasons.
const SYNCS_MAX: usize = 4;
const PULLS_MAX: usize = 16;

/// How often a request is repeated, a probe timeout apart.
const TRIES: u32 = 10;
