//! A worker that does as it is told, and tells what it lived through.

use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Duration;
use swarm::{BoxError, Cx, Down, Handle, Handoff, Message, Pid, Worker};

/// What a probe is started from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) count: u64,
    pub(crate) begin: Begin,
    pub(crate) go: Go,
    pub(crate) groups: Vec<String>,
}

/// How it starts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) enum Begin {
    #[default]
    Well,
    Error(String),
    Panic(String),
    Sleep(Duration),
    /// Registers another one of this name, looks it up, and joins a group of this name.
    Using(String),
}

/// What it says when it is to move.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) enum Go {
    #[default]
    Resume,
    Restart,
    Ignore,
    Never,
    Panic,
}

/// Something that happened to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Started,
    Asked,
    Resumed(u64),
    Resolved(u64),
    Died,
}

/// What happened to all probes of this process: name, node, what.
static LIVES: Mutex<Vec<(String, String, Life)>> = Mutex::new(Vec::new());

/// What happened to the probe of this name in this process, and on which node.
pub(crate) fn lives(name: &str) -> Vec<(String, Life)> {
    let lives = LIVES.lock().expect("nobody panics while it is held");
    let of_name = lives.iter().filter(|(of, ..)| of == name);
    of_name.map(|(_, node, life)| (node.clone(), life.clone())).collect()
}

/// A counter.
pub(crate) struct Probe {
    count: u64,
    go: Go,
    watching: usize,
    downs: Vec<Down>,
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident ($($field:ty)?) = $wire:literal -> $reply:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(crate) struct $name($(pub(crate) $field)?);

        impl Message for $name {
            const NAME: &'static str = $wire;
            type Reply = $reply;
        }
    };
}

message!(/// Adds, and replies with the sum.
    Add(u64) = "add" -> u64);
message!(/// Adds how long it is, and replies with the sum.
    Say(String) = "say" -> u64);
message!(/// Replies with the names of the node and of the process.
    Where() = "where" -> (String, String));
message!(/// Panics.
    Crash(String) = "crash" -> ());
message!(/// Takes its time.
    Nap(Duration) = "nap" -> u64);
message!(/// Ends of its own will.
    Quit() = "quit" -> ());
message!(/// Monitors a process, then joins `watching-1` and so on.
    Watch(Pid) = "watch" -> ());
message!(/// Replies with what its monitors said.
    Downs() = "downs" -> Vec<Down>);
message!(/// A message that no worker lists.
    Unlisted() = "unlisted" -> ());

impl Probe {
    fn note(cx: &Cx<Self>, life: Life) {
        let mut lives = LIVES.lock().expect("nobody panics while it is held");
        lives.push((cx.name().to_string(), cx.node().to_string(), life));
    }
}

impl Worker for Probe {
    const KIND: &'static str = "probe";
    type Args = Setup;
    type State = u64;
    type Accepts = (Add, Say, Where, Crash, Nap, Quit, Watch, Downs);

    async fn start(setup: Setup, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        match &setup.begin {
            Begin::Well => (),
            Begin::Error(text) => return Err(text.clone().into()),
            Begin::Panic(text) => panic!("{text}"),
            Begin::Sleep(time) => tokio::time::sleep(*time).await,
            Begin::Using(name) => {
                let swarm = cx.swarm();
                swarm.register::<Self>(name, Setup::default()).await?;
                let other = swarm.whereis(name).ok_or("not found")?;
                assert_ne!(other, cx.pid());
                cx.join(name);
            }
        }
        for group in &setup.groups {
            cx.join(group);
        }
        Self::note(cx, Life::Started);
        Ok(Self { count: setup.count, go: setup.go, watching: 0, downs: Vec::new() })
    }

    async fn begin_handoff(&mut self, cx: &mut Cx<Self>) -> Handoff<u64> {
        Self::note(cx, Life::Asked);
        match self.go {
            Go::Resume => Handoff::Resume(self.count),
            Go::Restart => Handoff::Restart,
            Go::Ignore => Handoff::Ignore,
            Go::Never => std::future::pending().await,
            Go::Panic => panic!("it does not want to go"),
        }
    }

    async fn end_handoff(&mut self, count: u64, cx: &mut Cx<Self>) {
        Self::note(cx, Life::Resumed(count));
        self.count = count;
    }

    async fn resolve_conflict(&mut self, other: u64, cx: &mut Cx<Self>) {
        Self::note(cx, Life::Resolved(other));
        self.count += other;
    }

    async fn down(&mut self, down: Down, _: &mut Cx<Self>) {
        self.downs.push(down);
    }

    async fn die(self, cx: &mut Cx<Self>) {
        Self::note(cx, Life::Died);
    }
}

impl Handle<Add> for Probe {
    async fn handle(&mut self, Add(n): Add, _: &mut Cx<Self>) -> u64 {
        self.count += n;
        self.count
    }
}

impl Handle<Say> for Probe {
    async fn handle(&mut self, Say(text): Say, _: &mut Cx<Self>) -> u64 {
        self.count += text.len() as u64;
        self.count
    }
}

impl Handle<Where> for Probe {
    async fn handle(&mut self, _: Where, cx: &mut Cx<Self>) -> (String, String) {
        (cx.node().to_string(), cx.name().to_string())
    }
}

impl Handle<Crash> for Probe {
    async fn handle(&mut self, Crash(text): Crash, _: &mut Cx<Self>) {
        panic!("{text}");
    }
}

impl Handle<Nap> for Probe {
    async fn handle(&mut self, Nap(time): Nap, _: &mut Cx<Self>) -> u64 {
        tokio::time::sleep(time).await;
        self.count
    }
}

impl Handle<Quit> for Probe {
    async fn handle(&mut self, _: Quit, cx: &mut Cx<Self>) {
        cx.stop();
    }
}

impl Handle<Watch> for Probe {
    async fn handle(&mut self, Watch(pid): Watch, cx: &mut Cx<Self>) {
        cx.monitor(pid);
        self.watching += 1;
        cx.join(format!("watching-{}", self.watching));
    }
}

impl Handle<Downs> for Probe {
    async fn handle(&mut self, _: Downs, _: &mut Cx<Self>) -> Vec<Down> {
        self.downs.clone()
    }
}

/// A worker of another kind.
pub(crate) struct Other;

impl Worker for Other {
    const KIND: &'static str = "other";
    type Args = ();
    type State = ();
    type Accepts = (Where,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Where> for Other {
    async fn handle(&mut self, _: Where, cx: &mut Cx<Self>) -> (String, String) {
        (cx.node().to_string(), cx.name().to_string())
    }
}

/// Counts, takes its count along, and leaves conflicts to the default.
pub(crate) struct Purse(u64);

impl Worker for Purse {
    const KIND: &'static str = "purse";
    type Args = Setup;
    type State = u64;
    type Accepts = (Add,);

    async fn start(setup: Setup, _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self(setup.count))
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.0)
    }

    async fn end_handoff(&mut self, count: u64, _: &mut Cx<Self>) {
        self.0 = count;
    }
}

impl Handle<Add> for Purse {
    async fn handle(&mut self, Add(n): Add, _: &mut Cx<Self>) -> u64 {
        self.0 += n;
        self.0
    }
}
