//! Two nodes that hold the same logs: one is told fact by fact, the other in batches.

use crate::Role;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::codec::{self, Limits};
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng};
use swarm_registry::{Bytes, Config, Encoded, Event, LogProgress, Message, Registry};

/// Both, and what they were told. Each method panics where something does not hold.
///
/// The log that both are told of is the [first](Role::First) member's. Whoever sends messages
/// sends them to both.
pub struct Replicas {
    each: Replica,
    batched: Replica,
    /// Facts that only the first of the two has.
    ahead: Vec<Vec<u8>>,
    now: Instant,
    waited: Duration,
    /// Bytes that they were fed.
    n_bytes: usize,
}

/// One node, and the tables that its events make.
struct Replica {
    registry: Registry,
    names: BTreeMap<Name, Pid>,
    groups: BTreeMap<(Name, Pid), Bytes>,
}

/// What is compared.
type Shown<'a> = (
    Vec<LogProgress>,
    BTreeMap<&'a Name, Vec<String>>,
    &'a BTreeMap<Name, Pid>,
    &'a BTreeMap<(Name, Pid), Bytes>,
);

impl Replicas {
    /// Two nodes of one name, since the writer of a log may not be told it.
    #[must_use]
    pub fn new() -> Self {
        let (each, batched) = (Replica::new(), Replica::new());
        let (now, waited) = (Instant::START, Duration::ZERO);
        Self { each, batched, ahead: Vec::new(), now, waited, n_bytes: 0 }
    }

    /// The writer says one more fact, in these bytes.
    pub fn write(&mut self, fact: &[u8]) {
        self.n_bytes += fact.len();
        self.each.take(self.now, std::slice::from_ref(&fact.to_vec()));
        self.ahead.push(fact.to_vec());
        if self.ahead.len() >= BATCH_MAX {
            self.flush();
        }
    }

    /// A member sends a message, in these bytes, if they are one.
    pub fn send(&mut self, by: Role, bytes: &[u8]) {
        self.flush();
        self.n_bytes += bytes.len();
        let limits = Limits { items: 262_144, ..Limits::of_bytes(Message::LEN_MAX) };
        let Ok(message) = codec::decode::<Message>(bytes, limits) else { return };
        let again = codec::encode(&message).expect("what is decoded is encoded");
        let decoded = codec::decode::<Message>(&again, limits);
        assert_eq!(decoded.as_ref(), Ok(&message), "what is encoded is decoded");
        for replica in [&mut self.each, &mut self.batched] {
            replica.registry.handle_message(self.now, by.id(), message.clone());
            replica.drain();
        }
        self.compare();
    }

    /// Time passes, and both do what is due.
    pub fn wait(&mut self, time: Duration) {
        self.flush();
        let until = self.now + time.min(WAIT_MAX.saturating_sub(self.waited));
        self.waited += until.since(self.now);
        for replica in [&mut self.each, &mut self.batched] {
            replica.wait(self.now, until);
        }
        self.now = until;
        self.compare();
    }

    /// Both are told everything, and show the same (G1).
    pub fn flush(&mut self) {
        let facts = std::mem::take(&mut self.ahead);
        if !facts.is_empty() {
            self.batched.take(self.now, &facts);
        }
        self.compare();
    }

    fn compare(&self) {
        let (each, batched) = (self.each.shown(), self.batched.shown());
        assert_eq!(each, batched, "the same facts make the same state");
        let n_held: usize = each.0.iter().map(|log| log.n_names + log.n_members).sum();
        assert!(n_held <= self.n_bytes / FACT_LEN_MIN, "{n_held} from {} bytes", self.n_bytes);
        let n_logs_max = MEMBERS.len() + 1 + self.n_bytes / MARK_LEN_MIN;
        assert!(each.0.len() <= n_logs_max, "{} logs from {} bytes", each.0.len(), self.n_bytes);
    }
}

impl Default for Replicas {
    fn default() -> Self {
        Self::new()
    }
}

impl Replica {
    fn new() -> Self {
        let me = NodeId::new(NodeName::new("a").expect("a name"), Boot { millis: 1, random: 0 });
        let config = Config { snapshot_len_max: 1024 * 1024, ..Config::default() };
        let config = config.check().expect("within bounds");
        let mut registry = Registry::new(Instant::START, me, config, Rng::new(1));
        for member in MEMBERS {
            registry.node_up(Instant::START, member.id());
            registry.session_up(Instant::START, member.id());
        }
        // A dead one, whose log anybody may tell.
        registry.node_dead(Instant::START, &Role::Newcomer.id());
        let mut replica = Self { registry, names: BTreeMap::new(), groups: BTreeMap::new() };
        replica.drain();
        replica
    }

    /// Takes facts that follow what it holds.
    fn take(&mut self, now: Instant, facts: &[Vec<u8>]) {
        let log = Role::First.id();
        let first = self.registry.position(&log) + 1;
        let mut run = Vec::new();
        for fact in facts {
            run.extend((fact.len() as u32).to_be_bytes());
            run.extend(fact);
        }
        let message =
            Message::Facts { log, first, count: facts.len() as u32, facts: encoded(&run) };
        self.registry.handle_message(now, Role::First.id(), message);
        self.drain();
    }

    fn wait(&mut self, from: Instant, until: Instant) {
        let (mut now, mut n_calls) = (from, 0);
        while let Some(due) = self.registry.poll_timeout().filter(|due| *due <= until) {
            n_calls = if due > now { 0 } else { n_calls + 1 };
            assert!(n_calls <= CALLS_MAX, "its timer does not come to rest");
            now = now.max(due);
            self.registry.handle_timeout(now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut n_sent = 0;
        while let Some(output) = self.registry.poll_output() {
            match output {
                Output::Send { .. } => n_sent += 1,
                Output::Event(event) => self.follow(event),
            }
            assert!(n_sent <= REPLIES_MAX, "one input makes it send {n_sent}");
        }
    }

    fn follow(&mut self, event: Event) {
        match event {
            Event::Changed { name, was, now, .. } => {
                let before = match now {
                    Some(pid) => self.names.insert(name, pid),
                    None => self.names.remove(&name),
                };
                assert_eq!(before, was, "changes follow each other");
            }
            Event::Joined { group, pid, meta, node } => {
                assert_eq!(pid.boot, node.boot, "a node speaks of its own processes");
                self.groups.insert((group, pid), meta);
            }
            Event::Left { group, pid, .. } => {
                assert!(self.groups.remove(&(group, pid)).is_some(), "only members leave");
            }
            Event::Conflict { .. }
            | Event::Applied { .. }
            | Event::Slowed { .. }
            | Event::RolledBack { .. } => {}
        }
    }

    /// What the logs of others make. Its own is its answer to them, and may answer what the other
    /// node never saw: the middle of a batch.
    fn shown(&self) -> Shown<'_> {
        let me = self.registry.me();
        let logs = self.registry.log_progress().filter(|log| log.log != *me);
        let claims = |name| -> Vec<String> {
            let claims = self.registry.claims(name).filter(|(log, ..)| *log != me);
            claims.map(|claim| format!("{claim:?}")).collect()
        };
        let names = self.registry.names().map(|name| (name, claims(name)));
        let names = names.filter(|(_, claims)| !claims.is_empty());
        (logs.collect(), names.collect(), &self.names, &self.groups)
    }
}

/// A run of facts, as it comes out of a message.
fn encoded(run: &[u8]) -> Encoded {
    let mut bytes = vec![BIN_32];
    bytes.extend((run.len() as u32).to_be_bytes());
    bytes.extend(run);
    codec::decode(&bytes, Limits::of_bytes(bytes.len())).expect("a byte string")
}

/// Those who live, and have a session.
const MEMBERS: [Role; 2] = [Role::First, Role::Second];

/// So many facts travel together.
const BATCH_MAX: usize = 64;

/// A fact that leaves something behind is never shorter.
const FACT_LEN_MIN: usize = 4;

/// What makes a log known is never shorter.
const MARK_LEN_MIN: usize = 8;

/// The most that an answer takes.
const REPLIES_MAX: usize = 1_024;

/// How often the timer may be due at once: a snapshot is taken in by slices.
const CALLS_MAX: u32 = 256;

/// How long one input waits.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// MessagePack's mark of a byte string with a length of 32 bits.
const BIN_32: u8 = 0xc6;
