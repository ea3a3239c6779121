//! The machine: its state, what callers ask of it, and the way of a packet through it.

mod claim;
mod gossip;
mod join;
mod leave;
mod packet;
mod probe;
mod settle;
mod sync;

use crate::news::News;
use crate::order::Order;
use crate::seal::Seal;
use crate::suspicion::Suspicion;
use crate::table::Table;
use crate::wire::{self, Update};
use crate::{Checked, Cipher, Counters, Event, Keyring, Member, Metadata, State};
use claim::Contest;
use join::{Hello, Seed};
use leave::Goodbye;
use probe::{Probe, Relay};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use sync::Pull;

/// The membership protocol of one node.
///
/// A [`Machine`]: feed it datagrams and the time, carry out what it hands out. A datagram is at
/// most [`PACKET_LEN_MAX`](crate::PACKET_LEN_MAX) bytes and sealed. Bytes that are not a fresh
/// packet of a member of the cluster are counted and change nothing.
pub struct Swim {
    me: NodeId,
    config: Checked,
    rng: Rng,
    seal: Seal,
    phase: Phase,
    table: Table,
    news: News,
    order: Order,
    probe: Option<Probe>,
    probe_started: Option<Instant>,
    next_probe: Instant,
    /// Pings sent for others, by our number.
    relays: BTreeMap<u64, Relay>,
    /// One for each suspect member.
    suspicions: BTreeMap<NodeName, Suspicion>,
    seeds: Vec<Seed>,
    hellos: BTreeMap<u64, Hello>,
    next_dead_retry: Instant,
    merged: Merged,
    pulls: BTreeMap<NodeId, Pull>,
    next_sync: Instant,
    /// Not before this does a differing hash start a sync.
    sync_rest: Instant,
    contests: BTreeMap<NodeName, Contest>,
    next_gossip: Instant,
    /// Whom we last told that something it believes is out of date.
    corrected: BTreeMap<NodeName, Instant>,
    /// A higher boot of ours that was reported.
    reported_boot: Option<Boot>,
    last_seq: u64,
    last_now: Instant,
    counters: Counters,
    outputs: VecDeque<Output<SocketAddr, Vec<u8>, Event>>,
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

/// Who sent a packet, and from where.
#[derive(Clone, Debug)]
struct Sender {
    id: NodeId,
    from: SocketAddr,
}

impl Swim {
    /// A node that knows only itself. `address` is what it advertises: others send there.
    ///
    /// `rng` need not be secret; all sealing is by counters.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one thing that a node cannot be without"
    )]
    pub fn new(
        now: Instant,
        me: NodeId,
        address: SocketAddr,
        metadata: Metadata,
        config: Checked,
        keyring: Keyring,
        cipher: Box<dyn Cipher>,
        mut rng: Rng,
    ) -> Self {
        let mut table = Table::default();
        let address = wire::canonical(address);
        let own = Member { id: me.clone(), address, state: State::Alive, incarnation: 0, metadata };
        table.set_own(now, own);
        // Nodes that start together do not probe together.
        let mut within = |interval| now + rng.duration(std::time::Duration::ZERO..=interval);
        let next_probe = within(config.probe_interval);
        let next_dead_retry = within(config.dead_retry_interval);
        let next_sync = within(config.sync_interval);
        Self {
            seal: Seal::new(me.clone(), keyring, cipher),
            me,
            config,
            rng,
            phase: Phase::Running,
            table,
            news: News::default(),
            order: Order::default(),
            probe: None,
            probe_started: None,
            next_probe,
            relays: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            seeds: Vec::new(),
            hellos: BTreeMap::new(),
            next_dead_retry,
            merged: Merged::NotYet,
            pulls: BTreeMap::new(),
            next_sync,
            sync_rest: now,
            contests: BTreeMap::new(),
            next_gossip: now,
            corrected: BTreeMap::new(),
            reported_boot: None,
            last_seq: 0,
            last_now: now,
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
        let own = Member { incarnation, metadata, ..own.clone() };
        self.table.set_own(now, own);
        self.spread(now, self.own_statement());
    }

    /// Changes the secrets. Packets that are on their way under a key that is gone are lost.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        self.seal.set_keyring(keyring);
    }

    /// Everybody known, this node included, in the order of their [`NodeId`]s. The dead and those
    /// who left stay for [`dead_memory`](crate::Config::dead_memory), one boot of each name.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.table.members()
    }

    /// The node `id`, unless it is unknown or a newer boot of its name took its place.
    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.table.member(id)
    }

    /// What happened how often.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
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
        self.suspicions.values_mut().for_each(|suspicion| suspicion.postpone(lost));
        self.contests.values_mut().for_each(|contest| contest.postpone(lost));
    }
}

impl Machine for Swim {
    type Peer = SocketAddr;
    type Message = Vec<u8>;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: SocketAddr, packet: Vec<u8>) {
        if matches!(self.phase, Phase::Silent) {
            return;
        }
        self.notice_pause(now);
        self.handle_packet(now, from, packet);
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
                self.suspicion_tick(now);
                self.contest_tick(now);
                self.seed_tick(now);
                self.dead_tick(now);
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
                self.suspicions.values().map(Suspicion::deadline).min(),
                self.contests.values().map(Contest::due).min(),
                self.seeds.iter().map(Seed::due).min(),
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

    fn poll_output(&mut self) -> Option<Output<SocketAddr, Vec<u8>, Event>> {
        self.outputs.pop_front()
    }
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swim")
            .field("me", &self.me)
            .field("members", &self.members().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
