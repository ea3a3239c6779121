//! Which process.

use crate::Boot;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A process: the life of the node that it runs on, and a number that this life uses once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid {
    /// The node's life.
    pub boot: Boot,
    /// Counted from 1.
    pub serial: u64,
}

impl Pid {
    /// The process `serial` of `boot`.
    #[must_use]
    pub const fn new(boot: Boot, serial: u64) -> Self {
        Self { boot, serial }
    }

    /// The pid as bytes, in the order in which pids compare.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.boot.to_bytes());
        bytes[16..].copy_from_slice(&self.serial.to_be_bytes());
        bytes
    }

    /// The pid of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 24]) -> Self {
        let (boot, serial) = bytes.split_at(16);
        Self {
            boot: Boot::from_bytes(boot.try_into().expect("split at 16")),
            serial: u64::from_be_bytes(serial.try_into().expect("24 less 16 is 8")),
        }
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.boot, self.serial)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Pid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for Pid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<24>::deserialize(deserializer)
            .map(|bytes| Self::from_bytes(&bytes))
    }
}
