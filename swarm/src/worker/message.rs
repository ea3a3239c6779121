//! What workers are sent.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use swarm_base::codec::{self, EncodeError};
use swarm_process::{Parcel, Payload};

/// A message, and what it is answered with.
///
/// To a worker on the same node it is handed over as it is. To one on another node it travels as
/// MessagePack with named fields: a field with a serde default can be added while nodes run that
/// do not know it.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use swarm::Message;
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Deposit {
///     amount: u64,
/// }
///
/// impl Message for Deposit {
///     const NAME: &'static str = "deposit";
///     type Reply = u64;
/// }
/// ```
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// Its name on the wire: 1 to 255 bytes, the same on every node and in every release, and its
    /// own among the messages of a worker.
    const NAME: &'static str;

    /// What a call with it returns. It belongs to the message, so that a call by name or to a
    /// group is typed without knowing the worker.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// The message as a process's mail.
pub(crate) fn payload<M: Message>(message: M) -> Payload {
    Payload::local(Typed(message))
}

/// A message that has not left this node.
pub(super) struct Typed<M>(pub(super) M);

impl<M: Message> Parcel for Typed<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn encode(&self) -> Result<Bytes, EncodeError> {
        codec::encode(&self.0).map(Bytes::from)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
