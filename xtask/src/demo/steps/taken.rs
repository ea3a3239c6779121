//! Step 5: a name that is taken is so on every node.

use crate::Failure;
use crate::demo::figures::{Figure, count, time};
use crate::demo::protocol::{Reading, Request, Retaken};
use crate::demo::{Demo, expect, unmet};
use std::time::Instant;

/// How many names every node tries to register again.
const NAMES: u32 = 100;

#[expect(clippy::disallowed_methods, reason = "how long it takes is shown")]
pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    // Spread over all of them, so that they belong to different nodes.
    let n_names = NAMES.min(demo.n_devices);
    let devices: Vec<u32> = (0..n_names).map(|i| i * (demo.n_devices / n_names)).collect();
    let begin = Instant::now();
    let request = || Request::Retake { devices: devices.clone() };
    let outcomes = demo.cluster.ask_all::<Vec<Retaken>>(request).await?;
    let took_us = begin.elapsed().as_micros() as u64;
    let mut agreed: Option<(usize, Vec<String>)> = None;
    for (node, outcomes) in outcomes {
        let pids = outcomes.into_iter().map(|outcome| match outcome {
            Retaken::Already(pid) => Ok(pid),
            Retaken::Otherwise(what) => {
                Err(unmet("AlreadyRegistered", &format!("on n{node}: {what}")))
            }
        });
        let pids = pids.collect::<Result<Vec<_>, _>>()?;
        let (first, same) = agreed.get_or_insert_with(|| (node, pids.clone()));
        let seen = || format!("n{node} and n{first} name different ones");
        expect(*same == pids, "the same process on every node", seen)?;
    }
    // Everything so far has gone by: nothing more may have come of the one notice.
    let readings: Vec<Reading> = demo.cluster.ask(1, Request::Read).await?;
    super::publish::exactly_once(&readings)?;
    demo.screen.holds(
        format!(
            "{n_names} taken names registered again on every node: {} times AlreadyRegistered, \
             always the same process, in {}",
            count(devices.len() * demo.n_nodes),
            time(took_us)
        ),
        vec![Figure::micros("registered_again", took_us)],
    );
    Ok(())
}
