//! Answers that were given: a copy of a question that comes late gets the same one again, and what
//! was asked is not done twice.
//!
//! A question is asked again when its answer may have been lost, so that two copies of it can be
//! under way, one of them for as long as a session lives that nothing gets through. Whoever answers
//! keeps the answer for a while (Birrell and Nelson, Implementing Remote Procedure Calls, 1984, §3.2).

use super::asks::AskKey;
use super::wire::{Answer, Ask, What};
use std::collections::VecDeque;
use std::time::Duration;
use swarm_base::{Index, Instant};

/// The answers to other nodes' questions that changed something.
#[derive(Debug, Default)]
pub(super) struct Answered {
    answers: Index<AskKey, Answer>,
    /// In the order in which they run out: all are kept as long.
    ends: VecDeque<(Instant, AskKey)>,
}

/// How long an answer is kept: longer than a session outlives its path.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// The most answers that are kept, about 5 MB; the oldest goes.
const KEPT_MAX: usize = 32_768;

impl Answered {
    pub(super) fn insert(&mut self, now: Instant, ask: &Ask, answer: Answer) {
        if matches!(ask.what, What::Whereis { .. } | What::Explain { .. }) {
            return;
        }
        let is_over = |(end, _): &mut (Instant, AskKey)| *end <= now;
        while let Some((_, key)) = self.ends.pop_front_if(is_over) {
            self.answers.swap_remove(&key);
        }
        if self.ends.len() >= KEPT_MAX
            && let Some((_, key)) = self.ends.pop_front()
        {
            self.answers.swap_remove(&key);
        }
        if self.answers.insert(ask.key(), answer).is_none() {
            self.ends.push_back((now + KEPT_FOR, ask.key()));
        }
    }

    pub(super) fn get(&self, key: &AskKey) -> Option<&Answer> {
        self.answers.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Outcome;
    use super::*;
    use swarm_base::{Boot, Name, NodeId, NodeName};

    fn ask(id: u64) -> Ask {
        let origin = NodeId::new(NodeName::new("a").expect("a name"), Boot::default());
        let what = What::Unregister { name: Name::new("x").expect("a name") };
        Ask { origin, id, left_ms: 1, hops: 1, is_reserved: false, what }
    }

    fn answer(id: u64) -> Answer {
        Answer { id, at: None, outcome: Outcome::Done }
    }

    #[test]
    fn the_oldest_go_first_by_number_and_by_time() {
        let (mut kept, now) = (Answered::default(), Instant::START);
        for id in 0..=KEPT_MAX as u64 {
            kept.insert(now, &ask(id), answer(id));
        }
        assert_eq!(kept.answers.len(), KEPT_MAX);
        assert_eq!(kept.get(&ask(0).key()), None);
        assert_eq!(kept.get(&ask(1).key()), Some(&answer(1)));
        kept.insert(now + KEPT_FOR, &ask(0), answer(0));
        assert_eq!((kept.answers.len(), kept.ends.len()), (1, 1));
    }
}
