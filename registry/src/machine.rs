//! The registry as a machine: every node's log, replicated to every node.

use crate::claim::KIND_LEN_MAX;
use crate::config::{Checked, Config};
use crate::few::Few;
use crate::log::{Log, LogId, OWN, Standing};
use crate::members::trim;
use crate::peer::Peer;
use crate::record::{Entry, Record, Resolution};
use crate::replica::Replica;
use crate::settle::Settling;
use crate::snapshot::Snapshot;
use crate::writer::Writer;
use crate::{At, Bytes, Claim, Event, Fact, Message, Rejection, State, Why};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Instant, Machine, Name, NodeId, Output, Pid, Rng, Token};

/// All logs as far as this node holds them, the names that they make, and their replication.
///
/// The layer above says who lives ([`node_up`](Self::node_up), [`node_dead`](Self::node_dead)) and
/// who can be reached ([`session_up`](Self::session_up), [`session_down`](Self::session_down));
/// messages are taken only from nodes with a session.
#[derive(Debug)]
pub struct Registry {
    pub(crate) me: NodeId,
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) replica: Replica,
    pub(crate) writer: Writer,
    pub(crate) peers: BTreeMap<NodeId, Peer>,
    pub(crate) settling: Settling,
    pub(crate) outputs: VecDeque<Output<NodeId, Message, Event>>,
    /// Whether some peer may be due something that is not among the outputs yet.
    pub(crate) unsent: bool,
    /// Whether something long goes on in slices.
    pub(crate) is_slicing: bool,
    /// A snapshot that is ready, until the peers that wait for it are sent it.
    pub(crate) made: Option<Arc<Snapshot>>,
    /// The latest time that this node was told.
    pub(crate) now: Instant,
    /// When facts of this node were last closed into a batch, and when the next are.
    pub(crate) sealed_at: Instant,
    pub(crate) push_at: Option<Instant>,
    /// When a peer that asked for a pause is next sent something.
    pub(crate) resume_at: Option<Instant>,
    /// Whether they are closed into one now.
    pub(crate) is_flushing: bool,
    pub(crate) compare_at: Instant,
    pub(crate) relay_at: Instant,
    pub(crate) ack_at: Option<Instant>,
    pub(crate) rejected: BTreeMap<Rejection, u64>,
    pub(crate) arrived: u64,
}

impl Registry {
    /// A node that holds nothing but its own, empty log.
    #[must_use]
    pub fn new(now: Instant, me: NodeId, config: Checked, mut rng: Rng) -> Self {
        let config = config.config().clone();
        let mut replica = Replica::default();
        let own = replica.logs.insert(Log::new(me.clone(), Standing::Live));
        assert_eq!(own, OWN, "the first log is this node's");
        Self {
            compare_at: now + rng.duration(config.compare_interval / 2..=config.compare_interval),
            relay_at: now + config.relay_interval,
            ack_at: None,
            now,
            sealed_at: Instant::START,
            push_at: None,
            resume_at: None,
            is_flushing: false,
            me,
            config,
            rng,
            replica,
            writer: Writer::default(),
            peers: BTreeMap::new(),
            settling: Settling::default(),
            outputs: VecDeque::new(),
            unsent: false,
            is_slicing: false,
            made: None,
            rejected: BTreeMap::new(),
            arrived: 0,
        }
    }

    /// Appends one fact to this node's log, applies it at once, and sends it to every peer: with
    /// the next outputs, or [`push_delay`](Config::push_delay) after the last ones. Returns its
    /// position, from 1.
    ///
    /// Groups of a claim beyond [`CLAIM_GROUPS_MAX`](crate::CLAIM_GROUPS_MAX) are cut off. An
    /// [`Exited`](Fact::Exited) also ends the claims by pid of the process, and turns running
    /// claims with a spec to [`Waiting`](At::Waiting), in the same batch.
    ///
    /// # Panics
    ///
    /// If the kind of a claim is longer than [`KIND_LEN_MAX`](crate::KIND_LEN_MAX).
    pub fn append(&mut self, now: Instant, fact: Fact) -> u64 {
        self.append_all(now, [fact])
    }

    /// Appends facts that every node applies together. More than 4,096 of them, or than 1 MiB,
    /// are split. Returns the position of the last one.
    ///
    /// # Panics
    ///
    /// As [`append`](Self::append).
    pub fn append_all(&mut self, now: Instant, facts: impl IntoIterator<Item = Fact>) -> u64 {
        self.now = now;
        let mut batch = Vec::new();
        for fact in facts {
            self.prepare(fact, &mut batch);
        }
        self.write(batch);
        self.replica.logs[OWN].position
    }

    /// Sends with the next outputs what was appended and waits for
    /// [`push_delay`](Config::push_delay): for a message of another layer that must come behind it.
    pub fn flush(&mut self) {
        if self.writer.n_open() > 0 {
            (self.is_flushing, self.unsent) = (true, true);
        }
    }

    /// Who has `name`, as far as this node knows. One hash lookup.
    #[must_use]
    pub fn resolve(&self, name: &Name) -> Resolution<'_> {
        match self.replica.table.get(name) {
            Some(record) => record.resolve(name, &self.replica.logs),
            None => Resolution::Free,
        }
    }

    /// This node's own claim on `name`, whether or not it wins.
    #[must_use]
    pub fn own(&self, name: &Name) -> Option<Claim> {
        self.replica.claim(OWN, name)
    }

    /// This node's own claims, in no particular order.
    pub fn own_claims(&self) -> impl Iterator<Item = Claim> {
        self.replica.table.of(OWN).filter_map(|(name, record)| match record.of(OWN)? {
            Entry::Claim(claim) => Some(claim.claim(name, self.me.boot)),
            Entry::Gone(_) | Entry::Stopped(_) => None,
        })
    }

    /// Every claim on `name`, with whose it is and whether it counts.
    pub fn claims<'a>(
        &'a self,
        name: &Name,
    ) -> impl Iterator<Item = (&'a NodeId, Claim, Standing)> + use<'a> {
        let name = name.clone();
        let record = self.replica.table.get(&name);
        record.into_iter().flat_map(Record::iter).filter_map(move |(log, entry)| match entry {
            Entry::Claim(claim) => {
                let log = &self.replica.logs[log];
                Some((&log.node, claim.claim(&name, log.node.boot), log.standing))
            }
            Entry::Gone(_) | Entry::Stopped(_) => None,
        })
    }

    /// The epoch that a start or a move of `name` takes: one above every one that any log here
    /// shows for it, and above all that was let go of: who has a name next stands above those who
    /// had it, and what was let go of here may be left elsewhere (ownership, R5: a tombstone that
    /// comes back would end a name that was registered anew below it).
    #[must_use]
    pub fn next_epoch(&self, name: &Name) -> u64 {
        self.epoch(name).max(self.replica.released).saturating_add(1)
    }

    /// The highest epoch that any log here shows for `name`; 0 where none does.
    #[must_use]
    pub fn epoch(&self, name: &Name) -> u64 {
        self.highest(name).map_or(0, |token| token.epoch)
    }

    /// The highest token that any log here shows for `name`, of a claim, an end, or a move. A
    /// node whose live claim is below it claims anew, one epoch above.
    #[must_use]
    pub fn highest(&self, name: &Name) -> Option<Token> {
        let record = self.replica.table.get(name)?;
        record.iter().map(|(_, entry)| entry.token()).max()
    }

    /// How far `log` is applied here, this node's own included; 0 where it is not held.
    #[must_use]
    pub fn position(&self, log: &NodeId) -> u64 {
        self.replica.logs.of(log).map_or(0, |log| log.position)
    }

    /// The names that this node claims for its process `pid`.
    pub fn pid_names(&self, pid: Pid) -> impl Iterator<Item = &Name> {
        self.replica.own_names.get(&pid).into_iter().flat_map(Few::iter)
    }

    /// The groups that `log` has the process `pid` in, with its metadata: what to join again when
    /// it starts elsewhere. In the order of the groups.
    pub fn memberships<'a>(
        &'a self,
        log: &NodeId,
        pid: Pid,
    ) -> impl Iterator<Item = (Name, Bytes)> + use<'a> {
        let log = self.replica.logs.of(log).filter(|_| log.boot == pid.boot);
        let groups = log.and_then(|log| log.members.get(pid.serial));
        groups.into_iter().flatten().map(|(group, meta)| (group.clone(), meta.clone()))
    }

    /// Every name that is not free, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        let logs = &self.replica.logs;
        let taken = self.replica.table.iter();
        taken.filter(|(_, record)| record.summary(logs).state != State::Free).map(|(name, _)| name)
    }

    /// How many names are not free.
    #[must_use]
    pub fn len(&self) -> usize {
        self.replica.n_taken
    }

    /// Whether as many names are taken as [`names_max`](Config::names_max) allows. It is for the
    /// layer above to heed, which knows whom to tell.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.config.names_max
    }

    /// Whether the process `pid` of this node may join `group`: it is in it, or in fewer groups
    /// than [`groups_max`](Config::groups_max).
    #[must_use]
    pub fn may_join(&self, pid: Pid, group: &Name) -> bool {
        let groups = self.replica.logs[OWN].members.get(pid.serial);
        groups.is_none_or(|groups| {
            groups.len() < self.config.groups_max || groups.contains_key(group)
        })
    }

    /// What the process `pid` of this node says of itself in `group`; `None` where it is not in it.
    #[must_use]
    pub fn meta(&self, pid: Pid, group: &Name) -> Option<&Bytes> {
        let members = &self.replica.logs[OWN].members;
        members.get(pid.serial).filter(|_| pid.boot == self.me.boot)?.get(group)
    }

    /// What is said of `name`, by the claim that it has or starts from; `None` where there is none.
    #[must_use]
    pub fn name_meta(&self, name: &Name) -> Option<Bytes> {
        match self.resolve(name) {
            Resolution::Held { claim, .. } | Resolution::Orphan { claim, .. } => Some(claim.meta),
            Resolution::Free | Resolution::Pending { .. } => None,
        }
    }

    /// What can be tuned.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether every name is free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names that resolve to [`Resolution::Orphan`], in no particular order.
    pub fn orphans(&self) -> impl Iterator<Item = &Name> {
        self.replica.orphans.keys()
    }

    /// How many names resolve to [`Resolution::Orphan`].
    #[must_use]
    pub fn n_orphans(&self) -> usize {
        self.replica.orphans.len()
    }

    /// The orphan at a place, of [`n_orphans`](Self::n_orphans): for whoever looks at all of them
    /// in parts. When one goes, the last takes its place; what comes is last.
    #[must_use]
    pub fn orphan_at(&self, place: usize) -> Option<&Name> {
        self.replica.orphans.get_index(place).map(|(name, ())| name)
    }

    /// How many names this node's log has an entry for: a claim, or what is left of one.
    #[must_use]
    pub fn n_own(&self) -> usize {
        self.replica.table.places(OWN).len()
    }

    /// How many of these are what is left of a claim that ended here or went elsewhere: some node
    /// may not know of it yet.
    #[must_use]
    pub fn n_ended(&self) -> usize {
        self.replica.own_remains.len()
    }

    /// The name at a place, of [`n_own`](Self::n_own), in the same way.
    #[must_use]
    pub fn own_at(&self, place: usize) -> Option<&Name> {
        let place = self.replica.table.places(OWN).get(place)?;
        self.replica.table.at(*place).map(|(name, _)| name)
    }

    /// This node.
    #[must_use]
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// Adds to `batch` the facts that `fact` comes to.
    fn prepare(&self, mut fact: Fact, batch: &mut Vec<Fact>) {
        match &mut fact {
            Fact::Named(claim) => {
                let fits = claim.spec.as_ref().is_none_or(|spec| spec.kind.len() <= KIND_LEN_MAX);
                assert!(fits, "kinds are checked where they are registered");
                trim(&mut claim.groups);
            }
            Fact::Ended { name, token, why } => {
                if *why == Why::Stopped {
                    (*token, *why) = self.stop_of(name, *token);
                }
            }
            Fact::Exited { pid } => self.prepare_exit(*pid, batch),
            Fact::Joined { .. } | Fact::Left { .. } => {}
        }
        debug_assert!(
            fact.pid().is_none_or(|pid| pid.boot == self.me.boot),
            "a node speaks of its own processes"
        );
        batch.push(fact);
    }

    /// How the stop of a claim with this token is written. It outranks every pointer to this node:
    /// who holds one higher up has it from an earlier claim, and the name would be pending for
    /// ever where nobody has claimed it above that (ownership, R5).
    fn stop_of(&self, name: &Name, token: Token) -> (Token, Why) {
        if !self.needs_tombstone(name, token) {
            return (token, Why::Settled);
        }
        let pointed = self.replica.table.get(name).and_then(|record| record.pointed(&self.me));
        (token.max(pointed.unwrap_or_default()), Why::Stopped)
    }

    /// What becomes of the claims of a process that ended.
    fn prepare_exit(&self, pid: Pid, batch: &mut Vec<Fact>) {
        // An earlier fact of the same batch may have given the name another claim already.
        let earlier = batch.len();
        let claimed = |batch: &[Fact], name: &Name| {
            batch[..earlier].iter().any(|fact| match fact {
                Fact::Named(claim) => claim.name == *name,
                Fact::Ended { name: ended, .. } => ended == name,
                _ => false,
            })
        };
        for name in self.pid_names(pid) {
            let Some(claim) = self.own(name) else { continue };
            if claimed(batch, name) || claim.at != At::Running(pid) {
                continue;
            }
            if claim.spec.is_some() {
                let groups = self.replica.logs[OWN].members.carried(pid.serial);
                batch.push(Fact::Named(Claim { at: At::Waiting, groups, ..claim }));
                continue;
            }
            let (token, why) = self.stop_of(name, claim.token);
            batch.push(Fact::Ended { name: name.clone(), token, why });
        }
    }

    /// Writes facts to the own log as they are.
    pub(crate) fn write(&mut self, batch: Vec<Fact>) {
        if batch.is_empty() {
            return;
        }
        let log = &mut self.replica.logs[OWN];
        let mut sealed = Vec::new();
        self.writer.write(self.me.boot, log.position, &mut log.digest, &batch, &mut sealed);
        log.position += batch.len() as u64;
        for batch in sealed {
            let bounds = self.bounds(OWN);
            self.replica.logs[OWN].history.push(batch, bounds);
        }
        for fact in batch {
            self.replica.apply(OWN, fact);
        }
        self.unsent = true;
    }

    pub(crate) fn reject(&mut self, why: Rejection) {
        *self.rejected.entry(why).or_default() += 1;
    }

    pub(crate) fn send(&mut self, to: &NodeId, message: Message) {
        self.outputs.push_back(Output::Send { to: to.clone(), message });
    }

    pub(crate) fn log_id(&self, node: &NodeId) -> Option<LogId> {
        self.replica.logs.id(node)
    }
}

impl Machine for Registry {
    type Peer = NodeId;
    type Message = Message;
    type Event = Event;

    fn handle_message(&mut self, now: Instant, from: NodeId, message: Message) {
        self.now = now;
        if !self.peers.contains_key(&from) {
            return self.reject(Rejection::NoSession);
        }
        match message {
            Message::Facts { log, first, count, facts } => {
                self.take_facts(now, &from, &log, first, (count, facts));
            }
            Message::Ack { log, position } => self.take_ack(&from, &log, position),
            Message::Released { epoch } => {
                self.replica.released = self.replica.released.max(epoch);
            }
            Message::Compare { scope, marks } => self.take_compare(now, &from, scope, marks),
            Message::Ask { log, after } => self.take_ask(&from, &log, after),
            Message::Chunk { log, position, digest, index, of, count, facts } => {
                let head = crate::sync::Head { position, digest, index, of, count };
                self.take_chunk(now, &from, &log, head, facts);
            }
            Message::Slow { log, after, wait_ms } => {
                self.take_slow(now, &from, &log, after, Duration::from_millis(wait_ms));
            }
            Message::Got { log, position, pieces } => self.take_got(&from, &log, position, pieces),
        }
        self.end_unclaimed();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.is_slicing {
            self.slice(now);
            self.end_unclaimed();
        }
        let due = [self.push_at, self.resume_at].into_iter().flatten().min();
        self.unsent |= due.is_some_and(|at| at <= now);
        if self.ack_at.is_some_and(|at| at <= now) {
            self.acknowledge_all();
        }
        if self.relay_at <= now {
            self.relay_at = now + self.config.relay_interval;
            self.settle_awaited(now);
            self.ask_relays(now);
        }
        if self.compare_at <= now {
            let interval = self.config.compare_interval;
            self.compare_at = now + self.rng.duration(interval * 3 / 4..=interval * 5 / 4);
            self.compare_all();
            self.trim();
            self.settle(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.is_slicing {
            return Some(Instant::START);
        }
        let due = self.compare_at.min(self.relay_at);
        [self.ack_at, self.push_at, self.resume_at].into_iter().flatten().chain([due]).min()
    }

    fn poll_output(&mut self) -> Option<Output<NodeId, Message, Event>> {
        if let Some(event) = self.replica.events.pop_front() {
            return Some(Output::Event(event));
        }
        if self.outputs.is_empty() && self.unsent {
            self.pump();
        }
        self.outputs.pop_front()
    }
}
