//! The workers that are measured.

use super::books::Entry;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use swarm::{BoxError, Cx, Handle, Message, Worker};

/// A named worker: echoes, counts what is cast to it, and keeps its own entry in the books.
pub(super) struct Device {
    received: u64,
    _entry: Entry,
}

/// 64 bytes that come back.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Echo(#[serde(with = "serde_bytes")] pub(super) Vec<u8>);

impl Message for Echo {
    const NAME: &'static str = "echo";
    type Reply = Self;
}

/// 64 bytes that are counted.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Blob(#[serde(with = "serde_bytes")] pub(super) Vec<u8>);

impl Message for Blob {
    const NAME: &'static str = "blob";
    type Reply = ();
}

/// How many have been counted.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Received;

impl Message for Received {
    const NAME: &'static str = "received";
    type Reply = u64;
}

/// On which node a worker runs.
#[derive(Serialize, Deserialize)]
pub(super) struct Where;

impl Message for Where {
    const NAME: &'static str = "where";
    type Reply = String;
}

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = ();
    type State = ();
    type Accepts = (Echo, Blob, Received, Where);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { received: 0, _entry: Entry::new(cx.name().to_string()) })
    }
}

impl Handle<Echo> for Device {
    async fn handle(&mut self, echo: Echo, _: &mut Cx<Self>) -> Echo {
        echo
    }
}

impl Handle<Blob> for Device {
    async fn handle(&mut self, _: Blob, _: &mut Cx<Self>) {
        self.received += 1;
    }
}

impl Handle<Received> for Device {
    async fn handle(&mut self, _: Received, _: &mut Cx<Self>) -> u64 {
        self.received
    }
}

impl Handle<Where> for Device {
    async fn handle(&mut self, _: Where, cx: &mut Cx<Self>) -> String {
        cx.node().name.to_string()
    }
}

/// A named worker that keeps what it was started with, and no books.
pub(super) struct Timer {
    every: Duration,
}

/// What it was started with.
#[derive(Serialize, Deserialize)]
pub(super) struct Every;

impl Message for Every {
    const NAME: &'static str = "every";
    type Reply = Duration;
}

impl Worker for Timer {
    const KIND: &'static str = "timer";
    type Args = Duration;
    type State = ();
    type Accepts = (Every,);

    async fn start(every: Duration, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { every })
    }
}

impl Handle<Every> for Timer {
    async fn handle(&mut self, _: Every, _: &mut Cx<Self>) -> Duration {
        self.every
    }
}

/// A worker with next to nothing of its own: what it takes is what any worker takes.
pub(super) struct Plain {
    called: u64,
}

/// Counts the calls.
#[derive(Serialize, Deserialize)]
pub(super) struct Ping;

impl Message for Ping {
    const NAME: &'static str = "ping";
    type Reply = u64;
}

impl Worker for Plain {
    const KIND: &'static str = "plain";
    type Args = ();
    type State = ();
    type Accepts = (Ping,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self { called: 0 })
    }
}

impl Handle<Ping> for Plain {
    async fn handle(&mut self, _: Ping, _: &mut Cx<Self>) -> u64 {
        self.called += 1;
        self.called
    }
}

/// What each message carries.
pub(super) const BODY: usize = 64;
