//! A message that the worker knows nothing of.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use swarm::{BoxError, Cx, Handle, Message, Worker};

#[derive(Serialize, Deserialize)]
struct Hello;

impl Message for Hello {
    const NAME: &'static str = "hello";
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
struct Tick;

impl Message for Tick {
    const NAME: &'static str = "tick";
    type Reply = ();
}

struct Device;

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = ();
    type State = ();
    type Accepts = (Hello,);

    async fn start(_: (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.send_after(Duration::ZERO, Tick);
        Ok(Device)
    }
}

impl Handle<Hello> for Device {
    async fn handle(&mut self, _: Hello, _: &mut Cx<Self>) {}
}

fn main() {}
