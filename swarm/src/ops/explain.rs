//! Why a name runs where it runs.

use super::{Pending, TIMEOUT};
use crate::driver::Input;
use crate::explain::{Explanation, LateFate, LateStart, Whereabouts};
use crate::node::{Outcome, What};
use crate::{Swarm, WhereisError};
use std::time::Duration;
use swarm_base::{Name, NameError};
use tokio::sync::oneshot;

/// Explains a name; made by [`Swarm::explain`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Explain<'a> {
    swarm: &'a Swarm,
    name: Result<Name, NameError>,
    timeout: Duration,
}

impl<'a> Explain<'a> {
    pub(crate) const fn new(swarm: &'a Swarm, name: Result<Name, NameError>) -> Self {
        Self { swarm, name, timeout: TIMEOUT }
    }

    /// How long the other nodes may take to say what only they know. 5 s by default. What this node
    /// knows is told in any case.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<'a> IntoFuture for Explain<'a> {
    type Output = Result<Explanation, WhereisError>;
    type IntoFuture = Pending<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (core, name) = (self.swarm.core(), self.name?);
            let stopped = |_| WhereisError::NodeStopped;
            let what = What::Explain { name: name.clone() };
            let told = core.ask(what, self.timeout).await.map_err(stopped)?;
            // After the others have answered: what is read here is not older than what they say.
            let (reply, answer) = oneshot::channel();
            core.tell(Input::Explain { name, reply }).await.map_err(stopped)?;
            let here = answer.await.map_err(|_| WhereisError::NodeStopped)?;
            Ok(with(here, told))
        })
    }
}

/// What this node knows, and what the others told.
fn with(mut here: Explanation, told: Outcome) -> Explanation {
    let is_open = |late: &Option<LateStart>| {
        late.as_ref().is_none_or(|late| late.fate == LateFate::NotStarted)
    };
    match told {
        Outcome::Told(Some(told)) => {
            if told.is_starting && here.at == Whereabouts::Nobody {
                here.at = Whereabouts::Starting { node: told.node.clone() };
            }
            if let Some((ago_ms, is_over)) = told.late.filter(|_| is_open(&here.late)) {
                let (ago, node) = (Duration::from_millis(ago_ms), told.node);
                let fate =
                    if is_over { LateFate::Ended { node } } else { LateFate::Ending { node } };
                here.late = Some(LateStart { ago, fate });
            }
        }
        Outcome::Told(None) => (),
        _ => {
            here.is_whole = false;
            if let Some(late) = here.late.as_mut().filter(|late| late.fate == LateFate::NotStarted)
            {
                late.fate = LateFate::Unknown;
            }
        }
    }
    here
}
