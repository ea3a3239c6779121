//! Writes the first inputs of the targets from what real nodes say to each other, one file for
//! each kind of packet: `cargo run --manifest-path fuzz/Cargo.toml --example record`.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use swarm_base::{Boot, ClusterSecret, Instant, Machine, NodeId, Output};
use swarm_fuzz::{Cast, Line, Role, machine};
use swarm_swim::{KeyChange, Metadata, Packet, Swim};

/// Packets by what they are for, a few of each, sealed and as bodies.
type Heard = BTreeMap<&'static str, Vec<(Vec<u8>, Vec<u8>)>>;

fn main() -> std::io::Result<()> {
    let heard = listen();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, name: &str, input: &[u8]| {
        std::fs::create_dir_all(corpus.join(target))?;
        std::fs::write(corpus.join(target).join(name), input)
    };
    let mut all = Vec::new();
    for (kind, packets) in &heard {
        let (mut sealed, mut raw) = (Vec::new(), Vec::new());
        for (packet, body) in packets {
            let to_anybody = *kind == "hello";
            Line::Sealed { by: Role::First, to_anybody, body }.write(&mut sealed);
            Line::Raw(packet).write(&mut raw);
        }
        write("body", kind, &sealed)?;
        write("packet", kind, &sealed)?;
        write("packet", &format!("{kind}-raw"), &raw)?;
        for by in Role::ALL {
            let (_, body) = &packets[0];
            Line::Sealed { by, to_anybody: *kind == "hello", body }.write(&mut all);
        }
        Line::Wait(Duration::from_millis(700)).write(&mut all);
    }
    Line::Pause(Duration::from_secs(5)).write(&mut all);
    Line::Wait(Duration::from_secs(30)).write(&mut all);
    all.truncate(INPUT_LEN_MAX);
    write("body", "all", &all)?;
    write("packet", "all", &all)?;
    println!(
        "{} kinds of packets: {}",
        heard.len(),
        Vec::from_iter(heard.keys().copied()).join(", ")
    );
    Ok(())
}

/// A group to which everything happens, and what is said in it.
fn listen() -> Heard {
    let ids = [Role::First, Role::Second, Role::Newcomer].map(|role| (role.id(), role.address()));
    let mut nodes: Vec<(NodeId, SocketAddr, Swim)> = Vec::new();
    let mut heard = Heard::new();
    for millis in 0..MILLIS {
        let now = Instant::after_start(Duration::from_millis(millis));
        match millis {
            0 => {
                for (id, address) in &ids {
                    start(&mut nodes, now, id, *address);
                }
            }
            2_000 => {
                let metadata = Metadata::new("role=web").expect("short");
                nodes[1].2.set_metadata(now, metadata);
            }
            3_000 => {
                let step =
                    KeyChange::Install(ClusterSecret::from_bytes(&secret()).expect("a secret"));
                nodes[1].2.change_keys(now, step).expect("the first step");
            }
            // Another of its name elsewhere, while it lives.
            4_000 => start(&mut nodes, now, &Role::Reborn.id(), Role::Reborn.address()),
            5_000 => drop(nodes.pop()),
            // One is gone: it is probed, asked for, accused and buried.
            6_000 => drop(nodes.remove(0)),
            // It comes back in a later life, and then with its clock behind that.
            20_000 => start(&mut nodes, now, &life(4), Role::First.address()),
            22_000 => drop(nodes.pop()),
            23_000 => start(&mut nodes, now, &life(3), Role::First.address()),
            25_000 => nodes[0].2.leave(now),
            _ => {}
        }
        turn(&mut nodes, now, &mut heard);
    }
    heard
}

fn start(
    nodes: &mut Vec<(NodeId, SocketAddr, Swim)>,
    now: Instant,
    id: &NodeId,
    address: SocketAddr,
) {
    let mut node = machine(id, address);
    node.join(now, [Role::Second.address()]);
    nodes.push((id.clone(), address, node));
}

/// A later life of the first.
fn life(millis: u64) -> NodeId {
    NodeId::new(Role::First.id().name, Boot { millis, random: 0 })
}

fn turn(nodes: &mut [(NodeId, SocketAddr, Swim)], now: Instant, heard: &mut Heard) {
    let mut flying = VecDeque::new();
    for (id, address, node) in nodes.iter_mut() {
        if node.poll_timeout().is_some_and(|due| due <= now) {
            node.handle_timeout(now);
        }
        say(id, *address, node, &mut flying, heard);
    }
    while let Some((from, to, packet)) = flying.pop_front() {
        for (id, address, node) in nodes.iter_mut().filter(|(_, address, _)| *address == to) {
            node.handle_message(now, from, packet.clone());
            say(id, *address, node, &mut flying, heard);
        }
    }
}

fn say(
    id: &NodeId,
    from: SocketAddr,
    node: &mut Swim,
    flying: &mut VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    heard: &mut Heard,
) {
    while let Some(output) = node.poll_output() {
        let Output::Send { to, message: packet } = output else { continue };
        let body = Cast::body(id, &packet).to_vec();
        let decoded = Packet::decode(id.clone(), Boot::default(), &body);
        let kind = decoded.expect("a node sends what nodes understand").kind();
        let kept = heard.entry(kind).or_default();
        if kept.len() < EACH_MAX && kept.iter().all(|(_, known)| known.len() != body.len()) {
            kept.push((packet.clone(), body));
        }
        flying.push_back((from, to, packet));
    }
}

/// Another than the group's.
fn secret() -> [u8; 32] {
    std::array::from_fn(|at| 100 + at as u8)
}

/// How long it is listened to.
const MILLIS: u64 = 27_000;

/// How many packets of a kind are kept, each of another length.
const EACH_MAX: usize = 3;

/// No input is longer.
const INPUT_LEN_MAX: usize = 4_096;
