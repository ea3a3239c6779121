//! One session, as its own task and the endpoint's callers share it.

use super::outbox::Outbox;
use super::settings::{
    BULK_QUEUE, CONTROL_LEN_MAX, CONTROL_QUEUE_BYTES, SHARED_LEN_MAX, SHARED_QUEUE_BYTES, Settings,
};
use crate::Reason;
use bytes::Bytes;
use quinn::{Connection, VarInt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use swarm_base::Session;
use tokio::sync::{mpsc, watch};

pub(super) struct Link {
    pub(super) session: Session,
    pub(super) control: Outbox,
    pub(super) messages: Outbox,
    /// Bulk payloads that share a stream.
    pub(super) shared: Outbox,
    /// Bulk payloads that get one each.
    pub(super) bulk: mpsc::Sender<Bytes>,
    /// Set once the transport is open.
    pub(super) connection: OnceLock<Connection>,
    /// Whether the driver takes messages and payloads.
    opened: watch::Sender<bool>,
    /// Why the session shall end.
    closing: watch::Sender<Option<Reason>>,
    /// Which of the streams that exist once the other side has opened, a bit for each.
    seen: AtomicU8,
}

impl Link {
    /// A session that is being made, and the payloads that its task is to send.
    pub(super) fn new(session: Session, settings: &Settings) -> (Self, mpsc::Receiver<Bytes>) {
        let (bulk, queue) = mpsc::channel(BULK_QUEUE);
        let link = Self {
            session,
            control: Outbox::new(CONTROL_QUEUE_BYTES, CONTROL_LEN_MAX),
            messages: Outbox::new(settings.message_queue_bytes, settings.message_len_max),
            shared: Outbox::new(SHARED_QUEUE_BYTES, SHARED_LEN_MAX),
            bulk,
            connection: OnceLock::new(),
            opened: watch::Sender::new(false),
            closing: watch::Sender::new(None),
            seen: AtomicU8::new(0),
        };
        (link, queue)
    }

    /// The driver takes messages and payloads from now on.
    pub(super) fn open(&self) {
        self.opened.send_replace(true);
    }

    pub(super) async fn opened(&self) {
        // Never an error: the sender is in `self`.
        let _ = self.opened.subscribe().wait_for(|opened| *opened).await;
    }

    /// Asks the session's task to end it. The first reason counts.
    pub(super) fn close(&self, reason: Reason) {
        self.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            closing.get_or_insert(reason);
            first
        });
    }

    pub(super) async fn closing(&self) -> Reason {
        let mut closing = self.closing.subscribe();
        let reason = closing.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        reason.unwrap_or(Reason::Shutdown)
    }

    /// Notes that the other side has opened a stream that exists once. False if it had before.
    pub(super) fn first(&self, purpose: u8) -> bool {
        let bit = 1 << purpose;
        self.seen.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// No more can be pushed.
    pub(super) fn close_outboxes(&self) {
        self.control.close();
        self.messages.close();
        self.shared.close();
    }
}

/// Closes a connection so that the other side learns why.
pub(super) fn close(connection: &Connection, reason: Reason) {
    connection.close(VarInt::from_u32(reason.code()), reason.to_string().as_bytes());
}
