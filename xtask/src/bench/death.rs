//! How long the names of a dead node are without a process.

use super::books;
use super::figures::wall_ns;
use super::node::text;
use super::protocol::Reply;
use std::thread;
use std::time::Duration;
use swarm::{Event, Swarm};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A death that is waited for.
pub(super) struct Watching {
    /// When a node was declared dead.
    dead: JoinHandle<Option<u64>>,
    /// When the view was complete again.
    complete: oneshot::Receiver<u64>,
}

/// How often the view is looked at.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Watches from now on: the view is to lose names, and to hold `count` again.
pub(super) fn watch(swarm: Swarm, count: u64) -> Watching {
    let dead = declared(&swarm);
    let (seen, complete) = oneshot::channel();
    thread::spawn(move || {
        let mut has_lost = false;
        while !seen.is_closed() {
            let names = swarm.registered().count() as u64;
            if has_lost && names == count {
                let _ = seen.send(wall_ns());
                return;
            }
            has_lost |= names < count;
            thread::sleep(LOOK_EVERY);
        }
    });
    Watching { dead, complete }
}

/// When this node holds another one dead, from now on.
pub(super) fn declared(swarm: &Swarm) -> JoinHandle<Option<u64>> {
    first(swarm, |event| matches!(event, Event::NodeDown { .. }))
}

/// When this node tells of such an event first, from now on.
pub(super) fn first(swarm: &Swarm, is_it: fn(&Event) -> bool) -> JoinHandle<Option<u64>> {
    let mut events = swarm.events();
    #[expect(clippy::disallowed_methods, reason = "who watches owns it, and awaits it")]
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if is_it(&event) {
                return Some(wall_ns());
            }
        }
        None
    })
}

impl Watching {
    pub(super) async fn seen(self) -> Result<Reply, String> {
        let dead_ns = self.dead.await.map_err(text)?.ok_or("the node has stopped")?;
        let complete_ns = self.complete.await.map_err(text)?;
        Ok(Reply::Death { dead_ns, complete_ns, last_start_ns: books::last_start_ns() })
    }
}
