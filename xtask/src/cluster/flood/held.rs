//! The flood as the harness holds it.

use crate::Failure;
use crate::cluster::own::Own;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// What a flood has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Counts {
    pub(in super::super) sent: u64,
    /// Those of them that its own system did not take.
    pub(in super::super) lost: u64,
    /// Packets that came back.
    pub(in super::super) heard: u64,
    pub(in super::super) seconds: f64,
}

/// A flood that is about to begin. Dropped, it ends.
pub(in super::super) struct Flood(Own);

impl Flood {
    /// Starts this very program as a flood in a namespace, and waits until it has been heard once.
    pub(in super::super) async fn start(
        namespace: &str,
        to: SocketAddr,
        (cluster, secret): (&str, &str),
        rate: u64,
        length: Duration,
    ) -> Result<Self, Failure> {
        let mut args = vec!["flood".to_owned()];
        let mut pair = |option: &str, value: String| args.extend([option.into(), value]);
        pair("--to", to.to_string());
        pair("--cluster", cluster.to_owned());
        pair("--secret", secret.to_owned());
        pair("--rate", rate.to_string());
        pair("--seconds", length.as_secs().to_string());
        let mut own = Own::start("the flood", namespace, args)?;
        let _: Counts = own.answer(TIMEOUT).await?;
        Ok(Self(own))
    }

    /// Begins.
    pub(in super::super) async fn begin(&mut self) -> Result<(), Failure> {
        self.0.tell("go").await
    }

    /// Waits for its end.
    pub(in super::super) async fn end(&mut self) -> Result<Counts, Failure> {
        self.0.answer(TIMEOUT).await
    }
}

/// How long it may take to answer, and to end once its time is over.
const TIMEOUT: Duration = Duration::from_secs(20);
