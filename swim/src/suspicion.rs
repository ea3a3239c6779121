//! How long an accused node has to refute (SWIM §4.2; Lifeguard, LHA-Suspicion).

use crate::Config;
use crate::table::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use swarm_base::{Instant, NodeId};

/// A running suspicion. It starts long, and each independent accuser shortens it: what several
/// members saw by themselves is hardly the fault of one accuser's own connection.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    started: Instant,
    min: Duration,
    max: Duration,
    /// The first accuser, then those who confirmed.
    accusers: Vec<NodeId>,
}

/// What one more accusation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// The timeout is shorter now.
    Shortened,
    /// The accuser is known, or there are enough.
    Nothing,
}

impl Suspicion {
    /// A suspicion in a group of `n_live`, this node and the accused included.
    pub(crate) fn new(now: Instant, config: &Config, n_live: usize, by: NodeId) -> Self {
        let base = config.probe_interval * config.suspicion_mult;
        let min = base * log10_permille(n_live).max(1000) / 1000;
        // Where too few others exist to confirm, waiting for them only delays.
        let confirmable = n_live >= CONFIRMATIONS + 2;
        let max = if confirmable { min * config.suspicion_max_mult } else { min };
        Self { started: now, min, max, accusers: vec![by] }
    }

    /// Stops waiting for confirmations: others have given the accused up.
    fn shorten(&mut self) {
        self.max = self.min;
    }

    fn confirm(&mut self, by: &NodeId) -> Confirmation {
        if self.accusers.len() > CONFIRMATIONS || self.accusers.contains(by) {
            return Confirmation::Nothing;
        }
        self.accusers.push(by.clone());
        Confirmation::Shortened
    }

    fn deadline(&self) -> Instant {
        let shrunk = SHRINK_PERMILLE[self.accusers.len() - 1];
        self.started + (self.max - (self.max - self.min) * shrunk / 1000)
    }

    /// Who accused first.
    pub(crate) fn accuser(&self) -> &NodeId {
        &self.accusers[0]
    }

    fn is_accused_by(&self, node: &NodeId) -> bool {
        self.accusers.contains(node)
    }
}

/// All running suspicions, one for each suspect member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspicions {
    running: BTreeMap<Position, Suspicion>,
    deadlines: BTreeSet<(Instant, Position)>,
    /// Those that this node raised or confirmed by a probe of its own.
    own: BTreeSet<Position>,
}

impl Suspicions {
    pub(crate) fn get(&self, suspect: Position) -> Option<&Suspicion> {
        self.running.get(&suspect)
    }

    pub(crate) fn start(&mut self, suspect: Position, suspicion: Suspicion, me: &NodeId) {
        self.end(suspect);
        if suspicion.is_accused_by(me) {
            self.own.insert(suspect);
        }
        self.deadlines.insert((suspicion.deadline(), suspect));
        self.running.insert(suspect, suspicion);
    }

    pub(crate) fn end(&mut self, suspect: Position) {
        if let Some(suspicion) = self.running.remove(&suspect) {
            self.deadlines.remove(&(suspicion.deadline(), suspect));
            self.own.remove(&suspect);
        }
    }

    pub(crate) fn confirm(&mut self, suspect: Position, by: &NodeId, me: &NodeId) -> Confirmation {
        if self.running.contains_key(&suspect) && by == me {
            self.own.insert(suspect);
        }
        self.change(suspect, |suspicion| suspicion.confirm(by)).unwrap_or(Confirmation::Nothing)
    }

    /// Others have given the suspect up.
    pub(crate) fn shorten(&mut self, suspect: Position) {
        let _ = self.change(suspect, Suspicion::shorten);
    }

    /// Gives everybody the time that this node itself lost.
    pub(crate) fn postpone(&mut self, lost: Duration) {
        self.running.values_mut().for_each(|suspicion| suspicion.started += lost);
        let deadlines = self.running.iter().map(|(at, suspicion)| (suspicion.deadline(), *at));
        self.deadlines = deadlines.collect();
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Ends one whose time is up.
    pub(crate) fn pop_over(&mut self, now: Instant) -> Option<Position> {
        let (deadline, suspect) = *self.deadlines.first()?;
        (deadline <= now).then(|| {
            self.end(suspect);
            suspect
        })
    }

    /// The suspects whom this node accuses itself.
    pub(crate) fn own(&self) -> impl Iterator<Item = Position> {
        self.own.iter().copied()
    }

    fn change<T>(
        &mut self,
        suspect: Position,
        change: impl FnOnce(&mut Suspicion) -> T,
    ) -> Option<T> {
        let suspicion = self.running.get_mut(&suspect)?;
        self.deadlines.remove(&(suspicion.deadline(), suspect));
        let changed = change(suspicion);
        self.deadlines.insert((suspicion.deadline(), suspect));
        Some(changed)
    }
}

/// How often news is sent before it is old (SWIM §4.1: λ log n).
pub(crate) fn retransmits(config: &Config, n_live: usize) -> u32 {
    config.retransmit_mult * log10_permille(n_live + 1).div_ceil(1000).max(1)
}

/// log₁₀ in thousandths: exact at powers of ten, a straight line between them. Of integers,
/// because the last bit of a float's logarithm differs between platforms and replays must not.
fn log10_permille(n: usize) -> u32 {
    let (mut power, mut whole) = (1usize, 0u32);
    while n / 10 >= power {
        power *= 10;
        whole += 1;
    }
    let beyond = n.saturating_sub(power) * 1000 / (power * 9);
    whole * 1000 + beyond as u32
}

/// How many independent confirmations bring a suspicion down to its shortest (Lifeguard's K).
const CONFIRMATIONS: usize = 2;

/// ln(c + 1) / ln(K + 1) for c confirmations.
const SHRINK_PERMILLE: [u32; CONFIRMATIONS + 1] = [0, 631, 1000];

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::{Boot, NodeName};

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot::default())
    }

    fn config() -> Config {
        Config { probe_interval: Duration::from_millis(500), ..Config::lan() }
    }

    #[test]
    fn the_logarithm_is_exact_at_powers_of_ten() {
        let check = |n, expected| assert_eq!(log10_permille(n), expected, "{n}");
        check(0, 0);
        check(1, 0);
        check(10, 1000);
        check(55, 1500);
        check(100, 2000);
        check(1000, 3000);
    }

    #[test]
    fn confirmations_shorten_and_repetitions_do_not() {
        let config = Config { suspicion_max_mult: 2, ..config() };
        let mut suspicion = Suspicion::new(Instant::START, &config, 8, node("a"));
        let at = |ms| Instant::after_start(Duration::from_millis(ms));
        assert_eq!(suspicion.deadline(), at(3000));
        assert_eq!(suspicion.confirm(&node("a")), Confirmation::Nothing);
        assert_eq!(suspicion.confirm(&node("b")), Confirmation::Shortened);
        assert!(suspicion.deadline() < at(2100));
        assert_eq!(suspicion.confirm(&node("c")), Confirmation::Shortened);
        assert_eq!(suspicion.deadline(), at(1500));
        assert_eq!(suspicion.confirm(&node("d")), Confirmation::Nothing);
    }

    #[test]
    fn three_nodes_do_not_wait_for_confirmations_that_cannot_come() {
        let suspicion = Suspicion::new(Instant::START, &config(), 3, node("a"));
        assert_eq!(suspicion.deadline().since_start(), Duration::from_millis(1500));
    }
}
