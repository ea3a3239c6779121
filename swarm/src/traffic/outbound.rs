//! Sending: where a message goes, and what to do until it can go there.

use super::frame::{self, Many};
use super::{Frame, Route, encode_mail};
use crate::core::Core;
use crate::worker::{MESSAGE, Message, payload};
use crate::{CallError, CastError, Stage};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Boot, Instant, Name, Pid};
use swarm_link::quic::Push;
use swarm_process::{
    Answer, Call, CallFailure, ExitReason, Handle, Lookup, Mail, Payload, SendError,
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

    /// Casts `message` to each of `pids`: one frame for each node. Returns to how many.
    pub(crate) async fn cast_many<M: Message + Clone>(
        &self,
        pids: Vec<Pid>,
        message: M,
        timeout: Duration,
    ) -> usize {
        let (here, there) = self.by_node(pids);
        let mut sent = 0;
        if !there.is_empty()
            && let Ok(body) = codec::encode(&message).map(Bytes::from)
        {
            for (boot, pids) in there {
                let to: Vec<_> = pids.into_iter().map(|pid| (pid, 0)).collect();
                sent += self.send_many::<M>(boot, None, to, &body, timeout).await;
            }
        }
        for pid in here {
            let whom = Whom::Pid(pid);
            let cast = self.cast(whom, message.clone(), timeout);
            sent += usize::from(cast.await.is_ok());
        }
        sent
    }

    /// Calls each of `pids` at once; the outcomes are in their order.
    pub(crate) async fn call_many<M: Message + Clone>(
        &self,
        pids: Vec<Pid>,
        message: M,
        timeout: Duration,
    ) -> Vec<(Pid, Result<M::Reply, CallError>)> {
        let deadline = self.clock.now() + timeout;
        let left_ms = millis(timeout);
        let (mut waiting, mut frames) = (Vec::with_capacity(pids.len()), BTreeMap::new());
        for pid in pids {
            let mut call = self.processes.call::<M::Reply>(deadline);
            let mut failed = None;
            if pid.boot == self.me.boot {
                match self.processes.find(pid) {
                    Lookup::Here(handle) => {
                        let mail = Mail::call(payload(message.clone()), call.reply_to(), deadline);
                        if let Err(error) = handle.try_send(mail) {
                            failed = Some((handle, error));
                        }
                    }
                    _ => call.reply_to().fail(CallFailure::NoProcess),
                }
            } else {
                let number = call.number(pid.boot);
                frames.entry(pid.boot).or_insert_with(Vec::new).push((pid, number));
            }
            waiting.push((pid, call, failed));
        }
        if !frames.is_empty() {
            match codec::encode(&message).map(Bytes::from) {
                Ok(body) => {
                    for (boot, to) in frames {
                        let origin = Some((self.me.boot, left_ms));
                        let numbers: Vec<_> = to.iter().map(|(_, number)| *number).collect();
                        if self.send_many::<M>(boot, origin, to, &body, timeout).await == 0 {
                            for number in numbers {
                                let failure = Err(CallFailure::NodeDown);
                                self.processes.calls().finish(number, failure);
                            }
                        }
                    }
                }
                Err(error) => {
                    let failure = CallFailure::Unencodable { reason: error.reason };
                    return waiting
                        .into_iter()
                        .map(|(pid, ..)| {
                            (pid, Err(call_error::<M>(Whom::Pid(pid), failure.clone(), timeout)))
                        })
                        .collect();
                }
            }
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for (pid, mut call, failed) in waiting {
            // A full mailbox is waited for within the deadline, as any call waits for it.
            if let Some((handle, SendError::Full(mail))) = failed {
                let _ = call.send_to(&handle, mail.payload).await;
            }
            let outcome = (&mut call).await;
            outcomes.push((pid, outcome_of::<M>(Whom::Pid(pid), outcome, timeout)));
        }
        outcomes
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

    async fn send_many<M: Message>(
        &self,
        boot: Boot,
        call: Option<(Boot, u32)>,
        to: Vec<(Pid, u64)>,
        body: &Bytes,
        timeout: Duration,
    ) -> usize {
        let Some(route) = self.routes.to(boot) else { return 0 };
        let count = to.len();
        let many = Frame::Many(Many {
            to,
            call,
            message: Bytes::from_static(M::NAME.as_bytes()),
            body: body.clone(),
        });
        match tokio::time::timeout(timeout, route.outbox.send(|out| many.encode(out))).await {
            Ok(Ok(())) => count,
            _ => 0,
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

    fn by_node(&self, pids: Vec<Pid>) -> (Vec<Pid>, BTreeMap<Boot, Vec<Pid>>) {
        let (mut here, mut there) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for pid in pids {
            if pid.boot == self.me.boot {
                here.push(pid);
            } else {
                there.entry(pid.boot).or_default().push(pid);
            }
        }
        (here, there)
    }
}

/// Why a message cannot go just now, or at all.
enum Stuck {
    Full,
    Moving,
    Failed(CallFailure),
}

/// A message until it is sent: typed, in a box, or encoded, whatever its last try made of it.
enum Letter<M> {
    Typed(M),
    Boxed(Payload),
    Sent,
}

impl<M: Message> Letter<M> {
    const fn new(message: M) -> Self {
        Self::Typed(message)
    }

    /// The message for a mailbox of this node.
    fn for_here(&mut self) -> Payload {
        match std::mem::replace(self, Self::Sent) {
            Self::Typed(message) => payload(message),
            Self::Boxed(payload) => payload,
            Self::Sent => {
                unreachable!("a message that was handed over comes back or is not sent again")
            }
        }
    }

    /// The message for another node.
    fn for_there(&mut self) -> Result<Bytes, CallFailure> {
        let unencodable = |reason| CallFailure::Unencodable { reason };
        match self {
            Self::Typed(message) => {
                codec::encode(message).map(Bytes::from).map_err(|e| unencodable(e.reason))
            }
            Self::Boxed(payload) => {
                payload.to_wire().map(|wire| wire.body).map_err(|e| unencodable(e.reason))
            }
            Self::Sent => Err(unencodable("was handed over".to_owned())),
        }
    }

    fn take_back(&mut self, mail: Mail) {
        *self = Self::Boxed(mail.payload);
    }

    fn sent(&mut self) {
        *self = Self::Sent;
    }

    const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent)
    }
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

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn outcome_of<M: Message>(
    whom: Whom<'_>,
    outcome: Result<Answer<M::Reply>, CallFailure>,
    after: Duration,
) -> Result<M::Reply, CallError> {
    match outcome {
        Ok(Answer::Typed(reply)) => Ok(reply),
        Ok(Answer::Wire(bytes)) => codec::decode(&bytes, MESSAGE).map_err(|error| {
            let failure = CallFailure::Undecodable { reason: error.to_string() };
            call_error::<M>(whom, failure, after)
        }),
        Err(failure) => Err(call_error::<M>(whom, failure, after)),
    }
}

fn target(whom: Whom<'_>) -> Arc<str> {
    match whom {
        Whom::Name(name) => match Name::from_bytes(name) {
            Ok(name) => name.to_string().into(),
            Err(_) => String::from_utf8_lossy(name).into(),
        },
        Whom::Pid(pid) => pid.to_string().into(),
    }
}

fn call_error<M: Message>(whom: Whom<'_>, failure: CallFailure, after: Duration) -> CallError {
    let (target, message) = (target(whom), M::NAME);
    match failure {
        CallFailure::NoProcess => CallError::NotFound { target, message },
        CallFailure::NotHandled { .. } => CallError::NotHandled { target, message },
        CallFailure::Full => CallError::Full { target, message },
        CallFailure::Stopped { reason } => CallError::Stopped { target, message, reason },
        CallFailure::NodeDown => {
            CallError::Stopped { target, message, reason: ExitReason::NodeDown }
        }
        CallFailure::Timeout { stage } => CallError::Timeout { target, message, stage, after },
        other => CallError::Codec { target, message, reason: other.to_string() },
    }
}

fn cast_error<M: Message>(whom: Whom<'_>, failure: CallFailure, after: Duration) -> CastError {
    let (target, message) = (target(whom), M::NAME);
    match failure {
        CallFailure::Full => CastError::Full { target, message },
        CallFailure::Timeout { stage } => CastError::Timeout { target, message, stage, after },
        CallFailure::Unencodable { reason } => CastError::Codec { target, message, reason },
        _ => CastError::NotFound { target, message },
    }
}

/// When a call that came in ends.
pub(crate) fn deadline_of(now: Instant, left_ms: u32) -> Instant {
    now + Duration::from_millis(u64::from(left_ms))
}
