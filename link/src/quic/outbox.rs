//! The bytes that wait for one stream, shared by everybody who sends on it.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use tokio::sync::Notify;

/// Where frames wait for one stream of one session. A cheap clone; any task may push.
///
/// Frames go out in the order in which they were pushed, packed into as few writes as the network
/// allows. `Queued` means accepted, not delivered: what is queued is lost when the session breaks.
#[derive(Clone)]
pub struct Outbox(Arc<Lane>);

struct Lane {
    queue: Mutex<Queue>,
    space: Notify,
    /// Told of each frame that was too much.
    overflow: Notify,
    limit: usize,
    frame_len_max: usize,
}

struct Queue {
    /// Whole frames, each after its length. A frame that is being written may follow `len`.
    bytes: Vec<u8>,
    len: usize,
    /// The writer, where it sleeps.
    writer: Option<Waker>,
    closed: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Push {
    /// It goes out, unless the session breaks first.
    Queued,
    /// The queue is full. The frame was not written: [`Outbox::space`] says when to try again.
    Full,
    /// The session is closed or closing. The frame was not written, or is dropped.
    Closed,
    /// The frame is longer than any receiver takes. It is dropped.
    TooLong,
}

/// Why a frame could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closed or closing. Nothing was queued.
    #[error("the session is closed")]
    Closed,
    /// The frame is longer than any receiver takes. Nothing was queued.
    #[error("the frame is longer than {max} bytes")]
    TooLong {
        /// The longest that is taken.
        max: usize,
    },
}

impl Outbox {
    /// A queue that takes frames while it holds fewer than `limit` bytes.
    pub(super) fn new(limit: usize, frame_len_max: usize) -> Self {
        let queue = Queue { bytes: Vec::new(), len: 0, writer: None, closed: false };
        Self(Arc::new(Lane {
            queue: Mutex::new(queue),
            space: Notify::new(),
            overflow: Notify::new(),
            limit,
            frame_len_max,
        }))
    }

    /// Appends one frame, which `write` appends to what it is given. Never waits.
    ///
    /// `write` runs under the queue's lock: encode what is large or may panic before. It is not
    /// called where the queue is full or closed.
    pub fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> Push {
        self.push_below(self.0.limit, &mut Some(write))
    }

    /// Appends one frame that nobody can wait for, such as a reply from the task that reads.
    ///
    /// It may exceed the limit that requests wait for, eight times: a reader that waited for space
    /// here, on both sides of a session, would wait for ever. `Full` beyond that.
    pub fn push_reserved(&self, write: impl FnOnce(&mut Vec<u8>)) -> Push {
        self.push_below(self.0.limit.saturating_mul(RESERVED), &mut Some(write))
    }

    /// Appends one frame, and waits for space where there is none.
    ///
    /// Who has waited may use a reserve that nobody else may, so that those who never wait cannot
    /// starve those who do.
    ///
    /// # Errors
    ///
    /// [`SendError`], in each case with nothing queued.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is done has queued nothing.
    pub async fn send(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SendError> {
        let (mut write, mut limit) = (Some(write), self.0.limit);
        loop {
            match self.push_below(limit, &mut write) {
                Push::Queued => return Ok(()),
                Push::Closed => return Err(SendError::Closed),
                Push::TooLong => return Err(SendError::TooLong { max: self.0.frame_len_max }),
                Push::Full => (),
            }
            self.had_space().await;
            limit = self.0.limit.saturating_mul(2);
        }
    }

    /// Waits until there is space, or the queue is closed. By the time of the next
    /// [`push`](Self::push) others may have used it.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn space(&self) {
        self.had_space().await;
    }

    /// How many bytes wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue().len
    }

    /// Whether nothing can be pushed any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue().closed
    }

    fn push_below<W: FnOnce(&mut Vec<u8>)>(&self, limit: usize, write: &mut Option<W>) -> Push {
        let mut queue = self.queue();
        if queue.closed {
            return Push::Closed;
        }
        if queue.len >= limit {
            self.0.overflow.notify_one();
            return Push::Full;
        }
        let Some(write) = write.take() else { return Push::Closed };
        let start = queue.len;
        // Whatever a `write` that panicked has left behind the last whole frame goes away here.
        queue.bytes.truncate(start);
        queue.bytes.extend_from_slice(&[0; PREFIX]);
        write(&mut queue.bytes);
        assert!(queue.bytes.len() >= start + PREFIX, "a frame's writer only appends");
        let len = queue.bytes.len() - start - PREFIX;
        if len > self.0.frame_len_max {
            queue.bytes.truncate(start);
            return Push::TooLong;
        }
        let prefix = u32::try_from(len).expect("frames are far below 4 GiB").to_be_bytes();
        queue.bytes[start..start + PREFIX].copy_from_slice(&prefix);
        queue.len = queue.bytes.len();
        let writer = queue.writer.take();
        drop(queue);
        if let Some(writer) = writer {
            writer.wake();
        }
        Push::Queued
    }

    /// Returns once there was space, even where others have used it since: whoever has waited for
    /// one emptying of the queue may use the reserve.
    async fn had_space(&self) {
        let notified = self.0.space.notified();
        tokio::pin!(notified);
        // Registered before the look, so that no wake-up falls in between.
        notified.as_mut().enable();
        {
            let queue = self.queue();
            if queue.closed || queue.len < self.0.limit {
                return;
            }
        }
        notified.await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a frame was too much.
    pub(super) async fn overflowed(&self) {
        self.0.overflow.notified().await;
    }

    /// Takes no more frames. What is queued can still be [taken](Self::take).
    pub(super) fn close(&self) {
        let writer = {
            let mut queue = self.queue();
            queue.closed = true;
            queue.writer.take()
        };
        self.0.space.notify_waiters();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Waits for frames and takes all of them, leaving `spare` as the buffer of the next. `None`:
    /// the queue is closed and empty. For one writer only.
    pub(super) async fn take(&self, mut spare: Vec<u8>) -> Option<Vec<u8>> {
        spare.clear();
        if spare.capacity() > SPARE_MAX {
            spare = Vec::new();
        }
        let mut spare = Some(spare);
        let taken = poll_fn(|cx| {
            let mut queue = self.queue();
            if queue.len > 0 {
                let (len, spare) = (queue.len, spare.take().unwrap_or_default());
                queue.len = 0;
                let mut bytes = std::mem::replace(&mut queue.bytes, spare);
                bytes.truncate(len);
                return Poll::Ready(Some(bytes));
            }
            if queue.closed {
                return Poll::Ready(None);
            }
            match &mut queue.writer {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
        self.0.space.notify_waiters();
        taken
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("queued", &self.queued()).finish_non_exhaustive()
    }
}

/// The bytes of a length.
pub(super) const PREFIX: usize = 4;
/// A buffer that a burst has made larger is not kept.
const SPARE_MAX: usize = 4 * 1024 * 1024;
/// What cannot wait may fill the queue up to this many times its limit.
const RESERVED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use tokio::task::JoinSet;

    fn frame(len: usize) -> impl FnOnce(&mut Vec<u8>) {
        move |bytes| bytes.resize(bytes.len() + len, 9)
    }

    #[tokio::test]
    async fn frames_are_packed_behind_their_lengths() {
        let outbox = Outbox::new(100, 100);
        assert_eq!(outbox.push(|bytes| bytes.extend_from_slice(b"ab")), Push::Queued);
        assert_eq!(outbox.push(|_| ()), Push::Queued);
        assert_eq!(outbox.queued(), 10);
        let taken = outbox.take(Vec::new()).await.expect("open");
        assert_eq!(taken, [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0]);
        assert_eq!(outbox.queued(), 0);
    }

    #[tokio::test]
    async fn a_full_queue_takes_nothing_until_it_is_taken() {
        let outbox = Outbox::new(10, 100);
        assert_eq!(outbox.push(frame(6)), Push::Queued);
        assert_eq!(outbox.push(frame(0)), Push::Full);
        outbox.take(Vec::new()).await.expect("open");
        assert_eq!(outbox.push(frame(0)), Push::Queued);
    }

    #[tokio::test]
    async fn replies_have_a_reserve_with_an_end() {
        let outbox = Outbox::new(10, 100);
        assert_eq!(outbox.push(frame(6)), Push::Queued);
        let mut replies = 0;
        while outbox.push_reserved(frame(6)) == Push::Queued {
            replies += 1;
        }
        assert_eq!((replies, outbox.queued()), (7, 80));
        assert_eq!(outbox.push(frame(0)), Push::Full);
    }

    #[tokio::test]
    async fn what_a_panicking_or_long_frame_leaves_behind_is_not_sent() {
        let outbox = Outbox::new(100, 8);
        assert_eq!(outbox.push(frame(1)), Push::Queued);
        let panicking = |bytes: &mut Vec<u8>| {
            bytes.push(1);
            panic!("by intention")
        };
        assert!(catch_unwind(AssertUnwindSafe(|| outbox.push(panicking))).is_err());
        assert_eq!(outbox.take(Vec::new()).await.expect("open"), [0, 0, 0, 1, 9]);
        assert_eq!(outbox.push(frame(9)), Push::TooLong);
        assert_eq!(outbox.push(frame(2)), Push::Queued);
        assert_eq!(outbox.take(Vec::new()).await.expect("open"), [0, 0, 0, 2, 9, 9]);
    }

    #[tokio::test]
    async fn a_closed_queue_is_emptied_and_then_ends() {
        let outbox = Outbox::new(100, 100);
        assert_eq!(outbox.push(frame(1)), Push::Queued);
        outbox.close();
        assert_eq!(outbox.push(frame(1)), Push::Closed);
        assert_eq!(outbox.send(frame(1)).await, Err(SendError::Closed));
        assert!(outbox.take(Vec::new()).await.is_some());
        assert!(outbox.take(Vec::new()).await.is_none());
    }

    #[tokio::test]
    async fn closing_wakes_whoever_waits() {
        let (full, empty) = (Outbox::new(1, 100), Outbox::new(1, 100));
        assert_eq!(full.push(frame(1)), Push::Queued);
        let mut waiting = JoinSet::new();
        let sender = full.clone();
        waiting
            .spawn(async move { assert_eq!(sender.send(frame(1)).await, Err(SendError::Closed)) });
        let sender = full.clone();
        waiting.spawn(async move { sender.space().await });
        let writer = empty.clone();
        waiting.spawn(async move { assert_eq!(writer.take(Vec::new()).await, None) });
        tokio::task::yield_now().await;
        full.close();
        empty.close();
        while let Some(ended) = waiting.join_next().await {
            ended.expect("no panic");
        }
    }

    /// One sender never waits, the others do: each of those gets its frames through.
    #[tokio::test]
    async fn those_who_wait_are_not_starved_by_those_who_do_not() {
        let outbox = Outbox::new(64, 100);
        let mut waiting = JoinSet::new();
        for _ in 0..3 {
            let outbox = outbox.clone();
            waiting.spawn(async move {
                for _ in 0..100 {
                    outbox.send(frame(2)).await.expect("open");
                }
            });
        }
        let (mut spare, mut rounds) = (Vec::new(), 0);
        while !waiting.is_empty() {
            while outbox.push(frame(1)) == Push::Queued {}
            spare = outbox.take(spare).await.expect("open");
            // Full again before those who wait can look.
            while outbox.push(frame(1)) == Push::Queued {}
            tokio::task::yield_now().await;
            while waiting.try_join_next().is_some() {}
            rounds += 1;
            assert!(rounds < 1000, "starved");
        }
    }
}
