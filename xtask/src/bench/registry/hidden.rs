//! How soon nobody finds the processes of a dead node any more.

use crate::bench::death::declared;
use crate::bench::figures::wall_ns;
use crate::bench::load::name;
use crate::bench::node::text;
use crate::bench::protocol::Reply;
use std::thread;
use std::time::Duration;
use swarm::Swarm;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A death that is waited for.
pub(super) struct Watching {
    dead: JoinHandle<Option<u64>>,
    hidden: oneshot::Receiver<u64>,
}

/// How often the names are looked at.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Watches from now on what runs on the node `of`.
pub(super) fn watch(swarm: Swarm, prefix: &str, count: u64, of: &str) -> Result<Watching, String> {
    let node = swarm.nodes().into_iter().find(|member| member.id.name.as_str() == of);
    let boot = node.ok_or_else(|| format!("no node {of}"))?.id.boot;
    let mut names: Vec<String> = (0..count).map(|at| name(prefix, at)).collect();
    let finds =
        move |swarm: &Swarm, name: &String| swarm.whereis(name).is_some_and(|pid| pid.boot == boot);
    names.retain(|name| finds(&swarm, name));
    if names.is_empty() {
        return Err(format!("{of} runs none of them"));
    }
    let dead = declared(&swarm);
    let (seen, hidden) = oneshot::channel();
    thread::spawn(move || {
        while !seen.is_closed() {
            while names.last().is_some_and(|name| !finds(&swarm, name)) {
                names.pop();
            }
            if names.is_empty() {
                let _ = seen.send(wall_ns());
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    });
    Ok(Watching { dead, hidden })
}

impl Watching {
    pub(super) async fn seen(self) -> Result<Reply, String> {
        let dead_ns = self.dead.await.map_err(text)?.ok_or("the node has stopped")?;
        let complete_ns = self.hidden.await.map_err(text)?;
        Ok(Reply::Death { dead_ns, complete_ns, last_start_ns: 0 })
    }
}
