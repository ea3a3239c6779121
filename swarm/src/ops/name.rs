//! Names of processes that run already.

use super::register::ask_until_settled;
use super::{Pending, TIMEOUT};
use crate::node::{Outcome, Stop, What};
use crate::{RegisterError, Stage, Swarm, UnregisterError, WhereisError};
use std::time::Duration;
use swarm_base::{Name, NameError, Pid};

/// Gives a running process a name; made by [`Swarm::register_pid`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct RegisterPid<'a> {
    pub(crate) swarm: &'a Swarm,
    pub(crate) name: Result<Name, NameError>,
    pub(crate) pid: Pid,
    pub(crate) timeout: Duration,
}

impl<'a> RegisterPid<'a> {
    /// How long it may take. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for RegisterPid<'a> {
    type Output = Result<(), RegisterError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, name, pid, timeout } = self;
            let name = name?;
            if swarm.core().has_ended(pid) && !swarm.core().has_stopped() {
                return Err(RegisterError::NoProcess { name, pid });
            }
            let what = What::RegisterPid { name: name.clone(), pid };
            match ask_until_settled(swarm.core(), &name, what, timeout).await? {
                Outcome::Registered => Ok(()),
                Outcome::Already(pid, _) => Err(RegisterError::AlreadyRegistered { name, pid }),
                Outcome::NotFound => Err(RegisterError::NoProcess { name, pid }),
                Outcome::Full(max) => Err(RegisterError::Full { name, max }),
                Outcome::Timeout(stage) => {
                    Err(RegisterError::Timeout { name, stage, after: timeout })
                }
                _ => Err(RegisterError::Timeout { name, stage: Stage::Running, after: timeout }),
            }
        })
    }
}

/// Takes a name away; made by [`Swarm::unregister`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Unregister<'a> {
    pub(crate) swarm: &'a Swarm,
    pub(crate) name: Result<Name, NameError>,
    pub(crate) timeout: Duration,
}

impl<'a> Unregister<'a> {
    /// How long it may take. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for Unregister<'a> {
    type Output = Result<(), UnregisterError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let name = self.name?;
            let what = What::Unregister { name: name.clone() };
            match done(self.swarm, name, what, self.timeout).await {
                // It is as the caller wants it, who may have asked before and lost the answer.
                Err(UnregisterError::NotFound { .. }) => Ok(()),
                done => done,
            }
        })
    }
}

/// Ends the process of a name; made by [`Swarm::stop`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct StopNamed<'a> {
    swarm: &'a Swarm,
    whose: Result<Whose, NameError>,
    how: Stop,
    timeout: Duration,
}

#[derive(Debug)]
enum Whose {
    Name(Name),
    Pid(Pid),
}

impl<'a> StopNamed<'a> {
    pub(crate) fn new(swarm: &'a Swarm, name: Result<Name, NameError>, how: Stop) -> Self {
        let timeout = stop_timeout(how);
        Self { swarm, whose: name.map(Whose::Name), how, timeout }
    }

    /// The same for a process without a name, of any node.
    pub(crate) const fn process(swarm: &'a Swarm, pid: Pid, how: Stop) -> Self {
        let timeout = stop_timeout(how);
        Self { swarm, whose: Ok(Whose::Pid(pid)), how, timeout }
    }

    /// How long it may take. 5 s by default, and the grace of a graceful stop.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for StopNamed<'a> {
    type Output = Result<(), UnregisterError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.whose? {
                Whose::Name(name) => {
                    let what = What::Stop { name: name.clone(), how: self.how };
                    done(self.swarm, name, what, self.timeout).await
                }
                Whose::Pid(pid) if pid.boot == self.swarm.core().me.boot => {
                    self.swarm.core().stop(pid, self.how, self.timeout).await
                }
                Whose::Pid(pid) => {
                    let what = What::StopPid { pid, how: self.how };
                    done(self.swarm, Name::new(pid.to_string())?, what, self.timeout).await
                }
            }
        })
    }
}

/// What a stop takes beside its grace, and that.
const fn stop_timeout(how: Stop) -> Duration {
    match how {
        Stop::Graceful(grace) => TIMEOUT.saturating_add(grace),
        Stop::Kill => TIMEOUT,
    }
}

async fn done(
    swarm: &Swarm,
    name: Name,
    what: What,
    after: Duration,
) -> Result<(), UnregisterError> {
    match swarm.core().ask(what, after).await.map_err(|_| UnregisterError::NodeStopped)? {
        Outcome::Done => Ok(()),
        Outcome::NotFound => Err(UnregisterError::NotFound { name }),
        Outcome::Timeout(stage) => Err(UnregisterError::Timeout { name, stage, after }),
        _ => Err(UnregisterError::Timeout { name, stage: Stage::Running, after }),
    }
}

/// Asks the owner of a name; made by [`Swarm::whereis_at_owner`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct WhereisAtOwner<'a> {
    pub(crate) swarm: &'a Swarm,
    pub(crate) name: Result<Name, NameError>,
    pub(crate) timeout: Duration,
}

impl<'a> WhereisAtOwner<'a> {
    /// How long it may take. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for WhereisAtOwner<'a> {
    type Output = Result<Option<Pid>, WhereisError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (name, after) = (self.name?, self.timeout);
            let what = What::Whereis { name: name.clone() };
            let outcome = self.swarm.core().ask(what, after).await;
            match outcome.map_err(|_| WhereisError::NodeStopped)? {
                Outcome::At(pid) => Ok(pid.filter(|pid| !self.swarm.core().has_ended(*pid))),
                Outcome::Timeout(stage) => Err(WhereisError::Timeout { name, stage, after }),
                _ => Err(WhereisError::Timeout { name, stage: Stage::Running, after }),
            }
        })
    }
}
