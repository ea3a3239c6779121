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
    for ((what, fault), times) in &struck {
        println!("{what:8} × {fault:22} {times}");
    }
    let missing: Vec<_> = wanted().filter(|key| !struck.contains_key(key)).collect();
    let enough = seeds().count() >= 2_000;
    assert!(missing.is_empty() || !enough, "never struck: {missing:?}");
}

#[test]
fn every_broken_variant_is_caught() {
    for (flaw, broken) in [
        (Flaw::PromoteByTimer, "H1"),
        (Flaw::AbortWithoutId, "H2"),
        (Flaw::KillBeforeReady, "H2"),
        (Flaw::ForgetAfterAck, "H5"),
        (Flaw::DropSnapshotAtCommit, "H4"),
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
fn wanted() -> impl Iterator<Item = (&'static str, &'static str)> {
    let messages = [
        "offer", "ready", "refused", "mails", "taken", "commit", "ack", "nack", "abort", "query",
        "done",
    ];
    let faults = [
        "lost",
        "duplicate",
        "break before",
        "break after",
        "receiver crash before",
        "receiver crash after",
        "sender crash after",
    ];
    messages.into_iter().flat_map(move |message| faults.into_iter().map(move |f| (message, f)))
}

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
