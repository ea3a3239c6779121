//! `cargo xtask cluster`: real processes in a network of their own, one line and a figure for each
//! scenario.
//!
//! A scenario gets a stage: hosts in namespaces on one bridge (`net`), processes on them
//! (`process`), what those say as lines with the time of their arrival (`agent`). It freezes and
//! kills processes by their ids, has the hosts' packet filters lose and cut, and puts a relay of
//! its own between them (`relay`) for delay, reordering and doubling. It waits for what the agents
//! say, with deadlines. Scenarios of names have nodes of the whole product there instead of agents
//! (`keeper`), which they ask.

#![expect(clippy::disallowed_methods, reason = "real processes in real time")]

mod agent;
pub(crate) mod flood;
pub(crate) mod keeper;
mod ledger;
mod net;
mod own;
pub(crate) mod relay;
mod report;
mod scenarios;
mod setting;
mod stage;

use crate::interrupt::interrupted;
use crate::{Failure, optimised, output, step};
use report::{Broken, Figures, Outcome, Style};
use scenarios::Scenario;
use setting::{Extent, Profile, Setting};
use stage::Stage;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these scenarios
    #[arg(long, value_enum, num_args = 1.., value_name = "NAME")]
    only: Vec<Scenario>,
    /// How many nodes, where a scenario leaves the choice
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=200), value_name = "N")]
    nodes: Option<u16>,
    /// The timings of the agents
    #[arg(long, value_enum, default_value_t = Profile::Lan)]
    profile: Profile,
    #[command(flatten)]
    extent: Extent,
    /// How often to run them all
    #[arg(long, default_value_t = 1, value_name = "N")]
    times: u32,
    /// One JSON object for each scenario, on one line
    #[arg(long)]
    json: bool,
    /// Only list the scenarios
    #[arg(long)]
    list: bool,
}

/// Runs the scenarios, one after the other, also after one has failed.
///
/// # Errors
///
/// Names the scenarios that failed.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.list {
        return Scenario::all().iter().try_for_each(|scenario| output::line(scenario.line()));
    }
    if let Some(sentence) = net::missing() {
        eprintln!("error: {sentence}");
        std::process::exit(step::MISSING);
    }
    optimised::become_so()?;
    let n_left = net::remove_leftovers();
    if n_left > 0 {
        eprintln!("removed {n_left} namespaces that an earlier run has left");
    }
    let setting = Setting::new(args.profile, args.extent)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    match runtime.block_on(play(args, &setting))? {
        End::Passed => Ok(()),
        // The network is gone by now; this tells a shell that it was interrupted.
        End::Interrupted(signal) => std::process::exit(128 + signal),
    }
}

enum End {
    Passed,
    /// By this signal.
    Interrupted(i32),
}

async fn play(args: &Args, setting: &Setting) -> Result<End, Failure> {
    let style = if args.json { Style::Json } else { Style::Text };
    let scenarios = if args.only.is_empty() { Scenario::all() } else { &args.only };
    let mut failed = Vec::new();
    let mut signal = std::pin::pin!(interrupted());
    let seed = args.extent.seed.unwrap_or_else(setting::new_seed);
    for turn in 0..args.times {
        let setting = setting.with_seed(seed.wrapping_add(turn));
        for scenario in scenarios {
            let n_nodes = args.nodes.map_or(scenario.n_nodes(), usize::from);
            let outcome = tokio::select! {
                biased;
                signal = &mut signal => return Ok(End::Interrupted(signal)),
                outcome = perform(*scenario, n_nodes, &setting) => outcome,
            };
            let again = format!(
                "cargo xtask cluster --only {} --nodes {n_nodes} {}",
                scenario.name(),
                scenario.options(args.profile, setting.extent()),
            );
            outcome.print(style, &again)?;
            if outcome.result.is_err() {
                failed.push(scenario.name());
            }
        }
    }
    match failed.len() {
        0 => Ok(End::Passed),
        1 => Err(Failure::new(format!("the scenario {} failed", failed[0]))),
        n => Err(Failure::new(format!("{n} scenarios failed: {}", failed.join(", ")))),
    }
}

/// Plays one scenario on a stage of its own. Dropped, everything is gone.
async fn perform(scenario: Scenario, n_nodes: usize, setting: &Setting) -> Outcome {
    let begin = now();
    let result = match Stage::new(setting, n_nodes) {
        Err(why) => Err(Broken::new(why, None)),
        Ok(mut stage) => {
            let played = scenario.play(&mut stage).await;
            let checked = played.and_then(|figures| stage.check().map(|()| figures));
            let result = checked.map_err(|why| Broken::new(why, Some(&stage)));
            stage.close().await;
            result
        }
    };
    Outcome { scenario, n_nodes, took: begin.elapsed(), result }
}

/// The one clock of the harness: all that it times happens on this machine.
fn now() -> Instant {
    Instant::now()
}
