//! What an agent believes of the others, by its events alone.

use super::says::{Event, Kind, Life, Listed};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The members that an agent's events add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct View(BTreeMap<String, Seen>);

/// What is believed of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    boot: String,
    address: Option<SocketAddr>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum State {
    Alive,
    Suspect,
    Dead,
    Left,
}

impl View {
    /// Takes all that the agent `own` believes of others.
    pub(super) fn take_all(&mut self, own: &str, members: Vec<Listed>) {
        let others = members.into_iter().filter(|member| member.node != own);
        let seen = |Listed { node, boot, address, state }| {
            (node, Seen { boot, address: Some(address), state })
        };
        self.0 = others.map(seen).collect();
    }

    pub(super) fn take(&mut self, event: &Event) {
        let Some(Life { node, boot }) = event.about.clone() else { return };
        let state = match event.kind {
            Kind::Joined => {
                let seen = Seen { boot, address: event.address, state: State::Alive };
                self.0.insert(node, seen);
                return;
            }
            Kind::Updated => {
                if let Some(seen) = self.0.get_mut(&node).filter(|seen| seen.boot == boot) {
                    seen.address = event.address;
                }
                return;
            }
            Kind::Suspected => State::Suspect,
            Kind::Refuted => State::Alive,
            Kind::Failed => State::Dead,
            Kind::Left => State::Left,
            _ => return,
        };
        // What is said of a former life says nothing of this one.
        if let Some(seen) = self.0.get_mut(&node).filter(|seen| seen.boot == boot) {
            seen.state = state;
        }
    }

    /// What is believed of this life; `None` where another life is known, or none at all.
    pub(in super::super) fn state(&self, life: &Life) -> Option<State> {
        let seen = self.0.get(&life.node)?;
        (seen.boot == life.boot).then_some(seen.state)
    }

    /// Where this life is said to be.
    pub(in super::super) fn address(&self, life: &Life) -> Option<SocketAddr> {
        let seen = self.0.get(&life.node)?;
        if seen.boot == life.boot { seen.address } else { None }
    }

    /// How many count as members: alive, or suspected and not given up.
    pub(in super::super) fn n_live(&self) -> usize {
        let is_live = |seen: &&Seen| matches!(seen.state, State::Alive | State::Suspect);
        self.0.values().filter(is_live).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(boot: &str) -> Life {
        Life { node: "b".into(), boot: boot.into() }
    }

    fn view(events: &[(Kind, &str)]) -> View {
        let mut view = View::default();
        for (kind, boot) in events {
            let about = Some(life(boot));
            view.take(&Event { kind: *kind, about, address: None, incarnation: None, why: None });
        }
        view
    }

    #[test]
    fn the_last_event_of_a_life_is_what_is_believed() {
        let check = |events: &[(Kind, &str)], expected: Option<State>| {
            assert_eq!(view(events).state(&life("1")), expected, "{events:?}");
        };
        let joined = (Kind::Joined, "1");
        check(&[], None);
        check(&[joined], Some(State::Alive));
        check(&[joined, (Kind::Suspected, "1")], Some(State::Suspect));
        check(&[joined, (Kind::Suspected, "1"), (Kind::Refuted, "1")], Some(State::Alive));
        check(&[joined, (Kind::Failed, "1")], Some(State::Dead));
        check(&[joined, (Kind::Failed, "1"), joined], Some(State::Alive));
        check(&[joined, (Kind::Left, "1")], Some(State::Left));
        check(&[(Kind::Suspected, "1")], None);
    }

    #[test]
    fn a_snapshot_is_all_there_is_and_leaves_the_agent_itself_out() {
        let listed = |node: &str| Listed {
            node: node.into(),
            boot: "1".into(),
            address: "10.77.0.1:7946".parse().expect("an address"),
            state: State::Suspect,
        };
        let mut view = view(&[(Kind::Joined, "2")]);
        view.take_all("a", vec![listed("a"), listed("b")]);
        assert_eq!(view.state(&life("1")), Some(State::Suspect));
        assert_eq!(view.n_live(), 1);
    }

    #[test]
    fn news_of_a_former_life_says_nothing_of_this_one() {
        let events = [(Kind::Joined, "1"), (Kind::Joined, "2"), (Kind::Failed, "1")];
        assert_eq!(view(&events).state(&life("2")), Some(State::Alive));
        assert_eq!(view(&events).state(&life("1")), None);
        assert_eq!(view(&events).n_live(), 1);
    }
}
