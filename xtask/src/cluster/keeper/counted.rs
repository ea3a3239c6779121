//! Named workers that count, take what they have counted along, add it up after a conflict, and
//! write down their lives.

use super::protocol::GROUP;
use crate::cluster::ledger;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use swarm::{BoxError, Cx, Handle, Handoff, Message, Worker};

/// The file of this process: a worker is built from its arguments alone.
static LEDGER: OnceLock<File> = OnceLock::new();

/// From now on lives are written there.
pub(super) fn open(path: &Path) -> Result<(), String> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
    LEDGER.set(file).map_err(|_| "the ledger is open".to_owned())
}

/// One write for each line: it is there also if the process is killed right behind it.
fn write(line: &str) {
    if let Some(mut file) = LEDGER.get() {
        file.write_all(line.as_bytes()).expect("the ledger takes lines");
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

/// How far it is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Read;

impl Message for Read {
    const NAME: &'static str = "read";
    type Reply = u64;
}

impl Worker for Counted {
    const KIND: &'static str = "counted";
    type Args = ();
    type State = u64;
    type Accepts = (Begin, Add, Read);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join(GROUP);
        cx.cast_self(Begin);
        Ok(Self { count: 0, life: None })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.count)
    }

    async fn end_handoff(&mut self, count: u64, cx: &mut Cx<Self>) {
        self.count = count;
        self.begin(cx);
    }

    async fn resolve_conflict(&mut self, other: u64, _: &mut Cx<Self>) {
        self.count += other;
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

impl Handle<Read> for Counted {
    async fn handle(&mut self, _: Read, _: &mut Cx<Self>) -> u64 {
        self.count
    }
}
