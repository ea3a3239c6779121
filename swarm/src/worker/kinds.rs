//! The kinds of workers that a node serves.

use super::run::{Args, Running, Seed};
use super::system::System;
use super::{Accepts, Escalation, Worker};
use crate::node::Policy;
use crate::scope::kind_in;
use bytes::Bytes;
use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use swarm_base::{Name, Scope, Token};
use swarm_process::{Handle, Intensity, Mode, Processes, Restart, Spawn};

/// The kinds of a node, by their names with their scopes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(BTreeMap<Cow<'static, str>, Kind>);

/// One kind: what the node has to know of a worker's type.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) scope: Scope,
    pub(crate) name: &'static str,
    pub(crate) restart: Restart,
    pub(crate) intensity: Intensity,
    pub(crate) escalation: Escalation,
    worker: TypeId,
    worker_name: &'static str,
    spawn: fn(&Processes, Arc<dyn System>, StartRequest) -> Handle,
}

/// What a worker is to be started as.
#[derive(Clone, Debug)]
pub(crate) struct StartRequest {
    /// Comes back with the notices of the process.
    pub(crate) ticket: u64,
    pub(crate) name: Option<Name>,
    pub(crate) token: Token,
    pub(crate) args: Bytes,
    pub(crate) start: Start,
}

/// How a worker begins.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    /// It runs: for the first time, or again.
    Run,
    /// It waits to take over, with this state where it takes one along.
    Standby { state: Option<Bytes> },
}

/// Why a worker's type cannot be served. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindError {
    /// Another type has the same `KIND`.
    #[error("kind `{kind}` is that of {first} and of {second}: give one of them another `KIND`")]
    DuplicateKind {
        /// The kind.
        kind: &'static str,
        /// The type that has it.
        first: &'static str,
        /// The type that wants it too.
        second: &'static str,
    },
    /// Two messages in its `Accepts` have the same `NAME`.
    #[error(
        "kind `{kind}` accepts two messages named `{message}`: give one of them another `NAME`"
    )]
    DuplicateMessage {
        /// The kind.
        kind: &'static str,
        /// The name.
        message: &'static str,
    },
    /// A `KIND` has a zero byte.
    #[error("kind {kind:?} has a zero byte, which no kind may have")]
    ZeroByte {
        /// The kind.
        kind: &'static str,
    },
    /// A `KIND` or `NAME` is empty or too long.
    #[error("kind `{kind}`: {what} has {len} bytes, it must have 1 to 255")]
    Length {
        /// The kind.
        kind: &'static str,
        /// What is named so.
        what: String,
        /// Its bytes.
        len: usize,
    },
}

impl Kinds {
    /// Serves `W` in a scope. Once more is no error.
    pub(crate) fn add<W: Worker>(&mut self, scope: &Scope) -> Result<(), KindError> {
        let kind = Kind::of::<W>(scope.clone())?;
        let (name, second) = (kind.name, kind.worker_name);
        let held = self.0.entry(kind_in(scope, name)).or_insert(kind);
        if held.worker == TypeId::of::<W>() {
            return Ok(());
        }
        Err(KindError::DuplicateKind { kind: name, first: held.worker_name, second })
    }

    /// The kind of this name, which has its scope in it.
    pub(crate) fn get(&self, name: &str) -> Option<&Kind> {
        self.0.get(name)
    }

    /// Whether `W` itself is served in a scope, not another type of the same name.
    pub(crate) fn serves<W: Worker>(&self, scope: &Scope) -> bool {
        self.get(&kind_in(scope, W::KIND)).is_some_and(|kind| kind.worker == TypeId::of::<W>())
    }

    /// The restart policy of each kind.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&str, Policy)> {
        let policy = |kind: &Kind| Policy {
            restart: kind.restart,
            intensity: kind.intensity,
            escalation: kind.escalation,
        };
        self.0.iter().map(move |(name, kind)| (&**name, policy(kind)))
    }

    /// The names of all kinds, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }
}

impl Kind {
    fn of<W: Worker>(scope: Scope) -> Result<Self, KindError> {
        let kind = W::KIND;
        check_len(kind, kind.len(), || "its `KIND`".to_owned())?;
        if kind.contains('\0') {
            return Err(KindError::ZeroByte { kind });
        }
        check_len(kind, kind_in(&scope, kind).len(), || "its `KIND` with its scope".to_owned())?;
        let names = <W::Accepts as Accepts<W>>::NAMES;
        for (at, message) in names.iter().enumerate() {
            check_len(kind, message.len(), || format!("the message name `{message}`"))?;
            if names[..at].contains(message) {
                return Err(KindError::DuplicateMessage { kind, message });
            }
        }
        Ok(Self {
            scope,
            name: kind,
            restart: W::RESTART,
            intensity: W::INTENSITY,
            escalation: W::ESCALATION,
            worker: TypeId::of::<W>(),
            worker_name: type_name::<W>(),
            spawn: spawn_encoded::<W>,
        })
    }

    /// Starts a worker of this kind. Its arguments and state are decoded in its own task.
    pub(crate) fn start(
        &self,
        processes: &Processes,
        system: Arc<dyn System>,
        request: StartRequest,
    ) -> Handle {
        (self.spawn)(processes, system, request)
    }
}

/// Starts a worker without a name, from arguments of this node.
pub(crate) fn spawn<W: Worker>(
    processes: &Processes,
    system: Arc<dyn System>,
    ticket: u64,
    args: W::Args,
) -> Handle {
    let spawn = Spawn { ticket, name: None, token: Token::default(), mode: Mode::Run };
    let seed = Seed { args: Args::Typed(args), state: None, system };
    processes.spawn::<Running<W>>(spawn, seed)
}

fn spawn_encoded<W: Worker>(
    processes: &Processes,
    system: Arc<dyn System>,
    request: StartRequest,
) -> Handle {
    let StartRequest { ticket, name, token, args, start } = request;
    let (mode, state) = match start {
        Start::Run => (Mode::Run, None),
        Start::Standby { state } => (Mode::Standby, state),
    };
    let seed = Seed { args: Args::Wire(args), state, system };
    processes.spawn::<Running<W>>(Spawn { ticket, name, token, mode }, seed)
}

fn check_len(
    kind: &'static str,
    len: usize,
    what: impl FnOnce() -> String,
) -> Result<(), KindError> {
    match len {
        1..=255 => Ok(()),
        _ => Err(KindError::Length { kind, what: what(), len }),
    }
}
