use serde::{Deserialize, Serialize};
use std::time::Duration;
use swarm::*;

#[derive(Clone, Serialize, Deserialize)]
struct Hello;
impl Message for Hello { const NAME: &'static str = "hello"; type Reply = String; }

struct Device { delay: Duration }

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = Duration;
    type State = Duration;
    type Accepts = (Hello,);

    async fn start(delay: Duration, _: &mut Cx<Self>) -> Result<Self, BoxError> { Ok(Device { delay }) }
    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Duration> { Handoff::Resume(self.delay) }
    async fn end_handoff(&mut self, delay: Duration, _: &mut Cx<Self>) { self.delay = delay }
}

impl Handle<Hello> for Device {
    async fn handle(&mut self, _: Hello, cx: &mut Cx<Self>) -> String {
        format!("{} on {}: every {:?}", cx.name(), cx.node(), self.delay)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let swarm = Swarm::builder("a").worker::<Device>().start().await?;
    let dev = swarm.register::<Device>("device-1", Duration::from_millis(500)).await?;
    dev.join("foo").await?;
    println!("{}", dev.call(Hello).await?);                // checked by the compiler
    println!("{}", swarm.call("device-1", Hello).await?);  // by name, from any node
    for reply in swarm.multi_call("foo", Hello).await { println!("{reply}"); }
    swarm.shutdown().await
}
