//! A state of another type than `State`.

use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Handle, Handoff, Message, Worker};

#[derive(Serialize, Deserialize)]
struct Hello;

impl Message for Hello {
    const NAME: &'static str = "hello";
    type Reply = ();
}

struct Device;

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = ();
    type State = u64;
    type Accepts = (Hello,);

    async fn start(_: (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Device)
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume("seven")
    }
}

impl Handle<Hello> for Device {
    async fn handle(&mut self, _: Hello, _: &mut Cx<Self>) {}
}

fn main() {}
