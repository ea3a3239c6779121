//! Many processes that end at the same moment.

use crate::bench::callers::each;
use crate::bench::figures::wall_ns;
use crate::bench::load::name;
use crate::bench::node::text;
use crate::bench::protocol::Reply;
use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Handle, Message, Swarm, Worker};
use tokio::sync::Semaphore;

/// Closed when the crowd is to end; never open.
static GATE: Semaphore = Semaphore::const_new(0);

/// In how many groups the crowd is.
const GROUPS: u64 = 100;

/// How many of them are made at once.
const AT_ONCE: u64 = 50;

/// Waits at the gate, and ends.
pub(in crate::bench) struct Waiter;

#[derive(Serialize, Deserialize)]
pub(in crate::bench) struct Wait;

impl Message for Wait {
    const NAME: &'static str = "wait";
    type Reply = ();
}

impl Worker for Waiter {
    const KIND: &'static str = "waiter";
    type Args = ();
    type State = ();
    type Accepts = (Wait,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Wait> for Waiter {
    async fn handle(&mut self, _: Wait, cx: &mut Cx<Self>) {
        // It is closed, which is an error, and what is waited for.
        let _ = GATE.acquire().await;
        cx.stop();
    }
}

/// Spawns them, each with a name and in a group.
pub(super) async fn gather(swarm: &Swarm, count: u64) -> Result<Reply, String> {
    let swarm = swarm.clone();
    let ask = move |at| {
        let swarm = swarm.clone();
        async move {
            let one = swarm.spawn::<Waiter>(()).await.map_err(text)?;
            let pid = one.pid().ok_or("it has ended")?;
            swarm.register_pid(name("crowd", at), pid).await.map_err(text)?;
            one.join(name("group", at % GROUPS)).await.map_err(text)?;
            one.cast(Wait).await.map_err(text)
        }
    };
    each(count, AT_ONCE, ask).await
}

/// Ends all of them; the time before.
pub(super) fn end() -> u64 {
    let now = wall_ns();
    GATE.close();
    now
}
