//! The demo's worker: a device that counts, and keeps account of its life and its tally where its
//! node process can read it.

use crate::demo::protocol::{Alive, GROUP, Reading, Tally, wall_us};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use swarm::{BoxError, Cx, Handle, Handoff, Message, Pid, Worker};

/// Tells a device to count one further, and how far it is then.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Count;

impl Message for Count {
    const NAME: &'static str = "count";
    type Reply = u64;
}

/// Asks a device for its tally.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Read;

impl Message for Read {
    const NAME: &'static str = "read";
    type Reply = Reading;
}

/// What is published to all devices.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Notice;

impl Message for Notice {
    const NAME: &'static str = "notice";
    type Reply = ();
}

/// Asks a device who and where it is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Who;

impl Message for Who {
    const NAME: &'static str = "who";
    type Reply = String;
}

/// The worker. Its number is its argument, what it has counted its state.
pub(super) struct Device {
    number: u32,
    life: Life,
}

impl Worker for Device {
    const KIND: &'static str = "device";
    type Args = u32;
    type State = Tally;
    type Accepts = (Count, Read, Notice, Who);

    async fn start(number: u32, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join(GROUP);
        Ok(Self { number, life: LIVING.begin(number, cx.pid()) })
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Tally> {
        Handoff::Resume(self.life.account.tally())
    }

    async fn end_handoff(&mut self, state: Tally, _: &mut Cx<Self>) {
        self.life.account.count.store(state.count, Ordering::Relaxed);
        self.life.account.received.store(state.received, Ordering::Relaxed);
    }
}

impl Handle<Count> for Device {
    async fn handle(&mut self, _: Count, _: &mut Cx<Self>) -> u64 {
        self.life.account.count.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Handle<Read> for Device {
    async fn handle(&mut self, _: Read, _: &mut Cx<Self>) -> Reading {
        Reading { device: self.number, tally: self.life.account.tally() }
    }
}

impl Handle<Notice> for Device {
    async fn handle(&mut self, _: Notice, _: &mut Cx<Self>) {
        self.life.account.received.fetch_add(1, Ordering::Relaxed);
    }
}

impl Handle<Who> for Device {
    async fn handle(&mut self, _: Who, cx: &mut Cx<Self>) -> String {
        format!("{} on {} as {}", cx.name(), cx.node(), cx.pid())
    }
}

/// The device processes of this operating-system process. A worker is built from its arguments
/// alone, and a node process runs one node, so this is the one place where the two can meet.
pub(super) static LIVING: Living =
    Living { accounts: Mutex::new(BTreeMap::new()), started: AtomicU64::new(0) };

/// Who lives, kept by the devices themselves: the node and its registry have no hand in it.
pub(super) struct Living {
    accounts: Mutex<BTreeMap<Pid, Arc<Account>>>,
    started: AtomicU64,
}

pub(super) struct Account {
    device: u32,
    started_us: u64,
    count: AtomicU64,
    received: AtomicU64,
}

impl Account {
    fn tally(&self) -> Tally {
        Tally {
            count: self.count.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }
}

/// Ends when the device is dropped: after its `die`, in a panic, or when it is killed.
struct Life {
    pid: Pid,
    account: Arc<Account>,
}

impl Drop for Life {
    fn drop(&mut self) {
        LIVING.lock().remove(&self.pid);
    }
}

impl Living {
    fn begin(&self, device: u32, pid: Pid) -> Life {
        let account = Arc::new(Account {
            device,
            started_us: wall_us(),
            count: AtomicU64::new(0),
            received: AtomicU64::new(0),
        });
        self.started.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(pid, Arc::clone(&account));
        Life { pid, account }
    }

    /// How many there are, and how many notices they have received in all.
    pub(super) fn count(&self) -> (usize, u64) {
        let living = self.lock();
        (living.len(), living.values().map(|account| account.tally().received).sum())
    }

    /// How many were ever started.
    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// All of them, standbys of moves included.
    pub(super) fn list(&self) -> Vec<Alive> {
        let alive = |(pid, account): (&Pid, &Arc<Account>)| Alive {
            device: account.device,
            serial: pid.serial,
            started_us: account.started_us,
            tally: account.tally(),
        };
        self.lock().iter().map(alive).collect()
    }

    /// Number and pid of each.
    pub(super) fn pids(&self) -> Vec<(u32, Pid)> {
        self.lock().iter().map(|(pid, account)| (account.device, *pid)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Pid, Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
