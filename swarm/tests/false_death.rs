//! A node that is held dead for a while and lives: its names were started elsewhere, and what they
//! had come to there and here becomes one again.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use swarm::{NodeId, Pid, Ref, Stop, Swarm, Worker};

/// The node of [`Child`].
#[test]
#[ignore = "it is a node of another process"]
fn node_process() {
    run_as_node();
}

/// A worker of a kind that runs on `on`.
async fn placed_on<W: Worker<Args = Setup>>(by: &Swarm, on: &NodeId, prefix: &str) -> Ref<W> {
    for at in 0..200 {
        let name = format!("{prefix}-{at}");
        let worker = by.register::<W>(&name, Setup::default()).await.expect("registered");
        if worker.pid().expect("it has just been registered").boot == on.boot {
            return worker;
        }
        worker.stop(Stop::Kill).await.expect("stopped");
    }
    panic!("none of 200 names belongs to {on}");
}

fn name_of<W: Worker>(worker: &Ref<W>) -> String {
    worker.name().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_has_handled_nothing_goes_on_with_the_state_of_a_node_held_dead() {
    let mut cluster = Cluster::of(0).await;
    for name in ["n0", "n1"] {
        let builder = cluster.builder(name).worker::<Purse>();
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let child = cluster.add_process("held-dead").await;
    let here = &cluster.nodes[0];
    let members = here.nodes();
    let member = members.iter().find(|member| member.id.name.as_str() == "held-dead");
    let there = member.expect("it is a member").id.clone();
    let unused = placed_on::<Purse>(here, &there, "unused").await;
    let used = placed_on::<Purse>(here, &there, "used").await;
    let own_way = placed_on::<Probe>(here, &there, "own-way").await;
    for purse in [&unused, &used] {
        assert_eq!(purse.call(Add(7)).await, Ok(7));
    }
    assert_eq!(own_way.call(Add(7)).await, Ok(7));
    let names = [name_of(&unused), name_of(&used), name_of(&own_way)];
    let former: Vec<Pid> = names.iter().filter_map(|name| here.whereis(name)).collect();
    assert!(former.len() == 3 && former.iter().all(|pid| pid.boot == there.boot));

    child.freeze();
    let is_elsewhere = |node: &Swarm| {
        names.iter().all(|name| node.whereis(name).is_some_and(|pid| pid.boot != there.boot))
    };
    until("they run elsewhere", secs(40), || cluster.nodes.iter().all(is_elsewhere)).await;
    assert_eq!(used.call(Add(1)).await, Ok(1), "from its arguments");
    assert_eq!(own_way.call(Add(1)).await, Ok(1));
    child.thaw();
    let is_back = |node: &Swarm| node.nodes().iter().any(|member| member.id == there);
    until("the node is back", secs(60), || cluster.nodes.iter().all(is_back)).await;
    for pid in former {
        quickly(secs(60), here.monitor(pid)).await;
    }
    assert_eq!(quickly(secs(30), unused.call(Add(0))).await, Ok(7), "no state is lost");
    assert_eq!(quickly(secs(30), used.call(Add(0))).await, Ok(1), "what it did since counts");
    assert_eq!(quickly(secs(30), own_way.call(Add(0))).await, Ok(8), "as it resolves conflicts");
    let resolved = lives(&names[2]).into_iter().filter(|(_, life)| *life == Life::Resolved(7));
    assert_eq!(resolved.count(), 1);
}
