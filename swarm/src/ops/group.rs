//! Joining and leaving groups.

use super::Pending;
use crate::node::{Outcome, What};
use crate::reference::Target;
use crate::{GroupError, Stage, Swarm};
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Name, NameError};
use swarm_registry::Bytes;

/// Lets a process join or leave a group; made by [`Swarm::join`] and its relatives.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Membership<'a> {
    pub(crate) swarm: &'a Swarm,
    pub(crate) group: Result<Name, NameError>,
    pub(crate) member: Target,
    pub(crate) change: Change,
    pub(crate) timeout: Duration,
}

#[derive(Debug)]
pub(crate) enum Change {
    Join { meta: Vec<u8> },
    Leave,
}

impl<'a> Membership<'a> {
    /// How long it may take. 5 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for Membership<'a> {
    type Output = Result<(), GroupError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, group, member, change, timeout } = self;
            let (group, target) = (group?, Arc::<str>::from(member.to_string()));
            if let Change::Join { meta } = &change
                && meta.len() > Bytes::LEN_MAX
            {
                let (len, max) = (meta.len(), Bytes::LEN_MAX);
                return Err(GroupError::MetaTooLong { target, group, len, max });
            }
            if let Target::Pid(pid) = member
                && swarm.core().has_ended(pid)
                && !swarm.core().has_stopped()
            {
                return Err(GroupError::NotFound { target });
            }
            let what = match change {
                Change::Join { meta } => What::Join { member, group: group.clone(), meta },
                Change::Leave => What::Leave { member, group: group.clone() },
            };
            match swarm.core().ask(what, timeout).await.map_err(|_| GroupError::NodeStopped)? {
                Outcome::Done => Ok(()),
                outcome => Err(failed(outcome, target, group, timeout)),
            }
        })
    }
}

/// What went wrong with a group.
pub(super) fn failed(
    outcome: Outcome,
    target: Arc<str>,
    group: Name,
    after: Duration,
) -> GroupError {
    match outcome {
        Outcome::NotFound => GroupError::NotFound { target },
        Outcome::NotMember => GroupError::NotMember { target, group },
        Outcome::Full(max) => GroupError::Full { target, group, max },
        Outcome::Timeout(stage) => GroupError::Timeout { target, group, stage, after },
        _ => GroupError::Timeout { target, group, stage: Stage::Running, after },
    }
}
