//! Step 1: all nodes list the same members.

use crate::Failure;
use crate::demo::Demo;
use crate::demo::cluster::{Cluster, name};
use crate::demo::figures::{Figure, time};
use crate::demo::protocol::Peer;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "how long it takes is shown")]
pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    let begin = Instant::now();
    demo.cluster.start([1]).await?;
    demo.cluster.start(2..=demo.n_nodes).await?;
    listed(demo).await?;
    let took_us = begin.elapsed().as_micros() as u64;
    let ids: Vec<_> = demo.cluster.ids().iter().map(u32::to_string).collect();
    let n_nodes = demo.n_nodes;
    demo.screen.holds(
        format!(
            "every node lists the same {n_nodes} members, {} after the first start (processes {})",
            time(took_us),
            ids.join(", ")
        ),
        vec![Figure::micros("cluster_formed", took_us)],
    );
    Ok(())
}

/// Waits until all nodes list the same members: themselves, each with its name. Returns them.
pub(super) async fn listed(demo: &mut Demo) -> Result<Vec<Peer>, Failure> {
    let names: Vec<String> = demo.cluster.numbers().into_iter().map(name).collect();
    let expected = format!("{} as the members on every node", names.join(", "));
    demo.until(Duration::from_secs(15), &expected, async |cluster: &Cluster| {
        let mut lists = cluster.members().await?.into_iter();
        let Some((_, first)) = lists.next() else { return Ok(Err("no node".to_owned())) };
        if !first.iter().map(|peer| &peer.name).eq(&names) {
            return Ok(Err(format!("{} on n1", written(&first))));
        }
        for (node, list) in lists {
            if list != first {
                return Ok(Err(format!("{} on n{node}", written(&list))));
            }
        }
        Ok(Ok(first))
    })
    .await
}

fn written(list: &[Peer]) -> String {
    list.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(", ")
}
