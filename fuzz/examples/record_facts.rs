//! Writes the first inputs of the target `facts` from what a real registry says:
//! `cargo run --manifest-path fuzz/Cargo.toml --example record_facts`.

use std::path::Path;
use std::time::Duration;
use swarm_base::{Instant, Machine, Name, Output, Pid, Rng, Token, codec};
use swarm_fuzz::{Line, Role};
use swarm_registry::{
    At, Bytes, Claim, Config, Fact, Held, Mark, Message, Registry, Scope, Spec, Why,
};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/facts");
    std::fs::create_dir_all(&corpus)?;
    let mut all = Vec::new();
    for history_facts_max in [1, 100] {
        let said = listen(history_facts_max);
        let (mut facts, mut messages) = (Vec::new(), Vec::new());
        for message in &said {
            if let Message::Facts { facts: run, .. } | Message::Chunk { facts: run, .. } = message {
                split(run).into_iter().for_each(|fact| Line::Raw(fact).write(&mut facts));
            }
            let body = codec::encode(message).expect("a message");
            Line::Sealed { by: Role::First, to_anybody: false, body: &body }.write(&mut messages);
        }
        Line::Wait(Duration::from_secs(11)).write(&mut messages);
        std::fs::write(corpus.join(format!("facts-{history_facts_max}")), &facts)?;
        std::fs::write(corpus.join(format!("messages-{history_facts_max}")), &messages)?;
        all.extend(facts.into_iter().chain(messages));
    }
    all.truncate(4_096);
    std::fs::write(corpus.join("all"), &all)
}

/// What the first member says of its log to a node that holds nothing.
fn listen(history_facts_max: usize) -> Vec<Message> {
    let (me, now) = (Role::First.id(), Instant::START);
    let config = Config { history_facts_max, ..Config::default() };
    let config = config.check().expect("within bounds");
    let mut registry = Registry::new(now, me.clone(), config, Rng::new(1));
    let peer = Role::Second.id();
    registry.node_up(now, peer.clone());
    registry.session_up(now, peer.clone());
    for fact in facts() {
        registry.append(now, fact);
    }
    let mark = Mark { log: me, position: 0, digest: 0, state: Held::Open };
    let compare = Message::Compare { scope: Scope::All, marks: vec![mark] };
    registry.handle_message(now, peer, compare);
    let mut said = Vec::new();
    // Facts wait a moment for others to travel with.
    for now in [now, now + Duration::from_secs(1)] {
        registry.handle_timeout(now);
        while let Some(output) = registry.poll_output() {
            if let Output::Send { message, .. } = output {
                said.push(message);
            }
        }
    }
    said
}

/// One of each.
fn facts() -> Vec<Fact> {
    let boot = Role::First.id().boot;
    let pid = |serial| Pid::new(boot, serial);
    let name = |text: &str| Name::new(text).expect("a name");
    let bytes = |text: &str| Bytes::new(text).expect("short");
    let token = |epoch| Token::new(epoch, boot);
    let spec = Some(Spec { kind: "device".into(), args: bytes("args") });
    let claim = |text: &str, at| Claim {
        spec: spec.clone(),
        meta: bytes("it"),
        groups: vec![(name("g"), bytes("meta"))],
        ..Claim::new(name(text), token(2), at)
    };
    let ended = |text: &str, why| Fact::Ended { name: name(text), token: token(2), why };
    let moving = At::Moving { pid: pid(3), to: Role::Second.id(), id: 1 };
    let gone = Why::GoneTo { log: Role::Second.id(), token: token(3) };
    vec![
        Fact::Named(claim("a", At::Running(pid(1)))),
        Fact::Named(claim("b", At::Starting)),
        Fact::Named(claim("c", moving)),
        Fact::Joined { group: name("g"), pid: pid(1), meta: bytes("meta") },
        Fact::Joined { group: name("h"), pid: pid(3), meta: bytes("") },
        Fact::Left { group: name("h"), pid: pid(3) },
        ended("b", Why::Stopped),
        ended("c", gone),
        Fact::Exited { pid: pid(1) },
    ]
}

/// The facts of a run.
fn split(mut run: &[u8]) -> Vec<&[u8]> {
    let mut facts = Vec::new();
    while let Some((len, rest)) = run.split_first_chunk() {
        let (fact, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        facts.push(fact);
        run = rest;
    }
    facts
}
