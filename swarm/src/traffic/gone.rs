//! Processes of other nodes whose end was told here before the facts of their nodes say so.

use super::seldom::Seldom;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use swarm_base::{Instant, Pid};

/// A monitor's `Down` comes straight from the process, its facts through its node: until these
/// are here, the views still show what a caller knows to have ended.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    pids: Seldom<Pid, ()>,
    /// In the order in which they were told.
    told: Mutex<VecDeque<(Instant, Pid)>>,
}

/// How long the end of a process is remembered. Its facts come within a round trip; a connection
/// over which nothing comes for so long is closed.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How many are remembered at most; the oldest are forgotten first.
const GONE_MAX: usize = 65_536;

impl Gone {
    /// `pid` has ended.
    pub(crate) fn insert(&self, now: Instant, pid: Pid) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if self.pids.contains(&pid) {
            return;
        }
        self.pids.insert(pid, ());
        told.push_back((now, pid));
        let is_over = |(at, _): &mut (Instant, Pid)| now.since(*at) > REMEMBERED;
        while let Some((_, old)) =
            if told.len() > GONE_MAX { told.pop_front() } else { told.pop_front_if(is_over) }
        {
            self.pids.remove(&old);
        }
    }

    /// Whether `pid` is known to have ended.
    pub(crate) fn contains(&self, pid: Pid) -> bool {
        self.pids.contains(&pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::Boot;

    fn pid(serial: usize) -> Pid {
        Pid::new(Boot::default(), serial as u64)
    }

    #[test]
    fn the_last_are_remembered_for_a_while() {
        let gone = Gone::default();
        let at = |secs| Instant::after_start(Duration::from_secs(secs));
        gone.insert(at(1), pid(1));
        gone.insert(at(1), pid(1));
        gone.insert(at(60), pid(2));
        assert!(gone.contains(pid(1)) && gone.contains(pid(2)) && !gone.contains(pid(3)));
        gone.insert(at(62), pid(3));
        assert!(!gone.contains(pid(1)) && gone.contains(pid(2)) && gone.contains(pid(3)));
        for serial in 4..GONE_MAX + 4 {
            gone.insert(at(62), pid(serial));
        }
        assert!(!gone.contains(pid(3)) && gone.contains(pid(4)), "the oldest went");
    }
}
