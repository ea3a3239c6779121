//! What the machine counted since it was made.

/// What the machine counted since it was made. Counts only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets handed out for sending.
    pub packets_out: u64,
    /// Bytes of those packets.
    pub bytes_out: u64,
    /// Packets whose tag verified and whose body decoded.
    pub packets_in: u64,
    /// Bytes of those packets.
    pub bytes_in: u64,
    /// Packets that were ignored.
    pub refused: Refusals,
    /// Probes begun.
    pub probes: u64,
    /// Probes that nobody answered, directly or through others.
    pub probes_failed: u64,
    /// Pings sent on behalf of others.
    pub relayed: u64,
    /// Members that became suspect here.
    pub suspicions: u64,
    /// Accusations against this node that it refuted with a new incarnation.
    pub refutations: u64,
    /// Members declared dead here.
    pub deaths: u64,
    /// Answers to statements that were out of date.
    pub corrections: u64,
    /// Tables fetched from a member, whole or in part.
    pub syncs: u64,
    /// Times this node found that it had been stopped, and gave everybody the lost time.
    pub pauses: u64,
    /// Records left out because a table was full or an incarnation leapt.
    pub overflow: u64,
}

/// Packets that were ignored, by reason. None of them changed anything or was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// Longer than a packet may be.
    pub oversized: u64,
    /// The header does not parse, or is of another version.
    pub header: u64,
    /// Of another cluster.
    pub cluster: u64,
    /// Sealed with a key that is not in the keyring.
    pub key: u64,
    /// Meant for another boot: a former life at this address, or a misdirected packet.
    pub receiver: u64,
    /// The tag does not verify: forged, or damaged on the way.
    pub tag: u64,
    /// Seen before, or too old to tell.
    pub replay: u64,
    /// More than one sender may send.
    pub budget: u64,
    /// The tag verifies and the body makes no sense.
    pub body: u64,
}

impl Refusals {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.oversized
            + self.header
            + self.cluster
            + self.key
            + self.receiver
            + self.tag
            + self.replay
            + self.budget
            + self.body
    }
}
