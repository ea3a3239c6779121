//! What is still to be passed on (SWIM §4.1): the least told first.

use crate::wire::{Claim, Update};
use swarm_base::NodeName;

/// News that rides on packets until it has been sent often enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
struct Item {
    update: Update,
    encoded: Vec<u8>,
    n_sent: u32,
}

impl News {
    /// Adds `update`, which replaces what was told of the same node. Only accusations by
    /// different members stand side by side: they confirm each other.
    pub(crate) fn add(&mut self, update: Update) {
        self.items.retain(|item| item.update.id.name != update.id.name || confirms(item, &update));
        if self.items.len() >= ITEMS_MAX {
            // The most told is the least missed, and what nobody is told the tables' hashes find.
            let (at, _) =
                self.items.iter().enumerate().max_by_key(|(_, item)| item.n_sent).expect("full");
            self.items.remove(at);
        }
        let mut encoded = Vec::new();
        update.encode(&mut encoded);
        self.items.push(Item { update, encoded, n_sent: 0 });
    }

    /// Takes back everything about a node.
    pub(crate) fn retract(&mut self, name: &NodeName) {
        self.items.retain(|item| item.update.id.name != *name);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends to `body` what fits below `len_max` bytes, the least told first, and forgets what
    /// has now been sent `n_sends` times.
    pub(crate) fn fill(&mut self, body: &mut Vec<u8>, len_max: usize, n_sends: u32) {
        // Stable: among the equally told, the older goes first.
        self.items.sort_by_key(|item| item.n_sent);
        for item in &mut self.items {
            if body.len() + item.encoded.len() <= len_max {
                body.extend(&item.encoded);
                item.n_sent += 1;
            }
        }
        self.items.retain(|item| item.n_sent < n_sends);
    }
}

fn confirms(item: &Item, update: &Update) -> bool {
    match (&item.update.claim, &update.claim) {
        (Claim::Suspect { by: one }, Claim::Suspect { by: other }) => {
            one != other
                && item.update.id == update.id
                && item.update.incarnation == update.incarnation
        }
        _ => false,
    }
}

/// The most items. Beyond that the most told is dropped.
const ITEMS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::{Boot, NodeId};

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot::default())
    }

    fn suspect(name: &str, incarnation: u64, by: &str) -> Update {
        Update { id: node(name), incarnation, claim: Claim::Suspect { by: node(by) } }
    }

    #[test]
    fn news_is_sent_so_often_and_no_more() {
        let mut news = News::default();
        news.add(suspect("x", 1, "a"));
        for _ in 0..4 {
            let mut body = Vec::new();
            news.fill(&mut body, 1000, 4);
            assert!(!body.is_empty());
        }
        assert!(news.is_empty());
    }

    #[test]
    fn newer_news_of_a_node_replaces_older_and_confirmations_add_up() {
        let mut news = News::default();
        news.add(suspect("x", 1, "a"));
        news.add(suspect("x", 1, "b"));
        news.add(suspect("x", 1, "b"));
        assert_eq!(news.items.len(), 2);
        news.add(suspect("x", 2, "a"));
        assert_eq!(news.items.len(), 1);
    }

    #[test]
    fn the_least_told_goes_first_and_nothing_is_too_long() {
        let mut news = News::default();
        news.add(suspect("old", 1, "a"));
        news.fill(&mut Vec::new(), 1000, 9);
        news.add(suspect("new", 1, "a"));
        let mut body = Vec::new();
        let len = news.items[1].encoded.len();
        news.fill(&mut body, len, 9);
        let mut expected = Vec::new();
        suspect("new", 1, "a").encode(&mut expected);
        assert_eq!(body, expected);
    }

    #[test]
    fn it_is_bounded() {
        let mut news = News::default();
        (0..2 * ITEMS_MAX).for_each(|idx| news.add(suspect(&format!("n{idx}"), 1, "a")));
        assert_eq!(news.items.len(), ITEMS_MAX);
    }
}
