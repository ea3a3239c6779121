//! A process that does what its mail says, and a node that keeps its notices.
#![allow(dead_code, reason = "each test file uses a part")]

use bytes::Bytes;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::codec::EncodeError;
use swarm_base::{Boot, Name, Token};
use swarm_process::{
    Behaviour, Checked, Clock, Config, Context, Down, Handle, Handoff, Mail, Mode, Notice, Parcel,
    Payload, Processes, ReplyTo, Rival, Spawn,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

pub(crate) const BOOT: Boot = Boot { millis: 7, random: 7 };

/// What a mail makes the process do.
pub(crate) enum Do {
    /// Write it down; answer how many were written.
    Note(u32),
    /// Wait until told.
    Block(Arc<Notify>),
    Panic,
    Stop,
    Monitor(swarm_base::Pid),
    Link(swarm_base::Pid),
    CastSelf(u32),
    SendAfter(Duration, u32),
    Join(Name),
    /// Cast to itself without end.
    Flood,
}

impl Parcel for Do {
    fn name(&self) -> &'static str {
        "do"
    }

    fn encode(&self) -> Result<Bytes, EncodeError> {
        match self {
            Self::Note(n) => Ok(Bytes::copy_from_slice(&n.to_be_bytes())),
            _ => Err(EncodeError { reason: "only notes travel".into() }),
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// What the process wrote down, as others see it.
#[derive(Clone, Default)]
pub(crate) struct Notes(pub(crate) Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    fn add(&self, note: impl Into<String>) {
        self.0.lock().expect("no panic").push(note.into());
    }
}

/// How the process starts and moves.
#[derive(Clone)]
pub(crate) struct Seed {
    pub(crate) notes: Notes,
    pub(crate) start: Start,
    pub(crate) handoff: Move,
    pub(crate) die: Die,
}

#[derive(Clone)]
pub(crate) enum Start {
    Ok,
    Noted,
    Fail,
    Panic,
    Never,
    Stop,
}

#[derive(Clone)]
pub(crate) enum Move {
    Resume,
    Restart,
    Ignore,
    Panic,
    Never,
}

#[derive(Clone)]
pub(crate) enum Die {
    Ok,
    Panic,
    Never,
}

impl Seed {
    pub(crate) fn new(notes: &Notes) -> Self {
        Self { notes: notes.clone(), start: Start::Ok, handoff: Move::Resume, die: Die::Ok }
    }
}

pub(crate) struct Doer {
    seed: Seed,
    context: Context,
}

impl Behaviour for Doer {
    type Seed = Seed;

    async fn start(seed: Seed, mut context: Context) -> Result<Self, String> {
        match seed.start {
            Start::Ok => (),
            Start::Noted => seed.notes.add("start"),
            Start::Fail => return Err("no".into()),
            Start::Panic => panic!("at start"),
            Start::Never => std::future::pending().await,
            Start::Stop => context.stop(),
        }
        Ok(Self { seed, context })
    }

    fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    async fn handle(&mut self, payload: Payload, reply: &mut Option<ReplyTo>) {
        let what = match payload {
            Payload::Local(parcel) => *parcel.into_any().downcast::<Do>().expect("only `Do`"),
            Payload::Wire(wire) => {
                Do::Note(u32::from_be_bytes(wire.body[..].try_into().expect("4 bytes")))
            }
        };
        match what {
            Do::Note(n) => self.seed.notes.add(n.to_string()),
            Do::Block(until) => until.notified().await,
            Do::Panic => panic!("boom"),
            Do::Stop => self.context.stop(),
            Do::Monitor(pid) => self.context.monitor(pid),
            Do::Link(pid) => self.context.link(pid),
            Do::CastSelf(n) => self.context.cast_self(Payload::local(Do::Note(n))),
            Do::SendAfter(delay, n) => self.context.send_after(delay, Payload::local(Do::Note(n))),
            Do::Join(group) => self.context.join(group),
            Do::Flood => {
                for n in 0..100_000 {
                    self.context.cast_self(Payload::local(Do::Note(n)));
                }
            }
        }
        if let Some(reply) = reply.take() {
            let count = self.seed.notes.all().len();
            reply.answer(count, |count| Ok(Bytes::copy_from_slice(&count.to_be_bytes())));
        }
    }

    async fn begin_handoff(&mut self) -> Handoff {
        match self.seed.handoff {
            Move::Resume => Handoff::Resume(Bytes::from_static(b"state")),
            Move::Restart => Handoff::Restart,
            Move::Ignore => Handoff::Ignore,
            Move::Panic => panic!("at handoff"),
            Move::Never => std::future::pending().await,
        }
    }

    async fn promote(&mut self) {
        self.seed.notes.add("promoted");
    }

    async fn resolve_conflict(&mut self, state: Bytes, rival: Rival) -> Result<(), String> {
        if state.is_empty() {
            return Err("empty".into());
        }
        self.seed.notes.add(match rival {
            Rival::Former => "took over",
            Rival::Other => "resolved",
        });
        Ok(())
    }

    async fn down(&mut self, down: Down) {
        self.seed.notes.add(format!("down {}: {}", down.pid.serial, down.reason));
    }

    async fn die(self) {
        match self.seed.die {
            Die::Ok => self.seed.notes.add("died"),
            Die::Panic => panic!("at die"),
            Die::Never => std::future::pending().await,
        }
    }
}

/// A node of its own.
pub(crate) struct Node {
    pub(crate) processes: Processes,
    pub(crate) clock: Clock,
    notices: mpsc::Receiver<Notice>,
    /// Taken from the channel, and not asked for yet.
    kept: VecDeque<Notice>,
    tickets: u64,
    /// The mails of the last `Taken`, which cannot be cloned out of a notice.
    pub(crate) last_taken: Option<VecDeque<Mail>>,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let clock = Clock::start();
        let (sender, notices) = mpsc::channel(64);
        let config: Checked = config.check().expect("valid");
        let runtime = tokio::runtime::Handle::current();
        let processes = Processes::new(BOOT, config, clock, runtime, sender);
        Self { processes, clock, notices, kept: VecDeque::new(), tickets: 0, last_taken: None }
    }

    pub(crate) fn spawn(&mut self, seed: Seed) -> Handle {
        self.spawn_as(None, Mode::Run, seed)
    }

    pub(crate) fn spawn_as(&mut self, name: Option<Name>, mode: Mode, seed: Seed) -> Handle {
        self.tickets += 1;
        let spawn = Spawn { ticket: self.tickets, name, token: Token::default(), mode };
        self.processes.spawn::<Doer>(spawn, seed)
    }

    /// The first notice that `pick` takes; the others stay.
    pub(crate) async fn notice<T>(&mut self, mut pick: impl FnMut(&Notice) -> Option<T>) -> T {
        for at in 0..self.kept.len() {
            if let Some(picked) = pick(&self.kept[at]) {
                self.kept.remove(at);
                return picked;
            }
        }
        loop {
            let next = timeout(PATIENCE, self.notices.recv()).await.expect("a notice in time");
            let mut notice = next.expect("processes hold the sender");
            if let Notice::Taken { mails, .. } = &mut notice {
                self.last_taken = Some(std::mem::take(mails));
            }
            if let Some(picked) = pick(&notice) {
                return picked;
            }
            self.kept.push_back(notice);
        }
    }

    pub(crate) async fn started(
        &mut self,
        process: &Handle,
    ) -> Result<(), swarm_process::ExitReason> {
        let wanted = process.pid();
        self.notice(|notice| match notice {
            Notice::Started { pid, result, .. } if *pid == wanted => Some(result.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn exited(&mut self, process: &Handle) -> swarm_process::ExitReason {
        let wanted = process.pid();
        self.notice(|notice| match notice {
            Notice::Exited { pid, reason, .. } if *pid == wanted => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn frozen(&mut self, wanted: u64) -> Handoff {
        self.notice(|notice| match notice {
            Notice::Frozen { ticket, handoff, .. } if *ticket == wanted => Some(handoff.clone()),
            _ => None,
        })
        .await
    }

    /// Whether no notice waits.
    pub(crate) fn is_quiet(&mut self) -> bool {
        while let Ok(notice) = self.notices.try_recv() {
            self.kept.push_back(notice);
        }
        self.kept.is_empty()
    }

    /// Asks the process to do it, and waits until it has.
    pub(crate) async fn ask(
        &self,
        process: &Handle,
        what: Do,
    ) -> Result<usize, swarm_process::CallFailure> {
        let call = self.processes.call::<usize>(self.clock.now() + PATIENCE);
        if call.send_to(process, Payload::local(what)).await.is_err() {
            return Err(swarm_process::CallFailure::NoProcess);
        }
        match call.await? {
            swarm_process::Answer::Typed(count) => Ok(count),
            swarm_process::Answer::Wire(_) => panic!("a reply of this node is not encoded"),
        }
    }
}

/// A mail without a caller.
pub(crate) fn cast(what: Do) -> Mail {
    Mail::cast(Payload::local(what))
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
