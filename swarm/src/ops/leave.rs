//! On the way out.

use super::Pending;
use crate::driver::{Draining, Input};
use crate::ending::{self, Way};
use crate::node::Drained;
use crate::{DrainError, Swarm};
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
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
        Ok(DrainProgress { change: Some(change(receiver)), after: self.timeout })
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

/// How far a drain is: a [`Stream`] of its steps. Dropping it does not stop the drain.
pub struct DrainProgress {
    /// The wait for the next step; none after the last.
    change: Option<Change>,
    after: Duration,
}

type Change = Pin<Box<dyn Future<Output = (Option<Draining>, watch::Receiver<Draining>)> + Send>>;

/// Waits for how far the drain is next; `None` where nobody will say any more.
fn change(mut receiver: watch::Receiver<Draining>) -> Change {
    Box::pin(async move {
        let now = match receiver.changed().await {
            Ok(()) => Some(*receiver.borrow_and_update()),
            Err(_) => None,
        };
        (now, receiver)
    })
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
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<DrainStep, DrainError>>> {
        let Some(waits) = &mut self.change else { return Poll::Ready(None) };
        let (now, receiver) = ready!(waits.as_mut().poll(cx));
        self.change = None;
        let Some(Draining { left, total, end }) = now else {
            return Poll::Ready(Some(Err(DrainError::NodeStopped)));
        };
        if end.is_none() {
            self.change = Some(change(receiver));
        }
        Poll::Ready(Some(match end {
            None | Some(Drained::Empty) => Ok(DrainStep { left, total }),
            Some(Drained::Nowhere) => Err(DrainError::Nowhere { left, total }),
            Some(Drained::Cancelled) => Err(DrainError::Cancelled { left, total }),
            Some(Drained::Overdue) => Err(DrainError::Timeout { left, total, after: self.after }),
        }))
    }
}

impl Stream for DrainProgress {
    type Item = Result<DrainStep, DrainError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl fmt::Debug for DrainProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_done = self.change.is_none();
        f.debug_struct("DrainProgress").field("is_done", &is_done).finish_non_exhaustive()
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
