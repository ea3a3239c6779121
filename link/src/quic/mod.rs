//! Sessions over QUIC: one connection per pair of nodes, TLS 1.3 with certificates on both sides.
//!
//! | Stream | Carries | Arrives as |
//! |---|---|---|
//! | control, one each way | facts and control frames, before everything else | [`Notice::Frame`] |
//! | messages, one each way | process messages, packed | [`Inbox::deliver`] |
//! | bulk, one for all short payloads and one for each long one | states and mail of moves, behind everything else | [`Notice::Frame`] |
//!
//! Every queue is bounded: one that is not emptied makes its reader pause, QUIC's flow control
//! carries that to the other side, and there the sender waits in [`Outbox::send`].
//!
//! An [`Endpoint`] is driven together with a [`Links`](crate::Links):
//!
//! | Links | Endpoint |
//! |---|---|
//! | [`Dial`](crate::Event::Dial), [`Close`](crate::Event::Close) | [`dial`](Endpoint::dial), [`close`](Endpoint::close) |
//! | a [`Hello`](crate::Hello) to send, a hello that came | [`control`](Endpoint::control), [`Notice::Frame`] |
//! | [`Up`](crate::Event::Up) | [`open`](Endpoint::open) |
//! | [`handle_opened`](crate::Links::handle_opened), [`handle_failed`](crate::Links::handle_failed), [`handle_closed`](crate::Links::handle_closed) | [`Notice::Opened`], [`Notice::Failed`], [`Notice::Closed`] |
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use swarm_base::{ClusterSecret, NodeName, Session};
//! use swarm_link::quic::{Credentials, Endpoint, Inbox, Pace, Settings};
//!
//! struct Printer;
//!
//! impl Inbox for Printer {
//!     fn deliver(&self, from: Session, frame: bytes::Bytes) -> Pace {
//!         println!("{from}: {} bytes", frame.len());
//!         Pace::Go
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = ClusterSecret::generate();
//! let credentials = Credentials::from_secret(&secret, "blue", &NodeName::new("a")?)?;
//! let (sender, mut notices) = tokio::sync::mpsc::channel(1024);
//! let address = "127.0.0.1:0".parse()?;
//! let endpoint =
//!     Endpoint::bind(address, &credentials, Settings::default(), sender, Arc::new(Printer))?;
//! for warning in endpoint.warnings() {
//!     eprintln!("{warning}");
//! }
//! endpoint.dial(Session::dialled(1), endpoint.local_addr(), &NodeName::new("a")?);
//! println!("{:?}", notices.recv().await);
//! endpoint.shutdown().await;
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod breaches;

mod cause;

mod certificate;

mod connection;

mod connection_id;

mod credentials;
pub use credentials::{Credentials, CredentialsError};

mod endpoint;
pub use endpoint::Endpoint;

mod frames;

mod handshake;

mod inbox;
pub use inbox::{Inbox, Pace};

mod link;

mod notice;
pub use notice::{Lane, Notice};

mod outbox;
pub use outbox::{Outbox, Push, SendError};

mod settings;
pub use settings::{BULK_LEN_MAX, CONTROL_LEN_MAX, Settings, SettingsError};

mod socket;
pub use socket::{BindError, Warning};

mod verify;
