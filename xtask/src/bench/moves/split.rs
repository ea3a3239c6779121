//! One of three nodes is cut off under a quorum of two, and is back, again and again.

use super::home::{LIGHT, Worst, all, ask, fill, last_home, marks, names_of, watch, worst};
use super::names;
use super::protocol::{Change, Request};
use crate::bench::dying::each_runs_once;
use crate::bench::figures::{Watch, wall_ns};
use crate::bench::namespace::{self, set_up, tool};
use crate::bench::nodes::{Nodes, count, node, time, unexpected};
use crate::bench::protocol::{self, Reply, Role, View};
use crate::bench::rows::Row;
use crate::{Failure, output};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const NODES: usize = 3;
const QUORUM: usize = 2;
const NAMES: u64 = 1_000;

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct SplitArgs {
    #[arg(long)]
    rounds: u32,
}

/// The worst of all rounds.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    /// From when the minority held another node dead until its last worker was gone.
    stopped_s: f64,
    /// For how long the minority still ran workers after the majority had started some of theirs.
    overlap_s: f64,
    /// From when all nodes were alive in all views until each listed all names.
    whole_s: f64,
    /// From then until every name ran once, where it belongs: not before the node that was cut off
    /// has stayed for a while.
    home_s: f64,
}

/// In a network namespace, where the loopback can be cut.
pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    let args = ["moves-split".to_owned(), "--rounds".to_owned(), rounds.to_string()];
    let Figures { stopped_s, overlap_s, whole_s, home_s } = namespace::measure("split", args)?;
    let row = |what: &str, value, most| {
        let row = format!("split 1|2 under quorum 2, 1,000 names: {what}, worst of {rounds}");
        Row::at_most(row, value, "s", most)
    };
    Ok(vec![
        row("minority stopped", stopped_s, 0.3),
        row("overlap", overlap_s, 0.0),
        row("none missing after all are alive", whole_s, 2.0),
        row("each once, where it belongs", home_s, 10.0),
    ])
}

/// The process in the namespace.
pub(in crate::bench) fn run_split(args: &SplitArgs) -> Result<(), Failure> {
    set_up(0).map_err(Failure::new)?;
    let mut nodes = start()?;
    nodes.step("1,000 names on three nodes, a quorum of two");
    fill(&mut nodes, NAMES, LIGHT)?;
    let [stopped_s, overlap_s, whole_s, home_s] =
        worst(args.rounds, "split", [Worst::Highest; 4], |_| round(&mut nodes))?;
    let figures = Figures { stopped_s, overlap_s, whole_s, home_s };
    output::line(serde_json::to_string(&figures).map_err(|e| Failure::new(e.to_string()))?)
}

/// Each at an address of its own.
fn start() -> Result<Nodes, Failure> {
    let mut nodes = Nodes::none()?;
    for nth in 1..=NODES {
        let mut start = nodes.plan(Role::Carrier);
        start.bind = format!("127.0.0.{nth}:0");
        start.quorum = Some(QUORUM);
        nodes.begin(&[start])?;
    }
    nodes.settle()?;
    Ok(nodes)
}

fn round(nodes: &mut Nodes) -> Result<[f64; 4], Failure> {
    all(nodes, &Request::ClearMarks)?;
    ask(nodes, NODES, Request::WatchNode(Change::Down))?;
    let cut_ns = wall_ns();
    cut()?;
    let seen = time(ask(nodes, NODES, Request::Node)?)?;
    until("the minority has stopped", || {
        let running = nodes.nth(NODES).ask(&protocol::Request::Running)?;
        let Reply::Running(names) = running else { return Err(unexpected(&running)) };
        Ok(names.is_empty())
    })?;
    for nth in 1..NODES {
        let on = (1..NODES).map(node).collect();
        ask(nodes, nth, Request::WatchHome { count: NAMES, nodes: on })?;
    }
    for nth in 1..NODES {
        ask(nodes, nth, Request::Home)?;
    }
    let marks = marks(nodes)?;
    let stopped_ns = marks[NODES - 1].ended.last_ns;
    let started = marks[..NODES - 1].iter().filter(|marks| marks.started.count > 0);
    let started_ns = started.map(|marks| marks.started.first_ns).min();
    let started_ns = started_ns.ok_or_else(|| Failure::new("the majority has started nothing"))?;
    heal()?;
    until("all nodes are alive in all views", || {
        for nth in 1..=NODES {
            if count(ask(nodes, nth, Request::Alive)?)? < NODES as u64 {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    let alive_ns = wall_ns();
    let on = names_of(nodes);
    watch(nodes, NAMES, &on)?;
    nodes.all(&protocol::Request::Watch(View::Names(NAMES)))?;
    let mut whole_ns = 0;
    for at in nodes.all(&protocol::Request::Watched)? {
        whole_ns = whole_ns.max(time(at)?);
    }
    let home_ns = last_home(nodes)?;
    each_runs_once(nodes, names(NAMES))?;
    let seconds = |from: u64, until: u64| until.saturating_sub(from) as f64 / 1e9;
    eprintln!(
        "           after the cut: the minority has stopped {:.2} s, holds a node dead {:.2} s; \
         the majority starts {:.2} s",
        seconds(cut_ns, stopped_ns),
        seconds(cut_ns, seen),
        seconds(cut_ns, started_ns)
    );
    Ok([
        seconds(seen, stopped_ns),
        seconds(started_ns, stopped_ns),
        seconds(alive_ns, whole_ns),
        seconds(alive_ns, home_ns),
    ])
}

/// Nothing that the last node sends arrives at the others, nor the other way round.
fn cut() -> Result<(), Failure> {
    let last = format!("127.0.0.{NODES}");
    let rules = format!(
        "table inet split {{ chain input {{ type filter hook input priority 0; \
         ip saddr {last} ip daddr != {last} drop\n ip saddr != {last} ip daddr {last} drop\n}}\n}}"
    );
    tool("nft", &[&rules]).map_err(Failure::new)
}

fn heal() -> Result<(), Failure> {
    tool("nft", &["delete table inet split"]).map_err(Failure::new)
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let begun = Watch::start();
    while !is_so()? {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!("expected within {PATIENCE:?}: {what}")));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
