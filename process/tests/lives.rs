//! How processes start, answer and end.

mod common;
use bytes::Bytes;
use common::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::Boot;
use swarm_process::{
    Ask, CallFailure, Config, ExitReason, Handle, Lookup, Mail, Mode, Notice, Payload, ReplySink,
    ReplyTo, Stage,
};
use tokio::sync::Notify;
use tokio::time::timeout;

fn panicked(message: &str) -> ExitReason {
    ExitReason::Panicked { message: message.into() }
}

#[tokio::test]
async fn a_process_answers_and_stops() {
    let mut node = Node::new();
    let notes = Notes::default();
    let process = node.spawn(Seed::new(&notes));
    assert_eq!(node.started(&process).await, Ok(()));
    assert_eq!(node.ask(&process, Do::Note(1)).await, Ok(1));
    node.processes.stop(&process, PATIENCE);
    assert_eq!(node.exited(&process).await, ExitReason::Stopped);
    assert_eq!(notes.all(), ["1", "died"]);
    assert!(matches!(node.processes.find(process.pid()), Lookup::Nowhere));
    assert_eq!(node.ask(&process, Do::Note(1)).await, Err(CallFailure::NoProcess));
    assert!(node.is_quiet());
}

#[tokio::test]
async fn a_panic_ends_one_process_and_answers_its_callers() {
    let mut node = Node::new();
    let notes = Notes::default();
    let process = node.spawn(Seed::new(&notes));
    let other = node.spawn(Seed::new(&notes));
    assert_eq!(node.started(&process).await, Ok(()));
    let call = node.processes.call::<usize>(node.clock.now() + PATIENCE);
    let queued = node.processes.call::<usize>(node.clock.now() + PATIENCE);
    call.send_to(&process, Payload::local(Do::Panic)).await.expect("alive");
    queued.send_to(&process, Payload::local(Do::Note(1))).await.expect("alive");
    let stopped = Err(CallFailure::Stopped { reason: panicked("boom") });
    assert_eq!(call.await, stopped);
    assert_eq!(queued.await, stopped);
    assert_eq!(node.exited(&process).await, panicked("boom"));
    assert_eq!(node.ask(&other, Do::Note(2)).await, Ok(1));
    assert_eq!(notes.all(), ["2"]);
}

/// A caller on another node that sends again as soon as it learns that its call failed.
struct Again {
    to: Mutex<Option<Handle>>,
    taken: Mutex<Vec<bool>>,
}

impl ReplySink for Again {
    fn reply(&self, _: Boot, _: u64, _: Result<Bytes, CallFailure>) {
        let to = self.to.lock().expect("no panic").clone().expect("it is set");
        self.taken.lock().expect("no panic").push(to.try_send(cast(Do::Note(7))).is_ok());
    }
}

#[tokio::test]
async fn who_learns_of_an_end_cannot_send_to_what_has_ended() {
    let mut node = Node::new();
    let notes = Notes::default();
    let again = Arc::new(Again { to: Mutex::default(), taken: Mutex::default() });
    let clock = node.clock;
    let call = |what| {
        let reply = ReplyTo::remote(Arc::clone(&again) as _, Boot::default(), 1);
        Mail::call(Payload::local(what), reply, clock.now() + PATIENCE)
    };
    let until = Arc::new(Notify::new());
    for what in [Do::Panic, Do::Stop, Do::Block(Arc::clone(&until))] {
        let (blocks, mail) = (matches!(what, Do::Block(_)), call(what));
        let process = node.spawn(Seed::new(&notes));
        assert_eq!(node.started(&process).await, Ok(()));
        *again.to.lock().expect("no panic") = Some(process.clone());
        process.send(mail).await.expect("alive");
        if blocks {
            while process.backlog() > 0 {
                tokio::task::yield_now().await;
            }
            process.kill();
        }
        node.exited(&process).await;
    }
    assert_eq!(*again.taken.lock().expect("no panic"), [false; 3], "panicked, stopped, killed");
}

/// A process that is busy until it is told to go on, with notes 0 to 9 waiting.
async fn busy(node: &mut Node, notes: &Notes) -> (Handle, Arc<Notify>) {
    let (process, go) = (node.spawn(Seed::new(notes)), Arc::new(Notify::new()));
    process.send(cast(Do::Block(Arc::clone(&go)))).await.expect("alive");
    for n in 0..10 {
        process.send(cast(Do::Note(n))).await.expect("alive");
    }
    (process, go)
}

#[tokio::test]
async fn a_stop_lets_it_handle_what_waits_and_takes_nothing_more() {
    let mut node = Node::new();
    let notes = Notes::default();
    let (process, go) = busy(&mut node, &notes).await;
    let waiting = node.processes.call::<usize>(node.clock.now() + PATIENCE);
    waiting.send_to(&process, Payload::local(Do::Note(10))).await.expect("it exists");
    process.send(cast(Do::CastSelf(11))).await.expect("alive");
    node.processes.stop(&process, PATIENCE);
    go.notify_one();
    waiting.await.expect("it was accepted before the stop");
    assert_eq!(node.exited(&process).await, ExitReason::Stopped);
    let numbers = (0..=10).map(|n| n.to_string());
    let all: Vec<String> = numbers.chain(["died".to_owned()]).collect();
    assert_eq!(notes.all(), all, "what it sends itself comes too late");
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_time_to_die_however_long_the_message_in_hand_takes() {
    let mut node = Node::new();
    let notes = Notes::default();
    let (process, go) = busy(&mut node, &notes).await;
    tokio::task::yield_now().await;
    node.processes.stop(&process, Duration::from_secs(10));
    tokio::time::advance(Duration::from_secs(6)).await;
    go.notify_one();
    assert_eq!(node.exited(&process).await, ExitReason::Stopped);
    assert_eq!(notes.all(), ["died"], "the half for what waits is over");
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing() {
    let mut node = Node::new();
    for (start, message) in [(Start::Fail, "no"), (Start::Panic, "panicked: at start")] {
        let seed = Seed { start, ..Seed::new(&Notes::default()) };
        let process = node.spawn_as(Some(name("x")), Mode::Run, seed);
        let reason = ExitReason::StartFailed { message: message.into() };
        assert_eq!(node.started(&process).await, Err(reason.clone()));
        assert_eq!(node.exited(&process).await, reason);
        assert!(node.processes.named(&name("x")).is_none());
    }
    assert!(node.is_quiet());
}

#[tokio::test]
async fn a_start_that_never_returns_is_killed_and_delays_nobody() {
    let mut node = Node::new();
    let notes = Notes::default();
    let stuck = node.spawn(Seed { start: Start::Never, ..Seed::new(&notes) });
    let waiting = node.processes.call::<usize>(node.clock.now() + PATIENCE);
    waiting.send_to(&stuck, Payload::local(Do::Note(1))).await.expect("it exists");
    let other = node.spawn(Seed::new(&notes));
    assert_eq!(node.ask(&other, Do::Note(2)).await, Ok(1));
    stuck.kill();
    assert_eq!(node.started(&stuck).await, Err(ExitReason::Killed));
    assert_eq!(node.exited(&stuck).await, ExitReason::Killed);
    assert_eq!(waiting.await, Err(CallFailure::Stopped { reason: ExitReason::Killed }));
}

#[tokio::test]
async fn a_start_is_told_once_also_when_it_is_killed_while_the_node_is_busy() {
    let mut node = Node::new();
    let notes = Notes::default();
    let seed = Seed { start: Start::Noted, ..Seed::new(&notes) };
    // More than the node has room for: most wait to tell.
    let processes: Vec<_> = (0..200).map(|_| node.spawn(seed.clone())).collect();
    while notes.all().len() < 200 {
        tokio::task::yield_now().await;
    }
    for process in &processes {
        process.kill();
    }
    let (mut started, mut exited) = (0, 0);
    node.notice(|notice| {
        match notice {
            Notice::Started { .. } => started += 1,
            Notice::Exited { reason: ExitReason::Killed, .. } => exited += 1,
            other => panic!("{other:?}"),
        }
        (started == 200 && exited == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_kill_reaches_a_process_in_the_middle_of_a_handler() {
    let mut node = Node::new();
    let process = node.spawn(Seed::new(&Notes::default()));
    let call = node.processes.call::<usize>(node.clock.now() + PATIENCE);
    let never = Arc::new(Notify::new());
    call.send_to(&process, Payload::local(Do::Block(never))).await.expect("alive");
    assert_eq!(node.started(&process).await, Ok(()));
    process.kill();
    assert_eq!(node.exited(&process).await, ExitReason::Killed);
    assert_eq!(call.await, Err(CallFailure::Stopped { reason: ExitReason::Killed }));
}

#[tokio::test]
async fn a_stop_that_takes_too_long_is_a_kill() {
    let mut node = Node::new();
    let seed = Seed { die: Die::Never, ..Seed::new(&Notes::default()) };
    let process = node.spawn(seed.clone());
    node.processes.stop(&process, Duration::from_millis(30));
    assert_eq!(node.exited(&process).await, ExitReason::Killed);

    let busy = node.spawn(seed);
    busy.send(cast(Do::Block(Arc::new(Notify::new())))).await.expect("alive");
    node.processes.stop(&busy, Duration::from_millis(30));
    assert_eq!(node.exited(&busy).await, ExitReason::Killed);
}

#[tokio::test]
async fn a_panic_while_dying_is_the_reason() {
    let mut node = Node::new();
    let process = node.spawn(Seed { die: Die::Panic, ..Seed::new(&Notes::default()) });
    node.processes.stop(&process, PATIENCE);
    assert_eq!(node.exited(&process).await, panicked("at die"));
}

#[tokio::test]
async fn a_process_stops_itself_also_in_its_start() {
    let mut node = Node::new();
    let notes = Notes::default();
    let process = node.spawn(Seed::new(&notes));
    process.send(cast(Do::Stop)).await.expect("alive");
    assert_eq!(node.exited(&process).await, ExitReason::Stopped);
    let process = node.spawn(Seed { start: Start::Stop, ..Seed::new(&notes) });
    assert_eq!(node.started(&process).await, Ok(()));
    assert_eq!(node.exited(&process).await, ExitReason::Stopped);
    assert_eq!(notes.all(), ["died", "died"]);
}

#[tokio::test]
async fn a_timeout_says_where_the_call_waited() {
    let mut node = Node::new();
    let process = node.spawn(Seed::new(&Notes::default()));
    let soon = || node.clock.now() + Duration::from_millis(30);
    let running = node.processes.call::<usize>(soon());
    let queued = node.processes.call::<usize>(soon());
    let unsent = node.processes.call::<usize>(soon());
    let release = Arc::new(Notify::new());
    let block = Payload::local(Do::Block(Arc::clone(&release)));
    running.send_to(&process, block).await.expect("alive");
    queued.send_to(&process, Payload::local(Do::Note(1))).await.expect("alive");
    unsent.advance(Stage::Connect);
    assert_eq!(running.await, Err(CallFailure::Timeout { stage: Stage::Running }));
    assert_eq!(queued.await, Err(CallFailure::Timeout { stage: Stage::Queued }));
    assert_eq!(unsent.await, Err(CallFailure::Timeout { stage: Stage::Connect }));
    // The queued call's time has passed: it is not handled any more.
    release.notify_one();
    assert_eq!(node.ask(&process, Do::Note(2)).await, Ok(1));
    assert_eq!(node.started(&process).await, Ok(()));
}

#[tokio::test]
async fn a_call_waits_for_room_until_its_deadline() {
    let config = config(|config| config.mailbox_messages = 1);
    let mut node = Node::with(config);
    let process = node.spawn(Seed::new(&Notes::default()));
    process.send(cast(Do::Block(Arc::new(Notify::new())))).await.expect("alive");
    process.send(cast(Do::Note(1))).await.expect("alive");
    let call = node.processes.call::<usize>(node.clock.now() + Duration::from_millis(30));
    call.send_to(&process, Payload::local(Do::Note(2))).await.expect("gives up, alive");
    assert_eq!(call.await, Err(CallFailure::Timeout { stage: Stage::Queued }));
    assert_eq!(process.backlog(), 1);
}

#[tokio::test]
async fn a_process_sends_to_itself_now_and_later() {
    let node = &mut Node::new();
    let notes = Notes::default();
    let process = node.spawn(Seed::new(&notes));
    process.send(cast(Do::SendAfter(Duration::from_millis(20), 3))).await.expect("alive");
    process.send(cast(Do::CastSelf(2))).await.expect("alive");
    process.send(cast(Do::Note(1))).await.expect("alive");
    let all = || async {
        while notes.all().len() < 3 {
            tokio::task::yield_now().await
        }
    };
    timeout(PATIENCE, all()).await.expect("three notes in time");
    assert_eq!(notes.all(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_process_that_floods_itself_ends() {
    let mut node = Node::new();
    let process = node.spawn(Seed::new(&Notes::default()));
    process.send(cast(Do::Flood)).await.expect("alive");
    assert_eq!(node.exited(&process).await, ExitReason::Overloaded);
}

#[tokio::test]
async fn what_a_process_asks_for_comes_after_its_start() {
    let mut node = Node::new();
    let process = node.spawn(Seed::new(&Notes::default()));
    process.send(cast(Do::Join(name("group")))).await.expect("alive");
    let mut seen = Vec::new();
    node.notice(|notice| {
        match notice {
            Notice::Started { .. } => seen.push("started"),
            Notice::Asked { ask: Ask::Join(group), .. } if *group == name("group") => {
                seen.push("joined");
            }
            other => panic!("{other:?}"),
        }
        (seen.len() == 2).then_some(())
    })
    .await;
    assert_eq!(seen, ["started", "joined"]);
}

#[tokio::test]
async fn shutdown_ends_all_and_waits_for_them() {
    let mut node = Node::new();
    let notes = Notes::default();
    for _ in 0..20 {
        node.spawn(Seed::new(&notes));
    }
    node.spawn(Seed { die: Die::Never, ..Seed::new(&notes) });
    assert_eq!(node.processes.len(), 21);
    timeout(PATIENCE, node.processes.shutdown(Duration::from_millis(50))).await.expect("in time");
    assert!(node.processes.is_empty());
    assert_eq!(notes.all().len(), 20);
}

#[test]
fn a_runtime_that_stops_leaves_nobody_waiting() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let (monitor, call) = runtime.block_on(async {
        let mut node = Node::new();
        let process = node.spawn(Seed::new(&Notes::default()));
        assert_eq!(node.started(&process).await, Ok(()));
        let call = node.processes.call::<usize>(node.clock.now() + PATIENCE);
        let never = Payload::local(Do::Block(Arc::new(Notify::new())));
        call.send_to(&process, never).await.expect("alive");
        (node.processes.monitor(process.pid()), call)
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(other.block_on(monitor).reason, ExitReason::Killed);
    let killed = CallFailure::Stopped { reason: ExitReason::Killed };
    assert_eq!(other.block_on(call), Err(killed));
}

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}
