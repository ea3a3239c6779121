//! A worker as the process runtime sees it.

use super::limits;
use super::system::System;
use super::{Accepts, BoxError, Cx, Handoff, Worker};
use crate::Down;
use bytes::Bytes;
use std::sync::Arc;
use swarm_base::codec;
use swarm_process::{Behaviour, Context, Payload, ReplyTo, Rival};

/// A worker that has started.
pub(super) struct Running<W: Worker> {
    worker: W,
    /// What a standby takes in when it is promoted. Boxed: most workers never have one.
    state: Option<Box<W::State>>,
    cx: Cx<W>,
}

/// What a worker is started from.
pub(super) struct Seed<A> {
    pub(super) args: Args<A>,
    pub(super) state: Option<Bytes>,
    pub(super) system: Arc<dyn System>,
}

/// The arguments of a worker.
pub(super) enum Args<A> {
    Typed(A),
    Wire(Bytes),
}

impl<W: Worker> Behaviour for Running<W> {
    type Seed = Seed<W::Args>;

    async fn start(seed: Self::Seed, context: Context) -> Result<Self, String> {
        let args = match seed.args {
            Args::Typed(args) => args,
            Args::Wire(bytes) => codec::decode(&bytes, limits::ARGS)
                .map_err(|e| format!("its arguments do not decode: {e}"))?,
        };
        // Now, not at the promotion: a state that does not decode must not cost the old process.
        let state = match seed.state {
            Some(bytes) => Some(Box::new(state::<W>(&bytes, seed.system.state_bytes_max())?)),
            None => None,
        };
        let mut cx = Cx::new(context, seed.system);
        let worker = W::start(args, &mut cx).await.map_err(text)?;
        Ok(Self { worker, state, cx })
    }

    fn context(&mut self) -> &mut Context {
        self.cx.context()
    }

    fn handle(
        &mut self,
        payload: Payload,
        reply: &mut Option<ReplyTo>,
    ) -> impl Future<Output = ()> + Send {
        W::Accepts::dispatch(&mut self.worker, payload, reply, &mut self.cx)
    }

    async fn begin_handoff(&mut self) -> swarm_process::Handoff {
        let state = match self.worker.begin_handoff(&mut self.cx).await {
            Handoff::Restart => return swarm_process::Handoff::Restart,
            Handoff::Ignore => return swarm_process::Handoff::Ignore,
            Handoff::Resume(state) => state,
        };
        let failed = |message| swarm_process::Handoff::Failed { message };
        let max = self.cx.state_bytes_max();
        match codec::encode(&state) {
            Ok(bytes) if bytes.len() > max => {
                let len = bytes.len();
                failed(format!("its state has {len} bytes, handoff.state_bytes_max is {max}"))
            }
            Ok(bytes) => swarm_process::Handoff::Resume(bytes.into()),
            Err(error) => failed(format!("its state {error}")),
        }
    }

    async fn promote(&mut self) {
        if let Some(state) = self.state.take() {
            self.worker.end_handoff(*state, &mut self.cx).await;
        }
    }

    async fn resolve_conflict(&mut self, other: Bytes, rival: Rival) -> Result<(), String> {
        let other = state::<W>(&other, self.cx.state_bytes_max())?;
        self.cx.set_rival(rival);
        self.worker.resolve_conflict(other, &mut self.cx).await;
        self.cx.set_rival(Rival::Other);
        Ok(())
    }

    async fn down(&mut self, down: Down) {
        self.worker.down(down, &mut self.cx).await;
    }

    async fn die(self) {
        let Self { worker, mut cx, .. } = self;
        worker.die(&mut cx).await;
    }
}

fn state<W: Worker>(bytes: &[u8], bytes_max: usize) -> Result<W::State, String> {
    let limits = limits::state(bytes_max);
    codec::decode(bytes, limits).map_err(|e| format!("its state does not decode: {e}"))
}

/// The error and what caused it, in one line.
fn text(error: BoxError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors repeat their cause in their own text.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
