//! Many callers that want the same names.

use super::{CONVERGED, claim};
use crate::Failure;
use crate::cluster::keeper::{Keepers, Names, Outcome, Request, Try, Way, equal};
use crate::cluster::{Figures, Stage, now};
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_base::Rng;

/// A contest for some names.
#[derive(Clone, Copy)]
struct Contest {
    n_names: usize,
    callers: Callers,
    /// After how many milliseconds a caller begins.
    delay_ms: (u64, u64),
}

/// Who wants each name.
#[derive(Clone, Copy)]
enum Callers {
    OneOfEachNode,
    AtRandomNodes(usize),
}

/// Each of three nodes wants each of 300 names, all at once.
pub(in super::super) async fn race(stage: &mut Stage) -> Result<Figures, Failure> {
    let contest = Contest { n_names: 300, callers: Callers::OneOfEachNode, delay_ms: (0, 0) };
    both_ways(stage, contest).await
}

/// A hundred callers at random nodes want each of 200 names, up to 100 ms apart.
pub(in super::super) async fn crowd(stage: &mut Stage) -> Result<Figures, Failure> {
    let callers = Callers::AtRandomNodes(100);
    both_ways(stage, Contest { n_names: 200, callers, delay_ms: (1, 100) }).await
}

async fn both_ways(stage: &mut Stage, contest: Contest) -> Result<Figures, Failure> {
    let keepers = Keepers::start(stage).await?;
    let mut rng = stage.rng();
    let (mut winners, mut figures) = (Names::new(), Figures::default());
    for (way, took) in [(Way::Placed, "placed ones took"), (Way::Pid, "by pid")] {
        let n_names = contest.n_names;
        stage.say(&format!("all want {n_names} names, {}", way.name()));
        let tries = contest.tries(&mut rng, &keepers.numbers(), way);
        let begin = now();
        let outcomes: BTreeMap<usize, Vec<Outcome>> =
            keepers.ask_all(|node| Request::Contend { way, tries: tries[&node].clone() }).await?;
        figures = figures.and_time(took, begin.elapsed());
        let tried = tries.into_values().flatten().zip(outcomes.into_values().flatten());
        let tried = tried.map(|(Try { name, .. }, outcome)| (name, outcome));
        winners.extend(one_winner_each(tried.collect())?);
    }
    let begin = now();
    let all = keepers.until_tables(CONVERGED, "all tables to hold the winners", |tables| {
        equal(tables)?;
        tables.values().try_for_each(|table| match table.names == winners {
            true => Ok(()),
            false => Err(format!("{} names, or others have them", table.names.len())),
        })
    });
    let equal_after = all.await?.saturating_duration_since(begin);
    Ok(figures
        .and_count("names", winners.len())
        .and_time("all tables equal after", equal_after)
        .and_count("seed", stage.seed() as usize))
}

impl Contest {
    /// What each node tries, in an order of its own.
    fn tries(self, rng: &mut Rng, nodes: &[usize], way: Way) -> BTreeMap<usize, Vec<Try>> {
        let mut tries: BTreeMap<usize, Vec<Try>> =
            nodes.iter().map(|node| (*node, Vec::new())).collect();
        let delay = Duration::from_millis(self.delay_ms.0)..=Duration::from_millis(self.delay_ms.1);
        for n in 0..self.n_names {
            let name = format!("{}-{n}", way.name());
            let at = match self.callers {
                Callers::OneOfEachNode => nodes.to_vec(),
                Callers::AtRandomNodes(callers) => {
                    let any = |_| nodes[rng.index(nodes.len()).expect("there are nodes")];
                    (0..callers).map(any).collect()
                }
            };
            for node in at {
                let after_ms = rng.duration(delay.clone()).as_millis() as u64;
                let tried = tries.get_mut(&node).expect("it is one of them");
                tried.push(Try { name: name.clone(), after_ms });
            }
        }
        tries.values_mut().for_each(|tried| rng.shuffle(tried));
        tries
    }
}

/// The one process of each name: one caller was given it, and all others were told of it.
fn one_winner_each(tried: Vec<(String, Outcome)>) -> Result<Names, Failure> {
    let mut of_names: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    for (name, outcome) in tried {
        of_names.entry(name).or_default().push(outcome);
    }
    let winner = |(name, outcomes): (String, Vec<Outcome>)| {
        let winner = one_winner(&outcomes).map_err(|seen| format!("{name}: {seen}"));
        claim("one Ok, and everybody else told of it", winner.map(|pid| (name, pid)))
    };
    of_names.into_iter().map(winner).collect()
}

fn one_winner(outcomes: &[Outcome]) -> Result<String, String> {
    let mut given = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Ok(pid) => Some(pid),
        Outcome::Already(_) | Outcome::Failed(_) => None,
    });
    let winner = given.next().ok_or_else(|| format!("nobody got it: {:?}", outcomes[0]))?;
    if let Some(second) = given.next() {
        return Err(format!("{winner} and {second} got it"));
    }
    let strange = outcomes.iter().find(|outcome| match outcome {
        Outcome::Ok(_) => false,
        Outcome::Already(pid) => pid != winner,
        Outcome::Failed(_) => true,
    });
    match strange {
        Some(strange) => Err(format!("{winner} got it, and somebody was told {strange:?}")),
        None => Ok(winner.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_winner_and_all_others_know_it() {
        let ok = |pid: &str| Outcome::Ok(pid.to_owned());
        let already = |pid: &str| Outcome::Already(pid.to_owned());
        let check = |outcomes: &[Outcome], winner: Option<&str>| {
            assert_eq!(one_winner(outcomes).ok().as_deref(), winner, "{outcomes:?}");
        };
        check(&[already("<1>"), ok("<1>")], Some("<1>"));
        check(&[already("<1>"), already("<1>")], None);
        check(&[ok("<1>"), ok("<2>")], None);
        check(&[ok("<1>"), already("<2>")], None);
        check(&[ok("<1>"), Outcome::Failed("late".to_owned())], None);
    }

    #[test]
    fn a_contest_is_drawn_from_its_seed() {
        let contest =
            Contest { n_names: 10, callers: Callers::AtRandomNodes(20), delay_ms: (1, 100) };
        let drawn = |seed| {
            let tries = contest.tries(&mut Rng::new(seed), &[1, 2, 3], Way::Pid);
            tries
                .into_values()
                .flatten()
                .map(|tried| (tried.name, tried.after_ms))
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(drawn(7).len(), 200);
        assert!(drawn(7).iter().all(|(_, after_ms)| (1..=100).contains(after_ms)));
    }
}
