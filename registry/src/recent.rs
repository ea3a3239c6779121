//! How much of each log is kept as it was written.
//!
//! The recent end of a log is for who lacks a little of it. Who lacks more facts than there are
//! names is served a snapshot more cheaply: so of what has arrived everywhere, a node keeps no more
//! than that.

use crate::Registry;
use crate::history::Bounds;
use crate::log::{LogId, OWN};
use crate::peer::Feed;

/// The most facts and bytes of another node's log, to pass its end on when the node dies.
const OTHERS: (usize, usize) = (4_096, 1024 * 1024);

/// So many facts are kept of the smallest log: who has been away for a moment is not sent a
/// snapshot.
const FACTS_MIN: usize = 256;

impl Registry {
    /// How much of a log is kept.
    pub(crate) fn bounds(&self, id: LogId) -> Bounds {
        let feeds = || self.peers.values().filter_map(|peer| peer.feeds.get(&id));
        // A peer that takes in a snapshot falls behind while it does; four times the bound is
        // kept for it, so that the snapshot's end meets the facts that follow it.
        let times = if feeds().any(Feed::is_transferring) { 4 } else { 1 };
        let (facts, len) = match id {
            OWN => (self.config.history_facts_max, self.config.history_len_max),
            _ => OTHERS,
        };
        let taken = feeds().map(Feed::taken).min().unwrap_or(u64::MAX);
        let state = self.replica.table.places(id).len() + self.replica.logs[id].members.len();
        Bounds { facts: facts * times, len: len * times, taken, spare: state.max(FACTS_MIN) }
    }

    /// Lets go of what was kept for peers that have it by now.
    pub(crate) fn trim(&mut self) {
        let ids: Vec<LogId> = self.replica.logs.iter().map(|(id, _)| id).collect();
        for id in ids {
            let bounds = self.bounds(id);
            self.replica.logs[id].history.trim(bounds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Claim, Config, Fact, Message, Why};
    use std::time::Duration;
    use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng, Token};

    /// A writer and a reader that know each other.
    struct Pair {
        now: Instant,
        nodes: [Registry; 2],
        /// How many pieces of snapshots were delivered.
        n_pieces: usize,
    }

    impl Pair {
        fn new() -> Self {
            let now = Instant::after_start(Duration::from_secs(1));
            let config = Config::default().check().expect("within bounds");
            let nodes = [0, 1].map(|n| Registry::new(now, node(n), config.clone(), Rng::new(n)));
            let mut pair = Self { now, nodes, n_pieces: 0 };
            pair.connect();
            pair
        }

        fn connect(&mut self) {
            for n in [0, 1] {
                self.nodes[n].node_up(self.now, node(1 - n as u64));
                self.nodes[n].session_up(self.now, node(1 - n as u64));
            }
            self.talk();
        }

        fn disconnect(&mut self) {
            for n in [0, 1] {
                self.nodes[n].session_down(self.now, &node(1 - n as u64));
            }
        }

        /// Delivers until nobody has anything to say, a tenth of a second later.
        fn talk(&mut self) {
            self.now += Duration::from_millis(100);
            let mut is_quiet = false;
            while !is_quiet {
                is_quiet = true;
                for n in [0, 1] {
                    if self.nodes[n].poll_timeout().is_some_and(|at| at <= self.now) {
                        self.nodes[n].handle_timeout(self.now);
                    }
                    while let Some(output) = self.nodes[n].poll_output() {
                        let Output::Send { message, .. } = output else { continue };
                        is_quiet = false;
                        self.n_pieces += usize::from(matches!(message, Message::Chunk { .. }));
                        let from = node(n as u64);
                        self.nodes[1 - n].handle_message(self.now, from, message);
                    }
                }
            }
        }

        /// The writer registers these names, or anew.
        fn register(&mut self, names: std::ops::Range<u64>, epoch: u64) {
            let claim = |serial| {
                let at = At::Running(Pid::new(node(0).boot, serial));
                Fact::Named(Claim::new(name(serial), token(epoch), at))
            };
            self.nodes[0].append_all(self.now, names.map(claim));
        }

        fn stop(&mut self, names: std::ops::Range<u64>, epoch: u64) {
            let (token, why) = (token(epoch), Why::Settled);
            let end = |serial| Fact::Ended { name: name(serial), token, why: why.clone() };
            self.nodes[0].append_all(self.now, names.map(end));
        }

        /// How many facts of the writer's log each has, once all has arrived.
        fn kept(&mut self) -> [usize; 2] {
            self.now += Config::default().compare_interval * 2;
            self.talk();
            assert_eq!(self.nodes[1].position(&node(0)), self.nodes[0].position(&node(0)));
            [0, 1].map(|n| self.nodes[n].replica.logs.of(&node(0)).expect("known").history.facts())
        }
    }

    fn node(n: u64) -> NodeId {
        let name = NodeName::new(format!("n{n}")).expect("a name");
        NodeId::new(name, Boot { millis: 1, random: n })
    }

    fn name(serial: u64) -> Name {
        Name::new(format!("name-{serial}")).expect("a name")
    }

    fn token(epoch: u64) -> Token {
        Token::new(epoch, node(0).boot)
    }

    #[test]
    fn names_that_come_and_go_leave_no_more_than_a_snapshot_has() {
        let mut pair = Pair::new();
        pair.register(0..400, 1);
        pair.talk();
        for n in 1_000..5_000 {
            pair.register(n..n + 1, 1);
            pair.stop(n..n + 1, 1);
            pair.talk();
        }
        assert_eq!((pair.kept(), pair.n_pieces), ([400; 2], 0));
        pair.stop(0..400, 1);
        assert_eq!(pair.kept(), [400, 400], "together, as they were written");
        pair.register(0..1, 2);
        pair.talk();
        for epoch in 3..1_000 {
            pair.register(0..1, epoch);
            pair.talk();
        }
        assert_eq!((pair.kept(), pair.n_pieces), ([FACTS_MIN; 2], 0));
    }

    #[test]
    fn a_burst_from_nothing_is_sent_as_it_was_written() {
        let mut pair = Pair::new();
        pair.register(0..20_000, 1);
        pair.stop(0..20_000, 1);
        assert!(pair.nodes[0].replica.logs[OWN].history.facts() > 30_000);
        pair.talk();
        let kept = pair.kept();
        assert!(kept.iter().all(|facts| *facts <= 4_096), "{kept:?}");
        assert_eq!(pair.n_pieces, 0);
    }

    #[test]
    fn who_was_away_is_sent_the_fewer_of_facts_and_names() {
        let away = |n_names, n_facts, n_pieces| {
            let mut pair = Pair::new();
            pair.register(0..n_names, 1);
            pair.talk();
            pair.disconnect();
            for n in 0..n_facts {
                pair.register(0..1, 2 + n);
                pair.nodes[0].flush();
                pair.talk();
            }
            pair.connect();
            pair.kept();
            assert_eq!(pair.n_pieces, n_pieces, "{n_facts} facts about {n_names} names");
        };
        away(10, 200, 0);
        away(10, 1_000, 1);
        away(2_000, 1_000, 0);
        away(2_000, 3_000, 1);
    }
}
