//! Freezing, taking, standing by, and the order of mail on the way.
#![expect(clippy::disallowed_methods, reason = "a test owns its tasks")]

mod common;
use bytes::Bytes;
use common::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::{Boot, Pid, Token};
use swarm_process::{
    CallFailure, Config, ExitReason, Forward, Handle, Handoff, Lookup, Mail, Mode, Notice, Payload,
    ResolveError, Rival, SendError, Signal,
};
use tokio::sync::Notify;

fn numbers(mails: &VecDeque<Mail>) -> Vec<u32> {
    let number = |mail: &Mail| {
        let wire = mail.payload.to_wire().expect("a note");
        u32::from_be_bytes(wire.body[..].try_into().expect("4 bytes"))
    };
    mails.iter().map(number).collect()
}

fn notes(of: std::ops::Range<u32>) -> VecDeque<Mail> {
    of.map(|n| cast(Do::Note(n))).collect()
}

async fn taken(node: &mut Node, process: &Handle, forward: Option<Forward>) -> VecDeque<Mail> {
    assert!(process.signal(Signal::Take { ticket: 9, forward }));
    node.notice(|notice| match notice {
        Notice::Taken { ticket: 9, .. } => Some(()),
        _ => None,
    })
    .await;
    node.last_taken.take().expect("taken just now")
}

#[tokio::test]
async fn a_frozen_process_buffers_and_hands_its_mail_out_in_order() {
    let mut node = Node::new();
    let seen = Notes::default();
    let process = node.spawn(Seed::new(&seen));
    let release = Arc::new(Notify::new());
    process.send(cast(Do::Block(Arc::clone(&release)))).await.expect("alive");
    while process.backlog() > 0 {
        tokio::task::yield_now().await;
    }
    for mail in notes(0..3) {
        process.send(mail).await.expect("alive");
    }
    assert!(process.signal(Signal::Freeze { ticket: 1 }));
    release.notify_one();
    assert_eq!(node.frozen(1).await, Handoff::Resume(Bytes::from_static(b"state")));
    for mail in notes(3..6) {
        process.send(mail).await.expect("it buffers");
    }
    let mails = taken(&mut node, &process, None).await;
    assert_eq!(numbers(&mails), [0, 1, 2, 3, 4, 5]);
    assert_eq!(seen.all(), ["died"], "it handled nothing after the snapshot");
    assert_eq!(node.exited(&process).await, ExitReason::Moved);
    assert!(matches!(process.try_send(cast(Do::Note(9))), Err(SendError::Closed(_))));
}

#[tokio::test]
async fn a_thawed_process_goes_on_where_it_was() {
    let mut node = Node::new();
    let seen = Notes::default();
    let process = node.spawn(Seed::new(&seen));
    assert!(process.signal(Signal::Freeze { ticket: 1 }));
    node.frozen(1).await;
    process.send(cast(Do::Note(1))).await.expect("alive");
    assert!(process.signal(Signal::Freeze { ticket: 2 }));
    assert!(matches!(node.frozen(2).await, Handoff::Failed { .. }), "frozen already");
    assert!(process.signal(resolve(3, Rival::Other)));
    let refused = node
        .notice(|notice| match notice {
            Notice::Resolved { ticket: 3, result, .. } => Some(result.clone()),
            _ => None,
        })
        .await;
    assert_eq!(refused, Err(ResolveError::NotRunning));
    assert!(process.signal(Signal::Thaw));
    assert_eq!(node.ask(&process, Do::Note(2)).await, Ok(2));
    assert_eq!(seen.all(), ["1", "2"]);
}

fn resolve(ticket: u64, rival: Rival) -> Signal {
    Signal::Resolve { ticket, state: Bytes::from_static(b"x"), rival }
}

#[tokio::test]
async fn only_a_process_that_has_handled_nothing_takes_over_from_its_former_one() {
    let mut node = Node::new();
    for (uses, want) in [(0, ["took over", "resolved"]), (1, ["resolved", "resolved"])] {
        let seen = Notes::default();
        let process = node.spawn(Seed::new(&seen));
        for n in 0..uses {
            assert_eq!(node.ask(&process, Do::Note(n)).await, Ok(1));
        }
        for ticket in 0..2 {
            assert!(process.signal(resolve(ticket, Rival::Former)));
            let is_it = |notice: &Notice| match notice {
                Notice::Resolved { ticket: of, result, .. } if *of == ticket => {
                    Some(result.clone())
                }
                _ => None,
            };
            assert_eq!(node.notice(is_it).await, Ok(()));
        }
        assert_eq!(seen.all().split_off(uses as usize), want);
    }
}

#[tokio::test]
async fn a_process_that_cannot_or_will_not_move_stays_and_works() {
    let config = Config { handoff_timeout: Duration::from_millis(30), ..Config::default() };
    let mut node = Node::with(config);
    let all = [
        (Move::Ignore, Handoff::Ignore),
        (Move::Panic, Handoff::Failed { message: "panicked: at handoff".into() }),
        (Move::Never, Handoff::Failed { message: "took more than 30ms".into() }),
    ];
    for (handoff, want) in all {
        let process = node.spawn(Seed { handoff, ..Seed::new(&Notes::default()) });
        assert!(process.signal(Signal::Freeze { ticket: 1 }));
        assert_eq!(node.frozen(1).await, want);
        assert_eq!(node.ask(&process, Do::Note(1)).await, Ok(1));
    }
    let seed = Seed { handoff: Move::Restart, ..Seed::new(&Notes::default()) };
    let process = node.spawn(seed);
    assert!(process.signal(Signal::Freeze { ticket: 1 }));
    assert_eq!(node.frozen(1).await, Handoff::Restart);
}

#[tokio::test]
async fn one_stuck_process_does_not_hold_up_the_others() {
    let config = Config { handoff_timeout: Duration::from_secs(3600), ..Config::default() };
    let mut node = Node::with(config);
    let seed = Seed::new(&Notes::default());
    let stuck = node.spawn(Seed { handoff: Move::Never, ..seed.clone() });
    assert!(stuck.signal(Signal::Freeze { ticket: 0 }));
    for ticket in 1..=100 {
        let process = node.spawn(seed.clone());
        assert!(process.signal(Signal::Freeze { ticket }));
        assert!(matches!(node.frozen(ticket).await, Handoff::Resume(_)));
    }
}

#[tokio::test]
async fn a_standby_handles_nothing_until_promoted_and_then_the_front_first() {
    let mut node = Node::new();
    let seen = Notes::default();
    let standby = node.spawn_as(Some(name("n")), Mode::Standby, Seed::new(&seen));
    assert_eq!(node.started(&standby).await, Ok(()));
    assert!(node.processes.named(&name("n")).is_none());
    assert_eq!(node.processes.standby(&name("n")).map(|h| h.pid()), Some(standby.pid()));
    for mail in notes(10..13) {
        standby.send(mail).await.expect("it buffers");
    }
    assert!(standby.signal(Signal::Freeze { ticket: 1 }));
    assert!(matches!(node.frozen(1).await, Handoff::Failed { .. }));
    assert_eq!(standby.backlog(), 3);
    let token = Token::new(5, Boot::default());
    standby.promote(2, token, notes(0..3)).expect("alive");
    node.notice(|notice| match notice {
        Notice::Promoted { ticket: 2, pid } => (*pid == standby.pid()).then_some(()),
        _ => None,
    })
    .await;
    assert_eq!(node.ask(&standby, Do::Note(99)).await, Ok(8));
    assert_eq!(seen.all(), ["promoted", "0", "1", "2", "10", "11", "12", "99"]);
    assert_eq!(standby.token(), token);
    assert_eq!(node.processes.named(&name("n")).map(|h| h.pid()), Some(standby.pid()));
    assert!(node.processes.standby(&name("n")).is_none());
}

#[tokio::test]
async fn a_discarded_standby_never_ran_and_gives_the_mail_back() {
    let mut node = Node::new();
    let seen = Notes::default();
    let standby = node.spawn_as(Some(name("n")), Mode::Standby, Seed::new(&seen));
    let call = node.processes.call::<usize>(node.clock.now() + PATIENCE);
    call.send_to(&standby, Payload::local(Do::Note(1))).await.expect("it buffers");
    assert!(standby.signal(Signal::Discard));
    assert_eq!(node.exited(&standby).await, ExitReason::Discarded);
    assert_eq!(call.await, Err(CallFailure::Stopped { reason: ExitReason::Discarded }));
    assert_eq!(seen.all(), [""; 0]);
    let front = standby.promote(1, Token::default(), notes(0..2)).expect_err("it is gone");
    assert_eq!(numbers(&front), [0, 1]);
}

#[tokio::test]
async fn a_running_process_ignores_what_is_for_standbys() {
    let mut node = Node::new();
    let seen = Notes::default();
    let process = node.spawn(Seed::new(&seen));
    for signal in [
        Signal::Discard,
        Signal::Thaw,
        Signal::Promote { ticket: 1, token: Token::new(9, Boot::default()) },
    ] {
        assert!(process.signal(signal));
    }
    assert_eq!(node.ask(&process, Do::Note(1)).await, Ok(1));
    assert_eq!(process.token(), Token::default());
    assert_eq!(node.started(&process).await, Ok(()));
    assert!(node.is_quiet());
}

#[tokio::test]
async fn late_mail_finds_where_a_process_went_for_a_while() {
    let mut node = Node::new();
    let process = node.spawn_as(Some(name("n")), Mode::Run, Seed::new(&Notes::default()));
    let until = node.clock.now() + Duration::from_millis(50);
    taken(&mut node, &process, Some(Forward { name: name("n"), until })).await;
    assert_eq!(node.exited(&process).await, ExitReason::Moved);
    let found = node.processes.find(process.pid());
    assert!(matches!(found, Lookup::Moved(to) if to == name("n")));
    assert!(node.processes.named(&name("n")).is_none());
    assert_eq!(node.processes.monitor(process.pid()).await.reason, ExitReason::Moved);
    let forgotten = async {
        while !matches!(node.processes.find(process.pid()), Lookup::Nowhere) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("forgotten in time");
}

#[tokio::test]
async fn a_move_that_takes_a_stuck_process_ends_it_after_its_grace() {
    let config = Config { grace: Duration::from_millis(30), ..Config::default() };
    let mut node = Node::with(config);
    let process = node.spawn(Seed { die: Die::Never, ..Seed::new(&Notes::default()) });
    assert!(process.signal(Signal::Freeze { ticket: 1 }));
    node.frozen(1).await;
    process.send(cast(Do::Note(7))).await.expect("it buffers");
    assert_eq!(numbers(&taken(&mut node, &process, None).await), [7]);
}

/// Mail from one sender keeps its order through a move, whichever way it takes: through the old
/// mailbox, or to the standby. None is lost, none is handled twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_follow_a_move_lose_nothing_and_keep_their_order() {
    const SENDERS: u32 = 4;
    const EACH: u32 = 2_000;
    let mut node = Node::new();
    let seen = Notes::default();
    let mut process = node.spawn(Seed::new(&seen));
    // What the senders believe: changed when the standby is there, as by a claim that arrives.
    let route = Arc::new(Mutex::new(process.clone()));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let route = Arc::clone(&route);
            tokio::spawn(async move {
                for n in 0..EACH {
                    let mut mail = cast(Do::Note(sender * EACH + n));
                    loop {
                        let to = route.lock().expect("no panic").clone();
                        match to.send(mail).await {
                            Ok(()) => break,
                            Err(back) => mail = back,
                        }
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for ticket in 1..=20 {
        let standby = node.spawn_as(None, Mode::Standby, Seed::new(&seen));
        assert_eq!(node.started(&standby).await, Ok(()));
        assert!(process.signal(Signal::Freeze { ticket }));
        node.frozen(ticket).await;
        *route.lock().expect("no panic") = standby.clone();
        let front = taken(&mut node, &process, None).await;
        standby.promote(ticket, Token::default(), front).expect("alive");
        process = standby;
    }
    for sender in senders {
        sender.await.expect("no panic");
    }
    node.ask(&process, Do::Note(u32::MAX)).await.expect("alive");
    let handled: Vec<u32> = seen.all().iter().filter_map(|note| note.parse().ok()).collect();
    for sender in 0..SENDERS {
        let of_sender = sender * EACH..(sender + 1) * EACH;
        let got: Vec<u32> = handled.iter().copied().filter(|n| of_sender.contains(n)).collect();
        assert!(got.iter().copied().eq(of_sender), "sender {sender}: {} came", got.len());
    }
}

#[tokio::test]
async fn a_pid_of_another_life_is_nowhere() {
    let mut node = Node::new();
    let process = node.spawn(Seed::new(&Notes::default()));
    let other = Pid::new(Boot { millis: 8, random: 8 }, process.pid().serial);
    assert!(matches!(node.processes.find(other), Lookup::Nowhere));
    assert_eq!(node.processes.monitor(other).await.reason, ExitReason::NoProcess);
}
