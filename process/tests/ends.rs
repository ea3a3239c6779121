//! Monitors and links: everybody is told once.
#![expect(clippy::disallowed_methods, reason = "a test owns its tasks")]

mod common;
use common::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use swarm_base::{Boot, Pid};
use swarm_process::{Ask, Down, DownSink, ExitReason, Lookup, Notice};
use tokio::time::timeout;

#[derive(Default)]
struct Told(Mutex<Vec<(u64, ExitReason)>>);

impl DownSink for Told {
    fn down(&self, reference: u64, down: Down) {
        self.0.lock().expect("no panic").push((reference, down.reason));
    }
}

impl Told {
    fn all(&self) -> Vec<(u64, ExitReason)> {
        self.0.lock().expect("no panic").clone()
    }
}

#[tokio::test]
async fn every_kind_of_watcher_is_told_exactly_once() {
    let mut node = Node::new();
    let notes = Notes::default();
    let target = node.spawn(Seed::new(&Notes::default()));
    let watcher = node.spawn(Seed::new(&notes));
    let told = Arc::new(Told::default());
    let first = node.processes.monitor(target.pid());
    let second = node.processes.monitor(target.pid());
    node.processes.monitor_from(target.pid(), Arc::clone(&told) as _, 1);
    let taken_back = node.processes.monitor_from(target.pid(), Arc::clone(&told) as _, 2);
    node.processes.demonitor(taken_back);
    node.ask(&watcher, Do::Monitor(target.pid())).await.expect("alive");
    node.ask(&watcher, Do::Monitor(target.pid())).await.expect("alive");
    target.send(cast(Do::Panic)).await.expect("alive");
    let reason = ExitReason::Panicked { message: "boom".into() };
    let down = Down { pid: target.pid(), reason: reason.clone() };
    assert_eq!((first.await, second.await), (down.clone(), down));
    assert!(matches!(node.processes.find(target.pid()), Lookup::Nowhere), "gone before the Down");
    node.exited(&target).await;
    assert_eq!(told.all(), [(1, reason)]);
    node.ask(&watcher, Do::Note(0)).await.expect("alive");
    let serial = target.pid().serial;
    let down = format!("down {serial}: panicked: boom");
    assert_eq!(notes.all(), [down.clone(), down, "0".to_owned()]);
}

#[tokio::test]
async fn a_monitor_of_what_never_was_or_is_no_more_is_told_at_once() {
    let mut node = Node::new();
    let notes = Notes::default();
    let watcher = node.spawn(Seed::new(&notes));
    let never = Pid::new(BOOT, 1_000_000);
    assert_eq!(node.processes.monitor(never).await.reason, ExitReason::NoProcess);
    node.ask(&watcher, Do::Monitor(never)).await.expect("alive");
    let gone = node.spawn(Seed::new(&Notes::default()));
    gone.kill();
    node.exited(&gone).await;
    assert_eq!(node.processes.monitor(gone.pid()).await.reason, ExitReason::NoProcess);
    node.ask(&watcher, Do::Note(1)).await.expect("alive");
    assert_eq!(notes.all(), ["down 1000000: no such process", "1"]);
}

/// However a monitor and an end race, the monitor is told exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_that_races_with_the_end_is_told_once() {
    let mut node = Node::new();
    for round in 0..300 {
        let target = node.spawn(Seed::new(&Notes::default()));
        let processes = node.processes.clone();
        let pid = target.pid();
        let told = Arc::new(Told::default());
        let sink = Arc::clone(&told);
        let racing = tokio::spawn(async move {
            for reference in 0..20 {
                processes.monitor_from(pid, Arc::clone(&sink) as _, reference);
                let monitor = processes.monitor(pid);
                tokio::spawn(monitor);
            }
            processes.monitor(pid).await
        });
        for _ in 0..round % 40 {
            tokio::task::yield_now().await;
        }
        target.kill();
        let down = timeout(PATIENCE, racing).await.expect("told in time").expect("no panic");
        assert_eq!(down.pid, pid);
        node.exited(&target).await;
        let mut told: Vec<u64> = told.all().into_iter().map(|(reference, _)| reference).collect();
        told.sort_unstable();
        assert_eq!(told, (0..20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn linked_processes_end_together_when_one_ends_abnormally() {
    let mut node = Node::new();
    let notes = Notes::default();
    let (a, b, c) = (
        node.spawn(Seed::new(&notes)),
        node.spawn(Seed::new(&notes)),
        node.spawn(Seed::new(&notes)),
    );
    node.ask(&a, Do::Link(b.pid())).await.expect("alive");
    node.ask(&a, Do::Link(b.pid())).await.expect("alive");
    node.ask(&b, Do::Link(c.pid())).await.expect("alive");
    a.kill();
    assert_eq!(node.exited(&a).await, ExitReason::Killed);
    assert_eq!(node.exited(&b).await, ExitReason::Linked { pid: a.pid() });
    assert_eq!(node.exited(&c).await, ExitReason::Linked { pid: b.pid() });
    assert_eq!(notes.all(), ["died", "died"], "linked processes clean up");
}

#[tokio::test]
async fn a_normal_end_leaves_linked_processes_alone() {
    let mut node = Node::new();
    let (a, b) =
        (node.spawn(Seed::new(&Notes::default())), node.spawn(Seed::new(&Notes::default())));
    node.ask(&a, Do::Link(b.pid())).await.expect("alive");
    node.processes.stop(&b, PATIENCE);
    assert_eq!(node.exited(&b).await, ExitReason::Stopped);
    assert!(node.ask(&a, Do::Note(1)).await.is_ok());
    // To one that is no more, as to one that never was: an abnormal end.
    a.send(cast(Do::Link(b.pid()))).await.expect("alive");
    assert_eq!(node.exited(&a).await, ExitReason::Linked { pid: b.pid() });
}

#[tokio::test]
async fn watching_another_node_is_asked_of_the_node() {
    let mut node = Node::new();
    let notes = Notes::default();
    let process = node.spawn(Seed::new(&notes));
    let far = Pid::new(Boot { millis: 1, random: 1 }, 3);
    node.ask(&process, Do::Monitor(far)).await.expect("alive");
    node.ask(&process, Do::Link(far)).await.expect("alive");
    for want in [Ask::Monitor(far), Ask::Link(far)] {
        node.notice(|notice| match notice {
            Notice::Asked { ask, .. } if *ask == want => Some(()),
            _ => None,
        })
        .await;
    }
    let down = Down { pid: far, reason: ExitReason::NodeDown };
    node.processes.tell_down(process.pid(), down.clone());
    node.ask(&process, Do::Note(1)).await.expect("alive");
    assert_eq!(notes.all(), ["down 3: its node is down", "1"]);
    node.processes.tell_linked(process.pid(), Down { pid: far, reason: ExitReason::Stopped });
    node.ask(&process, Do::Note(2)).await.expect("a normal end ends nobody");
    node.processes.tell_linked(process.pid(), down);
    assert_eq!(node.exited(&process).await, ExitReason::Linked { pid: far });
}

#[tokio::test]
async fn a_frozen_process_learns_of_ends_when_it_goes_on() {
    let mut node = Node::new();
    let notes = Notes::default();
    let (watcher, target) = (node.spawn(Seed::new(&notes)), node.spawn(Seed::new(&notes)));
    node.ask(&watcher, Do::Monitor(target.pid())).await.expect("alive");
    assert!(watcher.signal(swarm_process::Signal::Freeze { ticket: 1 }));
    node.frozen(1).await;
    target.kill();
    node.exited(&target).await;
    // A second question behind the news would be answered only after them.
    assert!(watcher.signal(swarm_process::Signal::Freeze { ticket: 2 }));
    node.frozen(2).await;
    assert_eq!(notes.all(), [""; 0]);
    assert!(watcher.signal(swarm_process::Signal::Thaw));
    node.ask(&watcher, Do::Note(1)).await.expect("alive");
    assert_eq!(notes.all(), [format!("down {}: killed", target.pid().serial), "1".into()]);
}

#[tokio::test]
async fn a_dropped_monitor_leaves_nothing_behind() {
    let mut node = Node::new();
    let target = node.spawn(Seed::new(&Notes::default()));
    for _ in 0..100 {
        let monitor = node.processes.monitor(target.pid());
        assert!(timeout(Duration::ZERO, monitor).await.is_err());
    }
    target.kill();
    assert_eq!(node.exited(&target).await, ExitReason::Killed);
}
