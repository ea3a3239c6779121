//! Changing what is said of a process in a group, and of a name.

use super::group::failed;
use super::{Pending, TIMEOUT};
use crate::core::Core;
use crate::node::{Outcome, What};
use crate::reference::Target;
use crate::{GroupError, MetaError, Stage, Swarm};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Name, NameError};
use swarm_registry::Bytes;

/// Changes what a process says of itself in a group; made by [`Swarm::update_meta`].
#[must_use = "it does nothing unless it is awaited"]
pub struct UpdateMeta<'a, F> {
    swarm: &'a Swarm,
    group: Result<Name, NameError>,
    member: Target,
    change: F,
    timeout: Duration,
}

impl<F> fmt::Debug for UpdateMeta<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateMeta")
            .field("group", &self.group)
            .field("member", &self.member)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl<'a, F> UpdateMeta<'a, F> {
    pub(crate) fn new(
        swarm: &'a Swarm,
        group: Result<Name, NameError>,
        member: &Target,
        change: F,
    ) -> Self {
        Self { swarm, group, member: member.clone(), change, timeout: TIMEOUT }
    }

    /// How long it may take, all tries together. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, F> IntoFuture for UpdateMeta<'a, F>
where
    F: FnMut(&[u8]) -> Vec<u8> + Send + 'a,
{
    type Output = Result<Vec<u8>, GroupError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, group, member, change, timeout } = self;
            let (group, target) = (group?, Arc::<str>::from(member.to_string()));
            let core = swarm.core();
            let seen = swarm.pid_of(&member);
            let seen = seen.and_then(|pid| core.groups.meta(group.as_bytes(), pid));
            let swap = Swap { member, group: Some(group.clone()), timeout };
            swap.until_done(core, seen.unwrap_or_default(), change).await.map_err(|why| match why {
                Failed::TooLong { len } => {
                    GroupError::MetaTooLong { target, group, len, max: Bytes::LEN_MAX }
                }
                Failed::Late => {
                    let (stage, after) = (Stage::Running, timeout);
                    GroupError::Timeout { target, group, stage, after }
                }
                Failed::Answered(outcome) => failed(outcome, target, group, timeout),
                Failed::Stopped => GroupError::NodeStopped,
            })
        })
    }
}

/// Changes what is said of a name; made by [`Swarm::update_name_meta`].
#[must_use = "it does nothing unless it is awaited"]
pub struct UpdateNameMeta<'a, F> {
    swarm: &'a Swarm,
    name: Result<Name, NameError>,
    change: F,
    timeout: Duration,
}

impl<F> fmt::Debug for UpdateNameMeta<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateNameMeta")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl<'a, F> UpdateNameMeta<'a, F> {
    pub(crate) const fn new(swarm: &'a Swarm, name: Result<Name, NameError>, change: F) -> Self {
        Self { swarm, name, change, timeout: TIMEOUT }
    }

    /// How long it may take, all tries together. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, F> IntoFuture for UpdateNameMeta<'a, F>
where
    F: FnMut(&[u8]) -> Vec<u8> + Send + 'a,
{
    type Output = Result<Vec<u8>, MetaError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, name, change, timeout } = self;
            let name = name?;
            let core = swarm.core();
            let seen = core.name_meta(name.clone()).await.map_err(|_| MetaError::NodeStopped)?;
            let swap = Swap { member: Target::Name(name.clone()), group: None, timeout };
            swap.until_done(core, seen.unwrap_or_default(), change).await.map_err(|why| match why {
                Failed::TooLong { len } => MetaError::TooLong { name, len, max: Bytes::LEN_MAX },
                Failed::Answered(Outcome::NotFound) => MetaError::NotFound { name },
                Failed::Answered(Outcome::Timeout(stage)) => {
                    MetaError::Timeout { name, stage, after: timeout }
                }
                Failed::Late | Failed::Answered(_) => {
                    MetaError::Timeout { name, stage: Stage::Running, after: timeout }
                }
                Failed::Stopped => MetaError::NodeStopped,
            })
        })
    }
}

/// A compare-and-swap at the node of a process, or of whoever has a name.
struct Swap {
    member: Target,
    group: Option<Name>,
    timeout: Duration,
}

/// Why nothing was swapped.
enum Failed {
    TooLong { len: usize },
    Late,
    Answered(Outcome),
    Stopped,
}

impl Swap {
    /// Tries until `change` has seen what is said there. What this node sees is right, or costs one
    /// question more.
    async fn until_done(
        self,
        core: &Core,
        mut old: Bytes,
        mut change: impl FnMut(&[u8]) -> Vec<u8>,
    ) -> Result<Vec<u8>, Failed> {
        let Self { member, group, timeout } = self;
        let deadline = core.clock.now() + timeout;
        loop {
            let said = change(&old);
            let new = Bytes::new(&said).map_err(|why| Failed::TooLong { len: why.len })?;
            let left = deadline.since(core.clock.now());
            if left.is_zero() {
                return Err(Failed::Late);
            }
            let what = What::Swap { member: member.clone(), group: group.clone(), old, new };
            match core.ask(what, left).await.map_err(|_| Failed::Stopped)? {
                Outcome::Done => return Ok(said),
                Outcome::Differs(other) => old = other,
                outcome => return Err(Failed::Answered(outcome)),
            }
        }
    }
}
