//! The processes that have the names.

use super::protocol::GROUP;
use serde::{Deserialize, Serialize};
use swarm::{BoxError, Cx, Handle, Message, Worker};

/// Does nothing but live.
pub(super) struct Kept;

/// Whether a process is in the group of all.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Grouped,
    Alone,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Rest;

impl Message for Rest {
    const NAME: &'static str = "rest";
    type Reply = ();
}

impl Worker for Kept {
    const KIND: &'static str = "kept";
    type Args = Kind;
    type State = ();
    type Accepts = (Rest,);

    async fn start(kind: Kind, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        if let Kind::Grouped = kind {
            cx.join(GROUP);
        }
        Ok(Self)
    }
}

impl Handle<Rest> for Kept {
    async fn handle(&mut self, _: Rest, _: &mut Cx<Self>) {}
}
