//! Steps of changing the secret, as bytes.

use super::Reader;
use crate::KeyId;
use crate::keys::{KeyRefusal, Step};
use swarm_base::ClusterSecret;

pub(super) fn put_step(body: &mut Vec<u8>, step: &Step) {
    let (kind, bytes): (u8, &[u8]) = match step {
        Step::Install(secret) => (INSTALL, secret.as_bytes()),
        Step::Holds(id) => (HOLDS, &id.0),
        Step::Use(id) => (USE, &id.0),
        Step::Spares(id) => (SPARES, &id.0),
        Step::Remove(id) => (REMOVE, &id.0),
    };
    body.push(kind);
    body.extend(bytes);
}

pub(super) const fn step_len(step: &Step) -> usize {
    match step {
        Step::Install(_) => 1 + 32,
        Step::Holds(_) | Step::Use(_) | Step::Spares(_) | Step::Remove(_) => 1 + 8,
    }
}

pub(super) fn step(reader: &mut Reader<'_>) -> Option<Step> {
    let kind = reader.u8()?;
    if kind == INSTALL {
        return Some(Step::Install(ClusterSecret::from_bytes(&reader.chunk::<32>()?).ok()?));
    }
    let id = KeyId(reader.chunk()?);
    Some(match kind {
        HOLDS => Step::Holds(id),
        USE => Step::Use(id),
        SPARES => Step::Spares(id),
        REMOVE => Step::Remove(id),
        _ => return None,
    })
}

pub(super) const fn refusal_byte(refusal: Option<KeyRefusal>) -> u8 {
    match refusal {
        None => 0,
        Some(KeyRefusal::Unknown) => 1,
        Some(KeyRefusal::InUse) => 2,
        Some(KeyRefusal::Full) => 3,
    }
}

#[expect(clippy::option_option, reason = "malformed, refused and done are three outcomes")]
pub(super) fn refusal(reader: &mut Reader<'_>) -> Option<Option<KeyRefusal>> {
    Some(match reader.u8()? {
        0 => None,
        1 => Some(KeyRefusal::Unknown),
        2 => Some(KeyRefusal::InUse),
        3 => Some(KeyRefusal::Full),
        _ => return None,
    })
}

const INSTALL: u8 = 1;
const HOLDS: u8 = 2;
const USE: u8 = 3;
const SPARES: u8 = 4;
const REMOVE: u8 = 5;
