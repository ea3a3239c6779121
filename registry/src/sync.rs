//! Replication: who is sent what, what is taken from whom, and how gaps are found and filled.
//!
//! A writer pushes its own log to every peer with a session, behind the position that the peer's
//! first compare told. All other logs are pulled: whoever holds less of a log asks whoever said
//! that it holds more. That is allowed where the log's own writer cannot send it: it is dead
//! (ownership, R1), or the session with it is down (ownership, consequence 3).

use crate::config::Config;
use crate::encoding::{self, FACT_LEN_MAX};
use crate::history::{BATCH_FACTS_MAX, BATCH_LEN_MAX, Batch};
use crate::log::{Asked, Log, LogId, OWN, Standing};
use crate::peer::{Feed, Next};
use crate::replica::Replica;
use crate::snapshot::{Added, Assembly, Building, CHUNKS_MAX, Snapshot};
use crate::staged::Takeover;
use crate::{Encoded, Event, Message, Registry, Rejection};
use std::sync::{Arc, Weak};
use std::time::Duration;
use swarm_base::{Instant, NodeId};

/// Positions end here: far above what a log reaches, and no sum of two overflows.
pub(crate) const POSITION_MAX: u64 = u64::MAX / 4;

/// How many milliseconds a peer that sends too fast waits at least: for a few batches at once,
/// rather than to be told for each.
const SLOWED_MIN_MS: u64 = 10;

/// How long a peer may make this node wait.
const SLOWED_MAX: Duration = Duration::from_secs(60);

/// An acknowledgement goes at once when it is for this many bytes.
const ACK_LEN: usize = 256 * 1024;

/// The head of a piece of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) position: u64,
    pub(crate) digest: u64,
    pub(crate) index: u32,
    pub(crate) of: u32,
    pub(crate) count: u32,
}

impl Registry {
    /// A run of somebody's log arrived.
    pub(crate) fn take_facts(
        &mut self,
        now: Instant,
        from: &NodeId,
        log: &NodeId,
        first: u64,
        facts: (u32, Encoded),
    ) {
        let (count, facts) = facts;
        let id = match self.takes(from, log) {
            Ok(id) => id,
            Err(why) => return self.reject(why),
        };
        if count == 0 || count > BATCH_FACTS_MAX || facts.len() > BATCH_LEN_MAX {
            return self.reject(Rejection::TooLarge);
        }
        if first == 0 || first > POSITION_MAX {
            return self.reject(Rejection::Position);
        }
        let last = first + u64::from(count) - 1;
        if let Some(takeover) = &mut self.replica.logs[id].takeover {
            // What it was is no more, and what it will be is not yet.
            takeover.missed = Some((from.clone(), last));
            return;
        }
        let held = self.replica.logs[id].position;
        if last <= held {
            return self.acknowledge(now, from, id, facts.len());
        }
        if self.is_too_fast(now, from, id, count) {
            return;
        }
        if first > held + 1 {
            return self.ask(now, from, id, last);
        }
        let Some(split) = encoding::split(&facts, count) else {
            return self.reject(Rejection::Malformed);
        };
        let (known, news) = split.split_at((held + 1 - first) as usize);
        let known_len: usize = known.iter().map(|fact| encoding::len(fact)).sum();
        for fact in news {
            self.take_fact(id, fact);
        }
        let whole = known.is_empty();
        let rest = if whole { facts.clone() } else { Encoded::new(&facts[known_len..]) };
        let bounds = self.bounds(id);
        let log = &mut self.replica.logs[id];
        log.position = last;
        self.arrived += last - held;
        let (first, count) = (held + 1, news.len() as u32);
        log.history.push(Batch { first, count, facts: rest, digest: log.digest }, bounds);
        self.advanced(now, id);
        self.acknowledge(now, from, id, facts.len());
    }

    /// A piece of a snapshot arrived.
    pub(crate) fn take_chunk(
        &mut self,
        now: Instant,
        from: &NodeId,
        log: &NodeId,
        head: Head,
        facts: Encoded,
    ) {
        let id = match self.takes(from, log) {
            Ok(id) => id,
            Err(why) => return self.reject(why),
        };
        let Head { position, digest, index, of, count } = head;
        if of > CHUNKS_MAX || index >= of || facts.len() > BATCH_LEN_MAX.max(FACT_LEN_MAX) {
            return self.reject(Rejection::TooLarge);
        }
        if position > POSITION_MAX {
            return self.reject(Rejection::Position);
        }
        let got = Message::Got { log: log.clone(), position, pieces: index + 1 };
        let len_max = self.config.snapshot_len_max;
        let Replica { logs, kinds, .. } = &mut self.replica;
        let of_log = &mut logs[id];
        let taken = of_log.takeover.as_ref().map_or(0, |takeover| takeover.position);
        if position <= of_log.position.max(taken) {
            // Overtaken, for example by the writer itself: the sender is let finish.
            of_log.assembly = None;
            return self.send(from, got);
        }
        if index == 0 {
            of_log.assembly = Some(Assembly::new(from.clone(), position, digest, of));
        }
        let added = match &mut of_log.assembly {
            Some(a) if (&a.from, a.position, a.digest, a.of) == (from, position, digest, of) => {
                a.add(index, (count, &facts), of_log.node.boot, kinds, len_max)
            }
            _ => Added::Refused,
        };
        match added {
            Added::Refused => {
                of_log.assembly = None;
                self.reject(Rejection::Snapshot);
            }
            Added::More => {
                self.arrived += 1;
                if let Some(asked) = &mut of_log.asked {
                    asked.until = now + self.config.ask_timeout;
                }
                self.send(from, got);
            }
            Added::Complete => self.take_snapshot(now, id),
        }
    }

    /// A peer told how far it has applied what it was sent.
    pub(crate) fn take_ack(&mut self, from: &NodeId, log: &NodeId, position: u64) {
        if let Some(feed) = self.feed(from, log) {
            feed.acknowledge(position);
            self.unsent = true;
        }
    }

    /// A peer has taken in pieces of a snapshot.
    pub(crate) fn take_got(&mut self, from: &NodeId, log: &NodeId, position: u64, pieces: u32) {
        if let Some(feed) = self.feed(from, log) {
            feed.got(position, pieces);
            self.unsent = true;
        }
    }

    /// Whether `from` has sent more facts than it may, these included. It is told so once, and what
    /// was on its way by then is not taken either.
    fn is_too_fast(&mut self, now: Instant, from: &NodeId, id: LogId, count: u32) -> bool {
        let Some(peer) = self.peers.get_mut(from) else { return false };
        if peer.slowed.get(&id).is_none_or(|until| *until <= now) {
            peer.slowed.remove(&id);
            let Err(wait) = peer.quota.take(now, count.into()) else { return false };
            // What comes before then is refused without a word: not a moment less is told.
            let wait_ms = u64::try_from(wait.as_millis() + 1).unwrap_or(u64::MAX);
            let wait_ms = wait_ms.max(SLOWED_MIN_MS);
            peer.slowed.insert(id, now + Duration::from_millis(wait_ms));
            let log = &self.replica.logs[id];
            let (log, after) = (log.node.clone(), log.position);
            self.send(from, Message::Slow { log, after, wait_ms });
        }
        self.reject(Rejection::TooFast);
        true
    }

    /// A peer takes no more facts for a while.
    pub(crate) fn take_slow(
        &mut self,
        now: Instant,
        from: &NodeId,
        log: &NodeId,
        after: u64,
        wait: Duration,
    ) {
        let held = self.position(log);
        if let Some(feed) = self.feed(from, log)
            && after <= held
        {
            let until = now + wait.min(SLOWED_MAX);
            feed.slow(after, until);
            self.resume_at = Some(self.resume_at.map_or(until, |at| at.min(until)));
            self.replica.events.push_back(Event::Slowed { peer: from.clone(), until });
        }
    }

    /// A peer wants what follows a position.
    pub(crate) fn take_ask(&mut self, from: &NodeId, log: &NodeId, after: u64) {
        let Some(id) = self.log_id(log) else { return };
        if after < self.replica.logs[id].position
            && let Some(peer) = self.peers.get_mut(from)
        {
            peer.feeds.insert(id, Feed::new(after));
            self.unsent = true;
        }
    }

    /// Asks `peer` for what follows the position of a log, up to `upto` at least, unless an
    /// answer is being waited for.
    pub(crate) fn ask(&mut self, now: Instant, peer: &NodeId, id: LogId, upto: u64) {
        let log = &mut self.replica.logs[id];
        if log.takeover.is_some() || log.asked.as_ref().is_some_and(|asked| asked.until > now) {
            return;
        }
        let until = now + self.config.ask_timeout;
        log.asked = Some(Asked { peer: peer.clone(), until, upto });
        let message = Message::Ask { log: log.node.clone(), after: log.position };
        self.send(peer, message);
    }

    /// Whether `from` may send facts of a log.
    pub(crate) fn may_send(&self, from: &NodeId, id: LogId) -> bool {
        let log = &self.replica.logs[id];
        log.node == *from || log.standing == Standing::Closed || !self.peers.contains_key(&log.node)
    }

    /// Sends every acknowledgement that is due.
    pub(crate) fn acknowledge_all(&mut self) {
        self.ack_at = None;
        for (node, peer) in &mut self.peers {
            for id in std::mem::take(&mut peer.acks).into_keys() {
                let log = &self.replica.logs[id];
                let message = Message::Ack { log: log.node.clone(), position: log.position };
                let to = node.clone();
                self.outputs.push_back(swarm_base::Output::Send { to, message });
            }
        }
    }

    /// Puts among the outputs what the peers are due, within what may be on its way to each.
    pub(crate) fn pump(&mut self) {
        self.unsent = false;
        self.seal();
        let sealed = self.replica.logs[OWN].position - u64::from(self.writer.n_open());
        let Config { feed_len_max: len_max, snapshot_window: window, slice_max: slice, .. } =
            self.config;
        self.resume_at = None;
        for (node, peer) in &mut self.peers {
            for (id, feed) in &mut peer.feeds {
                if let Some(until) = feed.slowed {
                    if until > self.now {
                        self.resume_at = Some(self.resume_at.map_or(until, |at| at.min(until)));
                        continue;
                    }
                    feed.slowed = None;
                }
                loop {
                    let log = &self.replica.logs[*id];
                    let upto = if *id == OWN { sealed } else { log.position };
                    match feed.next(log, upto, len_max, window) {
                        Next::Nothing => break,
                        Next::Send(message) => {
                            let to = node.clone();
                            self.outputs.push_back(swarm_base::Output::Send { to, message });
                        }
                        Next::Snapshot => match snapshot_of(&mut self.replica, *id, slice) {
                            Some(snapshot) => feed.begin(snapshot),
                            None => {
                                self.is_slicing = true;
                                break;
                            }
                        },
                    }
                }
            }
            let logs = &self.replica.logs;
            peer.feeds.retain(|id, feed| *id == OWN || !feed.has_sent(logs[*id].position));
        }
        self.made = None;
    }

    /// Closes the open batch, unless the last one was closed a moment ago: facts that come in
    /// quick succession travel together.
    fn seal(&mut self) {
        let due = self.sealed_at + self.config.push_delay;
        if self.writer.n_open() > 0 && self.now < due && !self.is_flushing {
            self.push_at = Some(due);
            return;
        }
        (self.push_at, self.is_flushing) = (None, false);
        let own = &self.replica.logs[OWN];
        if let Some(batch) = self.writer.seal(own.position, own.digest) {
            let bounds = self.bounds(OWN);
            self.replica.logs[OWN].history.push(batch, bounds);
            self.sealed_at = self.now;
        }
    }

    /// The log of a message, where the sender may send it.
    fn takes(&self, from: &NodeId, log: &NodeId) -> Result<LogId, Rejection> {
        if *log == self.me {
            return Err(Rejection::OwnLog);
        }
        let id = self.log_id(log).ok_or(Rejection::UnknownLog)?;
        if self.may_send(from, id) { Ok(id) } else { Err(Rejection::NotTheWriter) }
    }

    fn feed(&mut self, peer: &NodeId, log: &NodeId) -> Option<&mut Feed> {
        let id = self.log_id(log)?;
        self.peers.get_mut(peer)?.feeds.get_mut(&id)
    }

    fn take_fact(&mut self, id: LogId, bytes: &[u8]) {
        let log = &mut self.replica.logs[id];
        log.digest = encoding::extend(log.digest, bytes);
        let boot = log.node.boot;
        // What cannot be read still is a position: all nodes that pass it over stay in step.
        match encoding::read(bytes, boot) {
            None => self.reject(Rejection::Unreadable),
            Some(fact) => self.replica.apply(id, fact),
        }
    }

    /// A snapshot has arrived whole: it takes the place of what was there.
    fn take_snapshot(&mut self, now: Instant, id: LogId) {
        let log = &mut self.replica.logs[id];
        let Some(Assembly { from, position, digest, of, staged, n_unread, .. }) =
            log.assembly.take()
        else {
            return;
        };
        let takeover = Takeover::new(staged, position, digest, from, of);
        (log.takeover, log.building) = (Some(Box::new(takeover)), None);
        if n_unread > 0 {
            *self.rejected.entry(Rejection::Unreadable).or_default() += n_unread;
        }
        self.go_on(now, id);
    }

    /// One slice of what takes long: a state that is being taken over, a snapshot that is being
    /// made, or a log that is being forgotten.
    pub(crate) fn slice(&mut self, now: Instant) {
        let is_long = |(_, log): &(LogId, &Log)| log.takeover.is_some() || log.building.is_some();
        let long = self.replica.logs.iter().find(is_long).map(|(id, _)| id);
        match long {
            Some(id) if self.replica.logs[id].takeover.is_some() => self.go_on(now, id),
            Some(id) => {
                self.made = snapshot_of(&mut self.replica, id, self.config.slice_max);
                self.unsent |= self.made.is_some();
            }
            None => self.is_slicing = self.replica.remove_some(self.config.slice_max),
        }
    }

    /// Goes on with a takeover.
    fn go_on(&mut self, now: Instant, id: LogId) {
        let Some(mut takeover) = self.replica.logs[id].takeover.take() else { return };
        self.arrived += 1;
        if !takeover.step(&mut self.replica, id, self.config.slice_max) {
            self.replica.logs[id].takeover = Some(takeover);
            self.is_slicing = true;
            return;
        }
        let Takeover { position, digest, from, pieces, missed, .. } = *takeover;
        let log = &mut self.replica.logs[id];
        (log.position, log.digest) = (position, digest);
        log.history.clear();
        log.snapshot = Weak::new();
        let node = log.node.clone();
        self.advanced(now, id);
        if self.peers.contains_key(&from) {
            self.send(&from, Message::Got { log: node, position, pieces });
        }
        if let Some((from, upto)) = missed
            && upto > position
            && self.peers.contains_key(&from)
        {
            self.ask(now, &from, id, upto);
        }
    }

    /// A log has more facts now.
    fn advanced(&mut self, now: Instant, id: LogId) {
        let log = &mut self.replica.logs[id];
        if let Some(asked) = &mut log.asked {
            asked.until = now + self.config.ask_timeout;
            if asked.upto <= log.position {
                log.asked = None;
            }
        }
        let (log, position) = (log.node.clone(), log.position);
        self.replica.events.push_back(Event::Applied { log, position });
        // A peer that asked for this log is sent what it did not reach when it asked.
        self.unsent = true;
    }

    /// An acknowledgement is due: soon, or at once where it is for much.
    fn acknowledge(&mut self, now: Instant, to: &NodeId, id: LogId, len: usize) {
        let Some(peer) = self.peers.get_mut(to) else { return };
        let due = peer.acks.entry(id).or_default();
        *due += len;
        if *due >= ACK_LEN {
            peer.acks.remove(&id);
            let log = &self.replica.logs[id];
            let message = Message::Ack { log: log.node.clone(), position: log.position };
            return self.send(to, message);
        }
        let at = now + self.config.ack_delay;
        self.ack_at = Some(self.ack_at.map_or(at, |due| due.min(at)));
    }
}

/// The snapshot of a log, from the last one where one more batch leads on from there. `None`
/// while it is being made, which each call brings on by a slice.
fn snapshot_of(replica: &mut Replica, id: LogId, slice: usize) -> Option<Arc<Snapshot>> {
    let log = &mut replica.logs[id];
    if log.takeover.is_some() {
        return None;
    }
    if let Some(snapshot) = log.snapshot.upgrade() {
        let n_behind = log.position.saturating_sub(snapshot.position);
        let leads_on = log.history.covers(snapshot.position);
        if n_behind == 0 || (leads_on && n_behind <= u64::from(BATCH_FACTS_MAX)) {
            return Some(snapshot);
        }
    }
    let begin = || Box::new(Building::new(log.node.boot));
    let mut building = log.building.take().unwrap_or_else(begin);
    if !building.step(replica, id, slice) {
        replica.logs[id].building = Some(building);
        return None;
    }
    let snapshot = Arc::new(building.finish(replica, id));
    replica.logs[id].snapshot = Arc::downgrade(&snapshot);
    Some(snapshot)
}
