//! Swarm's own example, whole: a device that says hello again and again, found, called, grouped,
//! and handed from node to node with its delay.
//!
//! In two terminals:
//!
//! ```text
//! cargo run --example device -- a
//! cargo run --example device -- b --seed 127.0.0.1:PORT --secret FILE
//! ```
//!
//! The first prints the second's command line. Ctrl-C or a SIGTERM leaves: the devices move to the
//! other node.

mod node;

use clap::Parser;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use swarm::*;

/// Asks a device how it is.
#[derive(Clone, Serialize, Deserialize)]
struct Hello;

impl Message for Hello {
    const NAME: &'static str = "hello";
    type Reply = String;
}

/// Tells a device how often to speak.
#[derive(Clone, Serialize, Deserialize)]
struct SetDelay(Duration);

impl Message for SetDelay {
    const NAME: &'static str = "set-delay";
    type Reply = ();
}

/// What a device tells itself.
#[derive(Clone, Serialize, Deserialize)]
struct Tick;

impl Message for Tick {
    const NAME: &'static str = "tick";
    type Reply = ();
}

/// Something that speaks to everybody.
#[derive(Clone, Serialize, Deserialize)]
struct Shout(String);

impl Message for Shout {
    const NAME: &'static str = "shout";
    type Reply = ();
}

struct Device {
    delay: Duration,
}

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = Duration;
    type State = Duration;
    type Accepts = (Hello, SetDelay, Tick, Shout);

    async fn start(delay: Duration, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join("foo");
        cx.send_after(delay, Tick);
        Ok(Self { delay })
    }

    /// It is to run on another node: it takes its delay along.
    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Duration> {
        Handoff::Resume(self.delay)
    }

    /// It runs here now, and gets what it took along.
    async fn end_handoff(&mut self, delay: Duration, cx: &mut Cx<Self>) {
        println!("{} is now on {}, every {delay:?}", cx.name(), cx.node());
        self.delay = delay;
    }

    /// A partition has healed, and the other copy ends: the shorter delay is kept.
    async fn resolve_conflict(&mut self, other: Duration, _: &mut Cx<Self>) {
        self.delay = self.delay.min(other);
    }

    async fn die(self, cx: &mut Cx<Self>) {
        println!("{} leaves {}", cx.name(), cx.node());
    }
}

impl Handle<Hello> for Device {
    async fn handle(&mut self, _: Hello, cx: &mut Cx<Self>) -> String {
        format!("{} on {}: every {:?}", cx.name(), cx.node(), self.delay)
    }
}

impl Handle<SetDelay> for Device {
    async fn handle(&mut self, SetDelay(delay): SetDelay, _: &mut Cx<Self>) {
        self.delay = delay;
    }
}

impl Handle<Tick> for Device {
    async fn handle(&mut self, _: Tick, cx: &mut Cx<Self>) {
        println!("{} says hi!", cx.name());
        cx.send_after(self.delay, Tick);
    }
}

impl Handle<Shout> for Device {
    async fn handle(&mut self, Shout(what): Shout, cx: &mut Cx<Self>) {
        println!("{} hears: {what}", cx.name());
    }
}

/// A node that runs devices.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    node: node::NodeOptions,
    /// How many devices to register.
    #[arg(long, default_value_t = 4)]
    devices: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let (builder, secret) = options.node.builder()?;
    let swarm = builder.worker::<Device>().start().await?;
    node::invite(&swarm, "device", &secret);

    for number in 1..=options.devices {
        let name = format!("device-{number}");
        // Found, if another node registered it before.
        let device =
            swarm.whereis_or_register::<Device>(&name, Duration::from_millis(2_000)).await?;
        println!("{}", device.call(Hello).await?);
    }
    swarm.cast("device-1", SetDelay(Duration::from_secs(1))).await?;
    let heard = swarm.publish("foo", Shout(format!("{} is here", options.node.name()))).await;
    println!("{heard} devices were told");
    for reply in swarm.multi_call("foo", Hello).await {
        println!("{reply}");
    }

    node::asked_to_leave().await;
    println!("{} leaves", options.node.name());
    swarm.leave().await
}
