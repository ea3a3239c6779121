//! M2, accuracy: who lives is not declared dead, as long as the network is bearable.

use super::Hosts;
use crate::sky::{AFTERMATH, Sky};
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::{Action, Check, Violation};
use swarm_swim::{Event, Failure};

/// With at most one datagram in twenty lost, and pauses below the shortest suspicion, nobody who
/// runs is declared dead; beside a slow node, nobody who is not slow.
#[derive(Default)]
pub(crate) struct Accuracy {
    sky: Sky,
    last: Option<Instant>,
    /// Time that all nodes together have been watched for.
    watched: Duration,
}

impl Accuracy {
    fn applies(&self, now: Instant) -> bool {
        let clear = self.sky.clear_since(now).map(|since| now.since(since));
        // What was begun in rough weather may still end badly.
        self.sky.loss_permille() <= 50
            && clear.is_some_and(|clear| clear > AFTERMATH || self.last.is_none())
    }
}

impl Check<crate::node::Node> for Accuracy {
    fn name(&self) -> &'static str {
        "M2: the living are not declared dead (seconds watched)"
    }

    fn act(&mut self, now: Instant, action: &Action) {
        self.sky.act(now, action);
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Event,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let Event::Failed { node: failed, why: Failure::Timeout } = event else { return Ok(()) };
        if !self.applies(now) {
            return Ok(());
        }
        let lives = hosts.iter().find(|(_, node)| node.id() == failed && !node.has_left());
        match lives {
            Some((victim, _)) if !self.sky.is_unwell(now, *victim) => {
                let sentence = format!("{addr} declares {failed:?} dead, which runs");
                Err(Violation::new(self.name(), now, sentence))
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, now: Instant, _: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        if let Some(last) = self.last.replace(now)
            && self.applies(now)
        {
            self.watched += now.since(last) * hosts.len() as u32;
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.watched.as_secs()
    }
}
