//! Two swarms in one cluster: a lobby in each of two scopes, and one in none.
//!
//! ```text
//! cargo run --example scopes
//! ```

use serde::{Deserialize, Serialize};
use swarm::*;

/// Enters a room, which replies with how many are in it now.
#[derive(Serialize, Deserialize)]
struct Enter;

impl Message for Enter {
    const NAME: &'static str = "enter";
    type Reply = u64;
}

struct Room {
    guests: u64,
}

impl Worker for Room {
    const KIND: &'static str = "room";
    type Args = ();
    type State = u64;
    type Accepts = (Enter,);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        // In the scope that the room is in.
        cx.join("rooms");
        Ok(Self { guests: 0 })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.guests)
    }

    async fn end_handoff(&mut self, guests: u64, _: &mut Cx<Self>) {
        self.guests = guests;
    }
}

impl Handle<Enter> for Room {
    async fn handle(&mut self, Enter: Enter, _: &mut Cx<Self>) -> u64 {
        self.guests += 1;
        self.guests
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let node = Swarm::builder("node-1")
        .worker::<Room>()
        .scope("games", |scope| scope.worker::<Room>())
        .scope("talks", |scope| scope.worker::<Room>().strategy(Rendezvous::new()))
        .start()
        .await?;
    let (games, talks) = (node.scope("games"), node.scope("talks"));
    for handle in [&node, &games, &talks] {
        handle.register::<Room>("lobby", ()).await?;
    }
    games.call("lobby", Enter).await?;
    games.call("lobby", Enter).await?;
    talks.call("lobby", Enter).await?;
    for handle in [&node, &games, &talks] {
        let guests = handle.call("lobby", Enter).await?;
        println!("{handle:?}: {guests} in the lobby, {} rooms", handle.members("rooms").len());
    }
    node.leave().await?;
    Ok(())
}
