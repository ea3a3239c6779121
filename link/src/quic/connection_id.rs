//! Connection numbers that a restarted node still answers for.

use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use std::time::Duration;

/// An endpoint that resets the connections of its earlier life (RFC 9000 §10.3): the tokens come
/// from a key that outlives the process.
pub(super) fn config(reset_key: &[u8; 32]) -> EndpointConfig {
    let key = hmac::Key::new(hmac::HMAC_SHA256, reset_key);
    let mut config = EndpointConfig::new(Arc::new(key));
    // quinn's own generator ignores numbers that another process made.
    config.cid_generator(|| Box::new(Random(SystemRandom::new())));
    config
}

struct Random(SystemRandom);

impl ConnectionIdGenerator for Random {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; LEN];
        self.0.fill(&mut bytes).expect("the operating system gives random bytes");
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

const LEN: usize = 8;
