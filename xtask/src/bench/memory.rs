//! What a worker takes.

use super::figures::resident;
use super::node::text;
use super::protocol::Reply;
use super::workers::{Ping, Plain};
use swarm::Swarm;

/// Spawns `workers` in a fresh node, calls each once, and looks at what the process has grown by.
pub(super) async fn measure(workers: u64) -> Result<Reply, String> {
    let swarm = Swarm::builder("memory").worker::<Plain>().start().await.map_err(text)?;
    let node = swarm.clone();
    // In a task, as a user's code would.
    #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
    let measured = tokio::spawn(async move {
        // What the first one brings along is the node's.
        let first = node.spawn::<Plain>(()).await.map_err(text)?;
        let _ = first.call(Ping).await.map_err(text)?;
        let before = resident();
        for _ in 0..workers {
            let worker = node.spawn::<Plain>(()).await.map_err(text)?;
            if worker.call(Ping).await.map_err(text)? != 1 {
                return Err("a worker was called before".to_owned());
            }
        }
        let grown = resident().saturating_sub(before);
        if first.call(Ping).await.map_err(text)? != 2 {
            return Err("the first worker is another one".to_owned());
        }
        Ok(Reply::Bytes(grown as f64 / workers as f64))
    });
    let reply = measured.await.map_err(text)??;
    drop(swarm);
    Ok(reply)
}
