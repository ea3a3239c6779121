//! Nodes full of workers, and how the bench waits for them to be where they belong.

use super::protocol::{Reply as Moves, Request};
use super::worker::Order;
use super::{AT_ONCE, marks::Marks, names};
use crate::Failure;
use crate::bench::dying::each_runs_once;
use crate::bench::nodes::{Nodes, answered, node, time, unexpected};
use crate::bench::protocol::{self, Reply, Role};

/// Small states, quick starts.
pub(super) const LIGHT: Order = Order { cargo: 64, start_ms: 0 };

/// So many nodes, each on which carriers may run.
pub(super) fn start(count: usize) -> Result<Nodes, Failure> {
    Nodes::of(&vec![Role::Carrier; count])
}

/// Registers so many workers through the first node, has each count once, and waits until all
/// nodes know them where they belong.
pub(super) fn fill(nodes: &mut Nodes, count: u64, order: Order) -> Result<(), Failure> {
    answered(ask(nodes, 1, Request::Register { count, at_once: AT_ONCE, order })?)?;
    answered(ask(nodes, 1, Request::Add { count })?)?;
    let all = names_of(nodes);
    watch(nodes, count, &all)?;
    last_home(nodes).map(drop)
}

/// The names of the nodes that there are, if each has the name of its number.
pub(super) fn names_of(nodes: &Nodes) -> Vec<String> {
    (1..=nodes.count()).map(node).collect()
}

/// Has all nodes watch until the workers are where they belong with `on`.
pub(super) fn watch(nodes: &mut Nodes, count: u64, on: &[String]) -> Result<(), Failure> {
    all(nodes, &Request::WatchHome { count, nodes: on.to_vec() })
}

/// Waits for that: when the last of the nodes saw it.
pub(super) fn last_home(nodes: &mut Nodes) -> Result<u64, Failure> {
    let mut last = 0;
    for at in nodes.all(&protocol::Request::Moves(Request::Home))? {
        last = last.max(time(at)?);
    }
    Ok(last)
}

/// Sees that each worker runs once, by the books, and that each has counted what the first node
/// had it count.
pub(super) fn whole(nodes: &mut Nodes, count: u64, order: Order) -> Result<(), Failure> {
    each_runs_once(nodes, names(count))?;
    ask(nodes, 1, Request::Check { count, cargo: order.cargo }).map(drop)
}

/// Asks one node.
pub(super) fn ask(nodes: &mut Nodes, nth: usize, request: Request) -> Result<Reply, Failure> {
    nodes.nth(nth).ask(&protocol::Request::Moves(request))
}

/// Tells all nodes.
pub(super) fn all(nodes: &mut Nodes, request: &Request) -> Result<(), Failure> {
    nodes.all(&protocol::Request::Moves(request.clone())).map(drop)
}

/// What the workers of each node did since the marks were cleared.
pub(super) fn marks(nodes: &mut Nodes) -> Result<Vec<Marks>, Failure> {
    let replies = nodes.all(&protocol::Request::Moves(Request::Marks))?;
    let marks = |reply| match reply {
        Reply::Moves(Moves::Marks(marks)) => Ok(marks),
        other => Err(unexpected(&other)),
    };
    replies.into_iter().map(marks).collect()
}

/// So many rounds; a failure says in which it was. The worst of each figure.
pub(super) fn worst<const N: usize>(
    rounds: u32,
    what: &str,
    better: [Worst; N],
    mut round: impl FnMut(u32) -> Result<[f64; N], Failure>,
) -> Result<[f64; N], Failure> {
    let mut worst: Option<[f64; N]> = None;
    for nth in 1..=rounds {
        let figures = round(nth)
            .map_err(|failure| Failure::new(format!("{what}, round {nth}: {failure}")))?;
        let list: Vec<_> = figures.iter().map(|figure| format!("{figure:.3}")).collect();
        eprintln!("           {what}, round {nth} of {rounds}: {}", list.join(", "));
        let so_far = worst.get_or_insert(figures);
        for ((worst, new), which) in so_far.iter_mut().zip(figures).zip(better) {
            *worst = match which {
                Worst::Highest => worst.max(new),
                Worst::Lowest => worst.min(new),
                Worst::Sum => *worst + if nth == 1 { 0.0 } else { new },
            };
        }
    }
    worst.ok_or_else(|| Failure::new("no round was wanted"))
}

/// Which of several figures counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Worst {
    Highest,
    Lowest,
    /// All of them together.
    Sum,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_round_counts() {
        let figures = [[1.0, 9.0, 1.0], [3.0, 8.0, 0.0], [2.0, 9.5, 2.0]];
        let which = [Worst::Highest, Worst::Lowest, Worst::Sum];
        let worst = worst(3, "x", which, |nth| Ok(figures[nth as usize - 1])).expect("no failure");
        assert_eq!(worst.map(|figure| (figure * 10.0) as u64), [30, 80, 30]);
    }

    #[test]
    fn a_round_that_fails_is_named() {
        let failed = worst(3, "x", [Worst::Highest], |nth| match nth {
            2 => Err(Failure::new("late")),
            _ => Ok([0.0]),
        });
        assert_eq!(failed.map_err(|failure| failure.to_string()), Err("x, round 2: late".into()));
    }
}
