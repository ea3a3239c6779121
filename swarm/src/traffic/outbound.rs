//! Sending: where a message goes, and what to do until it can go there.

use super::frame;
use super::letter::{Letter, call_error, cast_error};
use super::{Route, encode_mail};
use crate::core::Core;
use crate::worker::{MESSAGE, Message};
use crate::{CallError, CastError, Stage};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Instant, Name, Pid};
use swarm_link::quic::{Push, SendError as OutboxError};
use swarm_process::{Answer, Call, CallFailure, Handle, Lookup, Mail, SendError};

/// To whom a message goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom<'a> {
    /// Whoever has this name when it arrives.
    Name(&'a [u8]),
    /// This process.
    Pid(Pid),
}

/// Where a message goes just now.
pub(super) enum Spot {
    Here(Handle),
    There(There),
    /// Its node lives, but no connection to it is up.
    Unconnected(Pid),
    /// It is known to exist, but just changes its place.
    Unsettled,
    /// What was sent to it before it moved may still be on its way.
    Behind,
    Nowhere,
}

/// Who has a name just now, as this node sees it.
enum Holder {
    Process(Pid),
    /// It is taken, but has no process.
    Unsettled,
    Nobody,
}

/// A process of another node.
pub(super) struct There {
    pub pid: Pid,
    pub route: Route,
    /// Its name, where it was addressed by a pid that it has left behind: by the name it is found
    /// where it runs now.
    pub name: Option<Name>,
}

/// What came of one try to send.
enum Try<R> {
    Done(Result<Answer<R>, CallFailure>),
    /// It was not sent: look again when something has changed.
    Again(Stage),
}

impl Core {
    /// Sends `message` and waits for its reply, until `timeout` at the latest.
    pub(crate) async fn call<M: Message>(
        &self,
        whom: Whom<'_>,
        message: M,
        timeout: Duration,
    ) -> Result<M::Reply, CallError> {
        let deadline = self.clock.now() + timeout;
        let mut seen = None;
        let failed = |failure, seen: Option<Pid>| {
            call_error::<M>(whom, failure, timeout).with_node(|| self.node_of(seen?))
        };
        let mut letter = Letter::new(message);
        loop {
            let mut call = self.processes.call::<M::Reply>(deadline);
            let mut tried = None;
            let outcome = match self.locate(whom) {
                Spot::Here(handle) => {
                    tried = Some(handle.pid());
                    match call.send_to(&handle, letter.for_here()).await {
                        Ok(()) => Try::Done((&mut call).await),
                        Err(mail) => {
                            letter.take_back(mail);
                            Try::Done(Err(CallFailure::NoProcess))
                        }
                    }
                }
                Spot::There(there) => {
                    tried = Some(there.pid);
                    let body = letter.for_there().map_err(|failure| failed(failure, tried))?;
                    self.call_there::<M>(&mut call, whom, &there, &body).await
                }
                Spot::Unconnected(pid) => {
                    seen = Some(pid);
                    Try::Again(Stage::Connect)
                }
                Spot::Unsettled => Try::Again(Stage::Resolve),
                Spot::Behind => Try::Again(Stage::Queued),
                Spot::Nowhere => Try::Done(Err(CallFailure::NoProcess)),
            };
            seen = tried.or(seen);
            let stage = match outcome {
                Try::Done(Ok(Answer::Typed(reply))) => return Ok(reply),
                Try::Done(Ok(Answer::Wire(bytes))) => {
                    return codec::decode::<M::Reply>(&bytes, MESSAGE).map_err(|error| {
                        failed(CallFailure::Undecodable { reason: error.to_string() }, seen)
                    });
                }
                Try::Done(Err(CallFailure::NoProcess)) | Try::Again(_) if self.has_stopped() => {
                    return Err(CallError::NodeStopped);
                }
                // It was not handled: by a name it may have another process by now.
                Try::Done(Err(CallFailure::NoProcess))
                    if !letter.is_sent() && self.may_move(whom, tried) =>
                {
                    Stage::Resolve
                }
                Try::Done(Err(failure)) => return Err(failed(failure, seen)),
                Try::Again(stage) => stage,
            };
            if self.clock.now() >= deadline {
                return Err(failed(CallFailure::Timeout { stage }, seen));
            }
            self.look_again().await;
        }
    }

    /// Sends `message`. It has been queued for its process when this returns.
    pub(crate) async fn cast<M: Message>(
        &self,
        whom: Whom<'_>,
        message: M,
        timeout: Duration,
    ) -> Result<(), CastError> {
        let mut letter = Letter::new(message);
        match self.cast_now::<M>(whom, &mut letter) {
            Ok(()) => return Ok(()),
            Err(_) if self.has_stopped() => return Err(CastError::NodeStopped),
            Err(Stuck::Failed(failure)) => return Err(cast_error::<M>(whom, failure, timeout)),
            Err(Stuck::Full | Stuck::Moving) => (),
        }
        let mut stage = Stage::Resolve;
        let waited = async {
            loop {
                match self.cast_now::<M>(whom, &mut letter) {
                    Ok(()) => return Ok(()),
                    Err(Stuck::Failed(failure)) => return Err(failure),
                    Err(Stuck::Full) => {
                        stage = Stage::Queued;
                        self.room(whom, &mut letter).await;
                    }
                    Err(Stuck::Moving) => {
                        if self.has_stopped() {
                            return Err(CallFailure::NoProcess);
                        }
                        stage = Stage::Connect;
                        self.look_again().await;
                    }
                }
                if letter.is_sent() {
                    return Ok(());
                }
            }
        };
        let deadline = self.clock.at(self.clock.now() + timeout);
        let failure = match tokio::time::timeout_at(deadline, waited).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            Err(_) => CallFailure::Timeout { stage },
        };
        Err(cast_error::<M>(whom, failure, timeout))
    }

    /// Sends `message` if there is room now.
    pub(crate) fn try_cast<M: Message>(&self, whom: Whom<'_>, message: M) -> Result<(), CastError> {
        let failure = match self.cast_now::<M>(whom, &mut Letter::new(message)) {
            Ok(()) => return Ok(()),
            Err(Stuck::Failed(failure)) => failure,
            Err(Stuck::Full) => CallFailure::Full,
            Err(Stuck::Moving) => CallFailure::NoProcess,
        };
        Err(cast_error::<M>(whom, failure, Duration::ZERO))
    }

    async fn call_there<M: Message>(
        &self,
        call: &mut Call<M::Reply>,
        whom: Whom<'_>,
        there: &There,
        body: &[u8],
    ) -> Try<M::Reply> {
        let There { pid, route, .. } = there;
        call.advance(Stage::Queued);
        if self.routes.is_paused(*pid)
            && let Err(failure) = first(self.routes.resumed(*pid), call).await
        {
            return Try::Done(Err(failure));
        }
        let header = frame::Call {
            origin: self.me.boot,
            correlation: call.number(pid.boot),
            left_ms: millis(call.deadline().since(self.clock.now())),
        };
        let name = there.name_or(whom);
        let write = |out: &mut Vec<u8>| {
            encode_mail(out, *pid, name, Some(header), 0, M::NAME.as_bytes(), |out| {
                out.extend_from_slice(body);
            });
        };
        let too_long = || {
            let reason = format!("message of {} bytes is too long", body.len());
            Try::Done(Err(CallFailure::Unencodable { reason }))
        };
        match route.outbox.push(write) {
            Push::Queued => (),
            Push::Full => match first(route.outbox.send(write), call).await {
                Ok(Ok(())) => (),
                Ok(Err(OutboxError::TooLong { .. })) => return too_long(),
                Ok(Err(_)) => return Try::Again(Stage::Connect),
                Err(failure) => return Try::Done(Err(failure)),
            },
            // Nothing was sent: the next look finds another connection, or none.
            Push::Closed => return Try::Again(Stage::Connect),
            Push::TooLong => return too_long(),
        }
        self.trails.sent(*pid);
        call.advance(Stage::Running);
        Try::Done(call.await)
    }

    fn cast_now<M: Message>(&self, whom: Whom<'_>, letter: &mut Letter<M>) -> Result<(), Stuck> {
        match self.locate(whom) {
            Spot::Here(handle) => match handle.try_send(Mail::cast(letter.for_here())) {
                Ok(()) => Ok(()),
                Err(SendError::Full(mail)) => {
                    letter.take_back(mail);
                    Err(Stuck::Full)
                }
                Err(SendError::Closed(mail)) => {
                    letter.take_back(mail);
                    self.gone(whom, handle.pid())
                }
            },
            Spot::There(there) => {
                if self.routes.is_paused(there.pid) {
                    return Err(Stuck::Full);
                }
                let body = letter.for_there().map_err(Stuck::Failed)?;
                let (pid, name) = (there.pid, there.name_or(whom));
                let pushed = there.route.outbox.push(|out| {
                    encode_mail(out, pid, name, None, 0, M::NAME.as_bytes(), |out| {
                        out.extend_from_slice(&body);
                    });
                });
                match pushed {
                    Push::Queued => {
                        self.trails.sent(pid);
                        Ok(())
                    }
                    Push::Full => Err(Stuck::Full),
                    Push::Closed => Err(Stuck::Moving),
                    Push::TooLong => Err(Stuck::Failed(CallFailure::Unencodable {
                        reason: format!("message of {} bytes is too long", body.len()),
                    })),
                }
            }
            Spot::Behind => Err(Stuck::Full),
            Spot::Unconnected(_) | Spot::Unsettled => Err(Stuck::Moving),
            Spot::Nowhere => Err(Stuck::Failed(CallFailure::NoProcess)),
        }
    }

    fn gone(&self, whom: Whom<'_>, pid: Pid) -> Result<(), Stuck> {
        if self.may_move(whom, Some(pid)) {
            Err(Stuck::Moving)
        } else {
            Err(Stuck::Failed(CallFailure::NoProcess))
        }
    }

    /// Waits for room where the message goes. A local mailbox is waited for in its queue, so that
    /// no sender starves: the message is sent then.
    async fn room<M: Message>(&self, whom: Whom<'_>, letter: &mut Letter<M>) {
        match self.locate(whom) {
            Spot::Here(handle) => match handle.send(Mail::cast(letter.for_here())).await {
                Ok(()) => letter.sent(),
                Err(mail) => letter.take_back(mail),
            },
            Spot::There(there) if self.routes.is_paused(there.pid) => {
                self.routes.resumed(there.pid).await;
            }
            Spot::There(there) => there.route.outbox.space().await,
            Spot::Behind => self.look_again().await,
            _ => (),
        }
    }

    fn locate(&self, whom: Whom<'_>) -> Spot {
        match whom {
            Whom::Pid(pid) => self.locate_pid(pid),
            Whom::Name(name) => match self.holder(name) {
                Holder::Process(pid) => match self.locate_pid(pid) {
                    // It has another process by now, and the view is about to say so.
                    Spot::Nowhere => Spot::Unsettled,
                    spot => spot,
                },
                Holder::Unsettled => Spot::Unsettled,
                Holder::Nobody => Spot::Nowhere,
            },
        }
    }

    fn holder(&self, name: &[u8]) -> Holder {
        let look = || match self.names.whereis(name) {
            Some(pid) => Holder::Process(pid),
            None if self.routes.is_unsettled(name) => Holder::Unsettled,
            None => Holder::Nobody,
        };
        match look() {
            // It may have got its process between the two looks: then the next two find it.
            Holder::Nobody => look(),
            holder => holder,
        }
    }

    fn locate_pid(&self, pid: Pid) -> Spot {
        if self.is_behind(pid) {
            return Spot::Behind;
        }
        if pid.boot != self.me.boot {
            return match self.routes.to(pid.boot) {
                Some(route) => Spot::There(There { pid, route, name: None }),
                None if self.members().iter().any(|member| member.id.boot == pid.boot) => {
                    Spot::Unconnected(pid)
                }
                None => Spot::Nowhere,
            };
        }
        match self.processes.find(pid) {
            Lookup::Here(handle) => Spot::Here(handle),
            Lookup::Moved(name) => self.locate_moved(&name),
            Lookup::Nowhere => Spot::Nowhere,
        }
    }

    /// Where the process of a name is that has left this node.
    pub(super) fn locate_moved(&self, name: &Name) -> Spot {
        let claimed = self.names.whereis(name.as_bytes()).filter(|pid| pid.boot != self.me.boot);
        let moving = || self.routes.moving(name.as_bytes()).map(|boot| Pid::new(boot, 0));
        let Some(pid) = claimed.or_else(moving) else { return Spot::Unsettled };
        match self.routes.to(pid.boot) {
            Some(route) => Spot::There(There { pid, route, name: Some(name.clone()) }),
            None => Spot::Unconnected(pid),
        }
    }

    /// Whether a message that found no process at `tried` may find one elsewhere.
    fn may_move(&self, whom: Whom<'_>, tried: Option<Pid>) -> bool {
        match whom {
            Whom::Name(name) => tried.is_some() && !matches!(self.holder(name), Holder::Nobody),
            Whom::Pid(pid) => {
                tried.is_some() && matches!(self.processes.find(pid), Lookup::Moved(_))
            }
        }
    }
}

/// Why a message cannot go just now, or at all.
enum Stuck {
    Full,
    Moving,
    Failed(CallFailure),
}

impl There {
    /// The name that goes with a message.
    fn name_or<'a>(&'a self, whom: Whom<'a>) -> &'a [u8] {
        match (whom, &self.name) {
            (Whom::Name(name), _) => name,
            (Whom::Pid(_), Some(name)) => name.as_bytes(),
            (Whom::Pid(_), None) => &[],
        }
    }
}

/// Waits for `wait`, or for the failure of `call`, whichever comes first.
async fn first<T, R: Send + 'static>(
    wait: impl Future<Output = T>,
    call: &mut Call<R>,
) -> Result<T, CallFailure> {
    let mut wait = pin!(wait);
    poll_fn(|cx| {
        if let Poll::Ready(value) = wait.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        match Pin::new(&mut *call).poll(cx) {
            Poll::Ready(Err(failure)) => Poll::Ready(Err(failure)),
            // Nothing was sent that could be answered.
            Poll::Ready(Ok(_)) => Poll::Ready(Err(CallFailure::NoProcess)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// When a call that came in ends.
pub(crate) fn deadline_of(now: Instant, left_ms: u32) -> Instant {
    now + Duration::from_millis(u64::from(left_ms))
}
