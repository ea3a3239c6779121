//! Why one side closes a session, as a number that the other side understands.

/// Why a node closes a session. It travels as the application's error code of QUIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The node stops. What was queued is flushed first.
    #[error("the node stops")]
    Shutdown,
    /// The other node is no longer a member. What was queued is flushed first.
    #[error("the other node is no longer a member")]
    Gone,
    /// Another session between the two nodes stays.
    #[error("another session between the two nodes stays")]
    Duplicate,
    /// A newer session between the two nodes, or a newer life of the other, took its place.
    #[error("a newer session took its place")]
    Replaced,
    /// The other node belongs to another cluster.
    #[error("the nodes belong to different clusters")]
    WrongCluster,
    /// The other node has another name than was dialled, or claims one that its certificate does
    /// not carry.
    #[error("the node has another name")]
    WrongName,
    /// The other's certificate names no node of a cluster.
    #[error("the certificate names no node of a cluster")]
    WrongCertificate,
    /// The other node did not become a member in time.
    #[error("the node is not a member")]
    NotMember,
    /// The other node is an old life of its name.
    #[error("the node has been replaced by a newer one of its name")]
    StaleBoot,
    /// The two nodes have no version of the protocol in common.
    #[error("the nodes have no protocol version in common")]
    Version,
    /// No valid hello came in time.
    #[error("no valid hello came in time")]
    NoHello,
    /// The dial took too long, or is not wanted any more.
    #[error("the attempt was given up")]
    GivenUp,
    /// The control lane overflowed: the other node reads too slowly.
    #[error("the receiver is too slow")]
    Overloaded,
    /// A frame or stream broke the limits or the rules of the protocol.
    #[error("the protocol was broken")]
    Protocol,
    /// A setting that all nodes must share is another one there.
    #[error("the nodes differ in a setting that all must share")]
    Settings,
    /// A number that this release does not know.
    #[error("reason {0}")]
    Other(u32),
}

impl Reason {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Shutdown => 1,
            Self::Gone => 2,
            Self::Duplicate => 3,
            Self::Replaced => 4,
            Self::WrongCluster => 5,
            Self::WrongName => 6,
            Self::WrongCertificate => 7,
            Self::NotMember => 8,
            Self::StaleBoot => 9,
            Self::Version => 10,
            Self::NoHello => 11,
            Self::GivenUp => 12,
            Self::Overloaded => 13,
            Self::Protocol => 14,
            Self::Settings => 15,
            Self::Other(code) => code,
        }
    }

    /// The reason of a number.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Shutdown,
            2 => Self::Gone,
            3 => Self::Duplicate,
            4 => Self::Replaced,
            5 => Self::WrongCluster,
            6 => Self::WrongName,
            7 => Self::WrongCertificate,
            8 => Self::NotMember,
            9 => Self::StaleBoot,
            10 => Self::Version,
            11 => Self::NoHello,
            12 => Self::GivenUp,
            13 => Self::Overloaded,
            14 => Self::Protocol,
            15 => Self::Settings,
            code => Self::Other(code),
        }
    }

    /// Whether what is queued is flushed before the session closes.
    #[must_use]
    pub const fn flushes(self) -> bool {
        // With the last of these the other side gets the hello that it differs from.
        matches!(self, Self::Shutdown | Self::Gone | Self::Settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_the_wire() {
        for code in 0..100 {
            assert_eq!(Reason::from_code(code).code(), code);
        }
        assert_eq!(Reason::from_code(1), Reason::Shutdown);
        assert_eq!(Reason::from_code(14), Reason::Protocol);
    }
}
