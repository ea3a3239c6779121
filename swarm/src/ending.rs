//! The end of a node: one task takes it there, whoever asked for it first, and whether or not
//! anybody still waits.

use crate::core::Core;
use crate::driver::{Draining, Input};
use crate::traffic::Frame;
use crate::{DrainError, Swarm};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How far the end of a node is, and who it ends.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    driver: Mutex<Option<JoinHandle<()>>>,
    /// What comes of it, once it has begun.
    outcome: Mutex<Option<watch::Receiver<Option<Outcome>>>>,
}

/// What came of the end that was asked for first.
type Outcome = Result<(), DrainError>;

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Its names start again elsewhere.
    Shutdown,
    /// Its names move away first, within this time.
    Leave { drain: Duration },
}

/// How long a stopping node waits for its processes' `die`.
const GRACE: Duration = Duration::from_secs(5);

/// How much longer it waits for those that were killed then to be gone.
const KILLED: Duration = Duration::from_secs(1);

/// How long a leaving node waits for what is under way to it.
const LINGER: Duration = Duration::from_secs(1);

/// How long a leaving node tells the others so.
const GOODBYE: Duration = Duration::from_secs(2);

impl Ending {
    /// The task that is to end.
    pub(crate) fn set_driver(&self, driver: JoinHandle<()>) {
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
    }

    /// Waits until the driver has ended, and with it its sockets. Of several that wait one does.
    pub(crate) async fn driver_ended(&self) {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            // Its panic is its own, and has been printed.
            let _ = driver.await;
        }
    }
}

/// Ends the node of `swarm`, or waits for the end that has begun. The task keeps the node running
/// until it is done, and is not the caller's: a worker that asks for it is stopped by it.
pub(crate) async fn end(swarm: &Swarm, way: Way) -> Outcome {
    let mut outcome = begin(swarm, way);
    let done = outcome.wait_for(Option::is_some).await;
    // The task gives an outcome unless its runtime goes away, and then the node has stopped.
    done.ok().and_then(|outcome| outcome.clone()).unwrap_or(Ok(()))
}

fn begin(swarm: &Swarm, way: Way) -> watch::Receiver<Option<Outcome>> {
    let mut begun = swarm.core().ending.outcome.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(outcome) = &*begun {
        return outcome.clone();
    }
    let (sender, outcome) = watch::channel(None);
    *begun = Some(outcome.clone());
    let swarm = swarm.clone();
    #[expect(clippy::disallowed_methods, reason = "it ends with the node, and ends it")]
    tokio::spawn(async move {
        let outcome = run(&swarm, way).await;
        sender.send_replace(Some(outcome));
    });
    outcome
}

async fn run(swarm: &Swarm, way: Way) -> Outcome {
    let core = swarm.core();
    let mut outcome = Ok(());
    if let Way::Leave { drain } = way {
        outcome = drained(core, drain).await;
        hush(core).await;
    }
    goodbye(core).await;
    outcome
}

/// Waits until everything has moved away, or nothing more will: what is left is started again by
/// the others.
async fn drained(core: &Core, left: Duration) -> Outcome {
    let (progress, mut receiver) = watch::channel(Draining::default());
    let stopped = |_| DrainError::NodeStopped;
    core.tell(Input::Drain { left, progress }).await.map_err(stopped)?;
    // Where the drain was called off, whoever did so wants the node to go all the same.
    let _ = receiver.wait_for(|draining| draining.end.is_some()).await;
    Ok(())
}

/// Tells the others to send nothing more, and passes on what is under way.
async fn hush(core: &Core) {
    for route in core.routes.all() {
        let _ = route.send_now(&Frame::Leaving);
    }
    let _ = tokio::time::timeout(LINGER, core.routes.all_finished()).await;
}

/// Ends the processes, says goodbye, and ends the driver.
async fn goodbye(core: &Arc<Core>) {
    let (done, closing) = oneshot::channel();
    // The first process must not end before the node knows that this is no news: its name
    // would be released.
    if core.tell(Input::Closing { done }).await.is_ok() && closing.await.is_ok() {
        // A process that never yields cannot be ended: it must not keep the node.
        let ended = tokio::time::timeout(GRACE + KILLED, core.processes.shutdown(GRACE)).await;
        if ended.is_err() {
            let left = core.processes.len();
            tracing::warn!(node = %core.me, left, "processes do not end");
            core.processes.kill_all();
        }
        let (done, departed) = oneshot::channel();
        if core.tell(Input::Depart { done }).await.is_ok() {
            let _ = tokio::time::timeout(GOODBYE, departed).await;
        }
        let _ = core.tell(Input::Stop).await;
    }
    core.ending.driver_ended().await;
}
