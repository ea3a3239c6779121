//! Receiving: frames from other nodes go from the connection's task straight into mailboxes.

use super::frame::{self, HOPS_MAX, Many};
use super::outbound::{Spot, There, deadline_of};
use super::{Call, Frame, Mail, encode_mail};
use crate::core::Core;
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use swarm_base::codec::{self, Limits};
use swarm_base::{Boot, Name, Pid, Session};
use swarm_link::quic::{Inbox, Pace, Push};
use swarm_process::{
    CallFailure, Down, DownSink, ExitReason, Handle, Lookup, Payload, Pressure, ReplySink, ReplyTo,
};

/// The receiving side of a node's message streams.
pub(crate) struct Inbound {
    /// Weak: connections do not keep a node alive.
    core: Weak<Core>,
}

/// What a receiver does with one frame's failures and reasons.
const SMALL: Limits = Limits::of_bytes(64 * 1024);

impl Inbound {
    pub(crate) fn new(core: &Weak<Core>) -> Self {
        Self { core: core.clone() }
    }

    fn mail(&self, core: &Arc<Core>, from: Session, mut mail: Mail) {
        let mut reply = mail.call.map(|call| reply_to(core, call.origin, call.correlation));
        let mut spot = locate(core, mail.to, &mail.name);
        if let Spot::Here(handle) = &spot {
            match self.deliver_to(core, from, handle, mail, reply) {
                None => return,
                Some(back) => (mail, reply) = back,
            }
            // It ended just now. Where it moved, its node passes on what comes from now on.
            spot = locate(core, mail.to, &mail.name);
        }
        match spot {
            Spot::There(there) if mail.hops < HOPS_MAX => pass_on(core, &there, mail, reply),
            _ => nowhere(core, reply),
        }
    }

    /// Puts a message into a mailbox. Gives it back where the process has ended.
    fn deliver_to(
        &self,
        core: &Arc<Core>,
        from: Session,
        handle: &Handle,
        mail: Mail,
        reply: Option<ReplyTo>,
    ) -> Option<(Mail, Option<ReplyTo>)> {
        let Mail { to, name, call, hops, message, body } = mail;
        let Ok(text) = std::str::from_utf8(&message) else {
            core.malformed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let payload = Payload::wire(text, body);
        let letter = match (reply, call) {
            (Some(reply), Some(call)) => {
                let deadline = deadline_of(core.clock.now(), call.left_ms);
                swarm_process::Mail::call(payload, reply, deadline)
            }
            _ => swarm_process::Mail::cast(payload),
        };
        match handle.absorb(letter) {
            Pressure::Ok => (),
            Pressure::High => self.press(core, from, handle),
            // Its node has been told to pause and sends on: nobody else waits for that.
            Pressure::Refused(letter) => {
                self.press(core, from, handle);
                match letter.reply {
                    Some(reply) => reply.fail(CallFailure::Full),
                    None => drop(core.lost.fetch_add(1, Ordering::Relaxed)),
                }
            }
            Pressure::Closed(letter) => {
                let body = letter.payload.to_wire().map(|wire| wire.body).unwrap_or_default();
                return Some((Mail { to, name, call, hops, message, body }, letter.reply));
            }
        }
        None
    }

    fn many(&self, core: &Arc<Core>, from: Session, many: Many) {
        for (to, correlation) in many.to {
            let call = many.call.map(|(origin, left_ms)| Call { origin, correlation, left_ms });
            let mail = Mail {
                to,
                name: Bytes::new(),
                call,
                hops: 0,
                message: many.message.clone(),
                body: many.body.clone(),
            };
            self.mail(core, from, mail);
        }
    }

    /// Tells the sender's node to send nothing more to a full mailbox.
    fn press(&self, core: &Core, from: Session, handle: &Handle) {
        let pid = handle.pid();
        if !core.routes.press(pid, from) {
            return;
        }
        if let Some(route) = core.routes.boot(from).and_then(|boot| core.routes.back_to(boot)) {
            let _ = route.send_now(&Frame::Pause(pid));
        }
        // It may have made room, and told so, before it was entered as full: nothing else would
        // tell the sender.
        if !handle.is_pressed() {
            core.ease(pid);
        }
    }
}

impl Inbox for Inbound {
    fn deliver(&self, from: Session, frame: Bytes) -> Pace {
        let Some(core) = self.core.upgrade() else { return Pace::Go };
        let Some(frame) = Frame::decode(frame) else {
            core.malformed.fetch_add(1, Ordering::Relaxed);
            return Pace::Go;
        };
        match frame {
            Frame::Mail(mail) => self.mail(&core, from, mail),
            Frame::Many(many) => self.many(&core, from, many),
            Frame::Reply { correlation, outcome } => {
                let outcome = outcome.map_err(|failure| failure_of(&failure));
                core.processes.calls().finish(correlation, outcome);
            }
            Frame::Monitor { watch, pid } => {
                if let Some(boot) = core.routes.boot(from) {
                    core.watches.serve(&core, boot, watch, pid);
                }
            }
            Frame::Demonitor { watch } => {
                if let Some(boot) = core.routes.boot(from) {
                    core.watches.unserve(&core, boot, watch);
                }
            }
            Frame::Link { pid, to } => core.watches.link_back(&core, pid, to),
            Frame::Down { watch, reason } => {
                let reason = codec::decode(&reason, SMALL).unwrap_or(ExitReason::NodeDown);
                // Of a session that has ended it is told again on the next.
                if let Some(boot) = core.routes.boot(from) {
                    core.watches.told(&core, boot, watch, reason);
                }
            }
            Frame::Taken { watch } => {
                if let Some(boot) = core.routes.boot(from) {
                    core.watches.taken(boot, watch);
                }
            }
            Frame::Follow(follow) => core.follow(follow),
            Frame::Followed { pid, number } => core.followed(pid, number),
            Frame::Pause(pid) => core.routes.pause(pid),
            Frame::Resume(pid) => core.routes.resume(pid),
            Frame::Leaving => {
                if let Some(boot) = core.routes.boot(from) {
                    core.ask_before_it_leaves(boot);
                }
                if let Some(route) =
                    core.routes.boot(from).and_then(|boot| core.routes.retire(boot))
                {
                    let _ = route.send_now(&Frame::Fin);
                }
            }
            Frame::Fin => {
                if let Some(boot) = core.routes.boot(from) {
                    core.routes.fin(boot);
                }
            }
        }
        Pace::Go
    }
}

impl Core {
    /// The mailbox of `pid` has room again: whoever was told to pause goes on.
    pub(crate) fn ease(&self, pid: Pid) {
        for session in self.routes.ease(pid) {
            let boot = self.routes.boot(session);
            if let Some(route) = boot.and_then(|boot| self.routes.back_to(boot)) {
                let _ = route.send_now(&Frame::Resume(pid));
            }
        }
    }
}

/// A message found no process.
fn nowhere(core: &Core, reply: Option<ReplyTo>) {
    match reply {
        Some(reply) => reply.fail(CallFailure::NoProcess),
        None => drop(core.lost.fetch_add(1, Ordering::Relaxed)),
    }
}

/// Passes a message on to the node that its process has moved to. The reply goes from there
/// straight to the caller. It does not wait for room: two nodes that pass on to each other would
/// wait for ever.
fn pass_on(core: &Core, there: &There, mail: Mail, reply: Option<ReplyTo>) {
    let Mail { name, call, hops, message, body, .. } = mail;
    let name = there.name.as_ref().map_or(&name[..], Name::as_bytes);
    let pushed = there.route.outbox.push_reserved(|out| {
        encode_mail(out, there.pid, name, call, hops + 1, &message, |out| {
            out.extend_from_slice(&body);
        });
    });
    match (pushed, reply) {
        // The caller is answered by whoever handles it.
        (Push::Queued, reply) => drop(reply.and_then(ReplyTo::into_route)),
        (_, Some(reply)) => reply.fail(CallFailure::Full),
        (_, None) => drop(core.lost.fetch_add(1, Ordering::Relaxed)),
    }
}

/// Finds the process that an incoming message is for: by its pid; by its name, if it has another
/// process by now; as a standby, if its move has not ended yet; or on the node it has moved to.
pub(super) fn locate(core: &Core, to: Pid, name: &[u8]) -> Spot {
    let name = match core.processes.find(to) {
        Lookup::Here(handle) => return Spot::Here(handle),
        Lookup::Moved(name) => Some(name),
        Lookup::Nowhere if name.is_empty() => None,
        Lookup::Nowhere => Name::from_bytes(name).ok(),
    };
    let Some(name) = name else { return Spot::Nowhere };
    match core.processes.named(&name).or_else(|| core.processes.standby(&name)) {
        Some(handle) => Spot::Here(handle),
        None => core.locate_moved(&name),
    }
}

/// What a failure on the wire says.
fn failure_of(bytes: &[u8]) -> CallFailure {
    codec::decode(bytes, SMALL).unwrap_or(CallFailure::Stopped { reason: ExitReason::Killed })
}

/// The way back to a caller on another node.
pub(crate) fn reply_to(core: &Arc<Core>, origin: Boot, correlation: u64) -> ReplyTo {
    ReplyTo::remote(Arc::clone(&core.sink) as Arc<dyn ReplySink>, origin, correlation)
}

/// Sends replies and ends of processes to other nodes.
pub(crate) struct Sink(pub(crate) Weak<Core>);

impl ReplySink for Sink {
    fn reply(&self, origin: Boot, correlation: u64, outcome: Result<Bytes, CallFailure>) {
        let Some(core) = self.0.upgrade() else { return };
        if origin == core.me.boot {
            // The message came back here by way of the node that it was sent to.
            core.processes.calls().finish(correlation, outcome);
            return;
        }
        let Some(route) = core.routes.back_to(origin) else { return };
        let encode = |failure| codec::encode(&failure).map(Bytes::from).unwrap_or_default();
        let reply = Frame::Reply { correlation, outcome: outcome.map_err(encode) };
        match route.send_now(&reply) {
            Push::Queued => (),
            Push::TooLong => {
                let reason = "is longer than a frame".to_owned();
                let outcome = Err(encode(CallFailure::Unencodable { reason }));
                let _ = route.send_now(&Frame::Reply { correlation, outcome });
            }
            // The caller's deadline ends its wait.
            Push::Full | Push::Closed => drop(core.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

impl DownSink for Sink {
    fn down(&self, reference: u64, down: Down) {
        if let Some(core) = self.0.upgrade() {
            core.watches.served_ended(&core, reference, &down);
        }
    }
}

/// A frame of a message that this node hands over with a process that moves.
pub(crate) fn encode_handed_over(
    core: &Core,
    to: Boot,
    mail: swarm_process::Mail,
) -> Option<Vec<u8>> {
    let wire = match mail.payload.to_wire() {
        Ok(wire) => wire,
        Err(error) => {
            if let Some(reply) = mail.reply {
                reply.fail(CallFailure::Unencodable { reason: error.reason });
            }
            return None;
        }
    };
    let left_ms = mail.deadline.map_or(0, |deadline| {
        u32::try_from(deadline.since(core.clock.now()).as_millis()).unwrap_or(u32::MAX)
    });
    let call = mail.reply.and_then(ReplyTo::into_route).map(|route| match route {
        swarm_process::Route::Local(waiter) => {
            let correlation = core.processes.calls().pass_on(to, waiter);
            Call { origin: core.me.boot, correlation, left_ms }
        }
        swarm_process::Route::Remote { origin, correlation } => {
            Call { origin, correlation, left_ms }
        }
    });
    let mut bytes = Vec::new();
    encode_mail(&mut bytes, Pid::new(to, 0), &[], call, 0, wire.message.as_bytes(), |out| {
        out.extend_from_slice(&wire.body)
    });
    Some(bytes)
}

/// The message of a frame that came with a process.
pub(crate) fn decode_handed_over(core: &Arc<Core>, bytes: Bytes) -> Option<swarm_process::Mail> {
    let Some(Frame::Mail(frame::Mail { call, message, body, .. })) = Frame::decode(bytes) else {
        return None;
    };
    let payload = Payload::wire(std::str::from_utf8(&message).ok()?, body);
    Some(match call {
        Some(call) => {
            let reply = reply_to(core, call.origin, call.correlation);
            let deadline = deadline_of(core.clock.now(), call.left_ms);
            swarm_process::Mail::call(payload, reply, deadline)
        }
        None => swarm_process::Mail::cast(payload),
    })
}
