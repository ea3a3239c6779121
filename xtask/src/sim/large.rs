//! `cargo xtask sim large`: large groups, and what a computer needs to simulate them.

use super::members::{self, Members, unseen};
use super::progress::Progress;
use crate::{Failure, output};
use std::collections::BTreeMap;
use std::time::Duration;
use swarm_swim::{Checked, Config};

#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Args {
    /// A hundred members that come and go, and a thousand that lose ten
    #[arg(long)]
    small: bool,
    /// Only those who come and go: the others take minutes, and about 13 GB of memory
    #[arg(long)]
    churn: bool,
}

/// How large the two groups are.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    churning: u16,
    losing: u16,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let sizes = match args.small {
        true => Sizes { churning: 100, losing: 1_000 },
        false => Sizes { churning: 1_000, losing: 10_000 },
    };
    let progress = Progress::new("groups", 2);
    let calm = churn(sizes.churning, Duration::from_secs(600))?;
    let took = progress.took().as_secs_f64();
    output::line(format_args!(
        "{} members, ten minutes of coming and going: simulated in {took:.1} s, all agree {:.1} s \
         after the last",
        sizes.churning,
        calm.as_secs_f64()
    ))?;
    if args.churn {
        return Ok(());
    }
    let Loss { joined, noticed } = lose(sizes.losing, sizes.losing / 100)?;
    output::line(format_args!(
        "{} members join at once: all agree after {:.1} s; {} die at once: all agree after {:.1} s; \
         simulated in {:.1} s",
        sizes.losing,
        joined.as_secs_f64(),
        sizes.losing / 100,
        noticed.as_secs_f64(),
        progress.took().as_secs_f64() - took
    ))
}

fn config() -> Checked {
    Config::lan().check().expect("as shipped")
}

/// Members die and come back, one of either every two seconds. Tells how long after the last all
/// agree.
fn churn(n: u16, span: Duration) -> Result<Duration, Failure> {
    let mut group = members::settled(n, config(), 7);
    let mut rng = group.fork_rng();
    let mut lives: BTreeMap<u16, u64> = BTreeMap::new();
    let end = group.now() + span;
    while group.now() < end {
        // The first member is everybody's seed: it stays.
        let member = 2 + rng.below(u64::from(n) - 1) as u16;
        if group.node(member).is_some() {
            group.remove(member);
        } else {
            let life = lives.entry(member).or_insert(1);
            *life += 1;
            members::start(&mut group, member, *life, config(), &[1]);
        }
        let next = group.now() + rng.duration(Duration::ZERO..=Duration::from_secs(4));
        group.run_until(next, &mut unseen);
    }
    agreement(&mut group)
}

/// How long members took.
#[derive(Clone, Copy, Debug)]
struct Loss {
    joined: Duration,
    noticed: Duration,
}

/// All of a group join at once, and then some die at once.
fn lose(n: u16, n_lost: u16) -> Result<Loss, Failure> {
    let mut group = members::empty(8, 0);
    for member in 1..=n {
        members::start(&mut group, member, 1, config(), &[1]);
    }
    let joined = agreement(&mut group)?;
    (0..n_lost).for_each(|nth| group.remove(n - nth));
    let noticed = agreement(&mut group)?;
    Ok(Loss { joined, noticed })
}

fn agreement(group: &mut Members) -> Result<Duration, Failure> {
    members::until_all_agree(group, AGREE_MAX)
        .ok_or_else(|| Failure::new(format!("the members do not agree within {AGREE_MAX:?}")))
}

/// The longest suspicion, and a few exchanges of tables.
const AGREE_MAX: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_is_handed_a_long_list_without_a_pause() {
        let mut group = members::settled(200, config(), 3);
        members::start(&mut group, 201, 1, config(), &[1]);
        // Pages overtake each other. No request is repeated before this is over.
        let end = group.now() + Duration::from_millis(450);
        group.run_until(end, &mut unseen);
        assert_eq!(group.node(201).expect("it runs").n_live(), 201);
    }

    #[test]
    fn a_small_group_agrees_after_all_that_comes_and_goes() {
        let calm = churn(20, Duration::from_secs(60));
        assert!(calm.is_ok_and(|calm| calm < Duration::from_secs(40)));
        let loss = lose(60, 6).expect("all agree");
        assert!(loss.joined < Duration::from_secs(5) && loss.noticed < Duration::from_secs(30));
        assert!(loss.noticed > Duration::from_secs(2), "the dead are noticed, not forgotten");
    }
}
