//! Registrations whose starts take their time.

use super::home::{Worst, ask, start, worst};
use super::protocol::Request;
use super::worker::Order;
use crate::Failure;
use crate::bench::nodes::unexpected;
use crate::bench::protocol::Reply;
use crate::bench::rows::Row;

const AT_ONCE: u64 = 30;
const SLOW: Order = Order { cargo: 0, start_ms: 100 };

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>, Failure> {
    let [ms] = worst(rounds, "slow starts", [Worst::Highest], |_| {
        let mut nodes = start(3)?;
        let request = Request::Register { count: AT_ONCE, at_once: AT_ONCE, order: SLOW };
        match ask(&mut nodes, 1, request)? {
            Reply::Answered { seconds, .. } => Ok([seconds * 1e3]),
            other => Err(unexpected(&other)),
        }
    })?;
    let row = format!("30 registrations at once, starts take 100 ms, worst of {rounds}");
    Ok(vec![Row::at_most(row, ms, "ms", 250.0)])
}
