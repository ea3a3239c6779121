//! Which seeds a test runs.

use std::ops::Range;

/// The seeds of a randomized test: `default`, unless the environment says otherwise.
///
/// `SWARM_SEED=17` runs that seed alone, which is what the line that replays a failure should say
/// (see [`Plan::replay`](crate::Plan::replay)). `SWARM_SEEDS=5000` runs so many from the start of
/// `default`.
///
/// # Panics
///
/// If the variable is not a number: better than to run other seeds than asked for.
#[must_use]
pub fn seeds(default: Range<u64>) -> Range<u64> {
    chosen(default, |name| std::env::var(name).ok())
}

fn chosen(default: Range<u64>, variable: impl Fn(&str) -> Option<String>) -> Range<u64> {
    let number = |name: &str| {
        let text = variable(name)?;
        Some(text.trim().parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
    };
    if let Some(seed) = number("SWARM_SEED") {
        return seed..seed.saturating_add(1);
    }
    match number("SWARM_SEEDS") {
        Some(count) => default.start..default.start.saturating_add(count),
        None => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_one_seed_or_many() {
        let only = |set: &'static str, value: &'static str| {
            chosen(10..20, move |name| (name == set).then(|| value.to_owned()))
        };
        assert_eq!(only("", ""), 10..20);
        assert_eq!(only("SWARM_SEED", "17"), 17..18);
        assert_eq!(only("SWARM_SEEDS", " 500 "), 10..510);
    }

    #[test]
    #[should_panic(expected = "SWARM_SEED=x: not a number")]
    fn a_seed_that_is_no_number_is_not_passed_over() {
        let _ = chosen(0..1, |_| Some("x".into()));
    }
}
