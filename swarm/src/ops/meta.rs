//! Changing what a process says of itself in a group.

use super::group::failed;
use super::{Pending, TIMEOUT};
use crate::node::{Outcome, What};
use crate::reference::Target;
use crate::{GroupError, Stage, Swarm};
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
            let Self { swarm, group, member, mut change, timeout } = self;
            let (group, target) = (group?, Arc::<str>::from(member.to_string()));
            let core = swarm.core();
            let deadline = core.clock.now() + timeout;
            // What this node sees is right, or costs one question more.
            let seen = swarm.pid_of(&member);
            let seen = seen.and_then(|pid| core.groups.meta(group.as_bytes(), pid));
            let mut old = seen.unwrap_or_default();
            loop {
                let said = change(&old);
                let Ok(new) = Bytes::new(&said) else {
                    let (len, max) = (said.len(), Bytes::LEN_MAX);
                    return Err(GroupError::MetaTooLong { target, group, len, max });
                };
                let left = deadline.since(core.clock.now());
                if left.is_zero() {
                    let (stage, after) = (Stage::Running, timeout);
                    return Err(GroupError::Timeout { target, group, stage, after });
                }
                let what = What::Swap { member: member.clone(), group: group.clone(), old, new };
                match core.ask(what, left).await.map_err(|_| GroupError::NodeStopped)? {
                    Outcome::Done => return Ok(said),
                    Outcome::Differs(other) => old = other,
                    outcome => return Err(failed(outcome, target, group, timeout)),
                }
            }
        })
    }
}
