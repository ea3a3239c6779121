//! Sessions over QUIC: one connection per pair of nodes, TLS 1.3 with certificates on both sides.
//!
//! | Stream | Carries | Arrives as |
//! |---|---|---|
//! | control, one each way | facts and control frames, before everything else | [`Notice::Frame`] |
//! | messages, one each way | process messages, packed | [`Inbox::deliver`] |
//! | bulk, one for each payload | state and snapshots, behind everything else | [`Notice::Frame`] |

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
