//! A node that is killed, and what ran there.

use super::nodes::{Nodes, unexpected};
use super::protocol::{Reply, Request};
use crate::Failure;

/// Kills the last node. What ran there must run on the others, each name once, by the workers' own
/// books: the seconds from the first that holds the node dead until the later of the last start and
/// the last complete view.
pub(super) fn last(nodes: &mut Nodes, names: Vec<String>) -> Result<f64, Failure> {
    nodes.all(&Request::WatchDeath { count: names.len() as u64 })?;
    nodes.kill_last()?;
    let (mut dead, mut complete) = (u64::MAX, 0);
    for seen in nodes.all(&Request::Death)? {
        let Reply::Death { dead_ns, complete_ns, last_start_ns } = seen else {
            return Err(unexpected(&seen));
        };
        dead = dead.min(dead_ns);
        complete = complete.max(complete_ns).max(last_start_ns);
    }
    each_runs_once(nodes, names)?;
    Ok(complete.saturating_sub(dead) as f64 / 1e9)
}

/// Whether these names run, each once, and no others, by the workers' own books.
pub(super) fn each_runs_once(nodes: &mut Nodes, mut names: Vec<String>) -> Result<(), Failure> {
    let mut running = Vec::new();
    for workers in nodes.all(&Request::Running)? {
        let Reply::Running(names) = workers else { return Err(unexpected(&workers)) };
        running.extend(names);
    }
    running.sort_unstable();
    names.sort_unstable();
    if running == names {
        return Ok(());
    }
    let missing = names.iter().find(|name| running.binary_search(name).is_err());
    let twice = running.windows(2).find(|two| two[0] == two[1]).map(|two| &two[0]);
    let (run, want) = (running.len(), names.len());
    let why = match (missing, twice) {
        (Some(missing), _) => format!("{missing} does not"),
        (None, Some(twice)) => format!("{twice} runs twice"),
        (None, None) => "others run, too".to_owned(),
    };
    Err(Failure::new(format!("{run} workers run where {want} names should: {why}")))
}
