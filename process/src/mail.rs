//! A message on its way into a process.

use crate::ReplyTo;
use bytes::Bytes;
use std::any::Any;
use std::fmt;
use swarm_base::Instant;
use swarm_base::codec::EncodeError;

/// A user's message.
#[derive(Debug)]
pub struct Mail {
    /// What it says.
    pub payload: Payload,
    /// Who waits for an answer, if anybody does.
    pub reply: Option<ReplyTo>,
    /// Until when the answer is wanted. A mail whose time has passed is not handled.
    pub deadline: Option<Instant>,
}

impl Mail {
    /// A mail that wants no answer and is handled however late.
    #[must_use]
    pub const fn cast(payload: Payload) -> Self {
        Self { payload, reply: None, deadline: None }
    }

    /// A mail that is to be answered by `deadline`.
    #[must_use]
    pub const fn call(payload: Payload, reply: ReplyTo, deadline: Instant) -> Self {
        Self { payload, reply: Some(reply), deadline: Some(deadline) }
    }
}

/// What a mail says.
pub enum Payload {
    /// The value itself, from this node.
    Local(Box<dyn Parcel>),
    /// An encoded value, from another node.
    Wire(Box<Wire>),
}

/// An encoded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The message's name, which says how to decode it.
    pub message: Box<str>,
    /// MessagePack.
    pub body: Bytes,
}

impl Payload {
    /// A value of this node.
    #[must_use]
    pub fn local(parcel: impl Parcel) -> Self {
        Self::Local(Box::new(parcel))
    }

    /// An encoded value.
    #[must_use]
    pub fn wire(message: impl Into<Box<str>>, body: Bytes) -> Self {
        Self::Wire(Box::new(Wire { message: message.into(), body }))
    }

    /// The message's name.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Local(parcel) => parcel.name(),
            Self::Wire(wire) => &wire.message,
        }
    }

    /// What it counts against a mailbox's bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Local(parcel) => size_of_val::<dyn Parcel>(&**parcel),
            Self::Wire(wire) => wire.message.len() + wire.body.len(),
        }
    }

    /// Whether it counts nothing, as a message without fields does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoded message, to send it to another node.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where serde cannot serialize the value.
    pub fn to_wire(&self) -> Result<Wire, EncodeError> {
        match self {
            Self::Local(parcel) => {
                Ok(Wire { message: parcel.name().into(), body: parcel.encode()? })
            }
            Self::Wire(wire) => Ok((**wire).clone()),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} bytes", self.message(), self.len())
    }
}

/// A typed message without its type: handed over as it is on this node, encoded when it leaves.
pub trait Parcel: Any + Send {
    /// The message's name on the wire.
    fn name(&self) -> &'static str;

    /// The message in MessagePack.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where serde cannot serialize it.
    fn encode(&self) -> Result<Bytes, EncodeError>;

    /// For a downcast to the message.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}
