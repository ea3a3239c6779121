//! `cargo xtask demo`: a cluster of real node processes on this machine, every line of it an
//! assertion with what was measured.
//!
//! The demo starts its own program once for each node (`node`) and drives them over pipes
//! (`protocol`). What it claims about devices they have counted themselves.

#![expect(clippy::disallowed_methods, reason = "a person waits for it: real time is measured")]

mod cluster;
mod figures;
mod folder;
pub(crate) mod node;
mod protocol;
mod roll;
mod screen;
mod steps;

use crate::Failure;
use crate::interrupt::interrupted;
use cluster::Cluster;
use figures::count;
use folder::Folder;
use protocol::Counts;
use roll::Roll;
use screen::{Screen, Style};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many nodes: one of them is killed and another one leaves
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(3..=9))]
    nodes: u8,
    /// How many device workers
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    workers: u32,
    /// Write the figures as JSON, one object on one line
    #[arg(long)]
    json: bool,
    /// Keep the folder with the logs of the nodes, and say where it is
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    match runtime.block_on(play(args))? {
        End::Passed => Ok(()),
        // Everything is cleaned up by now; this tells a shell that it was interrupted.
        End::Interrupted(signal) => std::process::exit(128 + signal),
    }
}

enum End {
    Passed,
    /// By this signal.
    Interrupted(i32),
}

async fn play(args: &Args) -> Result<End, Failure> {
    let style = if args.json { Style::Json } else { Style::Text };
    let mut folder = Folder::new()?;
    let mut demo = Demo {
        cluster: Cluster::new(folder.path(), patience(args.workers, REPLY_TIMEOUT))?,
        screen: Screen::new(style),
        n_nodes: usize::from(args.nodes),
        n_devices: args.workers,
    };
    if args.keep {
        folder.keep();
    }
    let interrupted = interrupted();
    let outcome = tokio::select! {
        biased;
        signal = interrupted => Err(signal),
        outcome = steps::run(&mut demo) => Ok(outcome),
    };
    if let Ok(Err(_)) = &outcome {
        demo.cluster.write_snapshots().await;
    }
    demo.cluster.stop().await;
    let end = match outcome {
        Err(signal) => {
            demo.screen.say("interrupted: all node processes have ended");
            Ok(End::Interrupted(signal))
        }
        Ok(Ok(())) => {
            demo.screen.say("all 8 steps passed");
            demo.screen.close(None).map(|()| End::Passed)
        }
        Ok(Err(failure)) => {
            let why = failure.to_string();
            demo.screen.fails(&why);
            folder.keep();
            demo.screen.close(Some(&why))?;
            Err(Failure::new("the demo failed"))
        }
    };
    if let Some(kept) = folder.kept() {
        for file in folder::files(kept) {
            demo.screen.say(&format!("kept: {}", file.display()));
        }
    }
    end
}

/// How long any reply of a node may take, with up to 10,000 devices.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait for what may take `base` with up to 10,000 devices.
fn patience(n_devices: u32, base: Duration) -> Duration {
    base * n_devices.div_ceil(10_000)
}

/// What the steps have in common.
struct Demo {
    cluster: Cluster,
    screen: Screen,
    n_nodes: usize,
    n_devices: u32,
}

impl Demo {
    /// Looks until `look` has found what it looks for: its inner error is what it sees instead.
    /// `within` counts for 10,000 devices, and longer for more.
    async fn until<T>(
        &mut self,
        within: Duration,
        expected: &str,
        mut look: impl AsyncFnMut(&Cluster) -> Result<Result<T, String>, Failure>,
    ) -> Result<T, Failure> {
        let within = patience(self.n_devices, within);
        let begin = Instant::now();
        loop {
            let looked = Instant::now();
            let seen = match look(&self.cluster).await? {
                Ok(found) => return Ok(found),
                Err(seen) => seen,
            };
            if begin.elapsed() > within {
                return Err(unmet(&format!("{expected} within {within:?}"), &seen));
            }
            self.screen.progress(&seen);
            // What is waited for needs the processor more than the looks do.
            let rest = (looked.elapsed() * REST_FACTOR).max(REST_MIN);
            tokio::time::sleep(rest).await;
        }
    }

    /// Waits until every device lives on exactly one node by its own account, and every node's
    /// names and group are those processes. One on the move lives twice, or is not what its name
    /// says.
    async fn settled(&mut self, within: Duration) -> Result<Roll, Failure> {
        let n_devices = self.n_devices;
        self.until(within, "every device on one node, in every view", async |cluster| {
            if let Some(unsettled) = unsettled(&cluster.counts().await?, n_devices as usize) {
                return Ok(Err(unsettled));
            }
            let roll = cluster.roll().await?;
            if let Err(wrong) = roll.exactly_once(n_devices) {
                return Ok(Err(wrong));
            }
            Ok(cluster.views().await?.map(|()| roll))
        })
        .await
    }

    /// Shows how far `work` is, by a look at the cluster now and then, until it is done.
    async fn meanwhile<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
        look: impl AsyncFn(&Cluster) -> Result<String, Failure>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(SHOW_EVERY) => (),
            }
            let text = look(&self.cluster).await?;
            self.screen.progress(&text);
        }
    }
}

/// Between two looks at what a step waits for.
const REST_MIN: Duration = Duration::from_millis(20);

/// So many times as long as a look takes.
const REST_FACTOR: u32 = 3;

/// How often the progress of a long request is looked at: each look costs the nodes a little.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// The first count that says that devices are still on their way, or not known everywhere.
fn unsettled(counts: &BTreeMap<usize, Counts>, n_devices: usize) -> Option<String> {
    counts.iter().find_map(|(node, counts)| {
        let Counts { registered, grouped, .. } = *counts;
        if registered != n_devices {
            Some(format!("{} names in the view of n{node}", count(registered)))
        } else if grouped != n_devices {
            Some(format!("{} members in the view of n{node}", count(grouped)))
        } else {
            None
        }
    })
}

/// A claim that did not hold.
fn unmet(expected: &str, seen: &str) -> Failure {
    Failure::new(format!("expected {expected}; saw {seen}"))
}

/// Holds a claim against what was seen.
fn expect(holds: bool, expected: &str, seen: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(unmet(expected, &seen())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_settled_when_every_view_is_whole() {
        let whole = Counts { living: 3, started: 3, registered: 5, grouped: 5, received: 0 };
        let check = |counts: Counts, wrong: Option<&str>| {
            let found = unsettled(&BTreeMap::from([(1, whole), (2, counts)]), 5);
            assert_eq!(found.as_deref(), wrong);
        };
        check(whole, None);
        check(Counts { registered: 4, ..whole }, Some("4 names in the view of n2"));
        check(Counts { grouped: 6, ..whole }, Some("6 members in the view of n2"));
    }

    #[test]
    fn a_claim_that_does_not_hold_names_what_was_expected_and_what_was_seen() {
        assert!(expect(true, "5 members", || "4".to_owned()).is_ok());
        let failure = expect(false, "5 members", || "4".to_owned()).expect_err("it does not hold");
        assert_eq!(failure.to_string(), "expected 5 members; saw 4");
    }
}
