//! Step 4: a message to a group of all devices, and a call of all of them.

use crate::Failure;
use crate::demo::cluster::Cluster;
use crate::demo::figures::{Figure, count, time};
use crate::demo::protocol::{Counts, Reading, Request, name_of};
use crate::demo::{Demo, expect};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "how long it takes is shown")]
pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    let n_devices = demo.n_devices as usize;
    let client = demo.cluster.client(1);
    let begin = Instant::now();
    demo.meanwhile(client.ask::<usize>(Request::Publish), async |cluster: &Cluster| {
        Ok(progress(cluster.counts().await?.values(), n_devices))
    })
    .await?;
    let expected = format!("{} devices that have received the notice", count(n_devices));
    demo.until(Duration::from_secs(15), &expected, async |cluster: &Cluster| {
        let counts = cluster.counts().await?;
        let received: u64 = counts.values().map(|counts| counts.received).sum();
        let all = received >= n_devices as u64;
        Ok(if all { Ok(()) } else { Err(progress(counts.values(), n_devices)) })
    })
    .await?;
    let published_us = begin.elapsed().as_micros() as u64;

    let begin = Instant::now();
    let readings = client.ask::<Vec<Reading>>(Request::Read);
    let readings =
        demo.meanwhile(readings, async |_: &Cluster| Ok("calling all devices".to_owned())).await?;
    let called_us = begin.elapsed().as_micros() as u64;
    // The call came from the same node, so each device has handled it behind the notice.
    exactly_once(&readings)?;
    demo.screen.holds(
        format!(
            "notice published to {} devices: every one received it exactly once, in {}",
            count(n_devices),
            time(published_us)
        ),
        vec![Figure::micros("publish", published_us)],
    );
    let answered: BTreeSet<_> = readings.iter().map(|reading| reading.device).collect();
    expect(
        answered.len() == n_devices && readings.len() == n_devices,
        &format!("an answer of each of {} devices", count(n_devices)),
        || format!("{} answers of {} devices", count(readings.len()), count(answered.len())),
    )?;
    demo.screen.holds(
        format!("all called at once: every one answered, in {}", time(called_us)),
        vec![Figure::micros("multi_call", called_us)],
    );
    Ok(())
}

/// Holds what the devices say they have received against the one notice that there was.
pub(super) fn exactly_once(readings: &[Reading]) -> Result<(), Failure> {
    let others: Vec<_> = readings.iter().filter(|reading| reading.tally.received != 1).collect();
    let seen = || {
        let first = others[0];
        let (name, n) = (name_of(first.device), first.tally.received);
        format!("{} that did not, such as {name}: {n} times", count(others.len()))
    };
    expect(others.is_empty(), "every device to have received one notice", seen)
}

fn progress<'a>(counts: impl Iterator<Item = &'a Counts>, n_devices: usize) -> String {
    let received: u64 = counts.map(|counts| counts.received).sum();
    format!("received: {} of {}", count(received as usize), count(n_devices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::protocol::Tally;

    #[test]
    fn a_notice_that_came_twice_or_never_is_found() {
        let check = |received: &[u64], wrong: Option<&str>| {
            let reading = |(device, received): (u32, &u64)| Reading {
                device,
                tally: Tally { count: 0, received: *received },
            };
            let readings: Vec<_> = (0..).zip(received).map(reading).collect();
            let found = exactly_once(&readings).err().map(|failure| failure.to_string());
            assert_eq!(found.as_deref().and_then(|found| found.split("; saw ").nth(1)), wrong);
        };
        check(&[1, 1, 1], None);
        check(&[1, 2, 1], Some("1 that did not, such as device-1: 2 times"));
        check(&[0, 1, 0], Some("2 that did not, such as device-0: 0 times"));
    }
}
