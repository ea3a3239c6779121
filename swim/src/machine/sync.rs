//! Fetching a table, page by page: how a newcomer gets the member list, and how members whose
//! tables differ become equal.
//!
//! A page covers a range of the names' hashes, so it means the same while the table changes:
//! whoever is there the whole time is in one of the pages. The asker joins ranges and asks again
//! from the first gap.

use super::join::Purpose;
use super::{Sender, Swim};
use crate::wire::Message;
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
    /// Pages beyond a gap: where they begin and end.
    ahead: BTreeMap<u64, u64>,
    n_pages: u32,
    n_tries: u32,
    next: Instant,
}

impl Pull {
    pub(super) const fn due(&self) -> Instant {
        self.next
    }
}

impl Swim {
    /// Fetches the table of a member, at most once per probe interval for all reasons: while news
    /// travels tables differ anyhow, and a newcomer is about to get one.
    pub(super) fn start_sync(&mut self, now: Instant, sender: &Sender) {
        let is_joining = self.pulls.values().any(|pull| pull.purpose != Purpose::Sync);
        if now >= self.sync_rest && !is_joining {
            self.sync_rest = now + self.config.probe_interval;
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
            n_pages: 0,
            n_tries: 0,
            next: now,
        };
        self.pulls.insert(sender.id.clone(), pull);
        self.pull_tick(now);
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
            let timeout = self.config.probe_timeout;
            let Some(pull) = self.pulls.get_mut(&id) else { continue };
            if pull.n_tries >= TRIES {
                // A seed is tried again from the start, and tables are compared again.
                self.pulls.remove(&id);
                continue;
            }
            pull.n_tries += 1;
            pull.next = now + timeout;
            let (from, cursor, asks_in) =
                (pull.from, pull.cursor, pull.cursor == 0 && pull.purpose != Purpose::Sync);
            if asks_in {
                let own = self.own_statement();
                self.send(from, &id, &Message::Join, &[own]);
            } else {
                self.send(from, &id, &Message::Pull { from: cursor }, &[]);
            }
        }
    }

    pub(super) fn handle_pull(&mut self, sender: &Sender, from: u64) {
        self.send_pages(sender, from);
    }

    /// Sends the table from `from` on, up to a bounded number of packets.
    pub(super) fn send_pages(&mut self, to: &Sender, mut from: u64) {
        let names = self.table.page(from);
        let mut rest = names.as_slice();
        for _ in 0..PAGES_PER_PULL {
            // More than fit a packet, so that the packet and not this number ends a page.
            let next = &rest[..rest.len().min(PAGE_ITEMS_MAX)];
            let updates: Vec<_> =
                next.iter().filter_map(|(_, name)| self.table.statement(name, None)).collect();
            // `until` has the same length whatever it is, so what fits can be counted before.
            let n_fit = self.n_fitting(&updates);
            rest = &rest[n_fit..];
            let until = rest.first().map_or(0, |(position, _)| *position);
            let page = Message::Page { from, until };
            self.send_bare(to.from, to.id.boot, &page, &updates[..n_fit]);
            if until == 0 {
                return;
            }
            from = until;
        }
    }

    fn n_fitting(&self, updates: &[crate::wire::Update]) -> usize {
        let mut body = Vec::new();
        Message::Page { from: 0, until: 0 }.encode(&mut body);
        updates
            .iter()
            .take_while(|update| {
                update.encode(&mut body);
                body.len() <= self.seal.body_len_max()
            })
            .count()
    }

    /// A page arrived; its updates are merged already.
    pub(super) fn handle_page(&mut self, now: Instant, sender: &Sender, from: u64, until: u64) {
        let timeout = self.config.probe_timeout;
        let Some(pull) = self.pulls.get_mut(&sender.id) else { return };
        if until != 0 && until <= from {
            return;
        }
        if pull.ahead.len() < PAGES_AHEAD_MAX || from <= pull.cursor {
            pull.ahead.insert(from, until);
        }
        let before = pull.cursor;
        while let Some((&from, &until)) = pull.ahead.first_key_value()
            && from <= pull.cursor
        {
            pull.ahead.pop_first();
            if until == 0 {
                return self.finish_pull(now, &sender.id);
            }
            pull.cursor = pull.cursor.max(until);
        }
        if pull.cursor > before {
            pull.n_tries = 0;
            pull.next = now + timeout;
            // The last of a burst: the sender waits to be asked for more.
            pull.n_pages += 1;
            if pull.n_pages.is_multiple_of(PAGES_PER_PULL) {
                pull.next = now;
                self.pull_tick(now);
            }
        }
    }

    fn finish_pull(&mut self, now: Instant, id: &NodeId) {
        if let Some(pull) = self.pulls.remove(id) {
            self.sync_rest = now + self.config.probe_interval;
            self.handle_pulled(id, &pull.purpose);
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
        if let Some(member) = self.random_members(1, None).pop() {
            self.start_sync(now, &Sender { id: member.id, from: member.address });
        }
    }
}

/// The most packets that answer one request: bounds what a request can cause.
const PAGES_PER_PULL: u32 = 4;

/// More records than the shortest of them fill a packet.
const PAGE_ITEMS_MAX: usize = 64;

/// The most pages kept beyond a gap.
const PAGES_AHEAD_MAX: usize = 16;

/// The most tables fetched at once for comparison, and for all reasons.
const SYNCS_MAX: usize = 4;
const PULLS_MAX: usize = 16;

/// How often a request is repeated, a probe timeout apart.
const TRIES: u32 = 10;
