//! Waiting for the end of a process.

use crate::{Down, ExitReason, Processes};
use std::pin::Pin;
use std::task::{Context, Poll};
use swarm_base::Pid;
use tokio::sync::oneshot;

/// A future of exactly one [`Down`].
///
/// # Cancel safety
///
/// Dropped, nobody is told. Polled through a reference, as in a `select!`, it loses nothing.
#[derive(Debug)]
#[must_use = "a monitor that is dropped tells nobody"]
pub struct Monitor {
    processes: Processes,
    id: MonitorId,
    down: oneshot::Receiver<Down>,
}

/// A monitor, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MonitorId {
    pub(crate) pid: Pid,
    pub(crate) id: u64,
}

impl Monitor {
    pub(crate) const fn new(
        processes: Processes,
        id: MonitorId,
        down: oneshot::Receiver<Down>,
    ) -> Self {
        Self { processes, id, down }
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Down> {
        let pid = self.id.pid;
        // Every way in which a process ends tells its watchers. A sender that is dropped instead
        // can only be one of a node that is being torn down.
        Pin::new(&mut self.down)
            .poll(cx)
            .map(|down| down.unwrap_or(Down { pid, reason: ExitReason::Killed }))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.processes.demonitor(self.id);
    }
}
