//! The registry alone, over a transport of one's own: three nodes as threads, with channels between
//! them. Each registers a process under a name; all of them know all names.
//!
//! `cargo run --package swarm-registry --example channels`

#![expect(clippy::disallowed_methods, reason = "threads, and the time that passes between them")]

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant as Clock};
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Claim, Config, Event, Fact, Message, Registry};

type Post = (NodeId, Message);

fn main() {
    let id = |n: u64| {
        let name = NodeName::new(format!("n{n}")).expect("a node's name");
        NodeId::new(name, Boot { millis: n, random: n })
    };
    let (ways, inboxes): (Vec<_>, Vec<_>) = (1..=3).map(|_| mpsc::channel()).unzip();
    let peers: Vec<(NodeId, Sender<Post>)> = (1..=3).map(id).zip(ways).collect();
    thread::scope(|scope| {
        for ((me, _), inbox) in peers.iter().zip(inboxes) {
            let peers = &peers;
            scope.spawn(move || run(me, &inbox, peers));
        }
    });
}

fn run(me: &NodeId, inbox: &Receiver<Post>, peers: &[(NodeId, Sender<Post>)]) {
    let begin = Clock::now();
    let now = || Instant::after_start(begin.elapsed());
    let config = Config::default().check().expect("the defaults");
    let mut registry = Registry::new(now(), me.clone(), config, Rng::new(me.boot.random));
    for (peer, _) in peers.iter().filter(|(peer, _)| peer != me) {
        registry.node_up(now(), peer.clone());
        registry.session_up(now(), peer.clone());
    }
    // A process of this node, the first, under a name. No node starts it again: it has no spec.
    let name = Name::new(format!("device-of-{}", me.name)).expect("a name");
    let token = Token { epoch: registry.next_epoch(&name), boot: me.boot };
    let at = At::Running(Pid::new(me.boot, 1));
    let claim = Claim::new(name, token, at);
    registry.append(now(), Fact::Named(claim));

    while registry.len() < peers.len() || begin.elapsed() < LINGER {
        while let Some(output) = registry.poll_output() {
            match output {
                Output::Send { to, message } => {
                    let way = peers.iter().find(|(peer, _)| *peer == to);
                    way.map(|(_, way)| way.send((me.clone(), message)));
                }
                Output::Event(Event::Changed { name, now, .. }) => {
                    println!("{}: {name} is {now:?}", me.name);
                }
                Output::Event(_) => {}
            }
        }
        let due = registry.poll_timeout().map_or(LINGER, |due| due.since(now()));
        match inbox.recv_timeout(due.min(LINGER)) {
            Ok((from, message)) => registry.handle_message(now(), from, message),
            Err(_) => registry.handle_timeout(now()),
        }
    }
}

/// How long a node stays for the others once it knows everything.
const LINGER: Duration = Duration::from_millis(500);
