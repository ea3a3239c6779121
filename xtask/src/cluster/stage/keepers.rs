//! What a scenario of names needs of its stage.

use super::{PORT, Stage};
use crate::cluster::keeper::Request;
use crate::cluster::net::Host;
use crate::driven::Client;
use std::net::SocketAddr;
use swarm_base::Rng;

impl Stage {
    /// Where the nodes go that keep names.
    pub(in crate::cluster) fn keeper_places(&self) -> Vec<(Host, SocketAddr)> {
        let place = |host| (host, SocketAddr::from((self.net.address(host), PORT)));
        self.net.hosts().take(self.n_nodes).map(place).collect()
    }

    /// What such a node is started with.
    pub(in crate::cluster) fn keeper_options(&self, name: &str, bind: &str) -> Vec<String> {
        let (cluster, secret) = self.setting.cluster();
        let pairs =
            [("--name", name), ("--bind", bind), ("--cluster", cluster), ("--secret", secret)];
        pairs.iter().flat_map(|(option, value)| [option, value]).map(ToString::to_string).collect()
    }

    /// What it said last is shown where the scenario fails.
    pub(in crate::cluster) fn listen_to(&mut self, keeper: Client<Request>) {
        self.keepers.push(keeper);
    }

    /// What such nodes said last.
    pub(in crate::cluster) fn keepers_last(
        &self,
    ) -> impl Iterator<Item = (String, Vec<String>)> + use<'_> {
        self.keepers.iter().map(|keeper| (keeper.name().to_owned(), keeper.last()))
    }

    /// What a scenario draws from.
    pub(in crate::cluster) fn rng(&self) -> Rng {
        Rng::new(u64::from(self.seed()))
    }

    /// The seed of that.
    pub(in crate::cluster) fn seed(&self) -> u32 {
        self.setting.extent().seed.unwrap_or_default()
    }

    /// How many rounds a scenario has, unless it is told otherwise.
    pub(in crate::cluster) fn rounds_or(&self, rounds: u32) -> u32 {
        self.setting.extent().rounds.unwrap_or(rounds)
    }

    /// For how long a scenario goes on, unless it is told otherwise.
    pub(in crate::cluster) fn seconds_or(&self, seconds: u32) -> u32 {
        self.setting.extent().minutes.map_or(seconds, |minutes| minutes * 60)
    }

    /// Says how far a scenario is.
    pub(in crate::cluster) fn say(&self, what: &str) {
        eprintln!("  {:6.1} s  {what}", self.begun.elapsed().as_secs_f64());
    }
}
