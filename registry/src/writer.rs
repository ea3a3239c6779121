//! The open end of this node's own log: facts that were appended and not yet sent.

use crate::encoding;
use crate::history::{BATCH_FACTS_MAX, BATCH_LEN_MAX, Batch};
use crate::{Encoded, Fact};
use swarm_base::Boot;

/// Encodes facts as they are appended, and seals them into batches.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    open: Vec<u8>,
    count: u32,
    scratch: Vec<u8>,
}

impl Writer {
    /// Appends `facts` of the life `writer` behind `position`; `digest` is the log's. They stay in one batch, unless
    /// they are more than one takes. Batches that had to be sealed to make room go to `sealed`.
    pub(crate) fn write(
        &mut self,
        writer: Boot,
        position: u64,
        digest: &mut u64,
        facts: &[Fact],
        sealed: &mut Vec<Batch>,
    ) {
        self.scratch.clear();
        let before = *digest;
        for fact in facts {
            *digest = encoding::write(&mut self.scratch, fact, writer, *digest);
        }
        if facts.len() > 1
            && (facts.len() > BATCH_FACTS_MAX as usize || self.scratch.len() > BATCH_LEN_MAX)
        {
            let (left, right) = facts.split_at(facts.len() / 2);
            *digest = before;
            self.write(writer, position, digest, left, sealed);
            self.write(writer, position + left.len() as u64, digest, right, sealed);
            return;
        }
        let count = facts.len() as u32;
        if self.count + count > BATCH_FACTS_MAX
            || self.open.len() + self.scratch.len() > BATCH_LEN_MAX
        {
            sealed.extend(self.seal(position, before));
        }
        self.open.extend_from_slice(&self.scratch);
        self.count += count;
    }

    /// How many facts wait to be sealed.
    pub(crate) const fn n_open(&self) -> u32 {
        self.count
    }

    /// Closes the open batch, whose last fact is at `position`.
    pub(crate) fn seal(&mut self, position: u64, digest: u64) -> Option<Batch> {
        if self.count == 0 {
            return None;
        }
        let first = position + 1 - u64::from(self.count);
        let batch = Batch { first, count: self.count, facts: Encoded::new(&self.open), digest };
        self.count = 0;
        self.open.clear();
        Some(batch)
    }
}
