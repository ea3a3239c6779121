//! Three nodes with a move machine each, toy processes, and sessions that break: one thread, one
//! seed. Sessions are modelled by hand, so that the test can strike between any two messages and
//! repeat any of them much later.

mod checks;
mod facts;
mod histories;
mod nodes;
mod toy;

use facts::Facts;
use nodes::Nodes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Rng};
use swarm_handoff::{Config, MoveId, MoveMessage, Moves};
use toy::{Job, Toy};

pub(crate) const NODES: usize = 3;
const NAMES: usize = 2;
const TRACE: usize = 1000;

/// After how long a standby asks where moves are hasty: above every other timeout but those of
/// processes themselves.
const HASTY_TTL: Duration = ms(3100);

/// How often each fault struck, by what it struck.
pub(crate) type Struck = BTreeMap<(&'static str, &'static str), u64>;

/// A variant of the protocol that is known to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The target runs a standby after a while, commit or not.
    PromoteByTimer,
    /// An abort means whatever move of the name there is.
    AbortWithoutId,
    /// The source ends the process when it has its state.
    KillBeforeReady,
    /// The target forgets a move once it has acknowledged it.
    ForgetAfterAck,
    /// The source drops the snapshot when it commits.
    DropSnapshotAtCommit,
    /// The target counts the chunks of a state, whether or not each has arrived.
    CountChunks,
}

/// Whether nodes are held dead that live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deaths {
    Real,
    /// Then names run twice for a while, and the lower token ends.
    AlsoFalse,
}

/// What went wrong, and what came before.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) property: &'static str,
    pub(crate) what: String,
    pub(crate) trace: VecDeque<String>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    rng: Rng,
    classes: Classes,
    flaw: Option<Flaw>,
    nodes: Nodes,
    queue: BTreeMap<(Instant, u64), Step>,
    sequence: u64,
    facts: Facts,
    /// The newest state of each name that a process has reached and nothing has wiped out.
    newest: BTreeMap<Name, u64>,
    mail: BTreeMap<Name, Mail>,
    /// Every move that began.
    names: BTreeMap<MoveId, Name>,
    ended: BTreeMap<MoveId, u64>,
    ran: BTreeMap<MoveId, Vec<&'static str>>,
    acked: BTreeMap<MoveId, u64>,
    calm: bool,
    deaths: Deaths,
    pub(crate) struck: Struck,
    violation: Option<(&'static str, String)>,
    trace: VecDeque<String>,
}

/// Which classes of faults this seed has: each is off for half of the seeds.
#[derive(Debug)]
struct Classes {
    breaks: bool,
    crashes: bool,
    duplicates: bool,
    slow: bool,
    failures: bool,
    bulk: bool,
    /// Standbys ask early, so that questions meet every fault, too.
    hasty: bool,
    /// Each mail is a part.
    parts: bool,
    /// Messages arrive when whoever waits for them has given up.
    late: bool,
    /// States are too large for one message.
    chunks: bool,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carriage {
    Plain,
    /// It takes longer than any timeout of a move.
    Late,
    /// It is a copy, behind whatever came after the message.
    Copy,
}

#[derive(Debug, Default)]
struct Mail {
    sent: u64,
    handled: u64,
    last: u64,
    lost: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Message {
        from: NodeId,
        to: NodeId,
        session: u64,
        message: MoveMessage,
        carriage: Carriage,
    },
    SessionDown {
        at: NodeId,
        with: NodeId,
        session: u64,
    },
    SessionUp {
        at: NodeId,
        with: NodeId,
        session: u64,
    },
    Connect(usize, usize),
    Dead {
        at: NodeId,
        node: NodeId,
    },
    Alive {
        at: NodeId,
        node: NodeId,
    },
    Restart(usize),
    Job {
        at: NodeId,
        job: Job,
    },
    /// Every node looks at every name, as a reconciler does.
    Look,
    Chaos,
    Operate,
}

impl World {
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut rng = Rng::new(seed);
        let mut on = || rng.chance(500);
        let classes = Classes {
            breaks: on(),
            crashes: on(),
            duplicates: on(),
            slow: on(),
            failures: on(),
            bulk: on(),
            hasty: on(),
            parts: on(),
            late: on(),
            chunks: on(),
        };
        let mut world = Self {
            now: Instant::START,
            rng,
            classes,
            flaw,
            nodes: Nodes::default(),
            queue: BTreeMap::new(),
            sequence: 0,
            facts: Facts::default(),
            newest: BTreeMap::new(),
            mail: BTreeMap::new(),
            names: BTreeMap::new(),
            ended: BTreeMap::new(),
            ran: BTreeMap::new(),
            acked: BTreeMap::new(),
            calm: false,
            deaths: Deaths::Real,
            struck: Struck::new(),
            violation: None,
            trace: VecDeque::new(),
        };
        for slot in 0..NODES {
            world.boot(slot);
        }
        for which in 0..NAMES {
            let name = Name::new(format!("n{which}")).expect("a name");
            world.mail.insert(name.clone(), Mail::default());
            world.start_from_spec(which % NODES, &name);
        }
        world.after(ms(100), Step::Chaos);
        world.after(ms(50), Step::Operate);
        world.after(ms(1000), Step::Look);
        world
    }

    /// The same, with nodes that are held dead while they live: only how it ends is checked.
    pub(crate) fn with_false_deaths(seed: u64) -> Self {
        Self { deaths: Deaths::AlsoFalse, ..Self::new(seed, None) }
    }

    /// Boot, chaos, calm, and what has to hold at the end.
    pub(crate) fn run(mut self, chaos: Duration) -> Result<Struck, Violation> {
        let end = self.now + chaos;
        self.run_until(end);
        self.calm_down();
        let rest = self.now + Duration::from_secs(90);
        self.run_until(rest);
        self.check_end();
        match self.violation {
            None => Ok(self.struck),
            Some((property, what)) => Err(Violation { property, what, trace: self.trace }),
        }
    }

    fn run_until(&mut self, end: Instant) {
        let (mut steps, mut since) = (0, self.now);
        while self.violation.is_none() {
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let timer = self.nodes.next_timeout();
            let Some(next) = queued.into_iter().chain(timer).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if self.now > since {
                (steps, since) = (0, self.now);
            }
            steps += 1;
            self.expect("progress", steps < 10_000, || "a machine spins at one instant".into());
            if queued.is_some_and(|at| at <= self.now) {
                let (_, step) = self.queue.pop_first().expect("peeked");
                self.step(step);
            } else {
                for id in self.nodes.live() {
                    self.with(&id, |moves, now| moves.handle_timeout(now));
                }
            }
            self.work();
            self.check_step();
        }
        self.now = self.now.max(end);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Message { from, to, session, message, carriage } => {
                self.deliver(from, to, session, message, carriage);
            }
            Step::SessionDown { at, with, session } => self.session_down(&at, &with, session),
            Step::SessionUp { at, with, session } => self.session_up(&at, &with, session),
            Step::Connect(a, b) => self.connect(a, b),
            Step::Dead { at, node } => self.learn_death(&at, &node),
            Step::Alive { at, node } => self.learn_life(&at, &node),
            Step::Restart(slot) => self.boot(slot),
            Step::Job { at, job } => self.job(&at, job),
            Step::Look => {
                for at in self.nodes.live() {
                    self.settle(&at);
                }
                self.resolve_conflicts();
                self.after(ms(1000), Step::Look);
            }
            Step::Chaos => self.chaos(),
            Step::Operate => self.operate(),
        }
    }

    /// Calls into one node's machine, then does what it wants.
    fn with<R>(&mut self, at: &NodeId, call: impl FnOnce(&mut Moves, Instant) -> R) -> Option<R> {
        let now = self.now;
        let result = call(&mut self.nodes.get_mut(at)?.moves, now);
        while let Some(output) = self.nodes.get_mut(at).and_then(|toy| toy.moves.poll_output()) {
            match output {
                Output::Send { to, message } => self.send(at, &to, message),
                Output::Event(event) => {
                    self.note(format!("{at} {event:?}"));
                    self.handle_event(at, event);
                }
            }
        }
        Some(result)
    }

    fn send(&mut self, from: &NodeId, to: &NodeId, mut message: MoveMessage) {
        if self.flaw == Some(Flaw::ForgetAfterAck)
            && let MoveMessage::Ack { id, .. } = message
        {
            let acks = self.acked.entry(id).or_default();
            *acks += 1;
            if *acks > 1 {
                message = MoveMessage::Nack { id, why: swarm_handoff::Refusal::Gone };
            }
        }
        let Some(session) = self.nodes.session(from, to) else {
            self.strike(message.label(), "no session");
            return;
        };
        // What is large travels beside the rest and may take longer than what follows it; chunks
        // may also pass each other.
        let is_chunk = matches!(message, MoveMessage::Chunk { .. });
        let large = is_chunk || matches!(message, MoveMessage::Offer { .. });
        let is_late = self.classes.late && !self.calm && self.rng.chance(15 * rarity(&message));
        let carriage = if is_late { Carriage::Late } else { Carriage::Plain };
        let delay = match self.rng.below(10) {
            _ if is_late => self.rng.duration(HASTY_TTL + ms(100)..=HASTY_TTL * 2),
            0 if self.classes.bulk && large => self.rng.duration(ms(100)..=ms(4000)),
            _ => self.rng.duration(ms(1)..=ms(40)),
        };
        let at = match is_chunk {
            true => self.now + delay,
            false => self.nodes.in_order(from, to, large, self.now + delay),
        };
        if self.classes.duplicates && self.rng.chance(150) {
            let later = at + self.rng.duration(ms(0)..=ms(15_000));
            let (from, to, message) = (from.clone(), to.clone(), message.clone());
            let carriage = Carriage::Copy;
            self.push(later, Step::Message { from, to, session, message, carriage });
        }
        let (from, to) = (from.clone(), to.clone());
        self.push(at, Step::Message { from, to, session, message, carriage });
    }

    fn deliver(
        &mut self,
        from: NodeId,
        to: NodeId,
        session: u64,
        message: MoveMessage,
        carriage: Carriage,
    ) {
        let (label, rarity) = (message.label(), rarity(&message));
        let is_copy = carriage == Carriage::Copy;
        // Who holds the sender dead has closed the session with it.
        let buried = self.nodes.get(&to).is_some_and(|toy| toy.dead.contains(&from));
        let is_closed = buried && self.deaths == Deaths::Real;
        let session_now = self.nodes.session(&to, &from).filter(|_| !is_closed);
        let Some(current) = session_now else {
            self.count_chunk(&to, &from, &message);
            return self.strike(label, if is_copy { "duplicate lost" } else { "lost" });
        };
        if is_copy {
            self.strike(label, "duplicate");
        } else if session > current {
            // The receiver has not finished the hello yet.
            return self.after(ms(2), Step::Message { from, to, session, message, carriage });
        } else if session < current {
            self.count_chunk(&to, &from, &message);
            return self.strike(label, "lost");
        }
        if carriage == Carriage::Late {
            self.strike(label, "late");
        }
        if !self.calm && self.classes.breaks && self.rng.chance(40 * rarity.min(4)) {
            // The message is the last that arrives, or the first that does not.
            self.break_session(&from, &to);
            if self.rng.chance(500) {
                self.count_chunk(&to, &from, &message);
                self.strike(label, "break before");
                return;
            }
            self.strike(label, "break after");
        }
        let crash = !self.calm && self.classes.crashes && self.rng.chance(15 * rarity);
        if crash && self.rng.chance(500) {
            self.strike(label, "receiver crash before");
            return self.crash(&to);
        }
        let name = self.names.get(&message.id()).map(Name::to_string).unwrap_or_default();
        self.note(format!("{from} → {to} {name:?}: {message:?}"));
        if self.flaw == Some(Flaw::AbortWithoutId)
            && let MoveMessage::Abort { id } = message
        {
            self.abort_whatever(&to, id);
        }
        self.with(&to, |moves, now| moves.handle_message(now, from.clone(), message));
        if crash {
            if self.rng.chance(500) {
                self.strike(label, "receiver crash after");
                self.crash(&to);
            } else {
                self.strike(label, "sender crash after");
                self.crash(&from);
            }
        }
    }

    /// Where a target counts chunks, one that is lost leaves its place empty.
    fn count_chunk(&mut self, to: &NodeId, from: &NodeId, message: &MoveMessage) {
        if self.flaw == Some(Flaw::CountChunks)
            && let MoveMessage::Chunk { id, at, bytes } = message
        {
            let bytes = vec![0; bytes.len()].into();
            let message = MoveMessage::Chunk { id: *id, at: *at, bytes };
            self.with(to, |moves, now| moves.handle_message(now, from.clone(), message));
        }
    }

    /// Faults that nothing triggers.
    fn chaos(&mut self) {
        if self.calm {
            return;
        }
        let (a, b) = (self.rng.below(NODES as u64) as usize, self.rng.below(NODES as u64) as usize);
        if self.classes.breaks
            && self.rng.chance(100)
            && let (Some(a), Some(b)) = (self.nodes.at(a), self.nodes.at(b))
            && a != b
        {
            self.break_session(&a, &b);
        }
        if self.classes.crashes
            && self.rng.chance(20)
            && let Some(a) = self.nodes.at(a)
        {
            self.strike("nothing", "crash");
            self.crash(&a);
        }
        if self.deaths == Deaths::AlsoFalse && self.rng.chance(60) {
            self.mistake(a, b);
        }
        let delay = self.rng.duration(ms(50)..=ms(500));
        self.after(delay, Step::Chaos);
    }

    fn strike(&mut self, label: &'static str, fault: &'static str) {
        *self.struck.entry((label, fault)).or_default() += 1;
    }

    fn note(&mut self, line: String) {
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{} {line}", self.now));
    }

    fn expect(&mut self, property: &'static str, holds: bool, what: impl FnOnce() -> String) {
        // A false death runs a name twice and loses what one of both has done: only the end
        // counts then.
        let ends = ["H3", "H6", "progress"].iter().any(|end| property.starts_with(end));
        let counts = ends || self.deaths == Deaths::Real;
        if !holds && counts && self.violation.is_none() {
            let what = format!("at {}: {}", self.now, what());
            self.violation = Some((property, what));
        }
    }

    fn push(&mut self, at: Instant, step: Step) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), step);
    }

    fn after(&mut self, delay: Duration, step: Step) {
        self.push(self.now + delay, step);
    }

    fn new_node(&mut self, slot: usize) -> NodeId {
        self.sequence += 1;
        let boot = Boot { millis: self.sequence, random: slot as u64 };
        let name = NodeName::new(["a", "b", "c"][slot]).expect("a node name");
        let id = NodeId::new(name, boot);
        let rng = self.rng.fork();
        let mut config = Config::default();
        if self.classes.hasty || self.classes.late {
            (config.offer_timeout, config.standby_ttl) = (ms(3000), HASTY_TTL);
        }
        if self.classes.parts {
            config.mails_max = 1;
        }
        if self.classes.chunks {
            config.chunk_bytes = 3;
        }
        let config = config.check().expect("sound settings");
        let moves = Moves::new(self.now, config, id.clone(), rng);
        self.nodes.insert(slot, Toy::new(id.clone(), moves));
        id
    }
}

/// How much more often a message is struck than others, since it is sent less often.
const fn rarity(message: &MoveMessage) -> u32 {
    match message {
        MoveMessage::Query { .. } | MoveMessage::MailsTaken { .. } => 12,
        MoveMessage::Mails { .. } => 8,
        MoveMessage::Nack { .. } => 3,
        MoveMessage::Abort { .. } => 2,
        _ => 1,
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
