//! The move protocol under session breaks, crashes, duplicates and slow processes (H1 to H7), and
//! the same checks against variants that are known to be broken.

mod world;

use std::time::Duration;
use world::{Flaw, Struck, Violation, World};

const CHAOS: Duration = Duration::from_secs(40);

#[test]
fn a_process_runs_once_and_keeps_its_state_whatever_breaks() {
    let mut struck = Struck::new();
    for seed in seeds() {
        match run(seed, None) {
            Ok(more) => more.into_iter().for_each(|(key, n)| *struck.entry(key).or_default() += n),
            Err(violation) => panic!("{}", report(seed, &violation)),
        }
    }
    print_matrix(&struck);
    let others = struck.iter().filter(|((what, _), _)| !MESSAGES.contains(what));
    others.for_each(|((what, fault), times)| println!("{what}: {fault}: {times}"));
    // Thirty of each in 5,000 seeds, and as many for their share.
    let n_seeds = seeds().count() as u64;
    let wanted = if n_seeds >= 2_000 { 30 * n_seeds.min(5_000) / 5_000 } else { 0 };
    let times = |key: &_| struck.get(key).copied().unwrap_or(0);
    let rare: Vec<_> = cells().filter(|key| times(key) < wanted).collect();
    assert!(rare.is_empty(), "struck fewer than {wanted} times: {rare:?}");
}

#[test]
fn every_broken_variant_is_caught() {
    for (flaw, broken) in [
        (Flaw::PromoteByTimer, "H1"),
        (Flaw::AbortWithoutId, "H2"),
        (Flaw::KillBeforeReady, "H2"),
        (Flaw::ForgetAfterAck, "H5"),
        (Flaw::DropSnapshotAtCommit, "H4"),
        (Flaw::CountChunks, "H4"),
    ] {
        let violates = |seed| {
            let violation = run(seed, Some(flaw)).err()?;
            violation.property.starts_with(broken).then_some((seed, violation))
        };
        let caught = (0..10_000).find_map(violates);
        let (seed, violation) = caught.unwrap_or_else(|| panic!("{flaw:?} was not caught"));
        println!("{flaw:?}: seed {seed}, {}: {}", violation.property, violation.what);
    }
}

#[test]
fn false_deaths_leave_one_process_in_the_end() {
    let mut struck = Struck::new();
    for seed in seeds().take(1_000) {
        match World::with_false_deaths(seed).run(CHAOS) {
            Ok(more) => more.into_iter().for_each(|(key, n)| *struck.entry(key).or_default() += n),
            Err(violation) => panic!("{}", report(seed, &violation)),
        }
    }
    for fault in ["false death", "conflict"] {
        println!("{fault}: {}", struck[&("nothing", fault)]);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let struck = |result: Result<Struck, Violation>| result.expect("holds");
        assert_eq!(struck(run(seed, None)), struck(run(seed, None)), "seed {seed}");
    }
}

fn run(seed: u64, flaw: Option<Flaw>) -> Result<Struck, Violation> {
    World::new(seed, flaw).run(CHAOS)
}

/// `SEED` replays one, `SEEDS` says how many.
fn seeds() -> std::ops::Range<u64> {
    let number = |key| std::env::var(key).ok().and_then(|value| value.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(2_000),
    }
}

/// Every message meets every fault.
fn cells() -> impl Iterator<Item = (&'static str, &'static str)> {
    MESSAGES.into_iter().flat_map(|message| FAULTS.into_iter().map(move |fault| (message, fault)))
}

fn print_matrix(struck: &Struck) {
    let heads: Vec<String> =
        FAULTS.iter().map(|fault| format!("{fault:>width$}", width = fault.len().max(6))).collect();
    println!("{:8} {}", "", heads.join("  "));
    for message in MESSAGES {
        let times = FAULTS.iter().zip(&heads).map(|(fault, head)| {
            let times = struck.get(&(message, *fault)).copied().unwrap_or(0);
            format!("{times:>width$}", width = head.len())
        });
        println!("{message:8} {}", times.collect::<Vec<_>>().join("  "));
    }
}

/// What the ends of a move tell each other. A state that does not stand in its offer is announced
/// and goes in chunks. The mail that has reached the source is forwarded in parts (`mails`), and with
/// the commit.
const MESSAGES: [&str; 14] = [
    "offer", "announce", "chunk", "chunk-ok", "ready", "refused", "mails", "taken", "commit",
    "ack", "nack", "abort", "query", "done",
];

/// What strikes a message. Late is beyond every timeout of the move; the receiver of an answer is
/// the source, that of everything else the target.
const FAULTS: [&str; 8] = [
    "lost",
    "late",
    "duplicate",
    "break before",
    "break after",
    "receiver crash before",
    "receiver crash after",
    "sender crash after",
];

fn report(seed: u64, violation: &Violation) -> String {
    // What concerns the name that the violation is about, or every name.
    let name = ["n0", "n1"].into_iter().find(|name| violation.what.contains(name));
    let concerns =
        |line: &&str| name.is_none_or(|name| line.contains(name) || line.ends_with("crashes"));
    let mut trace: Vec<&str> =
        violation.trace.iter().rev().map(String::as_str).filter(concerns).take(60).collect();
    trace.reverse();
    format!(
        "SEED={seed} cargo test -p swarm-handoff --test moves\n{}: {}\n{}",
        violation.property,
        violation.what,
        trace.join("\n")
    )
}
