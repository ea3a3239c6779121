//! The scenarios: what is done to a cluster, and what has to come of it.

mod addresses;
mod cuts;
mod deaths;
mod delay;
mod flood;
mod freezes;
mod keys;
mod loss;
mod moves;
mod names;
mod quiet;
mod registry;

use super::setting::{Extent, Profile};
use super::{Figures, Stage};
use crate::Failure;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    Join,
    JoinIpv6,
    JoinDualStack,
    Steady,
    Leave,
    Kill,
    FreezeShort,
    FreezeLong,
    RestartSameAddress,
    AddressChange,
    TwoOfAName,
    ClockBack,
    ClockAhead,
    #[value(name = "loss-10")]
    Loss10,
    #[value(name = "loss-20")]
    Loss20,
    #[value(name = "loss-30")]
    Loss30,
    LossPair,
    CutHalves,
    CutOff,
    CutOneWay,
    CutPair,
    CutPairs,
    CutFlapping,
    DelayReorder,
    Keys,
    Flood,
    NamesRace,
    NamesCrowd,
    NamesSplit,
    NamesCutLink,
    NamesKill,
    NamesLoss,
    NamesChurn,
    #[value(name = "moves-split-3-2")]
    MovesSplit32,
    #[value(name = "moves-split-1-1")]
    MovesSplit11,
    #[value(name = "moves-split-1-2")]
    MovesSplit12,
    #[value(name = "moves-split-2-2")]
    MovesSplit22,
    MovesOneWay,
    MovesNonTransitive,
    MovesFreezeShort,
    MovesFreezeLong,
    MovesQuorum,
    MovesCycles,
    MovesKill,
}

impl Scenario {
    pub(super) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    pub(super) fn name(self) -> String {
        let value = self.to_possible_value().expect("no scenario is hidden");
        value.get_name().to_owned()
    }

    /// What is done, and what has to come of it.
    const fn about(self) -> &'static str {
        match self {
            Self::Join => "all nodes join at once: all see all",
            Self::JoinIpv6 => "all nodes join over IPv6: all see all, and one is killed",
            Self::JoinDualStack => "half of the sockets are IPv4, half both: the same",
            Self::Steady => "nothing happens: packets and bytes of a node, and nobody dies",
            Self::Leave => "two nodes say goodbye: all have heard it within a second",
            Self::Kill => "kill -9, the host lives: the first and the last one to learn of it",
            Self::FreezeShort => "a node stops until it is suspected: it refutes, and never died",
            Self::FreezeLong => "a node stops until it is dead to all: it comes back by itself",
            Self::RestartSameAddress => "kill -9 and a new start at once: all see the new life",
            Self::AddressChange => "a node starts anew on another host: all see it there",
            Self::TwoOfAName => "a second node takes a name: it is told so, and nothing flaps",
            Self::ClockBack => "a node starts anew with its clock an hour back: all see it",
            Self::ClockAhead => "a node starts anew a day ahead, and again at the right time",
            Self::Loss10 => "every host loses 10 % for a minute: nobody dies but who then stops",
            Self::Loss20 => "every host loses 20 % for a minute: nobody dies but who then stops",
            Self::Loss30 => "every host loses 30 % for a minute: nobody dies but who then stops",
            Self::LossPair => "two nodes lose 80 % of what the other one sends: nobody dies",
            Self::CutHalves => "two halves bury each other: after the heal all see all",
            Self::CutOff => "a node is cut off both ways: dead to all, and back after the heal",
            Self::CutOneWay => {
                "a node hears nobody: nobody else dies, and after the heal it is back"
            }
            Self::CutPair => "two nodes cannot reach each other: nobody dies",
            Self::CutPairs => "every node has one that it cannot reach: nobody dies",
            Self::CutFlapping => "a node is cut off every other second: nobody dies",
            Self::DelayReorder => {
                "packets are late, twice and out of order: nobody dies but who is killed"
            }
            Self::Keys => "the secret changes while all run: who has the old one stays outside",
            Self::Flood => "a node is flooded with bad packets: nobody is suspected",
            Self::NamesRace => "three nodes race for 300 names: each has one winner, known to all",
            Self::NamesCrowd => "100 callers of 5 nodes for each of 200 names: one Ok, 99 the same",
            Self::NamesSplit => {
                "1,000 names, a split, new and gone ones on each side: after the \
                                 heal all tables are equal and whole (--rounds)"
            }
            Self::NamesCutLink => {
                "a link is cut ten times while all register: equal tables, nothing lost"
            }
            Self::NamesKill => {
                "kill -9 amid 5,000 registrations: every Ok of the others stays, all else goes"
            }
            Self::NamesLoss => {
                "every host loses 20 % while all register: equal tables, nothing lost (--minutes)"
            }
            Self::NamesChurn => {
                "10,000 names a second come and go: memory flat, rate kept (--minutes)"
            }
            Self::MovesSplit32 | Self::MovesSplit11 | Self::MovesSplit12 | Self::MovesSplit22 => {
                "200 placed names, a split, both sides run all: then each once, with both states"
            }
            Self::MovesOneWay => {
                "200 placed names, a node hears nobody: then each runs once, with its state (--minutes)"
            }
            Self::MovesNonTransitive => {
                "200 placed names, two nodes cannot reach each other: the same (--minutes)"
            }
            Self::MovesFreezeShort => {
                "200 placed names, a node stops until all run elsewhere: the same"
            }
            Self::MovesFreezeLong => "a node with placed names stops for half a minute: the same",
            Self::MovesQuorum => {
                "a split under a quorum: the minority stops, and at no time does a name run twice"
            }
            Self::MovesKill => {
                "either end of a move dies at a step of it: each name runs once (--rounds)"
            }
            Self::MovesCycles => {
                "random splits and heals, names come and go: each runs once, memory flat (--rounds)"
            }
        }
    }

    /// How many nodes it has unless it is told otherwise.
    pub(super) const fn n_nodes(self) -> usize {
        match self {
            Self::Join | Self::Steady | Self::Loss10 | Self::Loss20 | Self::Loss30 => 10,
            Self::CutHalves | Self::CutPairs => 6,
            Self::MovesSplit11 => 2,
            Self::MovesSplit22 => 4,
            Self::Flood
            | Self::NamesRace
            | Self::NamesSplit
            | Self::NamesCutLink
            | Self::NamesKill
            | Self::NamesLoss
            | Self::NamesChurn
            | Self::MovesSplit12
            | Self::MovesOneWay
            | Self::MovesNonTransitive
            | Self::MovesFreezeShort
            | Self::MovesFreezeLong
            | Self::MovesKill => 3,
            _ => 5,
        }
    }

    /// As `--list` shows it.
    pub(super) fn line(self) -> String {
        format!("{:<22} {:>3} nodes  {}", self.name(), self.n_nodes(), self.about())
    }

    /// The options with which it goes again as it went.
    pub(super) fn options(self, profile: Profile, extent: Extent) -> String {
        if self.name().starts_with("names-") || self.name().starts_with("moves-") {
            extent.options()
        } else {
            format!("--profile {}", profile.name())
        }
    }

    pub(super) async fn play(self, stage: &mut Stage) -> Result<Figures, Failure> {
        match self {
            Self::Join => quiet::join(stage).await,
            Self::JoinIpv6 => addresses::ipv6(stage).await,
            Self::JoinDualStack => addresses::dual_stack(stage).await,
            Self::Steady => quiet::steady(stage).await,
            Self::Leave => deaths::leave(stage).await,
            Self::Kill => deaths::kill(stage).await,
            Self::FreezeShort => freezes::short(stage).await,
            Self::FreezeLong => freezes::long(stage).await,
            Self::RestartSameAddress => names::restart_same_address(stage).await,
            Self::AddressChange => names::address_change(stage).await,
            Self::TwoOfAName => names::two_of_a_name(stage).await,
            Self::ClockBack => names::clock_back(stage).await,
            Self::ClockAhead => names::clock_ahead(stage).await,
            Self::Loss10 => loss::loss(stage, 100).await,
            Self::Loss20 => loss::loss(stage, 200).await,
            Self::Loss30 => loss::loss(stage, 300).await,
            Self::LossPair => loss::pair(stage, 800).await,
            Self::CutHalves => cuts::halves(stage).await,
            Self::CutOff => cuts::off(stage).await,
            Self::CutOneWay => cuts::one_way(stage).await,
            Self::CutPair => cuts::pair(stage).await,
            Self::CutPairs => cuts::pairs(stage).await,
            Self::CutFlapping => cuts::flapping(stage).await,
            Self::DelayReorder => delay::delay_reorder(stage).await,
            Self::Keys => keys::rotation(stage).await,
            Self::Flood => flood::flood(stage).await,
            Self::NamesRace => registry::contend::race(stage).await,
            Self::NamesCrowd => registry::contend::crowd(stage).await,
            Self::NamesSplit => registry::split::split(stage).await,
            Self::NamesCutLink => registry::cut_link::cut_link(stage).await,
            Self::NamesKill => registry::kill::kill(stage).await,
            Self::NamesLoss => registry::loss::loss(stage).await,
            Self::NamesChurn => registry::churn::churn(stage).await,
            Self::MovesSplit32 => moves::split::split(stage, 3).await,
            Self::MovesSplit11 | Self::MovesSplit12 => moves::split::split(stage, 1).await,
            Self::MovesSplit22 => moves::split::split(stage, 2).await,
            Self::MovesOneWay => moves::cuts::one_way(stage).await,
            Self::MovesNonTransitive => moves::cuts::non_transitive(stage).await,
            Self::MovesFreezeShort => moves::freeze::short(stage).await,
            Self::MovesFreezeLong => moves::freeze::long(stage).await,
            Self::MovesQuorum => moves::quorum::split(stage).await,
            Self::MovesCycles => moves::cycles::cycles(stage).await,
            Self::MovesKill => moves::kill::kill(stage).await,
        }
    }
}

/// What a claim is worth where `look` did not wait for it: a sentence becomes a failure.
fn claim<T>(expected: &str, seen: Result<T, String>) -> Result<T, Failure> {
    seen.map_err(|seen| Failure::new(format!("expected {expected}; saw: {seen}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_scenario_is_listed_once_and_has_nodes() {
        let names: BTreeSet<_> = Scenario::all().iter().map(|scenario| scenario.name()).collect();
        assert_eq!(names.len(), Scenario::all().len());
        assert!(Scenario::all().iter().all(|scenario| scenario.n_nodes() >= 2));
        assert_eq!(Scenario::Loss10.name(), "loss-10");
        assert_eq!(Scenario::RestartSameAddress.name(), "restart-same-address");
    }
}
