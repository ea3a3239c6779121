//! A handler that returns something else than the message's `Reply`.

use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Handle, Message, Worker};

#[derive(Serialize, Deserialize)]
struct Hello;

impl Message for Hello {
    const NAME: &'static str = "hello";
    type Reply = String;
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
    async fn handle(&mut self, _: Hello, _: &mut Cx<Self>) -> u64 {
        7
    }
}

fn main() {}
