//! Questions that go the way of the messages before them: how a trail is known to be over.

use super::Frame;
use super::frame::{Follow, HOPS_MAX};
use super::inbound::locate;
use super::outbound::Spot;
use super::trails::Way;
use crate::core::Core;
use bytes::Bytes;
use std::time::Duration;
use swarm_base::{Boot, Pid};
use swarm_link::quic::Push;

/// How long a sender waits for a view to change before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Core {
    /// Whether what was sent to the process before it moved may still be on its way, so that a
    /// message that goes straight to it might overtake it.
    pub(super) fn is_behind(&self, pid: Pid) -> bool {
        self.take(self.trails.way(|| self.clock.now(), pid))
    }

    /// A node that leaves is sent nothing more from now on: what waits for its answer asks first.
    pub(super) fn ask_before_it_leaves(&self, boot: Boot) {
        for pid in self.trails.through(boot) {
            self.take(self.trails.ask(self.clock.now(), pid));
        }
    }

    /// Asks, if that is the way. Tells whether there is something to wait for.
    fn take(&self, way: Way) -> bool {
        let (pid, old, number) = match way {
            Way::Straight => return false,
            Way::Wait => return true,
            Way::Ask { pid, old, number } => (pid, old, number),
        };
        let (origin, name) = (self.me.boot, Bytes::new());
        let follow = Frame::Follow(Follow { number, origin, pid, to: old, hops: 0, name });
        match self.routes.to(old.boot).map(|route| route.send_now(&follow)) {
            Some(Push::Queued) => (),
            Some(Push::Full) => self.trails.unasked(pid, number),
            // Nothing comes by that way any more: the next look finds the straight one.
            Some(Push::Closed | Push::TooLong) | None => self.followed(pid, number),
        }
        true
    }

    /// Passes a question on, as the messages before it went, or answers it where they end.
    pub(super) fn follow(&self, follow: Follow) {
        let Follow { number, origin, pid, .. } = follow;
        if let Spot::There(there) = locate(self, follow.to, &follow.name)
            && follow.hops < HOPS_MAX
        {
            let name =
                there.name.as_ref().map_or(follow.name, |name| name.as_bytes().to_vec().into());
            let on = Follow { to: there.pid, hops: follow.hops + 1, name, ..follow };
            if there.route.send_now(&Frame::Follow(on)) == Push::Queued {
                return;
            }
        }
        if origin == self.me.boot {
            self.followed(pid, number);
        } else if let Some(route) = self.routes.back_to(origin) {
            let _ = route.send_now(&Frame::Followed { pid, number });
        }
    }

    /// Whether `pid` of another node can't be sent to just now: its mailbox is full, or a message
    /// would overtake others.
    pub(super) fn is_to_wait(&self, pid: Pid) -> bool {
        self.routes.is_paused(pid) || self.is_behind(pid)
    }

    /// Waits until `pid` can be sent to.
    pub(super) async fn open(&self, pid: Pid) {
        self.routes.resumed(pid).await;
        while self.is_behind(pid) {
            self.look_again().await;
        }
    }

    /// Waits until something has changed, or for a moment.
    pub(super) async fn look_again(&self) {
        let changed = self.changed.notified();
        let _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
    }

    /// Everything that went ahead of the question has arrived.
    pub(super) fn followed(&self, pid: Pid, number: u64) {
        self.trails.over(pid, number);
        self.changed.notify_waiters();
    }
}
