//! How bad the world is just now: what excuses a node, and what does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::{Action, Faults};

/// Follows what is done to the world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sky {
    loss_permille: u32,
    /// Whether each datagram arrives, whole, and once.
    is_exact: bool,
    is_network_rough: bool,
    /// Cuts, long pauses, wrong clocks: until the world heals.
    is_rough: bool,
    clear_since: Option<Instant>,
    slow: BTreeMap<SocketAddr, u32>,
    /// The last pause of each node; one that begins soon after another goes on with it.
    pauses: BTreeMap<SocketAddr, (Instant, Instant)>,
}

impl Sky {
    pub(crate) fn act(&mut self, now: Instant, action: &Action) {
        match action {
            Action::Network(faults) => {
                self.loss_permille = faults.loss_permille;
                self.is_exact = faults.loss_permille == 0
                    && faults.damage_permille == 0
                    && faults.duplicate_permille == 0;
                self.is_network_rough = is_rough(faults);
            }
            Action::Heal => {
                self.is_rough = false;
                self.slow.clear();
                self.clear_since = None;
            }
            Action::Pause(node, span) => {
                self.is_rough |= *span > PAUSE_MAX;
                let (began, until) = self.pauses.entry(*node).or_insert((now, now));
                if now.since(*until) > CAUGHT_UP {
                    *began = now;
                }
                *until = (*until).max(now + *span);
            }
            Action::Slow(node, factor) => drop(self.slow.insert(*node, *factor)),
            Action::Start(_) | Action::Crash(_) | Action::Stop(_) => {}
            _ => self.is_rough = true,
        }
        if self.is_rough || self.is_network_rough {
            self.clear_since = None;
        } else {
            self.clear_since.get_or_insert(now);
        }
    }

    /// Since when the network has been bearable: at most one datagram in ten lost, none late by
    /// more than a tenth of a second, nobody cut off. `None` while it is not.
    pub(crate) fn clear_since(&self, now: Instant) -> Option<Instant> {
        if self.is_rough || self.is_network_rough {
            return None;
        }
        Some(self.clear_since.unwrap_or(Instant::START).min(now))
    }

    pub(crate) const fn loss_permille(&self) -> u32 {
        self.loss_permille
    }

    pub(crate) const fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Whether a node is slow, or has just paused for longer than a node may.
    pub(crate) fn is_unwell(&self, now: Instant, node: SocketAddr) -> bool {
        let is_slow = self.slow.get(&node).is_some_and(|factor| *factor > 0);
        let paused = self.pauses.get(&node).is_some_and(|(began, until)| {
            until.since(*began) > PAUSE_MAX && now.since(*until) < AFTERMATH
        });
        is_slow || paused
    }
}

fn is_rough(faults: &Faults) -> bool {
    let late_max = (*faults.delay.end()).max(match faults.tail_permille {
        0 => Duration::ZERO,
        _ => faults.tail_max,
    });
    faults.loss_permille > 100 || late_max > Duration::from_millis(100)
}

/// Well below the shortest suspicion.
pub(crate) const PAUSE_MAX: Duration = Duration::from_millis(2_000);

/// Until a node that paused has answered what waited.
const CAUGHT_UP: Duration = Duration::from_millis(1_000);

/// The longest suspicion, and then some: how long what was bad may still end badly.
pub(crate) const AFTERMATH: Duration = Duration::from_secs(40);
