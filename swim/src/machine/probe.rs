//! Probing (SWIM §3.1): a ping, then pings through others, then suspicion.

use super::{Sender, Swim};
use crate::suspicion::Suspicion;
use crate::wire::{Claim, Message, Update};
use crate::{Member, State};
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, NodeId, NodeName};

/// The probe of this period.
#[derive(Debug)]
pub(super) struct Probe {
    seq: u64,
    target: NodeId,
    stage: Stage,
    /// Then the target is accused: two probe timeouts after the ping.
    deadline: Instant,
}

#[derive(Debug)]
enum Stage {
    /// Others are asked at that time.
    Direct(Instant),
    Indirect,
    Answered,
}

/// A ping sent for another member.
#[derive(Debug)]
pub(super) struct Relay {
    origin: NodeId,
    from: SocketAddr,
    seq: u64,
    expires: Instant,
}

impl Swim {
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
            self.hasten(now, &node.name);
        }
    }

    /// Tells the machine that `node` ought to be heard and is not, for example on a link: it is
    /// probed next, at once where no other probe is under way.
    pub fn hint_silent(&mut self, now: Instant, node: &NodeId) {
        if self.table.member(node).is_some_and(Member::is_live) {
            self.hasten(now, &node.name);
        }
    }

    /// Probes `name` next, at once where the probe of this period is answered.
    pub(super) fn hasten(&mut self, now: Instant, name: &NodeName) {
        let is_free = match &self.probe {
            None => true,
            Some(probe) if probe.target.name == *name => return,
            Some(probe) => matches!(probe.stage, Stage::Answered),
        };
        self.order.hasten(name);
        // Never two probes within a probe timeout, however many hints come.
        let rested = self.last_probe() + self.config.probe_timeout;
        if is_free {
            self.next_probe = self.next_probe.min(rested.max(now));
        }
    }

    fn last_probe(&self) -> Instant {
        self.probe_started.unwrap_or(Instant::START)
    }

    pub(super) fn probe_due(&self) -> Instant {
        match &self.probe {
            None | Some(Probe { stage: Stage::Answered, .. }) => self.next_probe,
            Some(Probe { stage: Stage::Direct(until), .. }) => (*until).min(self.next_probe),
            Some(Probe { deadline, .. }) => (*deadline).min(self.next_probe),
        }
    }

    pub(super) fn probe_tick(&mut self, now: Instant) {
        if let Some(Probe { stage: Stage::Direct(until), .. }) = self.probe
            && until <= now
        {
            self.ask_others();
        }
        if let Some(Probe { stage: Stage::Direct(_) | Stage::Indirect, deadline, .. }) = self.probe
            && deadline <= now
            && let Some(probe) = self.probe.take()
        {
            self.counters.probes_failed += 1;
            self.accuse(now, &probe.target);
        }
        if self.next_probe <= now {
            self.relays.retain(|_, relay| relay.expires > now);
            self.next_probe = now + self.config.probe_interval;
            self.begin_probe(now);
        }
    }

    fn begin_probe(&mut self, now: Instant) {
        let Some(name) = self.order.next(&mut self.rng) else { return };
        let Some(member) = self.table.get(&name).map(|e| &e.member).filter(|m| m.is_live()) else {
            return;
        };
        let (target, address) = (member.id.clone(), member.address);
        let seq = self.next_seq();
        let deadline = now + self.config.probe_timeout * 2;
        let stage = Stage::Direct(now + self.config.probe_timeout);
        self.counters.probes += 1;
        self.probe_started = Some(now);
        self.ping(address, target.boot, &target.name, seq);
        self.probe = Some(Probe { seq, target, stage, deadline });
    }

    /// The direct ping went unanswered: asks `k` others to try, and tries once more itself. The
    /// second try costs one packet and halves the false suspicions of a lossy network.
    fn ask_others(&mut self) {
        let Some(probe) = &mut self.probe else { return };
        probe.stage = Stage::Indirect;
        let (seq, target) = (probe.seq, probe.target.clone());
        let Some(member) = self.table.member(&target).cloned() else { return };
        self.ping(member.address, target.boot, &target.name, seq);
        self.ping_through_others(seq, &member);
    }

    pub(super) fn ping_through_others(&mut self, seq: u64, target: &Member) {
        let k = self.config.indirect_probes;
        for helper in self.random_members(k, Some(&target.id.name)) {
            let message =
                Message::PingReq { seq, target: target.id.clone(), address: target.address };
            self.send(helper.address, &helper.id, &message, &[]);
        }
    }

    pub(super) fn ping(&mut self, to: SocketAddr, boot: Boot, name: &NodeName, seq: u64) {
        let message = Message::Ping { seq, digest: self.table.digest() };
        self.send(to, &NodeId::new(name.clone(), boot), &message, &[]);
    }

    pub(super) fn handle_ping(&mut self, now: Instant, sender: &Sender, seq: u64, digest: u64) {
        let ack = Message::Ack { seq, digest: self.table.digest() };
        self.send(sender.from, &sender.id, &ack, &[]);
        self.compare(now, sender, digest);
    }

    pub(super) fn handle_ack(&mut self, now: Instant, sender: &Sender, seq: u64, digest: u64) {
        self.compare(now, sender, digest);
        if let Some(relay) = self.relays.remove(&seq) {
            let ack = Message::Ack { seq: relay.seq, digest: self.table.digest() };
            self.send(relay.from, &relay.origin, &ack, &[]);
            return;
        }
        if self.handle_holder_ack(seq) || self.handle_leave_ack(sender, seq) {
            return;
        }
        if let Some(probe) = &mut self.probe
            && probe.seq == seq
        {
            probe.stage = Stage::Answered;
        }
    }

    pub(super) fn handle_ping_req(
        &mut self,
        now: Instant,
        sender: &Sender,
        seq: u64,
        target: NodeId,
        address: SocketAddr,
    ) {
        self.relays.retain(|_, relay| relay.expires > now);
        if self.relays.len() >= RELAYS_MAX || target == self.me {
            return;
        }
        let own_seq = self.next_seq();
        let relay = Relay {
            origin: sender.id.clone(),
            from: sender.from,
            seq,
            expires: now + self.config.probe_interval * 2,
        };
        self.relays.insert(own_seq, relay);
        self.counters.relayed += 1;
        self.ping(address, target.boot, &target.name, own_seq);
    }

    /// This node's own accusation.
    fn accuse(&mut self, now: Instant, target: &NodeId) {
        let Some(member) = self.table.member(target).filter(|m| m.is_live()).cloned() else {
            return;
        };
        let claim = Claim::Suspect { by: self.me.clone() };
        let update = Update { id: target.clone(), incarnation: member.incarnation, claim };
        let _ = self.settle(now, None, &update);
        // To the accused itself, at once: it can refute before anybody else believes it
        // (Lifeguard's buddy system).
        self.send(member.address, target, &Message::Gossip, &[]);
    }

    /// Declares dead who did not refute in time.
    pub(super) fn suspicion_tick(&mut self, now: Instant) {
        let over: Vec<NodeName> = self
            .suspicions
            .iter()
            .filter(|(_, suspicion)| suspicion.deadline() <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            self.suspicions.remove(&name);
            self.bury(now, &name);
        }
    }

    pub(super) fn suspect(&mut self, now: Instant, suspicion: Suspicion, name: &NodeName) {
        self.counters.suspicions += 1;
        self.suspicions.insert(name.clone(), suspicion);
        // Everybody looks for himself: either the accused hears of it and refutes, or the
        // accusation is confirmed and the suspicion becomes shorter.
        self.hasten(now, name);
    }

    /// Up to `n` other live members at random, without `except`.
    pub(super) fn random_members(&mut self, n: usize, except: Option<&NodeName>) -> Vec<Member> {
        let mut others: Vec<&Member> = self
            .table
            .members()
            .filter(|m| m.is_live() && m.id != self.me && Some(&m.id.name) != except)
            .collect();
        let n = n.min(others.len());
        // A partial shuffle: only the places that are taken.
        for place in 0..n {
            let other = place + self.rng.below((others.len() - place) as u64) as usize;
            others.swap(place, other);
        }
        others.truncate(n);
        others.into_iter().cloned().collect()
    }
}

/// The most pings under way for others. A helper that is this busy lets the request fall.
const RELAYS_MAX: usize = 64;
