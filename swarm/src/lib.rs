//! A distributed process registry: named workers, placed, found, called, grouped, moved and
//! restarted.

mod handle;
pub use handle::Swarm;

mod names;
pub use names::ToName;

mod worker;
pub use worker::{
    Accepts, At, BoxError, Cx, Handle, Handoff, Has, KindError, Label, Message, Worker,
};

pub use swarm_base::{Boot, Name, NameError, NodeId, NodeName, Pid, Token};
pub use swarm_process::{Down, ExitReason, Intensity, Restart};
