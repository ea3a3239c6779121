//! What is still to be passed on (SWIM §4.1): the least told first.

use crate::packet::Draft;
use crate::table::Position;
use crate::wire::{Claim, Update};
use std::collections::{BTreeMap, VecDeque};

/// News that rides on packets until it has been sent often enough.
///
/// Adding costs the logarithm of how much there is, and filling a packet only what fits it.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    items: BTreeMap<u64, Item>,
    last_id: u64,
    /// The items about each node: one, or accusations by different members.
    by_position: BTreeMap<Position, Vec<u64>>,
    /// Items by how often they have been sent. Those that are gone or have moved on are dropped
    /// when they are met.
    tiers: Vec<VecDeque<u64>>,
}

#[derive(Clone, Debug)]
struct Item {
    update: Update,
    position: Position,
    n_sent: u32,
}

/// Whether news waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Before everything else that has not been told: refutations and goodbyes.
    First,
    InOrder,
}

impl News {
    /// Adds `update`, which replaces what was told of the same node. Only accusations by
    /// different members stand side by side: they confirm each other.
    pub(crate) fn add(&mut self, update: Update, turn: Turn) {
        let position = Position::of(&update.id().name);
        let about = self.by_position.entry(position).or_default();
        about.retain(|id| {
            let keeps = self.items.get(id).is_some_and(|item| confirms(&item.update, &update));
            if !keeps {
                self.items.remove(id);
            }
            keeps
        });
        self.last_id += 1;
        about.push(self.last_id);
        self.items.insert(self.last_id, Item { update, position, n_sent: 0 });
        self.enlist(self.last_id, 0, turn);
        if self.items.len() > ITEMS_MAX {
            self.drop_one();
        }
    }

    /// Takes back everything about a node.
    pub(crate) fn retract(&mut self, position: Position) {
        for id in self.by_position.remove(&position).unwrap_or_default() {
            self.items.remove(&id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether there is something that nobody has been told.
    pub(crate) fn has_untold(&self) -> bool {
        let Some(untold) = self.tiers.first() else { return false };
        untold.iter().any(|id| self.items.get(id).is_some_and(|item| item.n_sent == 0))
    }

    /// Somebody else tells what is told here: it needs telling once less (Demers 1987 §1.4,
    /// feedback).
    pub(crate) fn heard(&mut self, update: &Update, n_sends: u32) {
        let Some(about) = self.by_position.get(&Position::of(&update.id().name)) else { return };
        let heard = about.iter().copied().find(|id| {
            self.items.get(id).is_some_and(|item| {
                item.update.incarnation == update.incarnation
                    && item.update.state() == update.state()
            })
        });
        if let Some(id) = heard {
            self.told(id, n_sends);
        }
    }

    /// Adds to `draft` what fits and is not in it, the least told first, and forgets what has now
    /// been sent `n_sends` times.
    pub(crate) fn fill(&mut self, draft: &mut Draft, n_sends: u32) {
        let (mut sent, mut too_long) = (Vec::new(), Vec::new());
        let n_first = draft.n_updates();
        for tier in 0..self.tiers.len() {
            while too_long.len() < TOO_LONG_MAX && draft.room() >= UPDATE_LEN_MIN {
                let Some(id) = self.tiers[tier].pop_front() else { break };
                let Some(item) = self.items.get(&id).filter(|item| item.n_sent as usize == tier)
                else {
                    continue;
                };
                let is_there = draft.begins_with(n_first, &item.update);
                match is_there || draft.push(item.update.clone()) {
                    true => sent.push(id),
                    false => too_long.push((tier, id)),
                }
            }
        }
        for (tier, id) in too_long.into_iter().rev() {
            self.tiers[tier].push_front(id);
        }
        for id in sent {
            self.told(id, n_sends);
        }
    }

    fn told(&mut self, id: u64, n_sends: u32) {
        let Some(item) = self.items.get_mut(&id) else { return };
        item.n_sent += 1;
        let n_sent = item.n_sent;
        if n_sent >= n_sends {
            self.remove(id);
        } else {
            self.enlist(id, n_sent, Turn::InOrder);
        }
    }

    fn enlist(&mut self, id: u64, n_sent: u32, turn: Turn) {
        let tier = n_sent as usize;
        if self.tiers.len() <= tier {
            self.tiers.resize_with(tier + 1, VecDeque::new);
        }
        let waiting = &mut self.tiers[tier];
        // Where nothing is sent, for want of others, nothing that is gone is met.
        if waiting.len() > 2 * self.items.len() + 64 {
            waiting.retain(|id| self.items.get(id).is_some_and(|item| item.n_sent == n_sent));
        }
        match turn {
            Turn::First => waiting.push_front(id),
            Turn::InOrder => waiting.push_back(id),
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(Item { position, .. }) = self.items.remove(&id) else { return };
        if let Some(about) = self.by_position.get_mut(&position) {
            about.retain(|other| *other != id);
            if about.is_empty() {
                self.by_position.remove(&position);
            }
        }
    }

    /// The most told is the least missed, and what nobody is told the tables' hashes find.
    fn drop_one(&mut self) {
        for tier in (0..self.tiers.len()).rev() {
            while let Some(id) = self.tiers[tier].pop_front() {
                if self.items.get(&id).is_some_and(|item| item.n_sent as usize == tier) {
                    return self.remove(id);
                }
            }
        }
    }
}

fn confirms(one: &Update, other: &Update) -> bool {
    match (&one.claim, &other.claim) {
        (Claim::Suspect { id, by }, Claim::Suspect { id: also, by: another }) => {
            by != another && id == also && one.incarnation == other.incarnation
        }
        _ => false,
    }
}

/// The most items. Beyond that the most told is dropped.
const ITEMS_MAX: usize = 4096;

/// How many items that do not fit are passed over for shorter ones.
const TOO_LONG_MAX: usize = 4;

/// No update is shorter.
const UPDATE_LEN_MIN: usize = 3 + 18 + 8 + 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;
    use swarm_base::{Boot, NodeId, NodeName};

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot::default())
    }

    fn suspect(name: &str, incarnation: u64, by: &str) -> Update {
        Update { incarnation, claim: Claim::Suspect { id: node(name), by: node(by) } }
    }

    fn filled(news: &mut News, room: usize, n_sends: u32) -> Vec<Update> {
        let mut draft = Draft::new(Message::Gossip, room + 1);
        news.fill(&mut draft, n_sends);
        draft.addressed(node("me"), Boot::default()).updates
    }

    #[test]
    fn news_is_sent_so_often_and_no_more() {
        let mut news = News::default();
        news.add(suspect("x", 1, "a"), Turn::InOrder);
        for _ in 0..4 {
            assert_eq!(filled(&mut news, 1000, 4).len(), 1);
        }
        assert!(news.is_empty() && news.by_position.is_empty());
        news.add(suspect("x", 1, "a"), Turn::InOrder);
        assert_eq!(filled(&mut news, 1000, 3).len(), 1);
        news.heard(&suspect("x", 1, "b"), 3);
        assert_eq!(filled(&mut news, 1000, 3).len(), 1);
        assert!(news.is_empty(), "somebody else told it, too");
    }

    #[test]
    fn newer_news_of_a_node_replaces_older_and_confirmations_add_up() {
        let mut news = News::default();
        for (incarnation, by) in [(1, "a"), (1, "b"), (1, "b")] {
            news.add(suspect("x", incarnation, by), Turn::InOrder);
        }
        assert_eq!(news.items.len(), 2);
        news.add(suspect("x", 2, "a"), Turn::InOrder);
        assert_eq!(news.items.len(), 1);
        news.retract(Position::of(&node("x").name));
        assert!(news.is_empty() && filled(&mut news, 1000, 4).is_empty());
    }

    #[test]
    fn the_least_told_goes_first_and_nothing_is_too_long() {
        let mut news = News::default();
        news.add(suspect("old", 1, "a"), Turn::InOrder);
        filled(&mut news, 1000, 9);
        news.add(suspect("new", 1, "a"), Turn::InOrder);
        news.add(suspect("own", 1, "a"), Turn::First);
        let len = suspect("own", 1, "a").len();
        assert_eq!(filled(&mut news, len, 9), [suspect("own", 1, "a")]);
        assert_eq!(filled(&mut news, len, 9), [suspect("new", 1, "a")]);
        assert_eq!(filled(&mut news, 1000, 9).len(), 3);
    }

    #[test]
    fn nothing_is_told_twice_in_one_packet() {
        let mut news = News::default();
        news.add(suspect("x", 1, "a"), Turn::InOrder);
        news.add(suspect("y", 1, "a"), Turn::InOrder);
        let mut draft = Draft::new(Message::Gossip, 1000);
        draft.push(suspect("x", 1, "a"));
        news.fill(&mut draft, 1);
        let told = draft.addressed(node("me"), Boot::default()).updates;
        assert_eq!(told, [suspect("x", 1, "a"), suspect("y", 1, "a")]);
        assert!(news.is_empty(), "both count as told");
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let mut news = News::default();
        let long = suspect(&"x".repeat(200), 1, "a");
        news.add(long.clone(), Turn::InOrder);
        news.add(suspect("y", 1, "a"), Turn::InOrder);
        assert_eq!(filled(&mut news, 100, 9), [suspect("y", 1, "a")]);
        assert_eq!(filled(&mut news, 1000, 9).first(), Some(&long), "and has kept its place");
    }

    #[test]
    fn it_is_bounded() {
        let mut news = News::default();
        for idx in 0..2 * ITEMS_MAX {
            news.add(suspect(&format!("n{idx}"), 1, "a"), Turn::InOrder);
        }
        assert_eq!((news.items.len(), news.by_position.len()), (ITEMS_MAX, ITEMS_MAX));
    }
}
