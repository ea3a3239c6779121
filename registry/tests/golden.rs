//! The encodings that nodes of all releases share, frozen in `golden/`: nothing that is there may
//! change, but something new may be added.
//!
//! `SWARM_BLESS=1` writes what is new; a line that has changed stays a failure.

mod common;

use common::{at_once, called, claim};
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::path::PathBuf;
use swarm_base::codec::{self, Limits};
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{
    At, Bytes, Claim, Encoded, Fact, Held, Mark, Message, Registry, Request, Scope, Spec, Why,
};

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n, random: n })
}

fn pid(serial: u64) -> Pid {
    Pid::new(node(2).boot, serial)
}

fn bytes(text: &str) -> Bytes {
    Bytes::new(text.as_bytes()).expect("short")
}

/// One of each fact, and of each way in which a claim can be.
fn facts() -> Vec<(&'static str, Fact)> {
    let token = Token::new(7, node(2).boot);
    let spec = Spec { kind: "device".into(), args: bytes("args") };
    let at = |at| claim("room", token, at);
    let placed = Claim {
        spec: Some(spec),
        request: Some(Request::new(node(1).boot, 9)),
        ..at(At::Running(pid(1)))
    };
    let moving = At::Moving { pid: pid(1), to: node(3), id: 4 };
    let waiting =
        Claim { at: At::Waiting, groups: vec![(called("g"), bytes("meta"))], ..placed.clone() };
    let ended = |why| Fact::Ended { name: called("room"), token, why };
    let gone = Why::GoneTo { log: node(3), token: Token::new(8, node(3).boot) };
    vec![
        ("named-pid", Fact::Named(at(At::Running(pid(1))))),
        ("named-placed", Fact::Named(placed.clone())),
        ("named-meta", Fact::Named(Claim { meta: bytes("meta"), ..placed.clone() })),
        ("named-starting", Fact::Named(Claim { at: At::Starting, ..placed.clone() })),
        ("named-moving", Fact::Named(Claim { at: moving, ..placed })),
        ("named-waiting", Fact::Named(waiting)),
        ("ended-stopped", ended(Why::Stopped)),
        ("ended-gone", ended(gone)),
        ("ended-settled", ended(Why::Settled)),
        ("joined", Fact::Joined { group: called("g"), pid: pid(1), meta: bytes("meta") }),
        ("left", Fact::Left { group: called("g"), pid: pid(1) }),
        ("exited", Fact::Exited { pid: pid(1) }),
    ]
}

/// One of each message.
fn messages() -> Vec<(&'static str, Message)> {
    let mark = |n, state| Mark { log: node(n), position: 5, digest: 6, state };
    let marks = vec![mark(1, Held::Open), mark(2, Held::Closed), mark(3, Held::Buried)];
    let compare = |scope| Message::Compare { scope, marks: marks.clone() };
    let log = || node(2);
    vec![
        (
            "facts",
            Message::Facts { log: log(), first: 1, count: 2, facts: run(&["joined", "left"]) },
        ),
        ("ack", Message::Ack { log: log(), position: 3 }),
        ("compare-part", compare(Scope::Part)),
        ("compare-all", compare(Scope::All)),
        ("compare-question", compare(Scope::Question)),
        ("compare-answer", compare(Scope::Answer)),
        ("released", Message::Released { epoch: 7 }),
        ("ask", Message::Ask { log: log(), after: 4 }),
        (
            "chunk",
            Message::Chunk {
                log: log(),
                position: 5,
                digest: 6,
                index: 0,
                of: 2,
                count: 1,
                facts: run(&["exited"]),
            },
        ),
        ("slow", Message::Slow { log: log(), after: 4, wait_ms: 20 }),
        ("got", Message::Got { log: log(), position: 5, pieces: 1 }),
    ]
}

/// Some of the facts as the wire has them: each with its length.
fn run(wanted: &[&str]) -> Encoded {
    let all: BTreeMap<_, _> = facts().into_iter().collect();
    let mut bytes = Vec::new();
    for name in wanted {
        let fact = all[name].encode(node(2).boot);
        bytes.extend_from_slice(&(fact.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&fact);
    }
    let bytes = codec::encode(serde_bytes::Bytes::new(&bytes)).expect("bytes encode");
    codec::decode(&bytes, Limits::of_bytes(1 << 20)).expect("bytes decode")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The lines of a file in `golden/`: a name and bytes each.
fn golden(file: &str) -> BTreeMap<String, Vec<u8>> {
    let text = std::fs::read_to_string(path(file)).unwrap_or_default();
    let line = |line: &str| {
        let (name, bytes) = line.split_once(' ').expect("a name and its bytes");
        (name.to_owned(), unhex(bytes))
    };
    text.lines().map(line).collect()
}

fn write(file: &str, lines: &BTreeMap<String, Vec<u8>>) {
    let lines = lines.iter().map(|(name, bytes)| format!("{name} {}\n", hex(bytes)));
    std::fs::write(path(file), lines.collect::<String>()).expect("written");
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// Everything there is encodes to what is frozen, and what is frozen decodes to it.
fn check<T: PartialEq + Debug>(
    file: &str,
    samples: Vec<(&'static str, T)>,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> T,
) {
    let mut frozen = golden(file);
    let n_frozen = frozen.len();
    for (name, sample) in &samples {
        let encoded = encode(sample);
        let expected = frozen.entry((*name).to_owned()).or_insert_with(|| encoded.clone());
        assert_eq!(hex(&encoded), hex(expected), "{name}");
        assert_eq!(decode(expected), *sample, "{name}");
    }
    assert_eq!(frozen.len(), samples.len(), "something that is frozen is not tested");
    if std::env::var_os("SWARM_BLESS").is_some() {
        write(file, &frozen);
    } else {
        assert_eq!(n_frozen, samples.len(), "something new is not frozen yet: SWARM_BLESS=1");
    }
}

#[test]
fn facts_are_what_they_were() {
    let writer = node(2).boot;
    let decode = |bytes: &[u8]| Fact::decode(bytes, writer).expect("decodes");
    check("facts.txt", facts(), |fact| fact.encode(writer), decode);
}

#[test]
fn messages_are_what_they_were() {
    let decode = |bytes: &[u8]| codec::decode(bytes, Limits::of_bytes(1 << 20)).expect("decodes");
    check("messages.txt", messages(), |message| codec::encode(message).expect("encodes"), decode);
}

/// A node of this release and what one of the first release sends it, byte by byte.
#[test]
fn a_node_of_the_first_release_is_understood() {
    let mut reader = registry(1);
    for (name, bytes) in golden("session.txt") {
        let message: Message = codec::decode(&bytes, Limits::of_bytes(1 << 20)).expect("decodes");
        reader.handle_message(Instant::START, node(2), message);
        while reader.poll_output().is_some() {}
        assert_eq!(reader.rejected().count(), 0, "{name}");
    }
    let held = |name| {
        let claims = reader.claims(&called(name));
        claims.map(|(log, claim, _)| (log.clone(), claim.token.epoch)).collect::<Vec<_>>()
    };
    assert_eq!(held("by-pid"), [(node(2), 1)]);
    assert_eq!(held("placed"), [(node(2), 1)]);
    assert_eq!(held("stopped"), [], "it has ended");
    assert_eq!(reader.position(&node(2)), 5);
    let groups: Vec<_> = reader.memberships(&node(2), pid(1)).collect();
    assert_eq!(groups, [(called("g"), bytes("meta"))]);
}

/// One of two nodes that have a session and know of each other.
fn registry(n: u64) -> Registry {
    let now = Instant::START;
    let config = at_once().check().expect("within bounds");
    let mut registry = Registry::new(now, node(n), config, Rng::new(n));
    registry.node_up(now, node(3 - n));
    registry.session_up(now, node(3 - n));
    registry
}

/// All that `from` wants to send, handed to `to`.
fn carry(from: &mut Registry, to: &mut Registry) -> Vec<Message> {
    let mut sent = Vec::new();
    while let Some(output) = from.poll_output() {
        if let Output::Send { message, .. } = output {
            to.handle_message(Instant::START, from.me().clone(), message.clone());
            sent.push(message);
        }
    }
    sent
}

/// What a node sends that has some names and loses one: how `session.txt` came about.
fn session() -> BTreeMap<String, Vec<u8>> {
    let (mut writer, mut reader) = (registry(2), registry(1));
    let now = Instant::START;
    let token = Token::new(1, node(2).boot);
    let named =
        |name: &str, spec| Fact::Named(Claim { spec, ..claim(name, token, At::Running(pid(1))) });
    let spec = || Some(Spec { kind: "device".into(), args: bytes("args") });
    let (group, meta) = (called("g"), bytes("meta"));
    let joined = Fact::Joined { group, pid: pid(1), meta };
    let first = [named("by-pid", None), named("placed", spec()), named("stopped", spec()), joined];
    let mut sent = carry(&mut writer, &mut reader);
    carry(&mut reader, &mut writer);
    sent.extend(carry(&mut writer, &mut reader));
    writer.append_all(now, first);
    sent.extend(carry(&mut writer, &mut reader));
    writer.append(now, Fact::Ended { name: called("stopped"), token, why: Why::Stopped });
    sent.extend(carry(&mut writer, &mut reader));
    let encode = |message| codec::encode(message).expect("encodes");
    (0..).map(|n: u32| format!("{n:02}")).zip(sent.iter().map(encode)).collect()
}

#[test]
fn a_node_sends_what_one_of_the_first_release_sent() {
    let frozen = golden("session.txt");
    if std::env::var_os("SWARM_BLESS").is_some() && frozen.is_empty() {
        return write("session.txt", &session());
    }
    assert_eq!(session(), frozen);
}
