//! One message for many processes: one frame for each node, not for each process.

use super::frame::Many;
use super::letter::{call_error, outcome_of};
use super::outbound::millis;
use super::{Frame, Whom};
use crate::CallError;
use crate::core::Core;
use crate::worker::{Message, payload};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Boot, Pid};
use swarm_process::{CallFailure, Lookup, Mail, SendError};

/// The most receivers of one frame, so that they leave room for the message itself.
const FRAME_PIDS_MAX: usize = 4_096;

impl Core {
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
                        let sent = self.send_many::<M>(boot, origin, to, &body, timeout).await;
                        for number in &numbers[sent..] {
                            let failure = Err(CallFailure::NodeDown);
                            self.processes.calls().finish(*number, failure);
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
                let _ = call.send_mail_to(&handle, mail).await;
            }
            let outcome = (&mut call).await;
            outcomes.push((pid, outcome_of::<M>(Whom::Pid(pid), outcome, timeout)));
        }
        outcomes
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
        let mut sent = 0;
        for to in to.chunks(FRAME_PIDS_MAX) {
            let many = Frame::Many(Many {
                to: to.to_vec(),
                call,
                message: Bytes::from_static(M::NAME.as_bytes()),
                body: body.clone(),
            });
            match tokio::time::timeout(timeout, route.outbox.send(|out| many.encode(out))).await {
                Ok(Ok(())) => sent += to.len(),
                _ => break,
            }
        }
        sent
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
