//! Starting workers.

use super::{Pending, TIMEOUT};
use crate::core::Core;
use crate::node::{Outcome, What};
use crate::scope::{kind_in, split_kind};
use crate::{Ref, RegisterError, SpawnError, Stage, Swarm, Worker};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Name, NameError, Pid, Scope, codec};
use swarm_registry::{Bytes, Spec};

/// Registers a worker; made by [`Swarm::register`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Register<'a, W: Worker> {
    pub(crate) swarm: &'a Swarm,
    pub(crate) name: Result<Name, NameError>,
    pub(crate) args: W::Args,
    pub(crate) timeout: Duration,
}

impl<'a, W: Worker> Register<'a, W> {
    pub(crate) const fn new(
        swarm: &'a Swarm,
        name: Result<Name, NameError>,
        args: W::Args,
    ) -> Self {
        Self { swarm, name, args, timeout: TIMEOUT }
    }

    /// How long it may take in all, `start` included. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, W: Worker> IntoFuture for Register<'a, W> {
    type Output = Result<Ref<W>, RegisterError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let name = self.name?;
            let spec = spec::<W>(&name, self.args)?;
            let made = register::<W>(self.swarm.core(), &name, spec, self.timeout).await?;
            match made {
                Made::Registered => Ok(Ref::named(self.swarm, name)),
                Made::Already(pid, _) => Err(RegisterError::AlreadyRegistered { name, pid }),
            }
        })
    }
}

/// Finds a worker or registers it; made by [`Swarm::whereis_or_register`].
#[must_use = "it does nothing unless it is awaited"]
pub struct WhereisOrRegister<'a, W: Worker>(pub(crate) Register<'a, W>);

impl<'a, W: Worker> WhereisOrRegister<'a, W> {
    /// How long it may take in all, `start` included. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }
}

impl<'a, W: Worker> IntoFuture for WhereisOrRegister<'a, W> {
    type Output = Result<Ref<W>, RegisterError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Register { swarm, name, args, timeout } = self.0;
            let name = name?;
            let spec = spec::<W>(&name, args)?;
            let want = Arc::clone(&spec.kind);
            let core = swarm.core();
            let found = core.names.find(name.as_bytes());
            let held = match found.filter(|found| !core.has_ended(found.pid)) {
                Some(found) => Made::Already(found.pid, found.kind.map(|kind| kind.to_string())),
                None => register::<W>(core, &name, spec, timeout).await?,
            };
            match held {
                Made::Already(pid, kind) if kind.as_deref() != Some(&*want) => {
                    let held =
                        kind.map_or("process".to_owned(), |kind| split_kind(&kind).1.to_owned());
                    Err(RegisterError::KindMismatch { name, pid, held, want: W::KIND })
                }
                Made::Already(..) | Made::Registered => Ok(Ref::named(swarm, name)),
            }
        })
    }
}

enum Made {
    Registered,
    Already(Pid, Option<String>),
}

/// What a restart of the worker needs, too.
fn spec<W: Worker>(name: &Name, args: W::Args) -> Result<Spec, RegisterError> {
    // The name may have come from another scope than the handle.
    let scope = name.scope().map(Scope::new).transpose()?.unwrap_or_default();
    let arguments = |reason: String| RegisterError::Arguments { name: name.clone(), reason };
    let encoded = codec::encode(&args).map_err(|error| arguments(error.reason))?;
    let args = Bytes::new(encoded).map_err(|error| arguments(error.to_string()))?;
    Ok(Spec { kind: kind_in(&scope, W::KIND).into(), args })
}

async fn register<W: Worker>(
    core: &Core,
    name: &Name,
    spec: Spec,
    timeout: Duration,
) -> Result<Made, RegisterError> {
    let what = What::Register { name: name.clone(), spec };
    match ask_until_settled(core, name, what, timeout).await? {
        Outcome::Registered => Ok(Made::Registered),
        Outcome::Already(pid, kind) => Ok(Made::Already(pid, kind.map(|kind| kind.to_string()))),
        Outcome::NoNode => {
            Err(RegisterError::NoNodeAvailable { name: name.clone(), kind: W::KIND })
        }
        Outcome::StartFailed(reason) => {
            Err(RegisterError::StartFailed { name: name.clone(), reason })
        }
        Outcome::Timeout(stage) => {
            Err(RegisterError::Timeout { name: name.clone(), stage, after: timeout })
        }
        Outcome::Full(max) => Err(RegisterError::Full { name: name.clone(), max }),
        // Answers to other questions.
        Outcome::NotFound
        | Outcome::Done
        | Outcome::At(_)
        | Outcome::NotMember
        | Outcome::Differs(_)
        | Outcome::Told(_) => Err(RegisterError::Timeout {
            name: name.clone(),
            stage: Stage::Running,
            after: timeout,
        }),
    }
}

/// Asks, and asks again where the name is held by a process whose end could have been seen here:
/// its name is about to be free, or to have another process.
pub(super) async fn ask_until_settled(
    core: &Core,
    name: &Name,
    what: What,
    timeout: Duration,
) -> Result<Outcome, RegisterError> {
    let deadline = core.clock.now() + timeout;
    loop {
        let left = deadline.since(core.clock.now());
        let outcome = core.ask(what.clone(), left).await.map_err(|_| RegisterError::NodeStopped)?;
        match outcome {
            Outcome::Already(pid, _) if core.has_ended(pid) => {
                core.until_replaced(name, pid, deadline).await;
            }
            outcome => return Ok(outcome),
        }
    }
}

/// Starts a process without a name; made by [`Swarm::spawn`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Spawn<'a, W: Worker> {
    pub(crate) swarm: &'a Swarm,
    pub(crate) args: W::Args,
    pub(crate) timeout: Duration,
    pub(crate) worker: PhantomData<fn() -> W>,
}

impl<'a, W: Worker> Spawn<'a, W> {
    /// How long `start` may take. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, W: Worker> IntoFuture for Spawn<'a, W> {
    type Output = Result<Ref<W>, SpawnError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Ok(scope) = self.swarm.in_scope().get() else {
                return Err(SpawnError::UnknownKind { kind: W::KIND });
            };
            let pid = self.swarm.core().spawn::<W>(&scope, self.args, self.timeout).await?;
            Ok(Ref::process(self.swarm, pid))
        })
    }
}
