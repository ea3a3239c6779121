//! A message with an `impl Handle` that is missing from `Accepts`.

use serde::{Deserialize, Serialize};
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

    async fn start(_: (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Device)
    }
}

impl Handle<Hello> for Device {
    async fn handle(&mut self, _: Hello, cx: &mut Cx<Self>) {
        cx.cast_self(Tick);
    }
}

impl Handle<Tick> for Device {
    async fn handle(&mut self, _: Tick, _: &mut Cx<Self>) {}
}

fn main() {}
