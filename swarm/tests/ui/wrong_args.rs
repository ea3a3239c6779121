//! A start that takes something else than `Args`.

use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Handle, Message, Worker};

#[derive(Serialize, Deserialize)]
struct Hello;

impl Message for Hello {
    const NAME: &'static str = "hello";
    type Reply = ();
}

struct Device;

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = u64;
    type State = ();
    type Accepts = (Hello,);

    async fn start(_: String, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Device)
    }
}

impl Handle<Hello> for Device {
    async fn handle(&mut self, _: Hello, _: &mut Cx<Self>) {}
}

fn main() {}
