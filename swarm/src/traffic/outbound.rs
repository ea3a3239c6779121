//! Sending: where a message goes, and what to do until it can go there.

use super::frame;
use super::letter::{Letter, call_error, cast_error};
use super::{Route, encode_mail};
use crate::core::Core;
use crate::worker::{MESSAGE, Message};
use crate::{CallError, CastError, Stage};
use std::pin::pin;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Instant, Name, Pid};
use swarm_link::quic::Push;
use swarm_process::{
    Answer, Call, CallFailure, Handle, Lookup, Mail, SendError,
};

/// To whom a message goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom<'a> {
    /// Whoever has this name when it arrives.
    Name(&'a [u8]),
    /// This process.
    Pid(Pid),
}

/// Where a message goes just now.
enum Spot {
    Here(Handle),
    There(Pid, Route),
    /// Its node lives, but no connection to it is up.
    Unconnected,
    /// It is known to exist, but just changes its place.
    Unsettled,
    Nowhere,
}

/// How long a sender waits for a view to change before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Core {
    /// Sends `message` and waits for its reply, until `timeout` at the latest.
    pub(crate) async fn call<M: Message>(
        &self,
        whom: Whom<'_>,
        message: M,
        timeout: Duration,
    ) -> Result<M::Reply, CallError> {
        let deadline = self.clock.now() + timeout;
        let failed = |failure| call_error::<M>(whom, failure, timeout);
        let mut letter = Letter::new(message);
        let mut tried = None;
        loop {
            let mut call = self.processes.call::<M::Reply>(deadline);
            let outcome = match self.locate(whom) {
                Spot::Here(handle) => {
                    let payload = letter.for_here();
                    match call.send_to(&handle, payload).await {
                        Ok(()) => (&mut call).await,
                        Err(mail) => {
                            letter.take_back(mail);
                            tried = Some(handle.pid());
                            Err(CallFailure::NoProcess)
                        }
                    }
                }
                Spot::There(pid, route) => {
                    let body = letter.for_there().map_err(failed)?;
                    tried = Some(pid);
                    self.call_there::<M>(&mut call, whom, pid, &route, &body).await
                }
                Spot::Unconnected => {
                    call.advance(Stage::Connect);
                    self.until_changed(&mut call).await
                }
                Spot::Unsettled => self.until_changed(&mut call).await,
                Spot::Nowhere => Err(CallFailure::NoProcess),
            };
            match outcome {
                Ok(Answer::Typed(reply)) => return Ok(reply),
                Ok(Answer::Wire(bytes)) => {
                    return codec::decode::<M::Reply>(&bytes, MESSAGE).map_err(|error| {
                        failed(CallFailure::Undecodable { reason: error.to_string() })
                    });
                }
                // It was surely not handled: by a name it may have another process by now.
                Err(CallFailure::NoProcess)
                    if self.may_move(whom, tried) && self.clock.now() < deadline =>
                {
                    let mut wait = self.processes.call::<M::Reply>(deadline);
                    if let Err(failure @ CallFailure::Timeout { .. }) =
                        self.until_changed(&mut wait).await
                    {
                        return Err(failed(failure));
                    }
                }
                Err(CallFailure::Timeout { stage: Stage::Resolve | Stage::Connect })
                    if self.clock.now() < deadline => {}
                Err(failure) => return Err(failed(failure)),
            }
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
                        stage = Stage::Connect;
                        let changed = self.changed.notified();
                        let _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
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
        pid: Pid,
        route: &Route,
        body: &[u8],
    ) -> Result<Answer<M::Reply>, CallFailure> {
        call.advance(Stage::Queued);
        if self.routes.is_paused(pid) {
            let resumed = self.routes.resumed(pid);
            if let Some(failure) = first(resumed, call).await {
                return Err(failure);
            }
        }
        let header = frame::Call {
            origin: self.me.boot,
            correlation: call.number(pid.boot),
            left_ms: millis(call.deadline().since(self.clock.now())),
        };
        let write = |out: &mut Vec<u8>| {
            encode_mail(out, pid, name_of(whom), Some(header), 0, M::NAME.as_bytes(), |out| {
                out.extend_from_slice(body);
            });
        };
        match route.outbox.push(write) {
            Push::Queued => (),
            Push::Full => {
                let sent = route.outbox.send(write);
                match first(sent, call).await {
                    Some(failure) => return Err(failure),
                    None if route.outbox.is_closed() => return Err(CallFailure::NoProcess),
                    None => (),
                }
            }
            // Nothing was sent: the next look finds another connection, or none.
            Push::Closed => {
                call.advance(Stage::Connect);
                return self.until_changed(call).await;
            }
            Push::TooLong => {
                let reason = format!("message of {} bytes is too long", body.len());
                return Err(CallFailure::Unencodable { reason });
            }
        }
        call.advance(Stage::Running);
        call.await
    }

    /// Waits until a name or a route changes. Gives back the outcome of `call` once its time is
    /// over, else a timeout of the stage it is in, which the caller takes as "look again".
    async fn until_changed<R: Send + 'static>(
        &self,
        call: &mut Call<R>,
    ) -> Result<Answer<R>, CallFailure> {
        let changed = self.changed.notified();
        let waited = async {
            let _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
        };
        match first(waited, call).await {
            Some(failure) => Err(failure),
            None => Err(CallFailure::Timeout { stage: Stage::Resolve }),
        }
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
            Spot::There(pid, route) => {
                if self.routes.is_paused(pid) {
                    return Err(Stuck::Full);
                }
                let body = letter.for_there().map_err(Stuck::Failed)?;
                let pushed = route.outbox.push(|out| {
                    encode_mail(out, pid, name_of(whom), None, 0, M::NAME.as_bytes(), |out| {
                        out.extend_from_slice(&body);
                    });
                });
                match pushed {
                    Push::Queued => Ok(()),
                    Push::Full => Err(Stuck::Full),
                    Push::Closed => Err(Stuck::Moving),
                    Push::TooLong => Err(Stuck::Failed(CallFailure::Unencodable {
                        reason: format!("message of {} bytes is too long", body.len()),
                    })),
                }
            }
            Spot::Unconnected | Spot::Unsettled => Err(Stuck::Moving),
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
            Spot::There(pid, _) if self.routes.is_paused(pid) => self.routes.resumed(pid).await,
            Spot::There(_, route) => route.outbox.space().await,
            _ => (),
        }
    }

    fn locate(&self, whom: Whom<'_>) -> Spot {
        match whom {
            Whom::Pid(pid) => self.locate_pid(pid),
            Whom::Name(name) => match self.names.whereis(name) {
                Some(pid) => match self.locate_pid(pid) {
                    // It has another process by now, and the view is about to say so.
                    Spot::Nowhere => Spot::Unsettled,
                    spot => spot,
                },
                None if self.routes.is_unsettled(name) => Spot::Unsettled,
                None => Spot::Nowhere,
            },
        }
    }

    fn locate_pid(&self, pid: Pid) -> Spot {
        if pid.boot != self.me.boot {
            return match self.routes.to(pid.boot) {
                Some(route) => Spot::There(pid, route),
                None if self.members().iter().any(|member| member.id.boot == pid.boot) => {
                    Spot::Unconnected
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
    fn locate_moved(&self, name: &Name) -> Spot {
        let claimed = self.names.whereis(name.as_bytes()).filter(|pid| pid.boot != self.me.boot);
        let (pid, boot) = match claimed {
            Some(pid) => (pid, pid.boot),
            None => match self.routes.moving(name.as_bytes()) {
                Some(boot) => (Pid::new(boot, 0), boot),
                None => return Spot::Unsettled,
            },
        };
        match self.routes.to(boot) {
            Some(route) => Spot::There(pid, route),
            None => Spot::Unconnected,
        }
    }

    /// Whether a message that found no process at `tried` may find one elsewhere.
    fn may_move(&self, whom: Whom<'_>, tried: Option<Pid>) -> bool {
        match whom {
            Whom::Name(name) => {
                tried.is_some()
                    && (self.names.whereis(name).is_some() || self.routes.is_unsettled(name))
            }
            Whom::Pid(_) => false,
        }
    }
}

/// Why a message cannot go just now, or at all.
enum Stuck {
    Full,
    Moving,
    Failed(CallFailure),
}

/// Waits for `wait`, or for the failure of `call`, whichever comes first.
async fn first<R: Send + 'static>(wait: impl Future, call: &mut Call<R>) -> Option<CallFailure> {
    let mut wait = pin!(wait);
    std::future::poll_fn(|cx| {
        if wait.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(None);
        }
        match std::pin::Pin::new(&mut *call).poll(cx) {
            std::task::Poll::Ready(Err(failure)) => std::task::Poll::Ready(Some(failure)),
            // Nothing was sent that could be answered.
            std::task::Poll::Ready(Ok(_)) => std::task::Poll::Ready(Some(CallFailure::NoProcess)),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

const fn name_of<'a>(whom: Whom<'a>) -> &'a [u8] {
    match whom {
        Whom::Name(name) => name,
        Whom::Pid(_) => &[],
    }
}

pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// When a call that came in ends.
pub(crate) fn deadline_of(now: Instant, left_ms: u32) -> Instant {
    now + Duration::from_millis(u64::from(left_ms))
}
