//! What the workers of all nodes write down of their lives, and whether two of one name ever ran at
//! once.
//!
//! Each node process has a file of its own, into which its workers write a line when they begin to
//! serve and one when they are gone. A file outlives the process: where a line is missing at the
//! end, the process's own end counts.

use crate::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A worker's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) name: String,
    pub(super) pid: String,
    token: String,
    began_us: u64,
    /// `u64::MAX` while it lives.
    ended_us: u64,
}

/// A time in which two may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from_us: u64,
    pub(super) until_us: u64,
}

/// Two of one name that ran at once, and for how long nothing excuses that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    name: String,
    pids: [String; 2],
    for_us: u64,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, pids: [one, other], for_us } = self;
        write!(f, "{name} ran as {one} and {other} for {} ms", for_us / 1000)
    }
}

/// The time of day, the one clock that all processes of this machine share.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The line of a worker that begins.
pub(super) fn began(name: &str, pid: &str, token: &str) -> String {
    format!("began {} {pid} {token} {name}\n", now_us())
}

/// The line of a worker that is gone.
pub(super) fn ended(pid: &str) -> String {
    format!("ended {} {pid}\n", now_us())
}

/// The lives in a file. `end_us` is when its process ended; `u64::MAX` while that runs.
pub(super) fn read(file: &Path, end_us: u64) -> Result<Vec<Life>, Failure> {
    let failed = |why: String| Failure::new(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    parse(&text, end_us).map_err(failed)
}

fn parse(text: &str, end_us: u64) -> Result<Vec<Life>, String> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    // Who was killed may have left half a line.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let wrong = || format!("not a line of a ledger: {line}");
        let words: Vec<&str> = line.trim_end().splitn(5, ' ').collect();
        match words[..] {
            ["began", at, pid, token, name] => {
                let life = Life {
                    name: name.to_owned(),
                    pid: pid.to_owned(),
                    token: token.to_owned(),
                    began_us: at.parse().map_err(|_| wrong())?,
                    ended_us: end_us,
                };
                if lives.insert(pid.to_owned(), life).is_some() {
                    return Err(format!("{pid} began twice"));
                }
            }
            ["ended", at, pid] => {
                let life =
                    lives.get_mut(pid).ok_or_else(|| format!("{pid} ended, and never began"))?;
                life.ended_us = at.parse().map_err(|_| wrong())?;
            }
            _ => return Err(wrong()),
        }
    }
    Ok(lives.into_values().collect())
}

/// All pairs of lives of one name that were at once, outside of these windows.
pub(super) fn overlaps(lives: &[Life], excused: &[Window]) -> Vec<Overlap> {
    let mut of_names: BTreeMap<&str, Vec<&Life>> = BTreeMap::new();
    lives.iter().for_each(|life| of_names.entry(&life.name).or_default().push(life));
    let mut overlaps = Vec::new();
    for lives in of_names.values() {
        for (at, one) in lives.iter().enumerate() {
            for other in &lives[at + 1..] {
                let from_us = one.began_us.max(other.began_us);
                let until_us = one.ended_us.min(other.ended_us);
                let for_us = left(Window { from_us, until_us }, excused);
                if for_us > 0 {
                    let (name, pids) = (one.name.clone(), [one.pid.clone(), other.pid.clone()]);
                    overlaps.push(Overlap { name, pids, for_us });
                }
            }
        }
    }
    overlaps
}

/// How much of a time is in none of these windows, which may overlap.
fn left(Window { mut from_us, until_us }: Window, excused: &[Window]) -> u64 {
    let mut excused = excused.to_vec();
    excused.sort_unstable_by_key(|window| window.from_us);
    let mut left = 0;
    for window in excused {
        if from_us >= until_us {
            return left;
        }
        left += window.from_us.clamp(from_us, until_us) - from_us;
        from_us = from_us.max(window.until_us);
    }
    left + until_us.saturating_sub(from_us)
}

/// Whether two lives began with the same token of one name.
pub(super) fn same_token(lives: &[Life]) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    for life in lives {
        if let Some(other) = seen.insert((&life.name, &life.token), &life.pid) {
            let Life { name, pid, token, .. } = life;
            return Err(format!("{pid} and {other} began as {name} with the token {token}"));
        }
    }
    Ok(())
}

/// The names of those that live now, one for each life.
pub(super) fn living(lives: &[Life]) -> Vec<&str> {
    let living = lives.iter().filter(|life| life.ended_us == u64::MAX);
    let mut names: Vec<_> = living.map(|life| life.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// When the last one of these processes ended, of those that lived at a moment; `None` where some
/// still live.
pub(super) fn last_end(lives: &[Life], at_us: u64, pids: &BTreeSet<String>) -> Option<u64> {
    let lived = |life: &&Life| life.began_us <= at_us && pids.contains(&life.pid);
    let last = lives.iter().filter(lived).map(|life| life.ended_us).max();
    last.filter(|ended_us| *ended_us < u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(name: &str, pid: &str, began_us: u64, ended_us: u64) -> Life {
        let (name, pid) = (name.to_owned(), pid.to_owned());
        Life { name, token: pid.clone(), pid, began_us, ended_us }
    }

    fn window(from_us: u64, until_us: u64) -> Window {
        Window { from_us, until_us }
    }

    #[test]
    fn who_follows_another_does_not_overlap_and_who_is_early_does() {
        let check = |second: Life, expected: &[u64]| {
            let found = overlaps(&[life("a", "1", 10, 20), second], &[]);
            assert_eq!(found.iter().map(|it| it.for_us).collect::<Vec<_>>(), expected);
        };
        check(life("a", "2", 20, 30), &[]);
        check(life("a", "2", 19, 30), &[1]);
        check(life("a", "2", 12, 15), &[3]);
        check(life("a", "2", 0, u64::MAX), &[10]);
        check(life("b", "2", 10, 20), &[]);
    }

    #[test]
    fn two_that_still_live_overlap() {
        let lives = [life("a", "1", 10, u64::MAX), life("a", "2", 20, u64::MAX)];
        assert_eq!(overlaps(&lives, &[]).len(), 1);
        assert_eq!(living(&lives), ["a", "a"]);
    }

    #[test]
    fn only_the_whole_of_an_excuse_excuses() {
        let lives = [life("a", "1", 10, 30), life("a", "2", 15, 40)];
        let check = |excused: &[Window], left: u64| {
            let found = overlaps(&lives, excused);
            assert_eq!(found.iter().map(|it| it.for_us).sum::<u64>(), left, "{excused:?}");
        };
        check(&[], 15);
        check(&[window(15, 30)], 0);
        check(&[window(0, 100)], 0);
        check(&[window(16, 30)], 1);
        check(&[window(0, 20), window(18, 25)], 5);
        check(&[window(26, 27), window(16, 18)], 12);
        check(&[window(30, 90)], 15);
    }

    #[test]
    fn three_of_one_name_are_three_pairs() {
        let lives = [life("a", "1", 0, 9), life("a", "2", 1, 9), life("a", "3", 2, 9)];
        assert_eq!(overlaps(&lives, &[]).len(), 3);
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        let text = "began 5 <1.1> 7 a name\nbegan 6 <1.2> 8 b\nended 9 <1.1>\nbegan 9 <1.";
        let lives = parse(text, 99).expect("whole lines");
        let lived: Vec<_> = lives.iter().map(|it| (it.began_us, it.ended_us)).collect();
        assert_eq!(lived, [(5, 9), (6, 99)]);
        assert_eq!(lives[0].name, "a name");
        let both = [began("n", "<1.1>", "3"), ended("<1.1>")].concat();
        assert_eq!(living(&parse(&both, u64::MAX).expect("as written")), [""; 0]);
        for bad in ["ended 9 <1.1>\n", "began x <1.1> 7 a\n", "nothing\n"] {
            assert!(parse(bad, 0).is_err(), "{bad}");
        }
        let twice = "began 5 <1.1> 7 a\nbegan 6 <1.1> 7 a\n";
        assert!(parse(twice, 0).is_err());
    }

    #[test]
    fn a_token_is_given_once() {
        let (one, mut other) = (life("a", "1", 0, 1), life("a", "2", 2, 3));
        assert_eq!(same_token(&[one.clone(), other.clone()]), Ok(()));
        other.token.clone_from(&one.token);
        assert!(same_token(&[one.clone(), other.clone()]).is_err());
        other.name = "b".to_owned();
        assert_eq!(same_token(&[one, other]), Ok(()));
    }

    #[test]
    fn the_last_end_is_that_of_the_last_of_them() {
        let lives = [life("a", "1", 0, 5), life("b", "2", 0, 8), life("c", "3", 9, u64::MAX)];
        let pids = |pids: &[&str]| pids.iter().map(ToString::to_string).collect();
        assert_eq!(last_end(&lives, 1, &pids(&["1", "2", "3"])), Some(8));
        assert_eq!(last_end(&lives, 1, &pids(&["1"])), Some(5));
        assert_eq!(last_end(&lives, 9, &pids(&["2", "3"])), None);
    }
}
