//! Probing (SWIM §3.1): a ping, then pings through others, then suspicion.

use super::{Protocol, Sender};
use crate::news::Turn;
use crate::suspicion::Suspicion;
use crate::table::Position;
use crate::wire::{Claim, Message, Update};
use crate::{Member, Record, State};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, NodeId};

/// The probe of this period.
#[derive(Debug)]
pub(super) struct Probe {
    seq: u64,
    target: NodeId,
    sent: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Others are asked at that time.
    Direct {
        until: Instant,
    },
    /// Then the target is accused. So many of those that were asked have not said that they
    /// tried.
    Indirect {
        until: Instant,
        n_asked: u32,
        n_silent: u32,
    },
    Answered,
}

/// A ping sent for another member.
#[derive(Debug)]
pub(super) struct Relay {
    origin: Sender,
    seq: u64,
    /// When the origin is told that there is no answer yet.
    nack: Option<Instant>,
    expires: Instant,
}

impl Relay {
    pub(super) const fn due(&self) -> Option<Instant> {
        self.nack
    }
}

impl Protocol {
    /// Tells the machine that `node` was heard, for example on a link: an answer to a probe that
    /// is under way. A suspicion still has to be refuted by the node itself.
    pub fn hint_alive(&mut self, now: Instant, node: &NodeId) {
        if let Some(probe) = &mut self.probe
            && probe.target == *node
        {
            probe.stage = Stage::Answered;
        }
        if self.table.member(node).is_some_and(|member| member.state == State::Suspect) {
            // The ping carries the accusation, so that it can be refuted.
            self.hasten(now, Position::of(&node.name));
        }
    }

    /// Tells the machine that `node` ought to be heard and is not, for example on a link: it is
    /// probed next, at once where no other probe is under way.
    pub fn hint_silent(&mut self, now: Instant, node: &NodeId) {
        if self.table.member(node).is_some_and(Member::is_live) {
            self.hasten(now, Position::of(&node.name));
        }
    }

    /// Probes `member` next, at once where the probe of this period is answered.
    pub(super) fn hasten(&mut self, now: Instant, member: Position) {
        let is_free = match &self.probe {
            None => true,
            Some(probe) if Position::of(&probe.target.name) == member => return,
            Some(probe) => matches!(probe.stage, Stage::Answered),
        };
        self.order.hasten(&self.table, member);
        // Never two probes within a probe timeout, however many hints come.
        let last = self.probe_started.unwrap_or(Instant::START);
        let rested = last + self.config.probe_timeout_min;
        if is_free {
            self.next_probe = self.next_probe.min(rested.max(now));
        }
    }

    pub(super) fn probe_due(&self) -> Instant {
        match &self.probe {
            None | Some(Probe { stage: Stage::Answered, .. }) => self.next_probe,
            Some(Probe {
                stage: Stage::Direct { until } | Stage::Indirect { until, .. }, ..
            }) => (*until).min(self.next_probe),
        }
    }

    pub(super) fn probe_tick(&mut self, now: Instant) {
        match self.probe {
            Some(Probe { stage: Stage::Direct { until }, .. }) if until <= now => {
                self.ask_others(now);
            }
            Some(Probe { stage: Stage::Indirect { until, n_asked, n_silent }, .. })
                if until <= now =>
            {
                self.fail_probe(now, n_asked, n_silent);
            }
            _ => {}
        }
        if self.next_probe <= now {
            let is_open = self.probe.as_ref().is_some_and(|p| !matches!(p.stage, Stage::Answered));
            self.next_probe = now + self.health.stretched(self.config.probe_interval);
            // With settings that were changed meanwhile a probe can outlast its period.
            if !is_open {
                self.begin_probe(now);
            }
        }
    }

    fn begin_probe(&mut self, now: Instant) {
        let Some(target) = self.order.next(&mut self.rng, &mut self.table) else { return };
        let Some(entry) = self.table.at(target) else { return };
        let (record, rtt) = (entry.member.record.clone(), entry.rtt);
        let seq = self.next_seq();
        let until = now + self.health.stretched(rtt.timeout(&self.config));
        self.counters.probes += 1;
        self.probe_started = Some(now);
        self.ping(&record, seq);
        let (target, stage) = (record.id.clone(), Stage::Direct { until });
        self.probe = Some(Probe { seq, target, sent: now, stage });
    }

    /// The direct ping went unanswered: asks `k` others to try, and tries once more itself. The
    /// second try costs one packet and halves the false suspicions of a lossy network.
    fn ask_others(&mut self, now: Instant) {
        let Some(Probe { seq, target, .. }) = &self.probe else { return };
        let (seq, target) = (*seq, target.clone());
        let Some(entry) = self.table.get(&target.name).filter(|entry| entry.member.id == target)
        else {
            // A later life of it has taken its place.
            self.probe = None;
            return;
        };
        let (record, rtt) = (entry.member.record.clone(), entry.rtt);
        let patience = self.health.stretched(rtt.relayed_timeout(&self.config));
        if self.config.ping_again {
            self.ping(&record, seq);
        }
        let n_asked = self.ping_through_others(seq, &record, patience);
        if let Some(probe) = &mut self.probe {
            let until = now + patience;
            probe.stage = Stage::Indirect { until, n_asked, n_silent: n_asked };
        }
    }

    fn fail_probe(&mut self, now: Instant, n_asked: u32, n_silent: u32) {
        let Some(probe) = self.probe.take() else { return };
        self.counters.probes_failed += 1;
        // Where helpers say that they tried, the fault is hardly this node's.
        let blame = if n_asked == 0 { 1 } else { n_silent };
        self.health.worsen(blame, &self.config);
        self.accuse(now, &probe.target);
    }

    /// Asks others to ping; returns how many.
    pub(super) fn ping_through_others(
        &mut self,
        seq: u64,
        target: &Record,
        patience: Duration,
    ) -> u32 {
        let (n, except) = (self.config.indirect_probes, Position::of(&target.id.name));
        // Who is suspect itself mostly cannot help, and its silence would be blamed on this node.
        let mut helpers = self.order.sample(&mut self.rng, &mut self.table, 2 * n, Some(except));
        let is_suspect = |at: &Position| self.suspicions.get(*at).is_some();
        helpers.sort_by_key(is_suspect);
        helpers.truncate(n);
        let patience_ms = patience.as_millis().min(u128::from(u32::MAX)) as u32;
        for helper in &helpers {
            let Some(helper) = self.table.at(*helper).map(|entry| entry.member.record.clone())
            else {
                continue;
            };
            let (target, address) = (target.id.clone(), target.address);
            let message = Message::PingReq { seq, target, address, patience_ms };
            self.send(helper.address, &helper.id, message, &[]);
        }
        helpers.len() as u32
    }

    pub(super) fn ping(&mut self, to: &Record, seq: u64) {
        self.ping_at(to.address, &to.id, seq);
    }

    fn ping_at(&mut self, address: SocketAddr, to: &NodeId, seq: u64) {
        let message = Message::Ping { seq, digest: self.table.digest() };
        self.send(address, to, message, &[]);
    }

    pub(super) fn handle_ping(&mut self, now: Instant, sender: &Sender, seq: u64, digest: u64) {
        let ack = Message::Ack { seq, digest: self.table.digest() };
        self.send(sender.from, &sender.id, ack, &[]);
        self.compare(now, sender, digest);
    }

    pub(super) fn handle_ack(&mut self, now: Instant, sender: &Sender, seq: u64, digest: u64) {
        self.compare(now, sender, digest);
        self.believe_alive(&sender.id);
        if let Some(relay) = self.relays.remove(&seq) {
            let ack = Message::Ack { seq: relay.seq, digest: self.table.digest() };
            self.send(relay.origin.from, &relay.origin.id, ack, &[]);
            return;
        }
        if self.handle_holder_ack(seq) || self.handle_leave_ack(sender, seq) {
            return;
        }
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == seq) else { return };
        let was = std::mem::replace(&mut probe.stage, Stage::Answered);
        let rtt = now.since(probe.sent);
        if !matches!(was, Stage::Answered) {
            self.health.improve();
        }
        // Only a ping that was sent once has one round trip.
        if matches!(was, Stage::Direct { .. })
            && let Some(measured) = self.table.rtt_mut(&sender.id)
        {
            measured.measure(rtt);
        }
    }

    /// A helper tried and had no answer: this node's own connection is not to blame (Lifeguard).
    pub(super) fn handle_nack(&mut self, seq: u64) {
        if let Some(Probe { seq: own, stage: Stage::Indirect { n_silent, .. }, .. }) =
            &mut self.probe
            && *own == seq
        {
            *n_silent = n_silent.saturating_sub(1);
        }
    }

    pub(super) fn handle_ping_req(
        &mut self,
        now: Instant,
        sender: &Sender,
        seq: u64,
        target: &Record,
        patience_ms: u32,
    ) {
        self.relays.retain(|_, relay| relay.expires > now);
        if self.relays.len() >= RELAYS_MAX || target.id == self.me {
            return;
        }
        let own_seq = self.next_seq();
        let patience = Duration::from_millis(u64::from(patience_ms)).min(RELAY_PATIENCE_MAX);
        let relay = Relay {
            origin: sender.clone(),
            seq,
            nack: Some(now + patience * 4 / 5),
            expires: now + patience * 2,
        };
        self.relays.insert(own_seq, relay);
        self.counters.relayed += 1;
        self.ping_at(target.address, &target.id, own_seq);
    }

    /// Tells those for whom this node pings that there is no answer yet, while the word can still
    /// reach them in time.
    pub(super) fn relay_tick(&mut self, now: Instant) {
        let due = self.relays.values_mut().filter(|relay| relay.nack.is_some_and(|at| at <= now));
        let due: Vec<(Sender, u64)> = due
            .map(|relay| {
                relay.nack = None;
                (relay.origin.clone(), relay.seq)
            })
            .collect();
        for (origin, seq) in due {
            self.send(origin.from, &origin.id, Message::Nack { seq }, &[]);
        }
    }

    /// This node's own accusation.
    fn accuse(&mut self, now: Instant, target: &NodeId) {
        let Some(member) = self.table.member(target).filter(|member| member.is_live()) else {
            return;
        };
        let (incarnation, record) = (member.incarnation, member.record.clone());
        let claim = Claim::Suspect { id: target.clone(), by: self.me.clone() };
        let _ = self.settle(now, None, &Update { incarnation, claim });
        // To the accused itself, at once: it can refute before anybody else believes it
        // (Lifeguard, Buddy System).
        if self.config.buddy {
            self.send(record.address, target, Message::Gossip, &[]);
        }
    }

    /// Declares dead who did not refute in time.
    pub(super) fn suspicion_tick(&mut self, now: Instant) {
        while let Some(suspect) = self.suspicions.pop_over(now) {
            self.bury(now, suspect);
        }
    }

    pub(super) fn suspect(&mut self, now: Instant, suspicion: Suspicion, suspect: Position) {
        self.counters.suspicions += 1;
        self.suspicions.start(suspect, suspicion, &self.me);
        // Everybody looks for himself: either the accused hears of it and refutes, or the
        // accusation is confirmed and the suspicion becomes shorter.
        self.hasten(now, suspect);
    }

    /// This node's own part in the news: before all other.
    pub(super) fn state_own(&mut self, now: Instant) {
        let statement = self.own_statement();
        self.spread(now, statement, Turn::First);
    }
}

/// The most pings under way for others. A helper that is this busy lets the request fall.
const RELAYS_MAX: usize = 64;

/// The longest that a ping for another is remembered.
const RELAY_PATIENCE_MAX: Duration = Duration::from_secs(60);
