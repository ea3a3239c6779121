//! The relay as the harness holds it.

use super::Route;
use super::plan::Disorder;
use crate::Failure;
use crate::cluster::own::Own;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a relay has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Counts {
    /// Packets that came from a node of the network.
    pub(in super::super) taken: u64,
    /// Packets that came from elsewhere, and went nowhere.
    pub(in super::super) strange: u64,
    /// Packets, the second ones included, that went on.
    pub(in super::super) passed: u64,
    pub(in super::super) held_back: u64,
    pub(in super::super) doubled: u64,
    /// Packets that went on after one that came later.
    pub(in super::super) overtaken: u64,
    /// Packets that were lost for want of room.
    pub(in super::super) overflow: u64,
}

/// A running relay. Dropped, it ends.
pub(in super::super) struct Relay(Own);

impl Relay {
    /// Starts this very program as a relay in a namespace, and waits until its ports are open.
    pub(in super::super) async fn start(
        namespace: &str,
        routes: &[Route],
        disorder: &Disorder,
    ) -> Result<Self, Failure> {
        let mut args = vec!["relay".to_owned()];
        args.extend(routes.iter().map(|route| format!("--route={route}")));
        args.extend(disorder.options());
        let mut own = Own::start("the relay", namespace, args)?;
        let _: Counts = own.answer(TIMEOUT).await?;
        Ok(Self(own))
    }

    /// What it has done until now.
    pub(in super::super) async fn counts(&mut self) -> Result<Counts, Failure> {
        self.0.tell("counts").await?;
        self.0.answer(TIMEOUT).await
    }
}

/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
