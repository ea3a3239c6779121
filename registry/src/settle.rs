//! Letting go: of closed logs that nobody needs any more, and of tombstones and pointers.
//!
//! A closed log is *settled* once every live member holds all of it and each of its claims is
//! beaten by another log's entry (ownership, R4). What is buried stays known for a day, so that
//! a late copy of it is not taken for news.
//!
//! A mark that says "it runs elsewhere by now" would not do. One node starts the orphan and marks
//! it; another believes the mark before it has read the new claim, and lets the old log go; the
//! first one crashes, and its claim with it: nobody has the name any more. So a log goes only from
//! where everything is known that was known where it went first. Nor may a tombstone go while a
//! dead log is still to come: what comes may hold the claim that it outranks, and a stopped name
//! is back. `models` finds both ways.
//!
//! A tombstone or a pointer goes when no log is left that it outranks, respectively when the
//! claim that it points to has been seen. Both must be so on every live member: the positions of
//! all logs are noted when it is so here, and once every member has reached them, the writer
//! says [`Settled`](crate::Why::Settled) in its own log.

use crate::log::{Log, LogId, OWN, Standing};
use crate::message::{Held, Mark};
use crate::peer::Peer;
use crate::record::{Entry, Record};
use crate::{Fact, Registry, Why};
use std::collections::{BTreeMap, BTreeSet};
use swarm_base::{Instant, Name, NodeId, Token};

/// The most boots that are remembered as buried; the one that would be forgotten first goes.
const BURIED_MAX: usize = 65_536;

/// The most names that are settled at once.
const ENDS_MAX: usize = 4_096;

/// What is about to be let go, and what has been.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    buried: BTreeMap<NodeId, Buried>,
    /// Closed logs that a peer has buried, and how far other logs must be applied here before
    /// this node does the same: until then they can be what a name starts from.
    awaited: BTreeMap<NodeId, Awaited>,
    barrier: Option<Barrier>,
    /// Whether some member may hold a closed log.
    closed: bool,
}

#[derive(Debug)]
struct Buried {
    position: u64,
    digest: u64,
    until: Instant,
}

/// What a peer had when it buried a log.
#[derive(Debug)]
struct Awaited {
    /// How much of the log: more of it has not been let go.
    position: u64,
    needs: Vec<(NodeId, u64)>,
}

/// Ends that every member will have no use for, once it has reached these positions.
#[derive(Debug)]
struct Barrier {
    positions: Vec<(NodeId, u64)>,
    ends: Vec<(Name, Token)>,
}

impl Settling {
    pub(crate) fn is_buried(&self, log: &NodeId) -> bool {
        self.buried.contains_key(log)
    }

    pub(crate) fn buried_mark(&self, log: &NodeId) -> Option<Mark> {
        let Buried { position, digest, .. } = *self.buried.get(log)?;
        Some(Mark { log: log.clone(), position, digest, state: Held::Buried })
    }

    /// The log is of use again.
    pub(crate) fn unearth(&mut self, log: &NodeId) {
        self.buried.remove(log);
        self.awaited.remove(log);
    }

    pub(crate) fn awaits_burial(&self) -> bool {
        !self.awaited.is_empty()
    }

    pub(crate) fn closed_somewhere(&mut self) {
        self.closed = true;
    }

    pub(crate) fn n_buried(&self) -> usize {
        self.buried.len()
    }

    fn bury(&mut self, mark: Mark, until: Instant) {
        self.awaited.remove(&mark.log);
        let Mark { log, position, digest, .. } = mark;
        self.buried.insert(log, Buried { position, digest, until });
        while self.buried.len() > BURIED_MAX {
            let first = self.buried.iter().min_by_key(|(_, buried)| buried.until);
            let Some(first) = first.map(|(log, _)| log.clone()) else { break };
            self.buried.remove(&first);
        }
    }
}

impl Registry {
    /// Lets go of what no live member needs.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.settling.buried.retain(|_, buried| buried.until > now);
        self.settle_awaited(now);
        // Where more of the dead is still to come, a tombstone can outrank what nobody sees here.
        if !self.is_behind_on_dead() {
            for id in self.settled_logs() {
                self.bury(now, id);
            }
        }
        self.settling.closed =
            self.replica.logs.iter().any(|(_, log)| log.standing == Standing::Closed)
                || self.peers.values().any(lists_closed);
        self.pass_barrier();
        self.set_barrier();
    }

    /// Buries closed logs that a peer has buried, as far as the other logs have been applied.
    pub(crate) fn settle_awaited(&mut self, now: Instant) {
        let logs = &self.replica.logs;
        self.settling.awaited.retain(|log, awaited| {
            let is_no_more = |position| position <= awaited.position;
            logs.of(log)
                .is_some_and(|log| log.standing == Standing::Closed && is_no_more(log.position))
        });
        let is_ready = |awaited: &Awaited| {
            awaited.needs.iter().all(|(log, position)| self.has_reached(log, *position))
        };
        let ready = self.settling.awaited.iter().filter(|(_, awaited)| is_ready(awaited));
        let ready: BTreeSet<LogId> = ready.filter_map(|(log, _)| self.log_id(log)).collect();
        let ends: Vec<Fact> = ready.iter().flat_map(|id| self.ends_for(*id, &ready)).collect();
        self.write(ends);
        for id in ready {
            self.bury(now, id);
        }
    }

    /// What this node has to say of the names that a log says are stopped, before it buries that
    /// log together with `others`. Its own pointers to them go, since the peers have forgotten the
    /// names long ago. Where a dead node's log stays that would bring a name back, this node keeps
    /// the tombstone from now on.
    fn ends_for(&self, id: LogId, others: &BTreeSet<LogId>) -> Vec<Fact> {
        let mut ends: BTreeMap<Name, Fact> = BTreeMap::new();
        for (name, log) in self.outranked_by(id) {
            let own = self.replica.entry(OWN, &name);
            let stays =
                self.replica.logs[log].standing == Standing::Closed && !others.contains(&log);
            let (token, why) = match (own, self.replica.entry(id, &name)) {
                (Some(Entry::Claim(_)), _) | (_, None) => continue,
                (_, Some(tombstone)) if stays => (tombstone.token(), Why::Stopped),
                (Some(own), _) if log == OWN => (own.token(), Why::Settled),
                _ => continue,
            };
            if why == Why::Stopped || !ends.contains_key(&name) {
                ends.insert(name.clone(), Fact::Ended { name, token, why });
            }
        }
        ends.into_values().collect()
    }

    /// Ends the names that a pointer gives to this node and that it knows nothing of any more. It
    /// claimed each of them before anybody could point here, so it has ended them since, and let
    /// go of that: it saw no use for the tombstone while it was cut off from who points here.
    /// Without a word of it they would be pending for ever.
    pub(crate) fn end_unclaimed(&mut self) {
        if self.replica.unclaimed.is_empty() {
            return;
        }
        let me = &self.me;
        let ends = std::mem::take(&mut self.replica.unclaimed).into_iter().filter_map(|name| {
            let record = self.replica.table.get(&name)?;
            let token = record.pointed(me)?;
            let is_known = match record.of(OWN) {
                // A claim below is made anew above whatever is shown here.
                Some(Entry::Claim(_)) => true,
                Some(own) => own.token() >= token,
                None => false,
            };
            (!is_known).then_some(Fact::Ended { name, token, why: Why::Stopped })
        });
        let ends = ends.collect();
        self.write(ends);
    }

    /// The entries that a tombstone of this log keeps from starting their names.
    fn outranked_by(&self, id: LogId) -> impl Iterator<Item = (Name, LogId)> {
        self.replica.table.of(id).flat_map(move |(name, record)| {
            let tombstone = record.of(id).filter(|entry| !entry.can_start());
            let rank = tombstone.map(Entry::rank);
            record.iter().filter_map(move |(log, other)| {
                let is_live = matches!(other, Entry::Claim(_))
                    && self.replica.logs[log].standing == Standing::Live;
                let is_outranked = other.can_start() && !is_live && rank > Some(other.rank());
                is_outranked.then(|| (name.clone(), log))
            })
        })
    }

    /// `from` has buried a log: so will this node, when it has seen all that `from` had.
    pub(crate) fn await_burial(&mut self, from: &NodeId, mark: &Mark) {
        let (log, position) = (&mark.log, mark.position);
        let Some(peer) = self.peers.get(from) else { return };
        // Its list comes first on every session; without it there is nothing to wait for yet.
        if !peer.listed || self.settling.awaited.contains_key(log) {
            return;
        }
        let needs = peer.held.values().filter(|mark| mark.state != Held::Buried);
        let needs = needs.map(|mark| (mark.log.clone(), mark.position)).collect();
        self.settling.awaited.insert(log.clone(), Awaited { position, needs });
    }

    /// Whether a peer has, or may have, more of a closed log than has arrived here.
    fn is_behind_on_dead(&self) -> bool {
        let has_more = |peer: &Peer, log: &Log| match peer.held.get(&log.node) {
            Some(mark) => mark.state != Held::Buried && mark.position > log.position,
            None => peer.questions.contains(&log.node),
        };
        let mut logs = self.replica.logs.iter().map(|(_, log)| log);
        logs.any(|log| {
            log.standing == Standing::Closed && self.peers.values().any(|peer| has_more(peer, log))
        })
    }

    /// Whether the end of a claim of this node must leave a tombstone: another log can have an
    /// entry for the name, now or when a late copy of it arrives.
    pub(crate) fn needs_tombstone(&self, name: &Name, token: Token) -> bool {
        let Some(record) = self.replica.table.get(name) else { return true };
        // Where the claim took the place of another, a pointer to it may be on its way.
        let is_first = match record.of(OWN) {
            Some(Entry::Claim(claim)) => claim.is_first && claim.token == token,
            _ => false,
        };
        self.settling.closed || !is_first || record.iter().any(|(log, _)| log != OWN)
    }

    fn bury(&mut self, now: Instant, id: LogId) {
        let mark = self.replica.logs[id].mark();
        for peer in self.peers.values_mut() {
            peer.feeds.remove(&id);
            peer.acks.remove(&id);
            peer.slowed.remove(&id);
        }
        self.replica.remove(id);
        self.is_slicing = true;
        self.settling.bury(mark, now + self.config.buried_keep);
    }

    fn has_reached(&self, log: &NodeId, position: u64) -> bool {
        self.replica.logs.of(log).is_none_or(|log| log.position >= position)
    }

    /// The peers that stand for the live members, or none where one of them has no session: what
    /// it holds is not known then.
    fn live_peers(&self) -> Option<Vec<&Peer>> {
        let live = self
            .replica
            .logs
            .iter()
            .filter(|(id, log)| *id != OWN && log.standing == Standing::Live);
        live.map(|(_, log)| self.peers.get(&log.node)).collect()
    }

    /// Whether every live member has said that it holds the closed log as it is here.
    fn is_held_by_all(&self, id: LogId) -> bool {
        let mark = self.replica.logs[id].mark();
        self.live_peers().is_some_and(|peers| {
            peers.iter().all(|peer| {
                peer.held.get(&mark.log).is_some_and(|held| {
                    *held == mark || (held.state == Held::Buried && held.position >= mark.position)
                })
            })
        })
    }

    /// The closed logs that every live member holds and of which nothing is needed. They go
    /// together: a tombstone of one may outrank a claim of another, and the other way round for
    /// another name.
    fn settled_logs(&self) -> BTreeSet<LogId> {
        let closed = self.replica.logs.iter().filter(|(_, log)| log.standing == Standing::Closed);
        let mut settled: BTreeSet<LogId> =
            closed.map(|(id, _)| id).filter(|id| self.is_held_by_all(*id)).collect();
        loop {
            let needed: Vec<LogId> = settled
                .iter()
                .filter(|id| {
                    let mut names = self.replica.table.of(**id);
                    !names.all(|(_, record)| self.is_spent(**id, record, &settled))
                })
                .copied()
                .collect();
            if needed.is_empty() {
                return settled;
            }
            settled.retain(|id| !needed.contains(id));
        }
    }

    /// Whether the entry of a log is of no more use: what could be started from it is beaten, and
    /// what beats others has nothing left to beat, outside of the logs that go with it.
    fn is_spent(&self, id: LogId, record: &Record, with: &BTreeSet<LogId>) -> bool {
        let Some(entry) = record.of(id) else { return true };
        let mut others = record.iter().filter(|(log, _)| *log != id);
        if entry.can_start() {
            let counts = |log: LogId| self.replica.logs[log].standing != Standing::Unseen;
            others.any(|(log, other)| counts(log) && other.rank() > entry.rank())
        } else {
            // What does not count yet may count in a moment. Another tombstone brings nothing
            // back: two would wait for each other.
            !others.any(|(log, other)| {
                other.can_start() && other.rank() < entry.rank() && !with.contains(&log)
            })
        }
    }

    /// What the settled ends of this node's log wait for.
    fn set_barrier(&mut self) {
        if self.settling.barrier.is_some() {
            return;
        }
        let remains = self.replica.own_remains.iter();
        let spent = remains.filter(|name| self.may_end(name)).take(ENDS_MAX);
        let ends: Vec<(Name, Token)> = spent
            .filter_map(|name| Some((name.clone(), self.replica.entry(OWN, name)?.token())))
            .collect();
        if ends.is_empty() {
            return;
        }
        let logs = self.replica.logs.iter().map(|(_, log)| (log.node.clone(), log.position));
        self.settling.barrier = Some(Barrier { positions: logs.collect(), ends });
    }

    /// Ends what no member needs, if every member has reached the barrier.
    fn pass_barrier(&mut self) {
        let Some(Barrier { positions, .. }) = &self.settling.barrier else { return };
        let Some(peers) = self.live_peers() else { return };
        let held = positions.iter().filter(|(log, _)| self.log_id(log).is_some());
        let reached = held.into_iter().all(|(log, position)| {
            peers.iter().all(|peer| peer.held.get(log).map_or(0, |mark| mark.position) >= *position)
        });
        if !reached {
            return;
        }
        let Some(barrier) = self.settling.barrier.take() else { return };
        let still = barrier.ends.into_iter().filter(|(name, token)| {
            self.may_end(name)
                && self.replica.entry(OWN, name).is_some_and(|entry| entry.token() == *token)
        });
        let facts: Vec<Fact> =
            still.map(|(name, token)| Fact::Ended { name, token, why: Why::Settled }).collect();
        self.write(facts);
    }

    /// Whether a tombstone or a pointer of this node is of no more use here.
    fn may_end(&self, name: &Name) -> bool {
        let Some(record) = self.replica.table.get(name) else { return false };
        let is_spent = || self.is_spent(OWN, record, &BTreeSet::new());
        match record.of(OWN) {
            Some(Entry::Stopped(_)) => !self.settling.closed && is_spent(),
            Some(Entry::Gone(_)) => is_spent(),
            Some(Entry::Claim(_)) | None => false,
        }
    }
}

fn lists_closed(peer: &Peer) -> bool {
    peer.held.values().any(|mark| mark.state == Held::Closed)
}
