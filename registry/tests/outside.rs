//! What arrives from outside is checked: it is taken as a whole, passed over, or refused and
//! counted, and never panics.

mod common;

use common::{called, claim};
use serde::Serialize;
use swarm_base::codec::{self, Limits};
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Pid, Rng, Token};
use swarm_registry::{
    At, Config, Encoded, Fact, Held, Mark, Message, Registry, Rejection, Resolution, Scope,
};

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n, random: n })
}

fn registry() -> Registry {
    let config = Config::default().check().expect("within bounds");
    let mut registry = Registry::new(Instant::START, node(1), config, Rng::new(1));
    registry.node_up(Instant::START, node(2));
    registry.session_up(Instant::START, node(2));
    while registry.poll_output().is_some() {}
    registry
}

/// A run of facts as the wire has it: each with its length.
fn run(facts: &[Vec<u8>]) -> Encoded {
    let mut bytes = Vec::new();
    for fact in facts {
        bytes.extend_from_slice(&(fact.len() as u32).to_be_bytes());
        bytes.extend_from_slice(fact);
    }
    raw(&bytes)
}

fn raw(bytes: &[u8]) -> Encoded {
    let bytes = codec::encode(serde_bytes::Bytes::new(bytes)).expect("bytes encode");
    codec::decode(&bytes, Limits::of_bytes(4 << 20)).expect("bytes decode")
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    codec::encode(value).expect("encodes")
}

fn named(n: u64) -> Vec<u8> {
    let boot = node(n).boot;
    let at = At::Running(Pid::new(boot, 1));
    Fact::Named(claim("room", Token::new(1, boot), at)).encode(boot)
}

fn facts(first: u64, count: u32, facts: Encoded) -> Message {
    Message::Facts { log: node(2), first, count, facts }
}

/// Hands `message` over; the position of n2's log and what was counted afterwards.
fn check(message: Message, position: u64, rejected: &[Rejection]) -> Registry {
    let mut registry = registry();
    registry.handle_message(Instant::START, node(2), message.clone());
    while registry.poll_output().is_some() {}
    assert_eq!(registry.position(&node(2)), position, "{message:?}");
    let counted: Vec<Rejection> = registry.rejected().map(|(why, _)| why).collect();
    assert_eq!(counted, rejected, "{message:?}");
    registry
}

#[test]
fn facts_of_a_later_release_are_passed_over() {
    #[derive(Serialize)]
    enum Later {
        #[serde(rename = "q")]
        Unheard { x: u8 },
    }
    #[derive(Serialize)]
    enum More {
        #[serde(rename = "x")]
        Exited { p: u64, later: u8 },
    }
    let run = run(&[
        encode(&Later::Unheard { x: 1 }),
        named(2),
        encode(&More::Exited { p: 1, later: 1 }),
    ]);
    let registry = check(facts(1, 3, run), 3, &[Rejection::Unreadable]);
    assert!(matches!(registry.resolve(&called("room")), Resolution::Held { .. }));
}

#[test]
fn a_fact_is_about_the_processes_of_the_node_that_wrote_it() {
    // What another node wrote, in this one's log: there is no way to speak of others' processes.
    let registry = check(facts(1, 1, run(&[named(3)])), 1, &[]);
    let Resolution::Held { claim, .. } = registry.resolve(&called("room")) else {
        panic!("the fact counts")
    };
    assert_eq!(claim.pid(), Some(Pid::new(node(2).boot, 1)));
}

#[test]
fn a_name_or_a_kind_over_its_bound_is_passed_over() {
    let fact = |name_len: usize, kind_len: usize| {
        let mut fact = claim("room", Token::new(1, node(2).boot), At::Waiting);
        fact.spec.as_mut().expect("a spec").kind = "k".repeat(kind_len).into();
        let bytes = Fact::Named(fact).encode(node(2).boot);
        // The name's four bytes, under a longer length.
        let at = bytes.windows(4).position(|bytes| bytes == b"room").expect("there");
        let mut long = bytes[..at - 2].to_vec();
        long.push(0xc5);
        long.extend_from_slice(&(name_len as u16).to_be_bytes());
        long.extend(std::iter::repeat_n(b'r', name_len));
        long.extend_from_slice(&bytes[at + 4..]);
        run(&[long])
    };
    check(facts(1, 1, fact(1024, 255)), 1, &[]);
    check(facts(1, 1, fact(1025, 255)), 1, &[Rejection::Unreadable]);
    check(facts(1, 1, fact(1024, 256)), 1, &[Rejection::Unreadable]);
}

#[test]
fn a_message_that_breaks_a_bound_changes_nothing() {
    let one = run(&[named(2)]);
    check(facts(1, 2, one.clone()), 0, &[Rejection::Malformed]);
    check(facts(1, 1, raw(&one[..one.len() - 1])), 0, &[Rejection::Malformed]);
    check(facts(1, 1, raw(&[0xff; 64])), 0, &[Rejection::Malformed]);
    check(facts(1, 0, raw(&[])), 0, &[Rejection::TooLarge]);
    check(facts(1, 4_097, one.clone()), 0, &[Rejection::TooLarge]);
    check(facts(1, 1, raw(&vec![0; 1 << 20])), 0, &[Rejection::TooLarge]);
    check(facts(0, 1, one.clone()), 0, &[Rejection::Position]);
    check(facts(u64::MAX, 1, one.clone()), 0, &[Rejection::Position]);
    let own = Message::Facts { log: node(1), first: 1, count: 1, facts: one.clone() };
    check(own, 0, &[Rejection::OwnLog]);
    let unknown = Message::Facts { log: node(9), first: 1, count: 1, facts: one.clone() };
    check(unknown, 0, &[Rejection::UnknownLog]);
    let chunk = |position, index, of| {
        let (log, facts) = (node(2), one.clone());
        Message::Chunk { log, position, digest: 0, index, of, count: 1, facts }
    };
    check(chunk(5, 0, 1), 5, &[]);
    check(chunk(5, 1, 2), 0, &[Rejection::Snapshot]);
    check(chunk(5, 1, 1), 0, &[Rejection::TooLarge]);
    check(chunk(5, 0, 0), 0, &[Rejection::TooLarge]);
    check(chunk(5, 0, u32::MAX), 0, &[Rejection::TooLarge]);
    check(chunk(u64::MAX, 0, 1), 0, &[Rejection::Position]);
    let mark = Mark { log: node(3), position: 1, digest: 1, state: Held::Closed };
    let marks = Message::Compare { scope: Scope::All, marks: vec![mark; 129] };
    check(marks, 0, &[Rejection::TooLarge]);
}

#[test]
fn a_node_without_a_session_is_not_heard() {
    let mut registry = registry();
    registry.handle_message(Instant::START, node(3), facts(1, 1, run(&[named(2)])));
    assert_eq!(registry.rejected().collect::<Vec<_>>(), [(Rejection::NoSession, 1)]);
}

#[test]
fn messages_survive_the_wire() {
    let messages = [
        facts(1, 1, run(&[named(2)])),
        Message::Ack { log: node(2), position: 7 },
        Message::Ask { log: node(2), after: u64::MAX },
        Message::Got { log: node(2), position: 7, pieces: 3 },
        Message::Compare {
            scope: Scope::Question,
            marks: vec![Mark { log: node(2), position: 1, digest: u64::MAX, state: Held::Buried }],
        },
        Message::Chunk {
            log: node(2),
            position: 1,
            digest: 2,
            index: 3,
            of: 4,
            count: 1,
            facts: run(&[named(2)]),
        },
    ];
    for message in messages {
        let decoded: Message = codec::decode(&encode(&message), Limits::default()).expect("ours");
        assert_eq!(decoded, message);
    }
}
