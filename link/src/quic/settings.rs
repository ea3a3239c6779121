//! What a connection may use.

use super::CredentialsError;
use super::credentials::Credentials;
use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};
use std::sync::Arc;
use std::time::Duration;

/// The limits of connections. The defaults suit one data centre: quinn's own are made for the
/// internet and let each peer fill 250 MB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a connection lives without hearing anything. The last resort: the membership
    /// declares death much sooner. At least twice [`keep_alive`](Self::keep_alive).
    pub idle_timeout: Duration,
    /// How often something is sent where nothing else is.
    pub keep_alive: Duration,
    /// The longest message frame, in bytes: 1 MiB, at most 16 MiB. The same on every node, or the
    /// stricter one closes the session.
    pub message_len_max: usize,
    /// How many bytes of messages wait for the network, to each node, before senders wait: 1 MiB.
    pub message_queue_bytes: usize,
    /// What is asked of the kernel as buffer of the socket, in each direction: 8 MB. With the
    /// usual 200 KiB, bursts are lost even on loopback.
    pub socket_buffer_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(3),
            message_len_max: 1024 * 1024,
            message_queue_bytes: 1024 * 1024,
            socket_buffer_bytes: 8_000_000,
        }
    }
}

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the setting and what would be right.
    pub fn check(&self) -> Result<(), SettingsError> {
        let least = self.keep_alive * 2;
        if self.keep_alive.is_zero() {
            return Err(SettingsError::KeepAlive);
        }
        if self.idle_timeout < least || self.idle_timeout > IDLE_TIMEOUT_MAX {
            let (value, most) = (self.idle_timeout, IDLE_TIMEOUT_MAX);
            return Err(SettingsError::IdleTimeout { value, least, most });
        }
        for (setting, value, least, most) in [
            ("message_len_max", self.message_len_max, 1024, 16 << 20),
            ("message_queue_bytes", self.message_queue_bytes, 1024, 64 << 20),
            ("socket_buffer_bytes", self.socket_buffer_bytes, 65_536, 1 << 30),
        ] {
            if !(least..=most).contains(&value) {
                return Err(SettingsError::Bytes { setting, value, least, most });
            }
        }
        Ok(())
    }

    fn transport(&self) -> TransportConfig {
        let mut acks = AckFrequencyConfig::default();
        // One acknowledgement in ten packets: worth 40 to 80 % on small messages.
        acks.ack_eliciting_threshold(VarInt::from_u32(10));
        let idle = IdleTimeout::try_from(self.idle_timeout).expect("checked: at most an hour");
        let mut transport = TransportConfig::default();
        transport
            .max_idle_timeout(Some(idle))
            .keep_alive_interval(Some(self.keep_alive))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
            // Streams that are held back fill the connection's window. Messages and three bulk
            // streams, all four full, leave room for control.
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
            .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
            .send_window(u64::from(CONNECTION_WINDOW))
            .datagram_receive_buffer_size(None)
            .initial_rtt(INITIAL_RTT)
            .ack_frequency_config(Some(acks));
        transport
    }

    /// The side that accepts.
    pub(super) fn server(
        &self,
        credentials: &Credentials,
    ) -> Result<quinn::ServerConfig, CredentialsError> {
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(credentials.server()?));
        config
            .transport_config(Arc::new(self.transport()))
            .migration(false)
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(64 * 1024)
            .incoming_buffer_size_total(4 * 1024 * 1024);
        Ok(config)
    }

    /// The side that dials.
    pub(super) fn client(
        &self,
        credentials: &Credentials,
    ) -> Result<quinn::ClientConfig, CredentialsError> {
        let mut config = quinn::ClientConfig::new(Arc::new(credentials.client()?));
        config.transport_config(Arc::new(self.transport()));
        Ok(config)
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Nothing can be sent all the time.
    #[error("keep_alive is zero, a few seconds would be right")]
    KeepAlive,
    /// Too short beside the keep-alive, or too long.
    #[error("idle_timeout is {value:?}, between {least:?} and {most:?} would be right")]
    IdleTimeout {
        /// What it is.
        value: Duration,
        /// The least that would be right.
        least: Duration,
        /// The most that would be right.
        most: Duration,
    },
    /// A number of bytes that is too small or too large.
    #[error("{setting} is {value} bytes, between {least} and {most} would be right")]
    Bytes {
        /// Which setting.
        setting: &'static str,
        /// What it is.
        value: usize,
        /// The least that would be right.
        least: usize,
        /// The most that would be right.
        most: usize,
    },
}

/// The longest control frame.
pub const CONTROL_LEN_MAX: usize = 1024 * 1024;
/// The most bytes of control frames that wait for the network before the session is given up.
pub(super) const CONTROL_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// The longest payload of [`Endpoint::send_bulk`](super::Endpoint::send_bulk): 16 MiB of state and
/// what is wrapped around it.
pub const BULK_LEN_MAX: usize = 17 * 1024 * 1024;
/// Payloads up to this long share one stream. On a stream each, at a few at once, every few of
/// them would take a round trip.
pub(super) const SHARED_LEN_MAX: usize = 128 * 1024;
/// How many bytes of those wait for the network.
pub(super) const SHARED_QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// How many longer payloads wait for each other on the way to one node.
pub(super) const BULK_QUEUE: usize = 32;
/// How many of them are on the way at once.
pub(super) const BULK_AT_ONCE: usize = 2;
/// How many of them a node takes at once from one other: twice what it would send, as one that is
/// read to its end counts until the other knows.
const UNI_STREAMS_MAX: u32 = 3 + 2 * BULK_AT_ONCE as u32;

const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 10 * 1024 * 1024;
const IDLE_TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// What the first retransmission goes by: nodes are near each other, and at quinn's 333 ms a lost
/// first packet costs a second.
const INITIAL_RTT: Duration = Duration::from_millis(50);
/// The most handshakes at once.
pub(super) const INCOMING_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        assert_eq!(Settings::default().check(), Ok(()));
        let check = |settings: Settings, want: &str| {
            assert_eq!(settings.check().expect_err("refused").to_string(), want);
        };
        check(
            Settings { idle_timeout: Duration::from_secs(5), ..Settings::default() },
            "idle_timeout is 5s, between 6s and 3600s would be right",
        );
        check(
            Settings { message_len_max: 20 << 20, ..Settings::default() },
            "message_len_max is 20971520 bytes, between 1024 and 16777216 would be right",
        );
    }
}
