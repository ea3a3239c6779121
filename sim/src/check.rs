//! Properties that must hold in every run, and what is said when one does not.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use swarm_base::Instant;

use crate::{Action, Host};

/// One property, judged while the world runs.
///
/// The world asks after every event and every step; the first violation stops the run. Times are
/// the world's, even where a node's clock is skewed. What a checker does in `step` it does for
/// every packet: keep it cheap.
pub trait Check<H: Host> {
    /// The property, as the report names it.
    fn name(&self) -> &'static str;

    /// The node at `addr` emitted `event`. `hosts` are the nodes that run, paused ones included.
    ///
    /// # Errors
    ///
    /// A [`Violation`] where the property no longer holds.
    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &H::Event,
        hosts: &BTreeMap<SocketAddr, H>,
    ) -> Result<(), Violation> {
        let _ = (now, addr, event, hosts);
        Ok(())
    }

    /// Something is about to be done to the world: a crash excuses what a crash explains.
    fn act(&mut self, now: Instant, action: &Action) {
        let _ = (now, action);
    }

    /// Who reaches whom may have changed: called after every action, and whenever a pair flaps.
    /// `reaches` tells whether the way from the first to the second is open.
    fn reach(&mut self, now: Instant, reaches: &dyn Fn(SocketAddr, SocketAddr) -> bool) {
        let _ = (now, reaches);
    }

    /// The node at `addr` handled one input, and all its effects are known.
    ///
    /// # Errors
    ///
    /// A [`Violation`] where the property no longer holds.
    fn step(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        hosts: &BTreeMap<SocketAddr, H>,
    ) -> Result<(), Violation> {
        let _ = (now, addr, hosts);
        Ok(())
    }

    /// The world is healed and has converged: what must hold in the end is judged here.
    ///
    /// # Errors
    ///
    /// A [`Violation`] where the property does not hold.
    fn finish(&mut self, now: Instant, hosts: &BTreeMap<SocketAddr, H>) -> Result<(), Violation> {
        let _ = (now, hosts);
        Ok(())
    }

    /// How often the property could have been violated and was not. A checker that never judged
    /// shows nothing.
    fn judged(&self) -> u64;
}

/// A property did not hold.
///
/// Displays as one line, followed by the last lines of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which property: a checker's name, or one of the world's own, which begin with `world:`.
    pub property: &'static str,
    /// When it was seen.
    pub at: Instant,
    /// What was seen.
    pub sentence: String,
    /// The last lines of the trace, the oldest first. The world fills them in.
    pub last: Vec<String>,
}

impl Violation {
    /// `property` did not hold at `at`, for the reason that `sentence` gives.
    pub fn new(property: &'static str, at: Instant, sentence: impl Into<String>) -> Self {
        Self { property, at, sentence: sentence.into(), last: Vec::new() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not hold at {}: {}", self.property, self.at, self.sentence)?;
        for line in &self.last {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violation {}
