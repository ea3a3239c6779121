//! Frames of the message stream: hand-numbered headers, since these are sent by the million.
//!
//! All numbers are little-endian. A frame that does not decode is counted and ignored; a kind that
//! a later version adds is one of these.

use bytes::{Buf, Bytes};
use swarm_base::{Boot, Pid};

/// One frame. Bodies are slices of what was received, not copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message for a process.
    Mail(Mail),
    /// One message for many processes of the receiver.
    Many(Many),
    /// The answer to a call.
    Reply {
        /// The caller's number for the call.
        correlation: u64,
        /// The encoded reply, or the encoded failure.
        outcome: Result<Bytes, Bytes>,
    },
    /// Tell the sender when this process ends.
    Monitor {
        /// The sender's number for it.
        watch: u64,
        /// The process.
        pid: Pid,
    },
    /// The sender no longer wants to know.
    Demonitor {
        /// The number that it gave.
        watch: u64,
    },
    /// A process of the sender is linked with one of the receiver.
    Link {
        /// The sender's.
        pid: Pid,
        /// The receiver's.
        to: Pid,
    },
    /// A monitored process has ended.
    Down {
        /// The receiver's number for the monitor.
        watch: u64,
        /// The encoded reason.
        reason: Bytes,
    },
    /// The receiver's word of the end of a process has been taken.
    Taken {
        /// The sender's number for the monitor.
        watch: u64,
    },
    /// Asks that it goes the way of all that went to a process before it moved.
    Follow(Follow),
    /// What the receiver had sent to a process before it moved has arrived where it is now.
    Followed {
        /// The process, as the receiver knows it.
        pid: Pid,
        /// The receiver's number for the question.
        number: u64,
    },
    /// The mailbox of a process of the sender is full: send it nothing more.
    Pause(Pid),
    /// It has room again.
    Resume(Pid),
    /// The sender leaves, and runs no names any more: send it nothing new.
    Leaving,
    /// The sender sends nothing more, since the receiver leaves.
    Fin,
}

/// A message for a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    /// The process; of serial 0 where only the name is known.
    pub to: Pid,
    /// Its name, where it was addressed by name: the message follows it when it moves.
    pub name: Bytes,
    /// Who waits for the reply.
    pub call: Option<Call>,
    /// How many nodes it has passed.
    pub hops: u8,
    /// The name of the message.
    pub message: Bytes,
    /// The message in MessagePack.
    pub body: Bytes,
}

/// Who waits for a reply, and how long still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The caller's node.
    pub origin: Boot,
    /// The caller's number for the call.
    pub correlation: u64,
    /// How long the caller still waits, in milliseconds.
    pub left_ms: u32,
}

/// One message for many processes: each with the correlation of its call, or 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many {
    /// The processes, and the correlations of their calls.
    pub to: Vec<(Pid, u64)>,
    /// The caller's node, and how long it waits, where these are calls.
    pub call: Option<(Boot, u32)>,
    /// The name of the message.
    pub message: Bytes,
    /// The message in MessagePack.
    pub body: Bytes,
}

/// A question that goes the way of the messages before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Follow {
    /// The asker's number for it.
    pub number: u64,
    /// Who asks.
    pub origin: Boot,
    /// The process that messages will go straight to, as the asker knows it.
    pub pid: Pid,
    /// Where the messages before it went; of serial 0 where only the name is known.
    pub to: Pid,
    /// How many nodes have passed it on.
    pub hops: u8,
    /// The name, where it has been passed on.
    pub name: Bytes,
}

/// How many nodes a message passes at most.
pub(crate) const HOPS_MAX: u8 = 3;

const CAST: u8 = 1;
const CALL: u8 = 2;
const CAST_MANY: u8 = 3;
const CALL_MANY: u8 = 4;
const REPLY: u8 = 5;
const FAILURE: u8 = 6;
const MONITOR: u8 = 7;
const DEMONITOR: u8 = 8;
const DOWN: u8 = 9;
const PAUSE: u8 = 10;
const RESUME: u8 = 11;
const LEAVING: u8 = 12;
const FIN: u8 = 13;
const LINK: u8 = 14;
const TAKEN: u8 = 15;
const FOLLOW: u8 = 16;
const FOLLOWED: u8 = 17;

impl Frame {
    /// Appends the frame to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Mail(mail) => {
                encode_mail(out, mail.to, &mail.name, mail.call, mail.hops, &mail.message, |out| {
                    out.extend_from_slice(&mail.body)
                })
            }
            Self::Many(many) => {
                out.push(if many.call.is_some() { CALL_MANY } else { CAST_MANY });
                if let Some((origin, left_ms)) = many.call {
                    out.extend_from_slice(&origin.to_bytes());
                    out.extend_from_slice(&left_ms.to_le_bytes());
                }
                out.extend_from_slice(&(many.to.len() as u32).to_le_bytes());
                for (pid, correlation) in &many.to {
                    out.extend_from_slice(&pid.to_bytes());
                    if many.call.is_some() {
                        out.extend_from_slice(&correlation.to_le_bytes());
                    }
                }
                short(out, &many.message);
                out.extend_from_slice(&many.body);
            }
            Self::Reply { correlation, outcome } => {
                let (kind, body) = match outcome {
                    Ok(body) => (REPLY, body),
                    Err(body) => (FAILURE, body),
                };
                numbered(out, kind, *correlation);
                out.extend_from_slice(body);
            }
            Self::Monitor { watch, pid } => {
                numbered(out, MONITOR, *watch);
                out.extend_from_slice(&pid.to_bytes());
            }
            Self::Demonitor { watch } => numbered(out, DEMONITOR, *watch),
            Self::Taken { watch } => numbered(out, TAKEN, *watch),
            Self::Down { watch, reason } => {
                numbered(out, DOWN, *watch);
                out.extend_from_slice(reason);
            }
            Self::Link { pid, to } => {
                about(out, LINK, *pid);
                out.extend_from_slice(&to.to_bytes());
            }
            Self::Follow(follow) => {
                numbered(out, FOLLOW, follow.number);
                out.extend_from_slice(&follow.origin.to_bytes());
                out.extend_from_slice(&follow.pid.to_bytes());
                out.extend_from_slice(&follow.to.to_bytes());
                out.push(follow.hops);
                out.extend_from_slice(&follow.name);
            }
            Self::Followed { pid, number } => {
                numbered(out, FOLLOWED, *number);
                out.extend_from_slice(&pid.to_bytes());
            }
            Self::Pause(pid) => about(out, PAUSE, *pid),
            Self::Resume(pid) => about(out, RESUME, *pid),
            Self::Leaving => out.push(LEAVING),
            Self::Fin => out.push(FIN),
        }
    }

    /// Reads a frame; `None` for what is none.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        Some(match bytes.try_get_u8().ok()? {
            kind @ (CAST | CALL) => Self::Mail(decode_mail(bytes, kind == CALL)?),
            kind @ (CAST_MANY | CALL_MANY) => Self::Many(decode_many(bytes, kind == CALL_MANY)?),
            REPLY => Self::Reply { correlation: bytes.try_get_u64_le().ok()?, outcome: Ok(bytes) },
            FAILURE => {
                Self::Reply { correlation: bytes.try_get_u64_le().ok()?, outcome: Err(bytes) }
            }
            MONITOR => Self::Monitor { watch: bytes.try_get_u64_le().ok()?, pid: pid(&mut bytes)? },
            DEMONITOR => Self::Demonitor { watch: bytes.try_get_u64_le().ok()? },
            TAKEN => Self::Taken { watch: bytes.try_get_u64_le().ok()? },
            DOWN => Self::Down { watch: bytes.try_get_u64_le().ok()?, reason: bytes },
            LINK => Self::Link { pid: pid(&mut bytes)?, to: pid(&mut bytes)? },
            FOLLOW => Self::Follow(Follow {
                number: bytes.try_get_u64_le().ok()?,
                origin: boot(&mut bytes)?,
                pid: pid(&mut bytes)?,
                to: pid(&mut bytes)?,
                hops: bytes.try_get_u8().ok()?,
                name: bytes,
            }),
            FOLLOWED => {
                let number = bytes.try_get_u64_le().ok()?;
                Self::Followed { pid: pid(&mut bytes)?, number }
            }
            PAUSE => Self::Pause(pid(&mut bytes)?),
            RESUME => Self::Resume(pid(&mut bytes)?),
            LEAVING => Self::Leaving,
            FIN => Self::Fin,
            _ => return None,
        })
    }
}

/// Appends a [`Mail`] whose body `write` appends: a message is encoded straight into the queue of
/// its connection.
pub(crate) fn encode_mail(
    out: &mut Vec<u8>,
    to: Pid,
    name: &[u8],
    call: Option<Call>,
    hops: u8,
    message: &[u8],
    write: impl FnOnce(&mut Vec<u8>),
) {
    out.push(if call.is_some() { CALL } else { CAST });
    if let Some(call) = call {
        out.extend_from_slice(&call.origin.to_bytes());
        out.extend_from_slice(&call.correlation.to_le_bytes());
        out.extend_from_slice(&call.left_ms.to_le_bytes());
    }
    out.extend_from_slice(&to.to_bytes());
    out.push(hops);
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name);
    short(out, message);
    write(out);
}

fn decode_mail(mut bytes: Bytes, is_call: bool) -> Option<Mail> {
    let call = if is_call {
        Some(Call {
            origin: boot(&mut bytes)?,
            correlation: bytes.try_get_u64_le().ok()?,
            left_ms: bytes.try_get_u32_le().ok()?,
        })
    } else {
        None
    };
    let to = pid(&mut bytes)?;
    let hops = bytes.try_get_u8().ok()?;
    let len = bytes.try_get_u16_le().ok()?;
    let name = take(&mut bytes, usize::from(len))?;
    let message = short_of(&mut bytes)?;
    Some(Mail { to, name, call, hops, message, body: bytes })
}

fn decode_many(mut bytes: Bytes, is_call: bool) -> Option<Many> {
    let call = if is_call { Some((boot(&mut bytes)?, bytes.try_get_u32_le().ok()?)) } else { None };
    let count = bytes.try_get_u32_le().ok()? as usize;
    let each = if is_call { 32 } else { 24 };
    // Checked before anything is allocated for them.
    if bytes.remaining() / each < count {
        return None;
    }
    let mut to = Vec::with_capacity(count);
    for _ in 0..count {
        let pid = pid(&mut bytes)?;
        to.push((pid, if is_call { bytes.try_get_u64_le().ok()? } else { 0 }));
    }
    let message = short_of(&mut bytes)?;
    Some(Many { to, call, message, body: bytes })
}

fn numbered(out: &mut Vec<u8>, kind: u8, number: u64) {
    out.push(kind);
    out.extend_from_slice(&number.to_le_bytes());
}

fn about(out: &mut Vec<u8>, kind: u8, pid: Pid) {
    out.push(kind);
    out.extend_from_slice(&pid.to_bytes());
}

/// Message names have at most 255 bytes: a worker with a longer one is refused.
fn short(out: &mut Vec<u8>, text: &[u8]) {
    out.push(text.len() as u8);
    out.extend_from_slice(text);
}

fn short_of(bytes: &mut Bytes) -> Option<Bytes> {
    let len = bytes.try_get_u8().ok()?;
    take(bytes, usize::from(len))
}

fn take(bytes: &mut Bytes, len: usize) -> Option<Bytes> {
    (bytes.len() >= len).then(|| bytes.split_to(len))
}

fn pid(bytes: &mut Bytes) -> Option<Pid> {
    let taken = take(bytes, 24)?;
    Some(Pid::from_bytes(taken.as_ref().try_into().expect("24 bytes were taken")))
}

fn boot(bytes: &mut Bytes) -> Option<Boot> {
    let taken = take(bytes, 16)?;
    Some(Boot::from_bytes(taken.as_ref().try_into().expect("16 bytes were taken")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frame: Frame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let bytes = Bytes::from(bytes);
        assert_eq!(Frame::decode(bytes.clone()), Some(frame.clone()));
        for len in 0..bytes.len() {
            // A prefix is refused or read as a frame with a shorter body; it never panics.
            let _ = Frame::decode(bytes.slice(..len));
        }
    }

    #[test]
    fn frames_survive_the_wire() {
        let boot = Boot { millis: 7, random: 9 };
        let to = Pid::new(boot, 3);
        let text = Bytes::from_static;
        let call = Call { origin: boot, correlation: 5, left_ms: 5000 };
        let mail = Mail {
            to,
            name: text(b"device-1"),
            call: Some(call),
            hops: 1,
            message: text(b"hello"),
            body: text(&[0xc0]),
        };
        check(Frame::Mail(mail.clone()));
        check(Frame::Mail(Mail { call: None, name: Bytes::new(), ..mail }));
        for call in [None, Some((boot, 100))] {
            let correlation = u64::from(call.is_some());
            let to = vec![(to, correlation), (Pid::new(boot, 4), correlation * 2)];
            check(Frame::Many(Many { to, call, message: text(b"tick"), body: text(&[1, 2]) }));
        }
        check(Frame::Reply { correlation: 1, outcome: Ok(text(b"x")) });
        check(Frame::Reply { correlation: 1, outcome: Err(text(b"x")) });
        check(Frame::Monitor { watch: 2, pid: to });
        check(Frame::Demonitor { watch: 2 });
        check(Frame::Taken { watch: 2 });
        check(Frame::Down { watch: 2, reason: text(b"x") });
        check(Frame::Link { pid: to, to: Pid::new(boot, 4) });
        let follow = Follow { number: 3, origin: boot, pid: to, to, hops: 1, name: text(b"x") };
        check(Frame::Follow(follow));
        check(Frame::Followed { pid: to, number: 3 });
        check(Frame::Pause(to));
        check(Frame::Resume(to));
        check(Frame::Leaving);
        check(Frame::Fin);
    }

    #[test]
    fn a_count_that_cannot_be_true_is_refused() {
        let mut bytes = vec![CAST_MANY];
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Frame::decode(Bytes::from(bytes)), None);
        assert_eq!(Frame::decode(Bytes::from_static(&[99])), None);
        assert_eq!(Frame::decode(Bytes::new()), None);
    }
}
