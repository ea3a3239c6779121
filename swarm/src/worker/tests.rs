//! Workers on a node without a network.

use super::*;
use crate::scope::InScope;
use crate::{Down, ExitReason, Swarm};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::{Boot, Name, NodeId, NodeName, Scope, Token, codec};
use swarm_process::{
    Answer, CallFailure, Checked, Clock, Handle as Process, Mail, Notice, Payload, Processes,
    ReplySink, ReplyTo, Rival, Signal,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

const BOOT: Boot = Boot { millis: 1, random: 1 };

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says what its worker knows of itself.
#[derive(Serialize, Deserialize)]
struct Who;
impl Message for Who {
    const NAME: &'static str = "who";
    type Reply = String;
}

#[derive(Serialize, Deserialize)]
struct Add {
    n: u64,
}
impl Message for Add {
    const NAME: &'static str = "add";
    type Reply = u64;
}

/// Cannot be encoded, nor can its reply.
struct Opaque(Arc<()>);
impl Message for Opaque {
    const NAME: &'static str = "opaque";
    type Reply = Self;
}
impl Serialize for Opaque {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("opaque"))
    }
}
impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(())))
    }
}

/// A type of another crate with the name of [`Add`].
#[derive(Serialize, Deserialize)]
struct OtherAdd {
    n: u64,
    #[serde(default)]
    note: String,
}
impl Message for OtherAdd {
    const NAME: &'static str = "add";
    type Reply = u64;
}

#[derive(Serialize, Deserialize)]
struct Unlisted;
impl Message for Unlisted {
    const NAME: &'static str = "unlisted";
    type Reply = ();
}

/// Counts; started from 13 it fails.
struct Counter(u64);

impl Worker for Counter {
    const KIND: &'static str = "counter";
    type Args = u64;
    type State = u64;
    type Accepts = (Who, Add, Opaque);

    async fn start(from: u64, cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join("counters");
        match from {
            13 => Err(Box::new(Unlucky(std::io::Error::other("thirteen")))),
            from => Ok(Self(from)),
        }
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> {
        Handoff::Resume(self.0)
    }

    async fn end_handoff(&mut self, count: u64, _: &mut Cx<Self>) {
        self.0 += count;
    }

    async fn resolve_conflict(&mut self, other: u64, _: &mut Cx<Self>) {
        self.0 = self.0.max(other);
    }
}

impl Handle<Who> for Counter {
    async fn handle(&mut self, _: Who, cx: &mut Cx<Self>) -> String {
        format!("{} on {} with {}", cx.name(), cx.node(), cx.token().epoch)
    }
}

impl Handle<Add> for Counter {
    async fn handle(&mut self, Add { n }: Add, _: &mut Cx<Self>) -> u64 {
        self.0 += n;
        self.0
    }
}

impl Handle<Opaque> for Counter {
    async fn handle(&mut self, opaque: Opaque, _: &mut Cx<Self>) -> Opaque {
        opaque
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unlucky")]
struct Unlucky(#[source] std::io::Error);

struct Here(NodeId);

impl System for Here {
    fn scope(&self) -> &InScope {
        const { &InScope::OUTSIDE }
    }

    fn node(&self) -> &NodeId {
        &self.0
    }

    fn swarm(&self) -> Swarm {
        panic!("no worker here asks for the swarm")
    }

    fn state_bytes_max(&self) -> usize {
        16 << 20
    }

    fn count_unhandled(&self) {}
}

struct Node {
    processes: Processes,
    system: Arc<dyn System>,
    kinds: Kinds,
    notices: mpsc::Receiver<Notice>,
}

impl Node {
    fn new() -> Self {
        let (sender, notices) = mpsc::channel(64);
        let runtime = tokio::runtime::Handle::current();
        let processes = Processes::new(BOOT, Checked::default(), Clock::start(), runtime, sender);
        let mut kinds = Kinds::default();
        kinds.add::<Counter>(&Scope::default()).expect("a kind");
        let node = NodeName::new("here").expect("a node name");
        let system = Arc::new(Here(NodeId::new(node, BOOT)));
        Self { processes, system, kinds, notices }
    }

    fn start(&self, name: &str, args: Bytes, start: Start) -> Process {
        let name = Some(Name::new(name).expect("a name"));
        let token = Token::new(7, BOOT);
        let request = StartRequest { ticket: 1, name, token, args, start };
        let kind = self.kinds.get("counter").expect("was added");
        kind.start(&self.processes, Arc::clone(&self.system), request)
    }

    fn counter(&self, name: &str, from: u64) -> Process {
        self.start(name, encoded(&from), Start::Run)
    }

    async fn call<M: Message>(&self, to: &Process, message: M) -> Result<M::Reply, CallFailure> {
        self.call_with(to, payload(message)).await
    }

    async fn call_with<R>(&self, to: &Process, payload: Payload) -> Result<R, CallFailure>
    where
        R: Send + serde::de::DeserializeOwned + 'static,
    {
        let call = self.processes.call::<R>(self.processes.clock().now() + PATIENCE);
        call.send_to(to, payload).await.expect("the process lives");
        match call.await? {
            Answer::Typed(reply) => Ok(reply),
            Answer::Wire(bytes) => Ok(codec::decode(&bytes, limits::MESSAGE).expect("decodes")),
        }
    }

    async fn notice(&mut self) -> Notice {
        timeout(PATIENCE, self.notices.recv()).await.expect("in time").expect("processes live")
    }

    async fn started(&mut self) -> Result<(), ExitReason> {
        loop {
            if let Notice::Started { result, .. } = self.notice().await {
                return result;
            }
        }
    }
}

fn encoded<T: Serialize>(value: &T) -> Bytes {
    codec::encode(value).expect("encodes").into()
}

fn start_failed(message: &str) -> Result<(), ExitReason> {
    Err(ExitReason::StartFailed { message: message.into() })
}

#[tokio::test]
async fn a_worker_knows_who_and_where_it_is() {
    let node = Node::new();
    let named = node.counter("counter-1", 0);
    assert_eq!(node.call(&named, Who).await.expect("answers"), "counter-1 on here with 7");
    let nameless = kinds::spawn::<Counter>(&node.processes, Arc::clone(&node.system), 2, 5);
    let who = format!("{} on here with 0", nameless.pid());
    assert_eq!(node.call(&nameless, Who).await.expect("answers"), who);
    assert_eq!(node.call(&nameless, Add { n: 1 }).await, Ok(6));
}

#[tokio::test]
async fn a_local_message_and_its_reply_are_not_encoded() {
    let node = Node::new();
    let counter = node.counter("c", 0);
    let inside = Arc::new(());
    let reply = node.call(&counter, Opaque(Arc::clone(&inside))).await.expect("answers");
    assert!(Arc::ptr_eq(&reply.0, &inside));
}

#[tokio::test]
async fn a_message_from_the_wire_is_decoded_and_its_reply_encoded() {
    #[derive(Default)]
    struct Sent(Mutex<Vec<Result<Bytes, CallFailure>>>);
    impl ReplySink for Sent {
        fn reply(&self, _: Boot, _: u64, outcome: Result<Bytes, CallFailure>) {
            self.0.lock().expect("no panic").push(outcome);
        }
    }
    let node = Node::new();
    let counter = node.counter("c", 1);
    let sent = Arc::new(Sent::default());
    let reply = || ReplyTo::remote(Arc::clone(&sent) as _, BOOT, 1);
    let deadline = node.processes.clock().now() + PATIENCE;
    let wire = [
        Payload::wire("add", encoded(&Add { n: 2 })),
        Payload::wire("opaque", encoded(&())),
        Payload::wire("nope", encoded(&())),
    ];
    for payload in wire {
        counter.send(Mail::call(payload, reply(), deadline)).await.expect("alive");
    }
    assert_eq!(node.call(&counter, Add { n: 0 }).await, Ok(3), "it lives on");
    let sent = sent.0.lock().expect("no panic").clone();
    let reason = "cannot be encoded: opaque".to_owned();
    assert_eq!(
        sent,
        [
            Ok(encoded(&3u64)),
            Err(CallFailure::Unencodable { reason }),
            Err(CallFailure::NotHandled { message: "nope".into() }),
        ]
    );
}

#[tokio::test]
async fn a_message_that_does_not_decode_or_is_not_listed_is_an_error_and_costs_no_worker() {
    let node = Node::new();
    let counter = node.counter("c", 0);
    for body in [vec![], vec![0xc1], vec![0x80], vec![0xdd, 0xff, 0xff, 0xff, 0xff]] {
        let outcome = node.call_with::<u64>(&counter, Payload::wire("add", body.into())).await;
        assert!(matches!(outcome, Err(CallFailure::Undecodable { .. })), "{outcome:?}");
    }
    let not_handled = CallFailure::NotHandled { message: "unlisted".into() };
    assert_eq!(node.call(&counter, Unlisted).await, Err(not_handled));
    assert_eq!(node.call(&counter, Add { n: 1 }).await, Ok(1));
}

#[tokio::test]
async fn another_type_of_the_same_name_says_the_same() {
    let node = Node::new();
    let counter = node.counter("c", 0);
    assert_eq!(node.call(&counter, OtherAdd { n: 4, note: String::new() }).await, Ok(4));
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_what_caused_it() {
    let mut node = Node::new();
    node.counter("c", 13);
    assert_eq!(node.started().await, start_failed("unlucky: thirteen"));
    node.start("c", Bytes::from_static(&[0xc0]), Start::Run);
    let Err(ExitReason::StartFailed { message }) = node.started().await else {
        panic!("nil is no number");
    };
    assert!(message.starts_with("its arguments do not decode: "), "{message}");
}

#[tokio::test]
async fn groups_joined_in_start_come_with_the_start() {
    let mut node = Node::new();
    let counter = node.counter("c", 0);
    let Notice::Started { pid, result: Ok(()), asks, .. } = node.notice().await else {
        panic!("it starts");
    };
    let [swarm_process::Ask::Join(group)] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!((pid, group.as_str()), (counter.pid(), Some("counters")));
}

#[tokio::test]
async fn a_move_takes_the_state_and_the_waiting_messages_along() {
    let mut node = Node::new();
    let old = node.counter("c", 5);
    assert!(old.signal(Signal::Freeze { ticket: 1 }));
    let state = loop {
        match node.notice().await {
            Notice::Frozen { handoff: swarm_process::Handoff::Resume(state), .. } => break state,
            Notice::Frozen { handoff, .. } => panic!("{handoff:?}"),
            _ => (),
        }
    };
    let call = node.processes.call::<u64>(node.processes.clock().now() + PATIENCE);
    call.send_to(&old, payload(Add { n: 10 })).await.expect("it buffers");
    let new = node.start("c", encoded(&100u64), Start::Standby { state: Some(state) });
    assert!(old.signal(Signal::Take { ticket: 2, forward: None }));
    let mails = loop {
        if let Notice::Taken { mails, .. } = node.notice().await {
            break mails;
        }
    };
    assert_eq!(mails.len(), 1);
    new.promote(3, Token::new(8, BOOT), mails).expect("the standby lives");
    assert_eq!(call.await, Ok(Answer::Typed(115)));
    assert_eq!(node.call(&new, Who).await.expect("answers"), "c on here with 8");
}

#[tokio::test]
async fn a_standby_whose_state_does_not_decode_never_stands_by() {
    let mut node = Node::new();
    let state = Some(encoded(&"not a number"));
    let standby = node.start("c", encoded(&1u64), Start::Standby { state });
    let Err(ExitReason::StartFailed { message }) = node.started().await else {
        panic!("a text is no number");
    };
    assert!(message.starts_with("its state does not decode: "), "{message}");
    while !matches!(node.notice().await, Notice::Exited { .. }) {}
    assert!(standby.promote(1, Token::default(), VecDeque::new()).is_err());
}

#[tokio::test]
async fn a_winner_takes_in_the_losers_state() {
    let mut node = Node::new();
    let winner = node.counter("c", 5);
    for (state, want) in [(encoded(&9u64), 9), (encoded(&"x"), 9)] {
        assert!(winner.signal(Signal::Resolve { ticket: 1, state, rival: Rival::Other }));
        assert_eq!(node.call(&winner, Add { n: 0 }).await, Ok(want));
    }
    let mut results = Vec::new();
    while results.len() < 2 {
        if let Notice::Resolved { result, .. } = node.notice().await {
            results.push(result.is_ok());
        }
    }
    assert_eq!(results, [true, false]);
}

/// Its state cannot be encoded; it watches what it is told to.
struct Watcher(Vec<Down>);

#[derive(Serialize, Deserialize)]
struct Watch(swarm_base::Pid);
impl Message for Watch {
    const NAME: &'static str = "watch";
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
struct Downs;
impl Message for Downs {
    const NAME: &'static str = "downs";
    type Reply = Vec<Down>;
}

impl Worker for Watcher {
    const KIND: &'static str = "watcher";
    type Args = ();
    type State = Opaque;
    type Accepts = (Watch, Downs);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self(Vec::new()))
    }

    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<Opaque> {
        Handoff::Resume(Opaque(Arc::new(())))
    }

    async fn down(&mut self, down: Down, _: &mut Cx<Self>) {
        self.0.push(down);
    }
}

impl Handle<Watch> for Watcher {
    async fn handle(&mut self, Watch(pid): Watch, cx: &mut Cx<Self>) {
        cx.monitor(pid);
    }
}

impl Handle<Downs> for Watcher {
    async fn handle(&mut self, _: Downs, _: &mut Cx<Self>) -> Vec<Down> {
        std::mem::take(&mut self.0)
    }
}

#[tokio::test]
async fn a_worker_is_told_of_ends_and_stays_where_its_state_does_not_encode() {
    let mut node = Node::new();
    let watcher = kinds::spawn::<Watcher>(&node.processes, Arc::clone(&node.system), 1, ());
    let counter = node.counter("c", 0);
    assert_eq!(node.call(&watcher, Watch(counter.pid())).await, Ok(()));
    assert!(watcher.signal(Signal::Freeze { ticket: 1 }));
    let message = loop {
        match node.notice().await {
            Notice::Frozen { handoff: swarm_process::Handoff::Failed { message }, .. } => {
                break message;
            }
            Notice::Frozen { handoff, .. } => panic!("{handoff:?}"),
            _ => (),
        }
    };
    assert_eq!(message, "its state cannot be encoded: opaque");
    counter.kill();
    while !matches!(node.notice().await, Notice::Exited { .. }) {}
    let down = Down { pid: counter.pid(), reason: ExitReason::Killed };
    assert_eq!(node.call(&watcher, Downs).await, Ok(vec![down]));
}

/// A worker of two types can have one kind by mistake, and two messages one name.
struct Twice;

impl Worker for Twice {
    const KIND: &'static str = "counter";
    type Args = ();
    type State = ();
    type Accepts = (Add, OtherAdd);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Add> for Twice {
    async fn handle(&mut self, Add { n }: Add, _: &mut Cx<Self>) -> u64 {
        n
    }
}

impl Handle<OtherAdd> for Twice {
    async fn handle(&mut self, OtherAdd { n, .. }: OtherAdd, _: &mut Cx<Self>) -> u64 {
        n
    }
}

struct Unnamed;

impl Worker for Unnamed {
    const KIND: &'static str = "";
    type Args = ();
    type State = ();
    type Accepts = (Add,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Add> for Unnamed {
    async fn handle(&mut self, Add { n }: Add, _: &mut Cx<Self>) -> u64 {
        n
    }
}

struct SameKind;

impl Worker for SameKind {
    const KIND: &'static str = "counter";
    type Args = ();
    type State = ();
    type Accepts = (Add,);

    async fn start((): (), _: &mut Cx<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Handle<Add> for SameKind {
    async fn handle(&mut self, Add { n }: Add, _: &mut Cx<Self>) -> u64 {
        n
    }
}

#[test]
fn a_kind_is_checked_when_it_is_added() {
    let mut kinds = Kinds::default();
    assert_eq!(kinds.add::<Counter>(&Scope::default()), Ok(()));
    assert_eq!(kinds.add::<Counter>(&Scope::default()), Ok(()));
    let duplicate = KindError::DuplicateMessage { kind: "counter", message: "add" };
    assert_eq!(kinds.add::<Twice>(&Scope::default()), Err(duplicate));
    assert!(matches!(
        kinds.add::<Unnamed>(&Scope::default()),
        Err(KindError::Length { len: 0, .. })
    ));
    assert!(matches!(
        kinds.add::<SameKind>(&Scope::default()),
        Err(KindError::DuplicateKind { .. })
    ));
    assert!(
        kinds.serves::<Counter>(&Scope::default()) && !kinds.serves::<SameKind>(&Scope::default())
    );
    assert_eq!(kinds.names().collect::<Vec<_>>(), ["counter"]);
    let kind = kinds.get("counter").expect("was added");
    assert_eq!((kind.restart, kind.intensity.restarts), (crate::Restart::Transient, 3));
}
