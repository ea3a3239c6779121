//! Bytes: what goes out, and what comes in from strangers.

use crate::group::{secret, swim};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use swarm_sim::addr;
use swarm_swim::{Event, KeyChange, Metadata, PACKET_LEN_MAX, Swim};

pub(crate) fn node(idx: u16, name: &str, cluster: &str) -> Swim {
    let id = NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: 1, random: 0 });
    swim(Instant::START, id, addr(idx), cluster, Rng::new(u64::from(idx)))
}

pub(crate) fn sent(machine: &mut Swim) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut packets = Vec::new();
    while let Some(output) = machine.poll_output() {
        if let Output::Send { to, message } = output {
            packets.push((to, message));
        }
    }
    packets
}

pub(crate) fn at(ms: u64) -> Instant {
    Instant::after_start(Duration::from_millis(ms))
}

/// Runs `nodes`, at the addresses 1 and up, for `ms` without faults, and returns every packet.
pub(crate) fn play(nodes: &mut [Swim], from_ms: u64, ms: u64) -> Vec<(usize, Vec<u8>)> {
    let mut all = Vec::new();
    for now in from_ms..from_ms + ms {
        nodes.iter_mut().for_each(|node| node.handle_timeout(at(now)));
        let mut flying = VecDeque::new();
        for (idx, node) in nodes.iter_mut().enumerate() {
            flying.extend(sent(node).into_iter().map(|packet| (idx, packet)));
        }
        while let Some((from, (to, packet))) = flying.pop_front() {
            let Some(idx) = (1..=nodes.len() as u16).position(|idx| addr(idx) == to) else {
                continue;
            };
            all.push((idx, packet.clone()));
            nodes[idx].handle_message(at(now), addr(from as u16 + 1), packet);
            flying.extend(sent(&mut nodes[idx]).into_iter().map(|packet| (idx, packet)));
        }
    }
    all
}

#[test]
fn no_packet_is_longer_than_it_may_be() {
    // The longest names and metadata there are.
    let mut nodes: Vec<Swim> =
        (1..=8).map(|idx| node(idx, &format!("{idx}{}", "x".repeat(254)), "c")).collect();
    for (idx, machine) in nodes.iter_mut().enumerate() {
        machine.set_metadata(at(0), Metadata::new([idx as u8; 512]).expect("as long as can be"));
        machine.join(at(0), [addr(1)]);
    }
    let mut packets = play(&mut nodes, 0, 3_000);
    assert!(nodes.iter().all(|node| node.members().count() == 8));
    // One falls silent, so that there are accusations too.
    let _ = nodes.pop();
    packets.extend(play(&mut nodes, 3_000, 6_000));
    let longest = packets.iter().map(|(_, packet)| packet.len()).max().expect("some");
    assert!((1_000..=PACKET_LEN_MAX).contains(&longest), "{longest}");
}

#[test]
fn strangers_change_nothing_and_hear_nothing() {
    let mut nodes = [node(1, "a", "c"), node(2, "b", "c")];
    nodes.iter_mut().for_each(|node| node.join(at(0), [addr(1)]));
    let recorded: Vec<Vec<u8>> = play(&mut nodes, 0, 2_000)
        .into_iter()
        .filter(|(idx, _)| *idx == 0)
        .map(|(_, packet)| packet)
        .collect();
    let [a, _] = &mut nodes;
    let before: Vec<_> = a.members().cloned().collect();
    let counters = a.counters();
    let mut other = node(9, "z", "other");
    other.join(at(0), [addr(1)]);
    let foreign = sent(&mut other).remove(0).1;
    let mut rng = Rng::new(1);
    let mut n_strange = 0;
    let mut hear = |packet: Vec<u8>| {
        n_strange += 1;
        a.handle_message(at(2_000), addr(9), packet);
        assert_eq!(a.poll_output(), None);
    };
    for packet in &recorded {
        hear(packet.clone());
        hear(packet[..rng.below(packet.len() as u64) as usize].to_vec());
        let mut damaged = packet.clone();
        damaged[rng.below(packet.len() as u64) as usize] ^= 1 << rng.below(8);
        hear(damaged);
        hear((0..rng.below(1_500)).map(|_| rng.next_u64() as u8).collect());
    }
    hear(foreign);
    hear(vec![0; 65_507]);
    let refused = a.counters().refused;
    assert_eq!(refused.total() - counters.refused.total(), n_strange);
    assert!(refused.replay - counters.refused.replay >= recorded.len() as u64);
    assert!(refused.tag > 0 && refused.cluster > 0 && refused.oversized > 0 && refused.header > 0);
    assert_eq!(a.members().cloned().collect::<Vec<_>>(), before);
    assert_eq!(a.counters().packets_out, counters.packets_out);
}

#[test]
fn recorded_traffic_does_not_bring_the_dead_to_a_restarted_node() {
    let mut nodes = [node(1, "a", "c"), node(2, "b", "c"), node(3, "d", "c")];
    nodes.iter_mut().for_each(|node| node.join(at(0), [addr(1)]));
    let recorded = play(&mut nodes, 0, 5_000);
    let id = NodeId::new(NodeName::new("a").expect("a name"), Boot { millis: 2, random: 0 });
    let mut restarted = swim(at(5_000), id, addr(1), "c", Rng::new(7));
    restarted.join(at(5_000), []);
    assert_eq!(restarted.poll_output(), Some(Output::Event(Event::Merged)));
    let n_hellos = 2;
    for (_, packet) in recorded {
        restarted.handle_message(at(5_000), addr(2), packet);
    }
    assert_eq!(restarted.members().count(), 1, "only itself");
    assert!(sent(&mut restarted).len() <= n_hellos, "a greeting may be answered, once");
}

#[test]
fn who_has_left_takes_no_steps_and_confirms_none() {
    let mut nodes = [node(1, "a", "c"), node(2, "b", "c")];
    nodes.iter_mut().for_each(|node| node.join(at(0), [addr(1)]));
    let _ = play(&mut nodes, 0, 2_000);
    let [a, b] = &mut nodes;
    let begun = b.change_keys(at(2_000), KeyChange::Install(secret(9)));
    assert_eq!(begun, Ok(()));
    let asked = sent(b);
    assert!(!asked.is_empty());
    a.leave(at(2_000));
    let _ = play(std::slice::from_mut(a), 2_000, 3_000);
    assert_eq!(a.poll_timeout(), None, "it has departed");
    let keys = a.keys();
    for (_, packet) in asked {
        a.handle_message(at(5_000), addr(2), packet);
    }
    assert_eq!(a.poll_output(), None);
    assert_eq!(a.keys(), keys);
}
