//! On the way out.

use super::Pending;
use crate::driver::{Draining, Input};
use crate::ending::{self, Way};
use crate::node::Drained;
use crate::{DrainError, Swarm};
use std::time::Duration;
use tokio::sync::watch;

/// How long a drain may take if nothing else is said.
const DRAIN: Duration = Duration::from_secs(30);

/// Moves everything away from a node; made by [`Swarm::drain`].
#[must_use = "it does nothing unless it is awaited or its progress is read"]
#[derive(Debug)]
pub struct Drain<'a> {
    swarm: &'a Swarm,
    timeout: Duration,
}

impl<'a> Drain<'a> {
    pub(crate) const fn new(swarm: &'a Swarm) -> Self {
        Self { swarm, timeout: DRAIN }
    }

    /// How long it may take. 30 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Begins, and tells how far it is.
    ///
    /// # Errors
    ///
    /// [`DrainError::NodeStopped`].
    pub async fn progress(self) -> Result<DrainProgress, DrainError> {
        let (progress, receiver) = watch::channel(Draining::default());
        let input = Input::Drain { left: self.timeout, progress };
        self.swarm.core().tell(input).await.map_err(|_| DrainError::NodeStopped)?;
        Ok(DrainProgress { receiver, after: self.timeout, is_done: false })
    }
}

impl<'a> IntoFuture for Drain<'a> {
    type Output = Result<(), DrainError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut progress = self.progress().await?;
            while let Some(step) = progress.next().await {
                step?;
            }
            Ok(())
        })
    }
}

/// How far a drain is. Dropping it does not stop the drain.
#[derive(Debug)]
pub struct DrainProgress {
    receiver: watch::Receiver<Draining>,
    after: Duration,
    is_done: bool,
}

/// A step of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainStep {
    /// The names that are still here.
    pub left: usize,
    /// The names that were here when it began.
    pub total: usize,
}

impl DrainProgress {
    /// The next step; `None` after the last. Steps that were not read in time are left out.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<DrainStep, DrainError>> {
        if self.is_done {
            return None;
        }
        if self.receiver.changed().await.is_err() {
            self.is_done = true;
            return Some(Err(DrainError::NodeStopped));
        }
        let Draining { left, total, end } = *self.receiver.borrow_and_update();
        self.is_done = end.is_some();
        Some(match end {
            None | Some(Drained::Empty) => Ok(DrainStep { left, total }),
            Some(Drained::Nowhere) => Err(DrainError::Nowhere { left, total }),
            Some(Drained::Cancelled) => Err(DrainError::Cancelled { left, total }),
            Some(Drained::Overdue) => Err(DrainError::Timeout { left, total, after: self.after }),
        })
    }
}

/// Leaves the cluster; made by [`Swarm::leave`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Leave<'a> {
    swarm: &'a Swarm,
    timeout: Duration,
}

impl<'a> Leave<'a> {
    pub(crate) const fn new(swarm: &'a Swarm) -> Self {
        Self { swarm, timeout: DRAIN }
    }

    /// How long the drain may take. 30 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for Leave<'a> {
    type Output = crate::Result<()>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            if self.swarm.core().has_stopped() {
                return Err(DrainError::NodeStopped.into());
            }
            Ok(ending::end(self.swarm, Way::Leave { drain: self.timeout }).await?)
        })
    }
}
