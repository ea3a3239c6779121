//! A message on its way, and what becomes of it.

use super::Whom;
use crate::worker::{MESSAGE, Message, payload};
use crate::{CallError, CastError};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::codec;
use swarm_base::{Name, NameError};
use swarm_process::{Answer, CallFailure, ExitReason, Mail, Payload};

/// A message until it is sent: typed, in a box, or encoded, whatever its last try made of it.
pub(super) enum Letter<M> {
    Typed(M),
    Boxed(Payload),
    Sent,
}

impl<M: Message> Letter<M> {
    pub(super) const fn new(message: M) -> Self {
        Self::Typed(message)
    }

    /// The message for a mailbox of this node.
    pub(super) fn for_here(&mut self) -> Payload {
        match std::mem::replace(self, Self::Sent) {
            Self::Typed(message) => payload(message),
            Self::Boxed(payload) => payload,
            Self::Sent => {
                unreachable!("a message that was handed over comes back or is not sent again")
            }
        }
    }

    /// The message for another node.
    pub(super) fn for_there(&mut self) -> Result<Bytes, CallFailure> {
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

    pub(super) fn take_back(&mut self, mail: Mail) {
        *self = Self::Boxed(mail.payload);
    }

    pub(super) fn sent(&mut self) {
        *self = Self::Sent;
    }

    pub(super) const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent)
    }
}

pub(super) fn outcome_of<M: Message>(
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

/// What is wrong with the name. Looked at only once nobody has it: what has a process is a name.
fn no_name(whom: Whom<'_>) -> Option<NameError> {
    match whom {
        Whom::Name(name) => Name::from_bytes(name).err(),
        Whom::Pid(_) => None,
    }
}

pub(super) fn call_error<M: Message>(
    whom: Whom<'_>,
    failure: CallFailure,
    after: Duration,
) -> CallError {
    if let Some(error) = no_name(whom) {
        return CallError::Name(error);
    }
    let (target, message) = (target(whom), M::NAME);
    match failure {
        CallFailure::NoProcess => CallError::NotFound { target, message },
        CallFailure::NotHandled { .. } => CallError::NotHandled { target, message },
        CallFailure::Full => CallError::Full { target, message },
        CallFailure::Stopped { reason } => CallError::Stopped { target, message, reason },
        CallFailure::NodeDown => {
            CallError::Stopped { target, message, reason: ExitReason::NodeDown }
        }
        CallFailure::Timeout { stage } => {
            CallError::Timeout { target, node: None, message, stage, after }
        }
        other => CallError::Codec { target, message, reason: other.to_string() },
    }
}

pub(super) fn cast_error<M: Message>(
    whom: Whom<'_>,
    failure: CallFailure,
    after: Duration,
) -> CastError {
    if let Some(error) = no_name(whom) {
        return CastError::Name(error);
    }
    let (target, message) = (target(whom), M::NAME);
    match failure {
        CallFailure::Full => CastError::Full { target, message },
        CallFailure::Timeout { stage } => CastError::Timeout { target, message, stage, after },
        CallFailure::Unencodable { reason } => CastError::Codec { target, message, reason },
        _ => CastError::NotFound { target, message },
    }
}
