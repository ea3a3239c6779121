//! Step 8: a node drains and leaves, and nobody takes it for dead.

use super::crash::elsewhere;
use super::load::Load;
use super::members;
use crate::Failure;
use crate::demo::cluster::{Cluster, name};
use crate::demo::figures::{Figure, count, time};
use crate::demo::protocol::{Request, What};
use crate::demo::roll::written;
use crate::demo::{Demo, expect, patience};
use std::time::{Duration, Instant};

/// How long the drain may take, with up to 10,000 devices.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "how long it takes is shown")]
pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    let node = demo.n_nodes;
    let before = demo.settled(Duration::from_secs(10)).await?;
    let share = before.on(node);
    let peers = members::listed(demo).await?;
    let peer = peers.into_iter().find(|peer| peer.name == name(node));
    let peer = peer.expect("every member was listed by its name");
    let callers = demo.cluster.numbers().into_iter().filter(|other| *other != node).collect();
    let load = Load::begin(demo, share.clone(), callers, before).await?;

    let begin = Instant::now();
    let client = demo.cluster.client(node);
    let n_share = share.len();
    let within_s = patience(demo.n_devices, DRAIN_TIMEOUT).as_secs();
    demo.meanwhile(client.ask::<()>(Request::Drain { within_s }), async |cluster: &Cluster| {
        let living = cluster.counts().await?.get(&node).map_or(0, |counts| counts.living);
        Ok(format!("draining n{node}: {} of {} left", count(living), count(n_share)))
    })
    .await?;
    let drained_us = begin.elapsed().as_micros() as u64;
    let drained = demo.settled(Duration::from_secs(10)).await?;
    let left = drained.on(node).len();
    expect(left == 0, &format!("nothing left on n{node}"), || format!("{} left", count(left)))?;

    let begin = Instant::now();
    client.ask::<()>(Request::Leave).await?;
    let status = demo.cluster.take(node).ended().await?;
    let left_us = begin.elapsed().as_micros() as u64;
    expect(status.success(), &format!("n{node} to end well"), || status.to_string())?;
    members::listed(demo).await?;
    let n_others = demo.cluster.numbers().len();
    let expected = format!("n{node} seen to leave by all");
    demo.until(Duration::from_secs(5), &expected, async |cluster: &Cluster| {
        let seen = cluster.seen(&peer, What::Left, 0).await?.len();
        Ok(if seen == n_others { Ok(()) } else { Err(format!("by {seen} nodes")) })
    })
    .await?;
    let after = demo.settled(Duration::from_secs(10)).await?;
    load.go_on(demo).await?;
    let blows = load.end(demo).await?;
    let dead = demo.cluster.seen(&peer, What::Dead, 0).await?;
    expect(dead.is_empty(), &format!("n{node} left, not dead"), || {
        format!("dead on {} nodes", dead.len())
    })?;
    let n_calls = blows.n_answered() as usize;
    let shares = elsewhere(&share, &after, demo.cluster.numbers());
    demo.screen.holds(
        format!(
            "n{node} drained its {} devices in {} ({}) and left in {}: nothing is lost",
            count(n_share),
            time(drained_us),
            written(&shares),
            time(left_us)
        ),
        vec![Figure::micros("drained", drained_us), Figure::micros("left", left_us)],
    );
    demo.screen.holds(
        format!(
            "meanwhile {} calls, 0 failed, the slowest took {}; all others saw n{node} left, not \
             dead",
            count(n_calls),
            time(blows.slowest_us)
        ),
        vec![
            Figure::number("calls_while_leaving", n_calls),
            Figure::micros("slowest_call_while_leaving", blows.slowest_us),
        ],
    );
    Ok(())
}
