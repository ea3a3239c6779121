//! Step 7: the killed node starts again, and its share moves to it with state.

use super::crash::Crashed;
use super::load::Load;
use super::members;
use crate::Failure;
use crate::demo::figures::{Figure, count, time};
use crate::demo::protocol::Request;
use crate::demo::{Demo, expect};
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "how long it takes is shown")]
pub(super) async fn run(demo: &mut Demo, crashed: &Crashed) -> Result<(), Failure> {
    let Crashed { node, share } = crashed;
    let n_share = share.len();
    // The devices that began anew have some state to keep, too.
    demo.cluster.ask::<usize>(1, Request::Count).await?;
    let before = demo.settled(Duration::from_secs(10)).await?;
    let lost = (0..demo.n_devices).find(|device| before.tally(*device).count == 0);
    expect(lost.is_none(), "every device to count on", || format!("{lost:?} did not"))?;
    let callers = demo.cluster.numbers();
    let load = Load::begin(demo, share.clone(), callers, before).await?;

    let begin = Instant::now();
    demo.cluster.start([*node]).await?;
    members::listed(demo).await?;
    let joined_us = begin.elapsed().as_micros() as u64;
    demo.screen
        .say(&format!("n{node} starts again: member on all nodes after {}", time(joined_us)));
    let back = demo.until(Duration::from_secs(30), "its share to be back", async |cluster| {
        let counts = cluster.counts().await?;
        let n_back = counts.get(node).map_or(0, |counts| counts.living);
        let so_far = || format!("{} of {} moved", count(n_back), count(n_share));
        Ok(if n_back >= n_share { Ok(()) } else { Err(so_far()) })
    });
    back.await?;
    let after = demo.settled(Duration::from_secs(20)).await?;
    let moved_us = begin.elapsed().as_micros() as u64;
    let now = after.on(*node);
    expect(now == *share, "exactly the devices back that ran there before", || {
        let (more, fewer) = (now.difference(share).count(), share.difference(&now).count());
        format!("{} others, {} missing", count(more), count(fewer))
    })?;
    load.go_on(demo).await?;
    let blows = load.end(demo).await?;
    let n_calls = blows.n_answered() as usize;
    demo.screen.holds(
        format!(
            "its {} devices moved back to it with their state, {} after its start: no counter \
             went back, no name is missing",
            count(n_share),
            time(moved_us)
        ),
        vec![Figure::micros("rejoined", joined_us), Figure::micros("moved_back", moved_us)],
    );
    demo.screen.holds(
        format!(
            "meanwhile {} calls of moving names, 0 failed, the slowest took {}",
            count(n_calls),
            time(blows.slowest_us)
        ),
        vec![
            Figure::number("calls_while_rejoining", n_calls),
            Figure::micros("slowest_call_while_rejoining", blows.slowest_us),
        ],
    );
    Ok(())
}
