//! Waiting for the end of a process of any node.

use crate::core::Core;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};
use swarm_base::{Boot, Pid};
use swarm_process::{Down, ExitReason};
use tokio::sync::oneshot;

/// A future of exactly one [`Down`]. See [`Swarm::monitor`](crate::Swarm::monitor).
///
/// # Cancel safety
///
/// Dropped, nobody is told. Polled through a reference, as in a `select!`, it loses nothing.
#[derive(Debug)]
#[must_use = "a monitor that is dropped tells nobody"]
pub struct Monitor(Where);

#[derive(Debug)]
enum Where {
    Here(swarm_process::Monitor),
    There { core: Weak<Core>, watch: u64, pid: Pid, down: oneshot::Receiver<Down> },
    Nowhere,
}

impl Monitor {
    pub(crate) const fn here(monitor: swarm_process::Monitor) -> Self {
        Self(Where::Here(monitor))
    }

    pub(crate) const fn there(
        core: Weak<Core>,
        watch: u64,
        pid: Pid,
        down: oneshot::Receiver<Down>,
    ) -> Self {
        Self(Where::There { core, watch, pid, down })
    }

    pub(crate) const fn nobody() -> Self {
        Self(Where::Nowhere)
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Down> {
        match &mut self.0 {
            Where::Here(monitor) => Pin::new(monitor).poll(cx),
            // The sender is dropped only with this node: nobody knows any more.
            Where::There { pid, down, .. } => Pin::new(down)
                .poll(cx)
                .map(|down| down.unwrap_or(Down { pid: *pid, reason: ExitReason::NodeDown })),
            Where::Nowhere => {
                let pid = Pid::new(Boot::default(), 0);
                Poll::Ready(Down { pid, reason: ExitReason::NoProcess })
            }
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Where::There { core, watch, .. } = &self.0
            && let Some(core) = core.upgrade()
        {
            core.watches.unwatch(&core, *watch);
        }
    }
}
