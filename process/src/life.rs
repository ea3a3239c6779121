//! One process from its start to its end.

use crate::lanes::{Intake, Next};
use crate::mailbox::Eased;
use crate::panics::{caught, drop_caught};
use crate::signal::News;
use crate::table::Post;
use crate::{
    Behaviour, CallFailure, Context, Down, ExitReason, Forward, Handle, Handoff, Mail, Notice,
    Processes, ResolveError, Rival, Signal, Stage,
};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use swarm_base::{Instant, Token};
use tokio::time::timeout;

/// How a process comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It runs as soon as it has started.
    Run,
    /// It starts and then waits, handling only signals, until it is promoted or discarded.
    Standby,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum End {
    Exited(ExitReason),
    Taken { ticket: u64, forward: Option<Forward> },
}

/// The whole of a process, not yet run. Boxed: a task of the runtime would hold it twice in size
/// while it moves it around, and only a box can be dropped under guard.
pub(crate) type Body = Pin<Box<dyn Future<Output = End> + Send>>;

/// Runs a process's body, ends it when it is killed, and tells everybody of its end.
pub(crate) async fn run(processes: Processes, handle: Handle, mut body: Body) {
    let mut guard = Guard { processes: &processes, handle: &handle, armed: true };
    let end = {
        let mut living = pin!(caught(body.as_mut()));
        poll_fn(|cx| match handle.mailbox().poll_killed(cx) {
            Poll::Ready(reason) => Poll::Ready(Ok(End::Exited(reason))),
            Poll::Pending => living.as_mut().poll(cx),
        })
        .await
    };
    let end = end.unwrap_or_else(|message| End::Exited(ExitReason::Panicked { message }));
    if matches!(end, End::Exited(_)) {
        // Before the caller of the handler that ends here learns it: its next call by name must
        // not wait in this mailbox, but for the process that is started next.
        handle.mailbox().refuse();
    }
    // Before anybody learns of the end: what the process owned is released by then.
    let end = match (drop_caught(body), end) {
        (Err(message), End::Exited(_)) => End::Exited(ExitReason::Panicked { message }),
        (_, end) => end,
    };
    // Boxed, as are all rare steps: what they need is not paid for while the process idles.
    Box::pin(processes.bury(&handle, end)).await;
    guard.armed = false;
}

/// Ends a process whose task is dropped at any point, as when the runtime shuts down. What has been
/// told already is not told again.
struct Guard<'a> {
    processes: &'a Processes,
    handle: &'a Handle,
    armed: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.processes.bury_at_once(self.handle);
        }
    }
}

/// Starts a behaviour and lets it handle what comes, until something ends it.
pub(crate) async fn live<B: Behaviour>(
    processes: Processes,
    handle: Handle,
    mode: Mode,
    seed: B::Seed,
) -> End {
    // Boxed: what a start needs is not paid for by the process that then idles.
    let mut start = Box::pin(B::start(seed, Context::new(handle.clone(), processes.clone())));
    let started = caught(start.as_mut()).await;
    drop(start);
    let mut behaviour = match started {
        Ok(Ok(behaviour)) => behaviour,
        Ok(Err(message)) => return End::Exited(ExitReason::StartFailed { message }),
        Err(message) => {
            let message = format!("panicked: {message}");
            return End::Exited(ExitReason::StartFailed { message });
        }
    };
    let (ticket, pid) = (handle.ticket(), handle.pid());
    let asks = match mode {
        Mode::Run => behaviour.context().set_up(),
        Mode::Standby => Vec::new(),
    };
    processes.notify(Notice::Started { ticket, pid, result: Ok(()), asks }).await;
    // Not before: killed while the node has no room, its start is told as a failure.
    handle.announce();
    let phase = match mode {
        Mode::Run => Phase::Running,
        Mode::Standby => Phase::Standby,
    };
    let mut life = Life { behaviour, phase, is_used: false, processes, handle };
    let finish = life.handle_all().await;
    Box::pin(life.finish(finish)).await
}

/// A process that has started.
struct Life<B> {
    behaviour: B,
    phase: Phase,
    /// Whether it has handled anything.
    is_used: bool,
    processes: Processes,
    handle: Handle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// It handles what waits, and nothing that comes.
    Stopping {
        until: Instant,
        grace: Duration,
    },
    /// The snapshot of its state is taken.
    Frozen,
    /// Started, and waiting to take over.
    Standby,
}

/// What ends a process from within.
enum Finish {
    /// At once.
    Now(ExitReason),
    /// After it has cleaned up.
    Clean {
        reason: ExitReason,
        grace: Duration,
    },
    Take {
        ticket: u64,
        forward: Option<Forward>,
    },
}

impl<B: Behaviour> Life<B> {
    async fn handle_all(&mut self) -> Finish {
        loop {
            let context = self.behaviour.context();
            if matches!(self.phase, Phase::Running | Phase::Stopping { .. }) {
                if context.has_asks() {
                    context.flush().await;
                }
                if context.is_stopping() {
                    return self.clean(ExitReason::Stopped);
                }
            }
            if let Phase::Stopping { until, grace } = self.phase
                && (self.handle.mailbox().len() == 0 || until <= self.processes.now())
            {
                return Finish::Clean { reason: ExitReason::Stopped, grace };
            }
            let intake = match self.phase {
                Phase::Running | Phase::Stopping { .. } => Intake::All,
                Phase::Frozen | Phase::Standby => Intake::Signals,
            };
            let (next, eased) = poll_fn(|_| self.handle.mailbox().poll_next(intake)).await;
            if eased == Eased::Now {
                self.processes.notify(Notice::Eased { pid: self.handle.pid() }).await;
            }
            let finish = match next {
                Next::Mail(mail) => self.handle_mail(mail).await.err(),
                // Boxed: rare, and larger than what most processes do otherwise.
                Next::Signal(signal) => Box::pin(self.handle_signal(signal)).await,
                Next::News(news) => Box::pin(self.handle_news(news)).await,
            };
            if let Some(finish) = finish {
                return finish;
            }
            // A mailbox that is never empty must not keep other tasks from running.
            tokio::task::consume_budget().await;
        }
    }

    async fn handle_mail(&mut self, mail: Mail) -> Result<(), Finish> {
        let Mail { payload, mut reply, deadline } = mail;
        if let Some(to) = &reply {
            let is_late = to.is_remote() && deadline.is_some_and(|at| self.processes.now() > at);
            if is_late || to.is_done() {
                // Nobody wants the answer any more, so it is not worth the work.
                if let Some(to) = reply {
                    to.fail(CallFailure::Timeout { stage: Stage::Queued });
                }
                return Ok(());
            }
            to.advance(Stage::Running);
        }
        self.is_used = true;
        let handled = {
            let handling = pin!(self.behaviour.handle(payload, &mut reply));
            caught(handling).await
        };
        handled.map_err(|message| {
            let reason = ExitReason::Panicked { message };
            // First, as in `run`.
            self.handle.mailbox().refuse();
            if let Some(to) = reply {
                to.fail(CallFailure::Stopped { reason: reason.clone() });
            }
            Finish::Now(reason)
        })
    }

    async fn handle_signal(&mut self, signal: Signal) -> Option<Finish> {
        match (signal, self.phase) {
            (Signal::Freeze { ticket }, phase) => self.freeze(ticket, phase).await,
            (Signal::Thaw, Phase::Frozen) => self.phase = Phase::Running,
            (Signal::Promote { ticket, token }, Phase::Standby) => {
                return self.promote(ticket, token).await.err();
            }
            (Signal::Discard, Phase::Standby) => return Some(Finish::Now(ExitReason::Discarded)),
            (Signal::Resolve { ticket, state, rival }, phase) => {
                return self.resolve(ticket, state, rival, phase).await.err();
            }
            (Signal::Take { ticket, forward }, _) => return Some(Finish::Take { ticket, forward }),
            (Signal::Stop { until, grace }, Phase::Running) => {
                self.handle.mailbox().refuse();
                self.phase = Phase::Stopping { until, grace };
            }
            (Signal::Stop { grace, .. }, _) => {
                return Some(Finish::Clean { reason: ExitReason::Stopped, grace });
            }
            (Signal::Thaw | Signal::Promote { .. } | Signal::Discard, _) => (),
        }
        None
    }

    async fn handle_news(&mut self, news: News) -> Option<Finish> {
        self.is_used = true;
        match news {
            News::Down(down) => self.down(*down).await.err(),
            News::Linked(down) => Some(self.clean(ExitReason::Linked { pid: down.pid })),
        }
    }

    /// A panic or a timeout leaves the process where it was: it goes on, and its name is served.
    async fn freeze(&mut self, ticket: u64, phase: Phase) {
        let limit = self.processes.config().handoff_timeout;
        let handoff = match phase {
            Phase::Running => {
                let asking = pin!(self.behaviour.begin_handoff());
                match timeout(limit, caught(asking)).await {
                    Ok(Ok(handoff)) => handoff,
                    Ok(Err(panic)) => Handoff::Failed { message: format!("panicked: {panic}") },
                    Err(_) => Handoff::Failed { message: format!("took more than {limit:?}") },
                }
            }
            Phase::Stopping { .. } => Handoff::Failed { message: "it is being stopped".into() },
            Phase::Frozen => Handoff::Failed { message: "it is frozen already".into() },
            Phase::Standby => Handoff::Failed { message: "it is a standby".into() },
        };
        if matches!(handoff, Handoff::Restart | Handoff::Resume(_)) {
            self.phase = Phase::Frozen;
        }
        self.processes.notify(Notice::Frozen { ticket, pid: self.handle.pid(), handoff }).await;
    }

    async fn promote(&mut self, ticket: u64, token: Token) -> Result<(), Finish> {
        self.handle.raise_token(token);
        self.processes.set_post(&self.handle, Post::Running);
        caught(pin!(self.behaviour.promote())).await.map_err(panicked)?;
        self.phase = Phase::Running;
        self.processes.notify(Notice::Promoted { ticket, pid: self.handle.pid() }).await;
        self.behaviour.context().set_up();
        Ok(())
    }

    async fn resolve(
        &mut self,
        ticket: u64,
        state: bytes::Bytes,
        rival: Rival,
        phase: Phase,
    ) -> Result<(), Finish> {
        let result = match phase {
            Phase::Running => {
                let rival = if self.is_used { Rival::Other } else { rival };
                let resolving = caught(pin!(self.behaviour.resolve_conflict(state, rival))).await;
                self.is_used = true;
                let taken = resolving.map_err(panicked)?;
                taken.map_err(|reason| ResolveError::Undecodable { reason })
            }
            Phase::Stopping { .. } | Phase::Frozen | Phase::Standby => {
                Err(ResolveError::NotRunning)
            }
        };
        self.processes.notify(Notice::Resolved { ticket, pid: self.handle.pid(), result }).await;
        Ok(())
    }

    async fn down(&mut self, down: Down) -> Result<(), Finish> {
        caught(pin!(self.behaviour.down(down))).await.map_err(panicked)
    }

    fn clean(&self, reason: ExitReason) -> Finish {
        Finish::Clean { reason, grace: self.processes.config().grace }
    }

    /// Lets the process clean up, where it is given time. A standby never ran: it is only dropped.
    async fn finish(self, finish: Finish) -> End {
        if !matches!(finish, Finish::Take { .. }) {
            self.handle.mailbox().refuse();
        }
        let grace = match &finish {
            Finish::Now(_) => None,
            _ if self.phase == Phase::Standby => None,
            Finish::Clean { grace, .. } => Some(*grace),
            Finish::Take { .. } => Some(self.processes.config().grace),
        };
        let died = match grace {
            Some(grace) => timeout(grace, caught(pin!(self.behaviour.die()))).await,
            None => Ok(drop_caught(self.behaviour)),
        };
        match (finish, died) {
            (Finish::Take { ticket, forward }, _) => End::Taken { ticket, forward },
            (Finish::Now(reason) | Finish::Clean { reason, .. }, Ok(Ok(()))) => End::Exited(reason),
            (Finish::Now(reason), _) => End::Exited(reason),
            (_, Ok(Err(message))) => End::Exited(ExitReason::Panicked { message }),
            (_, Err(_)) => End::Exited(ExitReason::Killed),
        }
    }
}

fn panicked(message: String) -> Finish {
    Finish::Now(ExitReason::Panicked { message })
}
