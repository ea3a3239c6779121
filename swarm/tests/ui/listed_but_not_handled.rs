//! A message in `Accepts` without an `impl Handle`.

use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Message, Worker};

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

fn main() {}
