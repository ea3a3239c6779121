//! What the errors of QUIC and TLS mean.

use crate::{Cause, Reason};
use quinn::{ApplicationClose, ConnectError, ConnectionError, TransportErrorCode};

/// The cause of a connection's end. One that this node closed has its reason elsewhere.
pub(super) fn of(error: &ConnectionError) -> Cause {
    match error {
        ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. }) => {
            match u32::try_from(error_code.into_inner()).unwrap_or(u32::MAX) {
                // What quinn sends for a connection that was dropped.
                0 => Cause::There(Reason::GivenUp),
                code => Cause::There(Reason::from_code(code)),
            }
        }
        ConnectionError::ConnectionClosed(close) => {
            of_code(close.error_code).unwrap_or_else(|| other(error))
        }
        ConnectionError::TransportError(found) => {
            of_code(found.code).unwrap_or_else(|| other(error))
        }
        ConnectionError::VersionMismatch => Cause::OtherProtocol,
        ConnectionError::TimedOut => Cause::Silent,
        ConnectionError::Reset => Cause::Reset,
        ConnectionError::LocallyClosed => Cause::Here(Reason::GivenUp),
        ConnectionError::CidsExhausted => other(error),
    }
}

/// The cause of a dial that did not even start.
pub(super) fn of_dial(error: &ConnectError) -> Cause {
    match error {
        ConnectError::EndpointStopping => Cause::Here(Reason::Shutdown),
        _ => other(error),
    }
}

/// With TLS 1.3 the side that dials learns of its rejected certificate only after the handshake,
/// as an alert (RFC 8446 §6.2) inside an error code (RFC 9001 §4.8).
fn of_code(code: TransportErrorCode) -> Option<Cause> {
    let code = u64::from(code);
    if code == u64::from(TransportErrorCode::CONNECTION_REFUSED) {
        return Some(Cause::Busy);
    }
    // During the handshake QUIC hides the reason of an application (RFC 9000 §10.2.3).
    if code == u64::from(TransportErrorCode::APPLICATION_ERROR) {
        return Some(Cause::There(Reason::GivenUp));
    }
    match code.checked_sub(CRYPTO_ERROR)? {
        UNKNOWN_CA | DECRYPT_ERROR => Some(Cause::WrongSecret),
        CERTIFICATE_EXPIRED => Some(Cause::Expired),
        BAD_CERTIFICATE..=CERTIFICATE_UNKNOWN | ACCESS_DENIED | CERTIFICATE_REQUIRED => {
            Some(Cause::WrongCertificate)
        }
        HANDSHAKE_FAILURE | PROTOCOL_VERSION | NO_APPLICATION_PROTOCOL => {
            Some(Cause::OtherProtocol)
        }
        _ => None,
    }
}

fn other(error: &impl ToString) -> Cause {
    Cause::Transport { reason: error.to_string() }
}

const CRYPTO_ERROR: u64 = 0x100;
const HANDSHAKE_FAILURE: u64 = 40;
const BAD_CERTIFICATE: u64 = 42;
const CERTIFICATE_EXPIRED: u64 = 45;
const CERTIFICATE_UNKNOWN: u64 = 46;
const UNKNOWN_CA: u64 = 48;
const ACCESS_DENIED: u64 = 49;
const DECRYPT_ERROR: u64 = 51;
const PROTOCOL_VERSION: u64 = 70;
const CERTIFICATE_REQUIRED: u64 = 116;
const NO_APPLICATION_PROTOCOL: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_a_plain_cause() {
        let check = |alert, want| {
            assert_eq!(of_code(TransportErrorCode::crypto(alert)), want, "alert {alert}");
        };
        check(48, Some(Cause::WrongSecret));
        check(51, Some(Cause::WrongSecret));
        check(45, Some(Cause::Expired));
        check(42, Some(Cause::WrongCertificate));
        check(116, Some(Cause::WrongCertificate));
        check(120, Some(Cause::OtherProtocol));
        check(80, None);
        assert_eq!(of_code(TransportErrorCode::CONNECTION_REFUSED), Some(Cause::Busy));
        let given_up = Cause::There(Reason::GivenUp);
        assert_eq!(of_code(TransportErrorCode::APPLICATION_ERROR), Some(given_up));
        assert_eq!(of_code(TransportErrorCode::FLOW_CONTROL_ERROR), None);
    }
}
