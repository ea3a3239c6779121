//! The eight steps, in order. Each says what held, and what it measured.

mod call;
mod crash;
mod leave;
mod load;
mod members;
mod publish;
mod register;
mod rejoin;
mod taken;

use super::Demo;
use super::figures::count;
use crate::Failure;

pub(super) async fn run(demo: &mut Demo) -> Result<(), Failure> {
    let (n_nodes, n_devices) = (demo.n_nodes, count(demo.n_devices as usize));
    demo.screen
        .say(&format!("swarm demo: {n_nodes} node processes on this machine, {n_devices} devices"));
    demo.screen.begin_step(1);
    members::run(demo).await?;
    demo.screen.begin_step(2);
    register::run(demo).await?;
    demo.screen.begin_step(3);
    call::run(demo).await?;
    demo.screen.begin_step(4);
    publish::run(demo).await?;
    demo.screen.begin_step(5);
    taken::run(demo).await?;
    demo.screen.begin_step(6);
    let crashed = crash::run(demo).await?;
    demo.screen.begin_step(7);
    rejoin::run(demo, &crashed).await?;
    demo.screen.begin_step(8);
    leave::run(demo).await
}
