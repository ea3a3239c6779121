//! What happens when a time comes: one wheel and one task for all of a node's processes.

use crate::panics::drop_caught;
use crate::table::Table;
use crate::{Clock, Handle, Mail, SendError, Timer, Waiter, Wheel};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use swarm_base::Instant;
use tokio::sync::Notify;

/// The deadlines of a node's calls and processes.
#[derive(Debug)]
pub(crate) struct Timers {
    clock: Clock,
    /// More than one, so that callers on different threads seldom meet.
    wheels: [Mutex<Wheel<Due>>; WHEELS],
    turn: AtomicUsize,
    /// The task waits for a first deadline.
    parked: AtomicBool,
    wake: Notify,
}

/// What is due.
#[derive(Debug)]
pub(crate) enum Due {
    /// A call has run out of time.
    Expire(Arc<dyn Waiter>),
    /// A process wanted this mail now.
    Send(Box<(Handle, Mail)>),
    /// A process had until now to stop.
    Kill(Handle),
    /// A process moved away long enough ago.
    Forget(u64),
}

/// A deadline in one of the wheels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set {
    wheel: u8,
    timer: Timer,
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Self {
        let now = clock.now();
        Self {
            clock,
            wheels: std::array::from_fn(|_| Mutex::new(Wheel::new(now, TICK))),
            turn: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn set(&self, deadline: Instant, due: Due) -> Set {
        let wheel = self.turn.fetch_add(1, Ordering::Relaxed) % WHEELS;
        let timer = self.wheel(wheel).insert(deadline, due);
        // Read after the wheel's lock: either the task saw the entry or this sees it parked.
        if self.parked.load(Ordering::Acquire) && self.parked.swap(false, Ordering::AcqRel) {
            self.wake.notify_one();
        }
        Set { wheel: wheel as u8, timer }
    }

    pub(crate) fn cancel(&self, set: Set) {
        let due = self.wheel(usize::from(set.wheel)).cancel(set.timer);
        drop(due);
    }

    /// Turns the wheels until aborted.
    pub(crate) async fn run(self: Arc<Self>, table: Arc<Table>) {
        let mut due = Vec::new();
        loop {
            self.park().await;
            let mut idle = 0;
            // Stays awake for a while: callers who take turns would wake it for each call.
            while idle < LINGER {
                tokio::time::sleep(TICK).await;
                idle = if self.is_empty() { idle + 1 } else { 0 };
                self.turn(&table, &mut due);
            }
        }
    }

    async fn park(&self) {
        loop {
            self.parked.store(true, Ordering::Release);
            if !self.is_empty() {
                return self.parked.store(false, Ordering::Release);
            }
            self.wake.notified().await;
        }
    }

    fn turn(&self, table: &Table, due: &mut Vec<Due>) {
        let now = self.clock.now();
        for wheel in 0..WHEELS {
            self.wheel(wheel).advance(now, due);
        }
        for due in due.drain(..) {
            match due {
                Due::Expire(waiter) => waiter.expire(),
                Due::Send(send) => self.send(now, *send),
                Due::Kill(handle) => handle.kill(),
                Due::Forget(serial) => table.forget(serial),
            }
        }
        due.shrink_to(DUE_KEPT);
    }

    fn send(&self, now: Instant, (handle, mail): (Handle, Mail)) {
        match handle.try_send(mail) {
            Ok(()) => handle.drop_timer(),
            // A timer ends with its process. The message's destructor must not end the wheel.
            Err(SendError::Closed(mail)) => drop(drop_caught(mail)),
            // It waits for room as any sender does, looking again at every tick.
            Err(SendError::Full(mail)) => {
                self.set(now + TICK, Due::Send(Box::new((handle, mail))));
            }
        }
    }

    fn is_empty(&self) -> bool {
        (0..WHEELS).all(|wheel| self.wheel(wheel).is_empty())
    }

    fn wheel(&self, at: usize) -> MutexGuard<'_, Wheel<Due>> {
        self.wheels[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A timeout is late by at most this, and the wheel turns a hundred times a second while any
/// deadline is set.
const TICK: Duration = Duration::from_millis(10);

/// After how many ticks without a deadline the task sleeps.
const LINGER: u32 = 100;

const WHEELS: usize = 4;

/// How much of the list of what is due is kept after a tick with much.
const DUE_KEPT: usize = 1024;
