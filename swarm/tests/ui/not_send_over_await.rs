//! A value that cannot change threads, held over an await.

use serde::{Deserialize, Serialize};
use std::rc::Rc;
use swarm::{BoxError, Cx, Handle, Message, Worker};

#[derive(Serialize, Deserialize)]
struct Hello;

impl Message for Hello {
    const NAME: &'static str = "hello";
    type Reply = usize;
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
    async fn handle(&mut self, _: Hello, _: &mut Cx<Self>) -> usize {
        let local = Rc::new(1);
        std::future::ready(()).await;
        *local
    }
}

fn main() {}
