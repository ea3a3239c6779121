//! Step 2: devices registered through one node are spread over all.

use crate::Failure;
use crate::demo::cluster::Cluster;
use crate::demo::figures::{Figure, count, rate, time};
use crate::demo::protocol::Request;
use crate::demo::roll::{is_spread, written};
use crate::demo::{Demo, expect};
use std::time::{Duration, Instant};

/// How many registrations are under way at once.
const AT_ONCE: usize = 64;

#[expect(clippy::disallowed_methods, reason = "how long it takes is shown")]
pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    let n_devices = demo.n_devices as usize;
    let client = demo.cluster.client(1);
    let request = Request::Register { below: demo.n_devices, at_once: AT_ONCE };
    let begin = Instant::now();
    demo.meanwhile(client.ask::<()>(request), async |cluster: &Cluster| {
        let counts = cluster.counts().await?;
        let living: usize = counts.values().map(|counts| counts.living).sum();
        Ok(format!("registering: {} of {}", count(living), count(n_devices)))
    })
    .await?;
    let took_us = begin.elapsed().as_micros() as u64;
    let roll = demo.settled(Duration::from_secs(15)).await?;
    let settled_us = begin.elapsed().as_micros() as u64 - took_us;
    let shares = roll.shares(demo.cluster.numbers());
    expect(is_spread(&shares), "devices spread evenly", || written(&shares))?;
    let rate = rate(n_devices, took_us);
    demo.screen.holds(
        format!(
            "{} devices registered through n1 in {} ({}/s), spread over all: {}",
            count(n_devices),
            time(took_us),
            count(rate),
            written(&shares)
        ),
        vec![Figure::micros("registered", took_us), Figure::number("registered_per_second", rate)],
    );
    demo.screen.holds(
        format!("every name and member in all views, {} after the last answer", time(settled_us)),
        vec![Figure::micros("views_complete", settled_us)],
    );
    Ok(())
}
