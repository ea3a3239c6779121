//! The life of an open connection: its streams, and how it ends.

use super::cause;
use super::endpoint::Shared;
use super::frames::{Frames, Stop};
use super::inbox::Pace;
use super::link::{self, Link};
use super::notice::{Lane, Notice};
use super::outbox::Outbox;
use super::settings::{BULK_AT_ONCE, BULK_LEN_MAX, CONTROL_LEN_MAX, SHARED_LEN_MAX};
use crate::{Cause, Reason};
use bytes::Bytes;
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

/// Opens a stream and says what it is for.
pub(super) async fn open_stream(
    connection: &Connection,
    purpose: u8,
) -> Result<SendStream, ConnectionError> {
    let mut stream = connection.open_uni().await?;
    let priority = match purpose {
        CONTROL => 2,
        MESSAGES => 1,
        _ => 0,
    };
    // These fail only where the connection is gone, which its reader finds out.
    let _ = stream.set_priority(priority);
    let _ = stream.write_all(&[purpose]).await;
    Ok(stream)
}

/// Moves bytes until the connection ends, and says why it did.
pub(super) async fn run(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    connection: &Connection,
    control: SendStream,
    bulk: mpsc::Receiver<Bytes>,
) -> Cause {
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    writers.spawn(write(link.control.clone(), control));
    for (outbox, purpose) in [(&link.messages, MESSAGES), (&link.shared, SHARED)] {
        writers.spawn(write_behind(outbox.clone(), connection.clone(), purpose));
    }
    writers.spawn(write_bulk(link.clone(), bulk, connection.clone()));
    readers.spawn(read_all(shared.clone(), link.clone(), connection.clone()));
    let reason = tokio::select! {
        error = connection.closed() => {
            link.close_outboxes();
            // The other side's last frames are here: it waited for their acknowledgement.
            let _ = timeout(DRAIN_MAX, finish(&mut readers)).await;
            return cause::of(&error);
        }
        reason = link.closing() => reason,
        () = link.control.overflowed() => Reason::Overloaded,
    };
    link.close_outboxes();
    if reason.flushes() {
        let _ = timeout(FLUSH_MAX, finish(&mut writers)).await;
    }
    link::close(connection, reason);
    Cause::Here(reason)
}

async fn finish(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Writes what is queued, all of it in one go each time, until the queue is closed and empty and
/// the other side has everything.
async fn write(outbox: Outbox, mut stream: SendStream) {
    let mut spare = Vec::new();
    while let Some(frames) = outbox.take(spare).await {
        if stream.write_all(&frames).await.is_err() {
            outbox.close();
            return;
        }
        spare = frames;
        // Whoever is about to push does so now, and shares the next write: with a thousand callers
        // twice the calls per second.
        yield_now().await;
    }
    let _ = stream.finish();
    let _ = stream.stopped().await;
}

/// The same on a stream that is still to be opened.
async fn write_behind(outbox: Outbox, connection: Connection, purpose: u8) {
    match open_stream(&connection, purpose).await {
        Ok(stream) => write(outbox, stream).await,
        Err(_) => outbox.close(),
    }
}

/// Sends each long payload on a stream of its own, a few at once.
async fn write_bulk(link: Arc<Link>, mut queue: mpsc::Receiver<Bytes>, connection: Connection) {
    let mut sending = JoinSet::new();
    loop {
        let payload = tokio::select! {
            _ = sending.join_next(), if sending.len() >= BULK_AT_ONCE => continue,
            payload = queue.recv(), if sending.len() < BULK_AT_ONCE => payload,
            _ = link.closing(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        let Some(payload) = payload else { break };
        let connection = connection.clone();
        sending.spawn(async move {
            let Ok(mut stream) = open_stream(&connection, BULK).await else { return };
            let _ = stream.write_chunk(payload).await;
            let _ = stream.finish();
            let _ = stream.stopped().await;
        });
    }
    finish(&mut sending).await;
}

/// Reads every stream that the other side opens.
async fn read_all(shared: Arc<Shared>, link: Arc<Link>, connection: Connection) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_uni() => match stream {
                Ok(stream) => {
                    let (shared, link) = (shared.clone(), link.clone());
                    streams.spawn(read(shared, link, connection.clone(), stream));
                }
                Err(_) => break,
            },
            Some(ended) = streams.join_next() => {
                // An inbox that panicked: the session cannot go on without its messages.
                if ended.is_err() {
                    link.close(Reason::Protocol);
                }
            }
        }
    }
    finish(&mut streams).await;
}

async fn read(
    shared: Arc<Shared>,
    link: Arc<Link>,
    connection: Connection,
    mut stream: RecvStream,
) {
    let mut purpose = [0];
    if stream.read_exact(&mut purpose).await.is_err() {
        return;
    }
    let stop = match purpose[0] {
        CONTROL if link.first(CONTROL) => {
            read_frames(&shared, &link, stream, Lane::Control, CONTROL_LEN_MAX).await
        }
        MESSAGES if link.first(MESSAGES) => {
            if !is_opened(&link, &connection).await {
                return;
            }
            read_messages(&shared, &link, stream).await
        }
        SHARED if link.first(SHARED) => {
            if !is_opened(&link, &connection).await {
                return;
            }
            read_frames(&shared, &link, stream, Lane::Bulk, SHARED_LEN_MAX).await
        }
        BULK => {
            if !is_opened(&link, &connection).await {
                return;
            }
            read_bulk(&shared, &link, stream).await
        }
        _ => Stop::Breach,
    };
    if matches!(stop, Stop::Breach) {
        link.close(Reason::Protocol);
    }
}

/// Waits until the driver takes messages, or never will.
async fn is_opened(link: &Link, connection: &Connection) -> bool {
    tokio::select! {
        biased;
        () = link.opened() => true,
        _ = connection.closed() => false,
    }
}

/// Hands over the frames of a stream in their order.
async fn read_frames(
    shared: &Shared,
    link: &Link,
    stream: RecvStream,
    lane: Lane,
    len_max: usize,
) -> Stop {
    let mut frames = Frames::new(stream, len_max);
    loop {
        match frames.next().await {
            Ok(batch) => {
                for bytes in batch {
                    let session = link.session;
                    shared.tell(Notice::Frame { session, lane, bytes }).await;
                }
            }
            Err(stop) => return stop,
        }
    }
}

async fn read_messages(shared: &Shared, link: &Link, stream: RecvStream) -> Stop {
    let mut frames = Frames::new(stream, shared.settings.message_len_max);
    loop {
        match frames.next().await {
            Ok(batch) => {
                for frame in batch {
                    keep(shared.inbox.deliver(link.session, frame)).await;
                }
                keep(shared.inbox.batch_end(link.session)).await;
            }
            Err(stop) => return stop,
        }
    }
}

async fn keep(pace: Pace) {
    match pace {
        Pace::Go => (),
        Pace::Wait(wait) => wait.await,
    }
}

async fn read_bulk(shared: &Shared, link: &Link, mut stream: RecvStream) -> Stop {
    match stream.read_to_end(BULK_LEN_MAX).await {
        Ok(bytes) => {
            let (session, lane, bytes) = (link.session, Lane::Bulk, bytes.into());
            shared.tell(Notice::Frame { session, lane, bytes }).await;
            Stop::Finished
        }
        Err(quinn::ReadToEndError::TooLong) => Stop::Breach,
        Err(quinn::ReadToEndError::Read(_)) => Stop::Lost,
    }
}

/// The first byte of a stream.
pub(super) const CONTROL: u8 = 1;
const MESSAGES: u8 = 2;
const BULK: u8 = 3;
const SHARED: u8 = 4;

/// How long a session that closes waits for what is queued to arrive.
pub(super) const FLUSH_MAX: Duration = Duration::from_secs(2);
/// How long a session that was closed goes on delivering what has arrived.
const DRAIN_MAX: Duration = Duration::from_secs(1);
