//! The machine: its state, what callers ask of it, and the way of a packet through it.

mod claim;
mod gossip;
mod join;
mod leave;
mod probe;
mod proof;
mod settle;
mod sync;

use crate::health::Health;
use crate::news::News;
use crate::order::Order;
use crate::packet::{Packet, Sender};
use crate::seal;
use crate::suspicion::Suspicions;
use crate::table::{Position, Table};
use crate::wire::{self, Message, Update};
use crate::{Checked, Counters, Event, Member, Metadata, Record, State};
use claim::Contest;
use join::{Hello, Seed};
use leave::Goodbye;
use probe::{Probe, Relay};
use proof::Doubt;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use sync::{Part, Pull};

/// The membership protocol of one node, over packets that are neither encoded nor sealed: for
/// simulations of many nodes, and for measuring. A node that others should be able to trust is a
/// [`Swim`](crate::Swim), which is this behind sealing.
///
/// A [`Machine`]: feed it packets and the time, carry out what it hands out. The cost of a packet
/// does not grow with the number of members, but for the logarithm of a lookup.
pub struct Protocol {
    me: NodeId,
    config: Checked,
    rng: Rng,
    /// The room for a message and its updates in one packet.
    body_len_max: usize,
    phase: Phase,
    table: Table,
    news: News,
    order: Order,
    health: Health,
    probe: Option<Probe>,
    probe_started: Option<Instant>,
    next_probe: Instant,
    /// Pings sent for others, by our number.
    relays: BTreeMap<u64, Relay>,
    suspicions: Suspicions,
    doubts: BTreeMap<Position, Doubt>,
    seeds: Vec<Seed>,
    hellos: BTreeMap<u64, Hello>,
    next_dead_retry: Instant,
    last_dead_tried: Option<Position>,
    merged: Merged,
    /// The seed that let this node in, and when it is asked again.
    second_look: Option<(Instant, Sender)>,
    pulls: BTreeMap<NodeId, Pull>,
    next_sync: Instant,
    last_sync: Option<Instant>,
    /// Whether something was told since this node last said that it had told all.
    has_told: bool,
    contests: BTreeMap<NodeName, Contest>,
    next_gossip: Instant,
    /// Whom we last told that something it believes is out of date.
    corrected: BTreeMap<NodeName, Instant>,
    /// A higher boot of ours that was reported.
    reported_boot: Option<Boot>,
    last_seq: u64,
    last_now: Instant,
    /// How many packets the one that is being handled has caused.
    n_caused: Option<u32>,
    counters: Counters,
    outputs: VecDeque<Output<SocketAddr, Packet, Event>>,
}

/// What the machine does at all.
enum Phase {
    Running,
    Leaving(Goodbye),
    /// It has left, or its name is another's. It says and hears nothing any more.
    Silent,
}

/// Whether the first exchange with a seed is complete.
#[derive(PartialEq, Eq)]
enum Merged {
    NotYet,
    Reported,
}

impl Protocol {
    /// A node that knows only itself. `address` is what it advertises: others send there.
    #[must_use]
    pub fn new(
        now: Instant,
        me: NodeId,
        address: SocketAddr,
        metadata: Metadata,
        config: Checked,
        mut rng: Rng,
    ) -> Self {
        let mut table = Table::default();
        let address = wire::canonical(address);
        let record = Arc::new(Record { id: me.clone(), address, metadata });
        table.set_own(now, Member { record, state: State::Alive, incarnation: 0 });
        // Nodes that start together do not probe together.
        let mut within = |interval| now + rng.duration(Duration::ZERO..=interval);
        let next_probe = within(config.probe_interval);
        let next_dead_retry = within(config.dead_retry_interval);
        let next_sync = within(config.sync_interval);
        Self {
            body_len_max: seal::body_len_max(config.packet_len_max, &me.name),
            me,
            config,
            rng,
            phase: Phase::Running,
            table,
            news: News::default(),
            order: Order::default(),
            health: Health::default(),
            probe: None,
            probe_started: None,
            next_probe,
            relays: BTreeMap::new(),
            suspicions: Suspicions::default(),
            doubts: BTreeMap::new(),
            seeds: Vec::new(),
            hellos: BTreeMap::new(),
            next_dead_retry,
            last_dead_tried: None,
            merged: Merged::NotYet,
            second_look: None,
            pulls: BTreeMap::new(),
            next_sync,
            last_sync: None,
            has_told: false,
            contests: BTreeMap::new(),
            next_gossip: now,
            corrected: BTreeMap::new(),
            reported_boot: None,
            last_seq: 0,
            last_now: now,
            n_caused: None,
            counters: Counters::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Changes what this node tells about itself, and passes it on. The same metadata again is
    /// no news.
    pub fn set_metadata(&mut self, now: Instant, metadata: Metadata) {
        let own = self.own();
        if own.metadata == metadata || !matches!(self.phase, Phase::Running) {
            return;
        }
        let incarnation = own.incarnation.saturating_add(1);
        let record = Arc::new(Record { metadata, ..(*own.record).clone() });
        self.table.set_own(now, Member { record, state: State::Alive, incarnation });
        self.state_own(now);
    }

    /// Changes the settings. Suspicions and probes that are under way keep theirs.
    pub fn set_config(&mut self, now: Instant, config: Checked) {
        self.config = config;
        self.body_len_max = seal::body_len_max(config.packet_len_max, &self.me.name);
        self.health.worsen(0, &self.config);
        self.next_probe = self.next_probe.min(now + config.probe_interval);
        self.next_dead_retry = self.next_dead_retry.min(now + config.dead_retry_interval);
        self.next_sync = self.next_sync.min(now + config.sync_interval);
        self.next_gossip = self.next_gossip.min(now + config.gossip_interval);
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Checked {
        &self.config
    }

    /// This life of this node.
    #[must_use]
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// Everybody known, this node included, in an order of its own that only the names decide.
    /// The dead and those who left stay for [`dead_memory`](crate::Config::dead_memory), one boot
    /// of each name.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.table.members()
    }

    /// The node `id`, unless it is unknown or a newer boot of its name took its place.
    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.table.member(id)
    }

    /// How many members are alive or suspect, this node included.
    #[must_use]
    pub const fn n_live(&self) -> usize {
        self.table.n_live()
    }

    /// A hash of all that is known of the live members: nodes that agree have the same.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.table.digest()
    }

    /// The smoothed round trip to `id`, from this node's own probes of it.
    #[must_use]
    pub fn rtt(&self, id: &NodeId) -> Option<Duration> {
        self.table.get(&id.name).filter(|entry| entry.member.id == *id)?.rtt.smoothed()
    }

    /// How well this node itself does.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// What happened how often.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) const fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Whether it has left, or its name is another's: it says and hears nothing any more.
    pub(crate) const fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Silent)
    }

    fn own(&self) -> &Member {
        &self.table.get(&self.me.name).expect("this node is in its table").member
    }

    fn own_statement(&self) -> Update {
        self.table.statement(&self.me.name, None).expect("this node is in its table")
    }

    fn is_self(&self, name: &NodeName) -> bool {
        *name == self.me.name
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    /// Falls silent for good.
    fn fall_silent(&mut self, why: Event) {
        self.phase = Phase::Silent;
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
        self.event(why);
    }

    /// Notices that this node itself stood still: stopped, starved or suspended. Then the answers
    /// that it missed wait behind this call, so nobody is judged by them before it has caught up.
    fn notice_pause(&mut self, now: Instant) {
        let due = self.poll_timeout().unwrap_or(now).max(self.last_now);
        let lost = now.since(due);
        self.last_now = self.last_now.max(now);
        if lost <= self.config.probe_timeout {
            return;
        }
        self.counters.pauses += 1;
        self.probe = None;
        self.suspicions.postpone(lost);
        self.contests.values_mut().for_each(|contest| contest.postpone(lost));
    }
}

impl Protocol {
    fn handle_packet(&mut self, now: Instant, from: SocketAddr, packet: Packet) {
        let Packet { sender, receiver, message, updates } = packet;
        let is_hello = matches!(message, Message::Hello { .. });
        if receiver != self.me.boot && !(is_hello && receiver == Boot::default()) {
            // Only what changes nothing may come without proof that it is meant for this life.
            self.counters.refused.receiver += 1;
            return;
        }
        self.counters.packets_in += 1;
        let sender = Sender { id: sender, from };
        match message {
            Message::Hello { nonce } => self.handle_hello(&sender, nonce),
            _ if sender.id == self.me => {}
            Message::Join => self.handle_join(now, &sender, updates),
            _ if self.is_outdated(&sender.id) => self.correct_sender(now, &sender),
            _ => {
                self.handle_updates(now, &sender, &updates);
                self.dispatch(now, &sender, message);
                self.meet(now, &sender);
            }
        }
    }

    fn dispatch(&mut self, now: Instant, sender: &Sender, message: Message) {
        if self.is_silent() {
            return;
        }
        match message {
            Message::HelloAck { nonce } => self.handle_hello_ack(now, sender, nonce),
            Message::Taken { holder } => self.handle_taken(sender, holder),
            Message::Behind { remembered } => self.handle_behind(sender, remembered),
            Message::Pull { from, ranges } => self.handle_pull(now, sender, from, &ranges),
            Message::Page { from, until, more } => {
                self.handle_page(now, sender, from, Part { until, more });
            }
            Message::Ping { seq, digest } => self.handle_ping(now, sender, seq, digest),
            Message::Ack { seq, digest } => self.handle_ack(now, sender, seq, digest),
            Message::PingReq { seq, target, address, patience_ms } => {
                let target = Record { id: target, address, metadata: Metadata::default() };
                self.handle_ping_req(now, sender, seq, &target, patience_ms);
            }
            Message::Nack { seq } => self.handle_nack(seq),
            Message::Told { digest } => self.compare(now, sender, digest),
            Message::Leave { seq } => self.handle_leave(sender, seq),
            // Keys are the sealing's; who sends them is met like anybody else.
            Message::KeyAsk { .. } | Message::KeyDone { .. } => {}
            Message::Gossip | Message::Hello { .. } | Message::Join => {}
        }
    }

    /// Whether a newer boot of the sender's name is known. Of our own name both are heard: the
    /// older one may be the holder who says that it is taken.
    fn is_outdated(&self, sender: &NodeId) -> bool {
        !self.is_self(&sender.name)
            && self.table.get(&sender.name).is_some_and(|entry| entry.member.id.boot > sender.boot)
    }
}

impl Machine for Protocol {
    type Peer = SocketAddr;
    type Message = Packet;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: SocketAddr, packet: Packet) {
        if self.is_silent() {
            return;
        }
        self.notice_pause(now);
        self.n_caused = Some(0);
        self.handle_packet(now, from, packet);
        self.n_caused = None;
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.notice_pause(now);
        match self.phase {
            Phase::Silent => {}
            Phase::Leaving(_) => {
                self.leave_tick(now);
                self.gossip_tick(now);
            }
            Phase::Running => {
                self.probe_tick(now);
                self.relay_tick(now);
                self.doubt_tick(now);
                self.suspicion_tick(now);
                self.contest_tick(now);
                self.seed_tick(now);
                self.dead_tick(now);
                self.second_look(now);
                self.pull_tick(now);
                self.sync_tick(now);
                self.gossip_tick(now);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Silent => None,
            Phase::Leaving(goodbye) => {
                [Some(goodbye.due()), self.gossip_due()].into_iter().flatten().min()
            }
            Phase::Running => [
                Some(self.probe_due()),
                self.suspicions.deadline(),
                self.relays.values().filter_map(Relay::due).min(),
                self.doubts.values().map(Doubt::due).min(),
                self.contests.values().map(Contest::due).min(),
                self.seeds.iter().map(Seed::due).min(),
                self.second_look.as_ref().map(|(at, _)| *at),
                self.pulls.values().map(Pull::due).min(),
                Some(self.next_dead_retry),
                Some(self.next_sync),
                self.gossip_due(),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    fn poll_output(&mut self) -> Option<Output<SocketAddr, Packet, Event>> {
        self.outputs.pop_front()
    }
}

/// One line for each member.
impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, health {}:", self.me, self.health.score())?;
        for member in self.members() {
            let Member { record, state, incarnation } = member;
            writeln!(f, "  {:?} at {}: {state:?}, {incarnation}", record.id, record.address)?;
        }
        Ok(())
    }
}
