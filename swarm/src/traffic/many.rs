//! One message for many processes: one frame for each node, not for each process.

use super::frame::{self, Many};
use super::letter::{call_error, outcome_of};
use super::outbound::millis;
use super::{Frame, Mail as MailFrame, Whom};
use crate::CallError;
use crate::core::Core;
use crate::worker::{Message, payload};
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::pin::Pin;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Boot, Instant, Pid};
use swarm_process::{Call, CallFailure, Handle, Lookup, Mail, SendError};

/// The most receivers of one frame, so that they leave room for the message itself.
const FRAME_PIDS_MAX: usize = 4_096;

/// The receivers on one node, each with the number of its call, or 0.
type Receivers = Vec<(Pid, u64)>;

/// A call whose message found no room in a mailbox of this node.
type Unsent = Option<(Handle, Mail)>;

impl Core {
    /// Casts `message` to each of `pids`: one frame for each node. Returns to how many.
    pub(crate) async fn cast_many<M: Message + Clone>(
        &self,
        pids: Vec<Pid>,
        message: M,
        timeout: Duration,
    ) -> usize {
        let deadline = self.clock.now() + timeout;
        let (here, there): (Vec<_>, Vec<_>) =
            pids.into_iter().partition(|pid| pid.boot == self.me.boot);
        let mut sent = 0;
        if !there.is_empty()
            && let Ok(body) = codec::encode(&message).map(Bytes::from)
        {
            let mut by_node = BTreeMap::<Boot, Receivers>::new();
            for pid in there {
                by_node.entry(pid.boot).or_default().push((pid, 0));
            }
            for (boot, to) in by_node {
                sent += self.send_many::<M>(boot, None, to, &body, deadline).await.len();
            }
        }
        for pid in here {
            let left = deadline.since(self.clock.now());
            let cast = self.cast(Whom::Pid(pid), message.clone(), left);
            sent += usize::from(cast.await.is_ok());
        }
        sent
    }

    /// Calls each of `pids` at once. The outcomes come as they arrive, each with the place of its
    /// process among `pids`.
    pub(crate) async fn call_many<M: Message + Clone>(
        &self,
        pids: Vec<Pid>,
        message: M,
        timeout: Duration,
    ) -> Outcomes<'_, M::Reply> {
        let deadline = self.clock.now() + timeout;
        let body = match codec::encode(&message) {
            Ok(body) => Bytes::from(body),
            Err(e) => {
                let failure = CallFailure::Unencodable { reason: e.reason };
                let failed = |(at, pid)| {
                    let error = call_error::<M>(Whom::Pid(pid), failure.clone(), timeout);
                    boxed(ready((at, pid, Err(error))))
                };
                return pids.into_iter().enumerate().map(failed).collect();
            }
        };
        let mut waiting = Vec::with_capacity(pids.len());
        let mut frames = BTreeMap::<Boot, Receivers>::new();
        for pid in pids {
            let mut call = self.processes.call::<M::Reply>(deadline);
            call.advance(swarm_process::Stage::Queued);
            let unsent = if pid.boot == self.me.boot {
                self.call_here(pid, &call, message.clone(), deadline)
            } else {
                frames.entry(pid.boot).or_default().push((pid, call.number(pid.boot)));
                None
            };
            waiting.push((pid, call, unsent));
        }
        for (boot, to) in frames {
            let numbers: Vec<_> = to.iter().map(|(_, number)| *number).collect();
            let sent = self.send_many::<M>(boot, Some(self.me.boot), to, &body, deadline).await;
            let sent: BTreeSet<_> = sent.into_iter().collect();
            for number in numbers {
                if !sent.contains(&number) {
                    self.processes.calls().finish(number, Err(CallFailure::NodeDown));
                }
            }
        }
        let outcome = |(at, (pid, call, unsent))| {
            boxed(async move { (at, pid, self.outcome::<M>(pid, call, unsent, timeout).await) })
        };
        waiting.into_iter().enumerate().map(outcome).collect()
    }

    async fn outcome<M: Message>(
        &self,
        pid: Pid,
        mut call: Call<M::Reply>,
        unsent: Unsent,
        timeout: Duration,
    ) -> Result<M::Reply, CallError> {
        // A full mailbox is waited for within the deadline, as any call waits for it.
        if let Some((handle, mail)) = unsent {
            let _ = call.send_mail_to(&handle, mail).await;
        }
        let outcome = outcome_of::<M>(Whom::Pid(pid), (&mut call).await, timeout);
        outcome.map_err(|error| error.with_node(|| self.node_of(pid)))
    }

    fn call_here<M: Message>(
        &self,
        pid: Pid,
        call: &Call<M::Reply>,
        message: M,
        deadline: Instant,
    ) -> Unsent {
        let Lookup::Here(handle) = self.processes.find(pid) else {
            call.reply_to().fail(CallFailure::NoProcess);
            return None;
        };
        match handle.try_send(Mail::call(payload(message), call.reply_to(), deadline)) {
            Ok(()) => None,
            Err(SendError::Full(mail)) => Some((handle, mail)),
            Err(SendError::Closed(mail)) => {
                if let Some(reply) = mail.reply {
                    reply.fail(CallFailure::NoProcess);
                }
                None
            }
        }
    }

    /// Sends `body` to processes of one node. Those that can't take it yet are waited for after
    /// the others. Gives back the numbers of those that it went to.
    async fn send_many<M: Message>(
        &self,
        boot: Boot,
        origin: Option<Boot>,
        to: Receivers,
        body: &Bytes,
        deadline: Instant,
    ) -> Vec<u64> {
        let Some(route) = self.routes.to(boot) else { return Vec::new() };
        let message = Bytes::from_static(M::NAME.as_bytes());
        let until = self.clock.at(deadline);
        let left_ms = || millis(deadline.since(self.clock.now()));
        let (paused, open): (Receivers, Receivers) =
            to.into_iter().partition(|(pid, _)| self.is_to_wait(*pid));
        let mut sent = Vec::with_capacity(open.len());
        for to in open.chunks(FRAME_PIDS_MAX) {
            let many = Frame::Many(Many {
                to: to.to_vec(),
                call: origin.map(|origin| (origin, left_ms())),
                message: message.clone(),
                body: body.clone(),
            });
            let send = route.outbox.send(|out| many.encode(out));
            match tokio::time::timeout_at(until, send).await {
                Ok(Ok(())) => {
                    to.iter().for_each(|(pid, _)| self.trails.sent(*pid));
                    sent.extend(to.iter().map(|(_, number)| *number));
                }
                _ => return sent,
            }
        }
        for (pid, number) in paused {
            let _ = tokio::time::timeout_at(until, self.open(pid)).await;
            if self.is_to_wait(pid) {
                continue;
            }
            let call = |origin| frame::Call { origin, correlation: number, left_ms: left_ms() };
            let mail = Frame::Mail(MailFrame {
                to: pid,
                name: Bytes::new(),
                call: origin.map(call),
                hops: 0,
                message: message.clone(),
                body: body.clone(),
            });
            let send = route.outbox.send(|out| mail.encode(out));
            if let Ok(Ok(())) = tokio::time::timeout_at(until, send).await {
                self.trails.sent(pid);
                sent.push(number);
            }
        }
        sent
    }
}

/// The outcomes of calls, as they arrive.
pub(crate) type Outcomes<'a, R> = FuturesUnordered<Boxed<'a, Outcome<R>>>;

/// The place of a process, the process, and what it answered.
pub(crate) type Outcome<R> = (usize, Pid, Result<R, CallError>);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Boxed<'a, T> {
    Box::pin(future)
}
