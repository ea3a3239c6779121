//! The workers that move: each counts, and carries what it has counted along, with some cargo.

use super::marks::{self, Mark};
use crate::bench::books::Entry;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use swarm::{BoxError, Cx, Handle, Handoff, Message, Worker};

/// Keeps its own entry in the books.
pub(in crate::bench) struct Carrier {
    load: Load,
    _entry: Entry,
    _life: Life,
}

/// What it is started with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::bench) struct Order {
    /// How many bytes it carries.
    pub(super) cargo: usize,
    /// How long its start takes.
    pub(super) start_ms: u64,
}

/// What it carries.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::bench) struct Load {
    count: u64,
    #[serde(with = "serde_bytes")]
    cargo: Vec<u8>,
}

/// Counts one further, and says how far it is then.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::bench) struct Add;

impl Message for Add {
    const NAME: &'static str = "add";
    type Reply = u64;
}

/// Says how far it is, and how many bytes it carries.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::bench) struct Read;

impl Message for Read {
    const NAME: &'static str = "read";
    type Reply = (u64, usize);
}

impl Worker for Carrier {
    const KIND: &'static str = "carrier";
    type Args = Order;
    type State = Load;
    type Accepts = (Add, Read);

    async fn start(order: Order, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        if order.start_ms > 0 {
            tokio::time::sleep(Duration::from_millis(order.start_ms)).await;
        }
        let load = Load { count: 0, cargo: vec![7; order.cargo] };
        marks::set(Mark::Started);
        Ok(Self { load, _entry: Entry::new(cx.name().to_string()), _life: Life })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Load> {
        marks::set(Mark::Asked);
        Handoff::Resume(self.load.clone())
    }

    async fn end_handoff(&mut self, load: Load, _: &mut Cx<Self>) {
        self.load = load;
        marks::set(Mark::Resumed);
    }
}

impl Handle<Add> for Carrier {
    async fn handle(&mut self, _: Add, _: &mut Cx<Self>) -> u64 {
        self.load.count += 1;
        self.load.count
    }
}

impl Handle<Read> for Carrier {
    async fn handle(&mut self, _: Read, _: &mut Cx<Self>) -> (u64, usize) {
        (self.load.count, self.load.cargo.len())
    }
}

/// Ends with the worker.
struct Life;

impl Drop for Life {
    fn drop(&mut self) {
        marks::set(Mark::Ended);
    }
}
