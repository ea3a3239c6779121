//! Named workers that count, take what they have counted along, add it up after a conflict, and
//! write down their lives.

use super::protocol::GROUP;
use crate::cluster::ledger;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use swarm::{BoxError, Cx, Handle, Handoff, Message, Worker};

/// The file of this process: a worker is built from its arguments alone.
static LEDGER: OnceLock<Ledger> = OnceLock::new();

struct Ledger {
    file: File,
    /// How many bytes workers take along besides what they have counted.
    state_bytes: usize,
}

/// From now on lives are written there, and states are so large.
pub(super) fn open(path: &Path, state_bytes: usize) -> Result<(), String> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
    LEDGER.set(Ledger { file, state_bytes }).map_err(|_| "the ledger is open".to_owned())
}

/// One write for each line: it is there also if the process is killed right behind it.
fn write(line: &str) {
    if let Some(ledger) = LEDGER.get() {
        (&ledger.file).write_all(line.as_bytes()).expect("the ledger takes lines");
    }
}

pub(super) struct Counted {
    count: u64,
    /// Once it serves: one that waits for its state does not.
    life: Option<Life>,
}

/// Ends with the worker.
struct Life {
    pid: String,
}

impl Drop for Life {
    fn drop(&mut self) {
        write(&ledger::ended(&self.pid));
    }
}

/// Sent to itself: it is handled once the worker serves.
#[derive(Serialize, Deserialize)]
pub(super) struct Begin;

impl Message for Begin {
    const NAME: &'static str = "begin";
    type Reply = ();
}

/// Counts one further.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Add;

impl Message for Add {
    const NAME: &'static str = "add";
    type Reply = ();
}

/// Sleeps for so many milliseconds, and keeps what comes behind it waiting.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Nap(pub(super) u64);

impl Message for Nap {
    const NAME: &'static str = "nap";
    type Reply = ();
}

/// How far it is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Read;

impl Message for Read {
    const NAME: &'static str = "read";
    type Reply = u64;
}

/// What a worker takes along.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    count: u64,
    /// Nothing but its length.
    rest: String,
}

impl Worker for Counted {
    const KIND: &'static str = "counted";
    type Args = ();
    type State = State;
    type Accepts = (Begin, Add, Nap, Read);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join(GROUP);
        cx.cast_self(Begin);
        Ok(Self { count: 0, life: None })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<State> {
        let len = LEDGER.get().map_or(0, |ledger| ledger.state_bytes);
        Handoff::Resume(State { count: self.count, rest: " ".repeat(len) })
    }

    async fn end_handoff(&mut self, state: State, cx: &mut Cx<Self>) {
        self.count = state.count;
        self.begin(cx);
    }

    async fn resolve_conflict(&mut self, other: State, _: &mut Cx<Self>) {
        self.count += other.count;
    }
}

impl Counted {
    fn begin(&mut self, cx: &Cx<Self>) {
        if self.life.is_none() {
            let pid = cx.pid().to_string();
            write(&ledger::began(&cx.name().to_string(), &pid, &cx.token().to_string()));
            self.life = Some(Life { pid });
        }
    }
}

impl Handle<Begin> for Counted {
    async fn handle(&mut self, _: Begin, cx: &mut Cx<Self>) {
        self.begin(cx);
    }
}

impl Handle<Add> for Counted {
    async fn handle(&mut self, _: Add, _: &mut Cx<Self>) {
        self.count += 1;
    }
}

impl Handle<Nap> for Counted {
    async fn handle(&mut self, Nap(millis): Nap, _: &mut Cx<Self>) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl Handle<Read> for Counted {
    async fn handle(&mut self, _: Read, _: &mut Cx<Self>) -> u64 {
        self.count
    }
}
