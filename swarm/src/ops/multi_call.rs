//! Calls of all members of a group.

use super::{Pending, TIMEOUT};
use crate::traffic::Outcomes;
use crate::{CallError, Message, Swarm};
use futures_core::Stream;
use futures_util::{FutureExt, StreamExt};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use swarm_base::Pid;

/// A call of all members of a group; made by [`Swarm::multi_call_detailed`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct MultiCallDetailed<'a, M> {
    swarm: &'a Swarm,
    pids: Vec<Pid>,
    message: M,
    timeout: Duration,
}

impl<'a, M> MultiCallDetailed<'a, M> {
    pub(crate) const fn new(swarm: &'a Swarm, pids: Vec<Pid>, message: M) -> Self {
        Self { swarm, pids, message, timeout: TIMEOUT }
    }

    /// How long the whole may take. 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a, M: Message + Clone> MultiCallDetailed<'a, M> {
    /// The outcomes as they arrive, one for each member that there was. The members are called
    /// when it is polled first, all at once; dropped, it waits for nobody.
    pub fn stream(self) -> Replies<'a, M> {
        let Self { swarm, pids, message, timeout } = self;
        let sending = Box::pin(swarm.core().call_many(pids, message, timeout));
        Replies(State::Sending(sending))
    }
}

impl<'a, M: Message + Clone> IntoFuture for MultiCallDetailed<'a, M> {
    type Output = Vec<(Pid, Result<M::Reply, CallError>)>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { swarm, pids, message, timeout } = self;
            let outcomes = swarm.core().call_many(pids, message, timeout).await;
            let mut outcomes: Vec<_> = outcomes.collect().await;
            outcomes.sort_unstable_by_key(|(at, ..)| *at);
            outcomes.into_iter().map(|(_, pid, outcome)| (pid, outcome)).collect()
        })
    }
}

/// A call of all members of a group; made by [`Swarm::multi_call`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct MultiCall<'a, M> {
    call: MultiCallDetailed<'a, M>,
    n_max: usize,
}

impl<'a, M> MultiCall<'a, M> {
    pub(crate) const fn new(call: MultiCallDetailed<'a, M>) -> Self {
        Self { call, n_max: usize::MAX }
    }

    /// How long the whole may take. 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call.timeout = timeout;
        self
    }

    /// Done with the first `n` replies; the others are not waited for. All members are called all
    /// the same, but for an `n` of 0, which calls nobody.
    pub fn first(mut self, n: usize) -> Self {
        self.n_max = n;
        self
    }
}

impl<'a, M: Message + Clone> IntoFuture for MultiCall<'a, M> {
    type Output = Vec<M::Reply>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { call, n_max } = self;
        if n_max == usize::MAX {
            // In the order of the members.
            let replies = call.into_future().map(|outcomes| {
                outcomes.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect()
            });
            return Box::pin(replies);
        }
        let replies = call.stream().filter_map(async |(_, outcome)| outcome.ok()).take(n_max);
        Box::pin(replies.collect())
    }
}

/// The outcomes of a call of many, as they arrive; made by [`MultiCallDetailed::stream`].
pub struct Replies<'a, M: Message>(State<'a, M>);

enum State<'a, M: Message> {
    Sending(Pin<Box<dyn Future<Output = Outcomes<'a, M::Reply>> + Send + 'a>>),
    Waiting(Outcomes<'a, M::Reply>),
}

impl<M: Message> Replies<'_, M> {
    /// The next outcome; `None` when there is one of every member. The last comes when the time is
    /// over, at the latest.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no outcome.
    pub async fn next(&mut self) -> Option<(Pid, Result<M::Reply, CallError>)> {
        StreamExt::next(self).await
    }
}

impl<M: Message> Stream for Replies<'_, M> {
    type Item = (Pid, Result<M::Reply, CallError>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let state = &mut self.get_mut().0;
        loop {
            match state {
                State::Sending(sending) => *state = State::Waiting(ready!(sending.poll_unpin(cx))),
                State::Waiting(outcomes) => {
                    let outcome = ready!(outcomes.poll_next_unpin(cx));
                    return Poll::Ready(outcome.map(|(_, pid, outcome)| (pid, outcome)));
                }
            }
        }
    }
}

impl<M: Message> fmt::Debug for Replies<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}
