//! What a node of the simulated world is made to do wrong, for its checkers to find.

use super::Node;
use std::time::Duration;

impl Node {
    /// Under a quorum it does not wait until others have stopped.
    pub(crate) fn drop_margin(&mut self) {
        for under in &mut self.under {
            under.margin = Duration::ZERO;
        }
    }

    /// There is a seat for everybody.
    pub(crate) fn add_seats(&mut self) {
        for under in &mut self.under {
            under.seats.be_endless();
        }
    }

    /// What waits for the quorum is not run again.
    pub(crate) fn forget_suspended(&mut self) {
        for under in &mut self.under {
            under.suspended.clear();
        }
    }
}
