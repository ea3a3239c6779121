//! Step 3: one device called from every node.

use crate::Failure;
use crate::demo::figures::{Figure, count, percentile, time};
use crate::demo::protocol::{Request, Sample, name_of};
use crate::demo::{Demo, expect};
use std::collections::BTreeSet;

/// How often each node calls it.
const TIMES: usize = 200;

pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    let device = 42.min(demo.n_devices - 1);
    let mut answers = BTreeSet::new();
    let mut took_us = Vec::new();
    for node in demo.cluster.numbers() {
        demo.screen.progress(&format!("calling {} from n{node}", name_of(device)));
        let sample: Sample = demo.cluster.ask(node, Request::Call { device, times: TIMES }).await?;
        answers.extend(sample.answers);
        took_us.extend(sample.took_us);
    }
    took_us.sort_unstable();
    let answers: Vec<_> = answers.into_iter().collect();
    expect(answers.len() == 1, "the same answer on every node", || answers.join(" and "))?;
    let (p50, p99) = (percentile(&took_us, 50), percentile(&took_us, 99));
    demo.screen.holds(
        format!(
            "{} called {} times from every node, each time \"{}\": p50 {}, p99 {}",
            name_of(device),
            count(TIMES),
            answers.concat(),
            time(p50),
            time(p99)
        ),
        vec![Figure::micros("call_p50", p50), Figure::micros("call_p99", p99)],
    );
    Ok(())
}
