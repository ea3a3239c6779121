//! Processes as the node sees them: stubs that count messages.
//!
//! A stub does what `swarm_process` promises of a process, signal by signal: what it is asked takes
//! a while, in order; it may fail to start, and may end at any moment. Its state is its count.

use super::Defect;
use super::frame::Message;
use super::host::SimNode;
use super::news::{How, News};
use crate::node::{Command, Freeze, Frozen, Mode, Stop};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use swarm_base::{Boot, Instant, Name, Pid, Session, Token};
use swarm_handoff::MoveId;
use swarm_process::{ExitReason, ResolveError};

/// The processes of one node.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    stubs: BTreeMap<u64, Stub>,
    serials: u64,
    /// What takes a while, by when it is done.
    errands: BTreeMap<(Instant, u64), Errand>,
    errands_begun: u64,
    /// Where those went that moved away.
    forwards: BTreeMap<u64, Boot>,
}

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct Stub {
    pub(crate) name: Option<Name>,
    pub(crate) phase: Phase,
    pub(crate) count: u64,
    ticket: Option<u64>,
    /// Frozen, and to start anew elsewhere.
    anew: bool,
    mailbox: VecDeque<Message>,
    /// When it has done all that it was asked so far.
    free_at: Instant,
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Standby,
    Running,
    Frozen,
}

/// Something that takes a while.
#[derive(Debug)]
enum Errand {
    Start { ticket: u64, pid: Pid, then: Then },
    Freeze { freeze: Freeze, pid: Pid, asked: Instant },
    Thaw { pid: Pid },
    Take { id: MoveId, name: Name, to: Boot, pid: Pid },
    Promote { pid: Pid, why: Promotion, mails: Vec<Message> },
    Discard { pid: Pid },
    Resolve { name: Name, loser: Pid, pid: Pid, count: u64 },
    End { pid: Pid, why: ExitReason },
    Bulk { session: Session, bytes: Vec<u8> },
}

/// What a start leads to.
#[derive(Debug)]
enum Then {
    Run,
    StandBy,
    Resume { mails: Vec<Message> },
}

/// Why a standby runs.
#[derive(Clone, Copy, Debug)]
enum Promotion {
    Move { id: MoveId, token: Token },
    Resumed { ticket: u64 },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Taken,
    Nowhere,
    /// Its process went to this node.
    Follow(Boot),
}

/// How often a large state says the count: it goes beside the control stream, most often in chunks.
const LARGE: usize = 9 * 1024;

impl Processes {
    pub(crate) fn is_empty(&self) -> bool {
        self.stubs.is_empty()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.errands.first_key_value().map(|((at, _), _)| *at)
    }

    /// Every process, by its serial.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Stub)> {
        self.stubs.iter().map(|(serial, stub)| (*serial, stub))
    }

    /// Whether there is one of this name, whatever it does.
    pub(crate) fn any_of(&self, name: &Name) -> bool {
        self.stubs.values().any(|stub| stub.name.as_ref() == Some(name))
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.errands.is_empty() && self.busy().is_empty()
    }

    /// The processes that do not run, and what they do instead.
    pub(crate) fn busy(&self) -> Vec<(u64, Option<&Name>, Phase)> {
        let busy = self.iter().filter(|(_, stub)| stub.phase != Phase::Running);
        busy.map(|(serial, stub)| (serial, stub.name.as_ref(), stub.phase)).collect()
    }

    /// The processes that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = (u64, &Stub)> {
        self.iter().filter(|(_, stub)| stub.phase == Phase::Running)
    }

    pub(super) fn deliver(&mut self, message: &Message) -> Delivery {
        let Some(pid) = message.pid else { return Delivery::Nowhere };
        match self.stubs.get_mut(&pid.serial) {
            Some(stub) => {
                stub.mailbox.push_back(message.clone());
                Delivery::Taken
            }
            None => match self.forwards.get(&pid.serial) {
                Some(boot) => Delivery::Follow(*boot),
                None => Delivery::Nowhere,
            },
        }
    }

    fn insert(&mut self, now: Instant, name: Option<Name>, ticket: Option<u64>) -> u64 {
        self.serials += 1;
        let phase = if ticket.is_some() { Phase::Starting } else { Phase::Running };
        let mailbox = VecDeque::new();
        let stub = Stub { name, phase, count: 0, ticket, anew: false, mailbox, free_at: now };
        self.stubs.insert(self.serials, stub);
        self.serials
    }

    fn plan(&mut self, at: Instant, errand: Errand) {
        self.errands_begun += 1;
        self.errands.insert((at, self.errands_begun), errand);
    }
}

impl SimNode {
    /// A process without a name.
    pub(crate) fn spawn_at(&mut self, now: Instant) -> Pid {
        self.now = now;
        let serial = self.processes.insert(now, None, None);
        let pid = self.pid(serial);
        self.node.spawned(now, pid);
        pid
    }

    /// A process ends, with or without an error.
    pub(crate) fn end_process(&mut self, now: Instant, serial: u64, why: ExitReason) {
        self.now = now;
        self.exit(self.pid(serial), why);
    }

    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Start { ticket, name, mode, .. } => self.start(ticket, name, mode),
            Command::Abandon { ticket } => {
                let found = self.processes.iter().find(|(_, stub)| stub.ticket == Some(ticket));
                let is_up = |stub: &Stub| matches!(stub.phase, Phase::Running | Phase::Frozen);
                if let Some((serial, _)) = found.filter(|(_, stub)| !is_up(stub)) {
                    let pid = self.pid(serial);
                    self.node.started(self.now, ticket, Err("it was killed".into()));
                    self.exit(pid, ExitReason::Killed);
                }
            }
            Command::Freeze { freeze, pid } => {
                if let Freeze::Conflict(name, _) = &freeze {
                    self.tell(News::Loses { name: name.clone(), pid });
                }
                let asked = self.now;
                self.in_turn(pid, Errand::Freeze { freeze, pid, asked });
            }
            Command::Thaw { pid } => self.in_turn(pid, Errand::Thaw { pid }),
            Command::Take { id, pid, name, to } => {
                self.in_turn(pid, Errand::Take { id, name, to: to.boot, pid });
            }
            Command::Promote { id, pid, token, mails } => {
                let why = Promotion::Move { id, token };
                self.in_turn(pid, Errand::Promote { pid, why, mails: decoded(mails) });
            }
            Command::Deliver { pid, mails } => {
                for message in decoded(mails) {
                    let message = Message { pid: Some(pid), ..message };
                    self.processes.deliver(&message);
                }
                self.work();
            }
            Command::Discard { pid } => self.in_turn(pid, Errand::Discard { pid }),
            Command::Stop { pid, how: Stop::Graceful(grace) } => self.stop(pid, grace),
            Command::Stop { pid, how: Stop::Kill } => {
                self.processes.plan(self.now, Errand::End { pid, why: ExitReason::Killed });
            }
            Command::Retoken { .. } => (),
            Command::Resolve { name, loser, pid, state, .. } => {
                let count = count_of(&state);
                self.in_turn(pid, Errand::Resolve { name, loser, pid, count });
            }
        }
    }

    /// It ends in its turn, and is killed when its time is over.
    fn stop(&mut self, pid: Pid, grace: Duration) {
        if self.defect == Some(Defect::LateStop) {
            let at = self.now + LATE;
            return self.processes.plan(at, Errand::End { pid, why: ExitReason::Stopped });
        }
        self.in_turn(pid, Errand::End { pid, why: ExitReason::Stopped });
        self.processes.plan(self.now + grace, Errand::End { pid, why: ExitReason::Killed });
    }

    fn start(&mut self, ticket: u64, name: Name, mode: Mode) {
        let serial = self.processes.insert(self.now, Some(name), Some(ticket));
        let pid = self.pid(serial);
        let (state, then) = match mode {
            Mode::Fresh => (None, Then::Run),
            Mode::Standby { state } => (state, Then::StandBy),
            Mode::Resumed { state, mails } => (state, Then::Resume { mails: decoded(mails) }),
        };
        if let Some(stub) = self.processes.stubs.get_mut(&serial) {
            stub.count = state.map_or(0, |state| count_of(&state));
        }
        self.in_turn(pid, Errand::Start { ticket, pid, then });
    }

    /// What a process is asked it does after all that it was asked before.
    fn in_turn(&mut self, pid: Pid, errand: Errand) {
        let delay = self.temper.delay(&mut self.rng);
        let Some(stub) = self.processes.stubs.get_mut(&pid.serial) else { return };
        stub.free_at = stub.free_at.max(self.now) + delay;
        let at = stub.free_at;
        self.processes.plan(at, errand);
    }

    pub(super) fn bulk_later(&mut self, session: Session, bytes: Vec<u8>) {
        let at = self.now + self.rng.duration(Duration::ZERO..=BULK_LATE_MAX);
        self.processes.plan(at, Errand::Bulk { session, bytes });
    }

    /// The node stops: all processes end.
    pub(super) fn end_processes(&mut self) {
        let all: Vec<_> = self.processes.stubs.keys().copied().collect();
        for serial in all {
            let pid = self.pid(serial);
            self.in_turn(pid, Errand::End { pid, why: ExitReason::Stopped });
        }
    }

    pub(super) fn run_errands(&mut self) {
        while self.processes.poll_timeout().is_some_and(|at| at <= self.now) {
            let Some((_, errand)) = self.processes.errands.pop_first() else { return };
            self.run_errand(errand);
        }
    }

    fn run_errand(&mut self, errand: Errand) {
        match errand {
            Errand::Start { ticket, pid, then } => self.run_start(ticket, pid, then),
            Errand::Freeze { freeze, pid, asked } => self.run_freeze(&freeze, pid, asked),
            Errand::Thaw { pid } => {
                if let Some(stub) = self.stub(pid, Phase::Frozen) {
                    stub.phase = Phase::Running;
                    self.work();
                }
            }
            Errand::Take { id, name, to, pid } => self.run_take(id, &name, to, pid),
            Errand::Promote { pid, why, mails } => self.run_promote(pid, why, mails),
            Errand::Discard { .. } if self.defect == Some(Defect::Hoarder) => (),
            Errand::Discard { pid } => {
                if self.stub(pid, Phase::Standby).is_some() {
                    self.exit(pid, ExitReason::Discarded);
                }
            }
            Errand::Resolve { name, loser, pid, count } => {
                self.run_resolve(&name, loser, pid, count);
            }
            Errand::End { pid, why } => self.exit(pid, why),
            Errand::Bulk { session, bytes } => self.on_bulk(session, bytes),
        }
    }

    fn run_start(&mut self, ticket: u64, pid: Pid, then: Then) {
        if self.stub(pid, Phase::Starting).is_none() {
            return;
        }
        if self.rng.chance(self.temper.start_fails) {
            let message = "it did not want to".to_owned();
            self.node.started(self.now, ticket, Err(message.clone()));
            return self.exit(pid, ExitReason::StartFailed { message });
        }
        let Some(stub) = self.stub(pid, Phase::Starting) else { return };
        match then {
            Then::Run => {
                stub.phase = Phase::Running;
                self.began(pid, How::Fresh);
            }
            Then::StandBy => stub.phase = Phase::Standby,
            Then::Resume { mails } => {
                stub.phase = Phase::Standby;
                let why = Promotion::Resumed { ticket };
                return self.in_turn(pid, Errand::Promote { pid, why, mails });
            }
        }
        self.node.started(self.now, ticket, Ok(pid));
        self.work();
    }

    fn run_freeze(&mut self, freeze: &Freeze, pid: Pid, asked: Instant) {
        let (declines, kind) = (self.rng.chance(self.temper.no_handoff), self.rng.below(3));
        let is_large = self.rng.chance(self.temper.large);
        let Some(stub) = self.processes.stubs.get_mut(&pid.serial) else { return };
        let frozen = match stub.phase {
            Phase::Running if declines && kind == 0 => Frozen::Ignore,
            Phase::Running if declines && kind == 1 => Frozen::Failed("it broke".into()),
            Phase::Running if declines => Frozen::Restart,
            Phase::Running => {
                let times = if is_large { LARGE } else { 1 };
                Frozen::Resume(stub.count.to_be_bytes().repeat(times))
            }
            Phase::Frozen => Frozen::Failed("it is frozen already".into()),
            Phase::Standby | Phase::Starting => Frozen::Failed("it is a standby".into()),
        };
        if matches!(frozen, Frozen::Resume(_) | Frozen::Restart) {
            stub.phase = Phase::Frozen;
            stub.anew = frozen == Frozen::Restart;
        }
        let is_conflict = matches!(freeze, Freeze::Conflict(..));
        let stops_first = is_conflict && self.defect == Some(Defect::StopsFirst);
        if let Freeze::Conflict(name, _) = freeze {
            let has_state = matches!(frozen, Frozen::Resume(_));
            let took = self.now.since(asked);
            self.tell(News::HandsOver { name: name.clone(), pid, has_state, took });
        }
        self.node.frozen(self.now, freeze, frozen);
        if stops_first {
            self.exit(pid, ExitReason::Stopped);
        }
    }

    fn run_resolve(&mut self, name: &Name, loser: Pid, pid: Pid, count: u64) {
        let n_times = match self.defect {
            Some(Defect::DropsState) => 0,
            Some(Defect::ResolvesTwice) => 2,
            _ => 1,
        };
        // Where it has ended, its end is the answer.
        let Some(stub) = self.processes.stubs.get_mut(&pid.serial) else { return };
        let result = if stub.phase == Phase::Running {
            stub.count = stub.count.max(count);
            for _ in 0..n_times {
                self.tell(News::Resolved { name: name.clone(), pid, loser });
            }
            Ok(())
        } else {
            Err(ResolveError::NotRunning)
        };
        self.node.resolved(self.now, name, loser, pid, result);
    }

    fn run_take(&mut self, id: MoveId, name: &Name, to: Boot, pid: Pid) {
        let undead = self.defect == Some(Defect::Undead) && self.rng.chance(200);
        let Some(stub) = self.processes.stubs.get_mut(&pid.serial) else { return };
        let mails = stub.mailbox.drain(..).map(|message| message.encode()).collect();
        let state = (!stub.anew).then_some(stub.count);
        if undead {
            stub.phase = Phase::Running;
        } else {
            self.processes.stubs.remove(&pid.serial);
            self.tell(News::Taken { name: name.clone(), pid, id, state });
        }
        self.processes.forwards.insert(pid.serial, to);
        self.node.taken(self.now, id, name, mails);
        self.node.exited(self.now, pid, &ExitReason::Moved);
    }

    fn run_promote(&mut self, pid: Pid, why: Promotion, mails: Vec<Message>) {
        let forgets = self.defect == Some(Defect::Forgetful);
        let Some(stub) = self.stub(pid, Phase::Standby) else { return };
        stub.phase = Phase::Running;
        for message in mails.into_iter().rev() {
            stub.mailbox.push_front(message);
        }
        if forgets {
            stub.count = 0;
        }
        match why {
            Promotion::Move { id, token } => {
                self.began(pid, How::Promoted(id));
                self.node.promoted(self.now, id, token);
            }
            Promotion::Resumed { ticket } => {
                self.began(pid, How::Resumed);
                self.node.started(self.now, ticket, Ok(pid));
            }
        }
        self.work();
    }

    fn began(&mut self, pid: Pid, how: How) {
        let Some(stub) = self.processes.stubs.get(&pid.serial) else { return };
        if let Some(name) = stub.name.clone() {
            let count = stub.count;
            self.tell(News::Began { name, pid, how, count });
        }
    }

    /// Lets every process that runs handle its messages.
    pub(super) fn work(&mut self) {
        let twice = self.defect == Some(Defect::Twice) && self.rng.chance(20);
        let boot = self.id().boot;
        let mut news = Vec::new();
        for (serial, stub) in &mut self.processes.stubs {
            let (Phase::Running, Some(name)) = (stub.phase, &stub.name) else { continue };
            while let Some(message) = stub.mailbox.pop_front() {
                for _ in 0..if twice { 2 } else { 1 } {
                    stub.count += 1;
                    let (name, pid) = (name.clone(), Pid::new(boot, *serial));
                    news.push(News::Counted { name, pid, message: message.id, count: stub.count });
                }
            }
        }
        for news in news {
            self.tell(news);
        }
    }

    fn exit(&mut self, pid: Pid, why: ExitReason) {
        let Some(stub) = self.processes.stubs.remove(&pid.serial) else { return };
        self.tell(News::Ended { name: stub.name, pid, why: why.clone() });
        let why = match why {
            _ if self.defect == Some(Defect::SilentExit) => return,
            ExitReason::Panicked { .. } if self.defect == Some(Defect::QuietCrash) => {
                ExitReason::Stopped
            }
            why => why,
        };
        self.node.exited(self.now, pid, &why);
    }

    fn stub(&mut self, pid: Pid, phase: Phase) -> Option<&mut Stub> {
        self.processes.stubs.get_mut(&pid.serial).filter(|stub| stub.phase == phase)
    }

    fn pid(&self, serial: u64) -> Pid {
        Pid::new(self.id().boot, serial)
    }
}

/// How much later than its session a stream of its own may be.
const BULK_LATE_MAX: Duration = Duration::from_millis(50);

/// How much too late a process stops that is to.
const LATE: Duration = Duration::from_secs(10);

fn decoded(mails: Vec<Vec<u8>>) -> Vec<Message> {
    mails.iter().filter_map(|mail| Message::decode(mail)).collect()
}

/// The count that a state says. One that has a hole, or the chunks of another one, says none.
fn count_of(state: &[u8]) -> u64 {
    let (counts, _) = state.as_chunks();
    let is_whole = counts.iter().all(|count| *count == counts[0]);
    counts.first().filter(|_| is_whole).map_or(0, |count| u64::from_be_bytes(*count))
}
