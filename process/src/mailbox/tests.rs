//! The mailbox against a model of it, and senders that wait.

use super::*;
use crate::Payload;
use bytes::Bytes;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use swarm_base::Rng;

const LIMITS: Limits = Limits { messages: 8, bytes: 100 };

/// A mail of this number and size.
fn mail(number: u64, len: usize) -> Mail {
    let mut body = vec![0; len.max(8)];
    body[..8].copy_from_slice(&number.to_be_bytes());
    Mail::cast(Payload::wire("", Bytes::from(body)))
}

fn number(mail: &Mail) -> u64 {
    let wire = mail.payload.to_wire().expect("encoded already");
    u64::from_be_bytes(wire.body[..8].try_into().expect("8 bytes"))
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        // Another one in every run: the line below replays it.
        std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
    });
    println!("SEED={seed}");
    seed
}

/// What a mailbox should do, written for clarity.
#[derive(Default)]
struct Model {
    mails: VecDeque<(u64, usize)>,
    signals: VecDeque<u64>,
    pressed: bool,
    closed: bool,
}

impl Model {
    fn bytes(&self) -> usize {
        self.mails.iter().map(|mail| mail.1).sum()
    }

    fn has_room(&self, len: usize, times: usize) -> bool {
        self.mails.is_empty()
            || self.mails.len() < LIMITS.messages * times
                && self.bytes() + len <= LIMITS.bytes * times
    }
}

#[test]
fn it_agrees_with_a_model() {
    let mut rng = Rng::new(seed());
    for _ in 0..200 {
        let mailbox = Mailbox::new(LIMITS);
        let mut model = Model::default();
        for at in 0..300 {
            step(&mailbox, &mut model, &mut rng, at);
            assert_eq!(mailbox.len(), model.mails.len());
        }
    }
}

fn step(mailbox: &Mailbox, model: &mut Model, rng: &mut Rng, at: u64) {
    let len = 8 + rng.below(if rng.clone().chance(100) { 300 } else { 30 }) as usize;
    match rng.below(100) {
        0..30 => match mailbox.try_send(mail(at, len)) {
            Ok(()) => {
                assert!(!model.closed && model.has_room(len, 1));
                model.mails.push_back((at, len));
            }
            Err(SendError::Full(back)) => {
                assert_eq!(number(&back), at);
                assert!(!model.closed && !model.has_room(len, 1));
            }
            Err(SendError::Closed(_)) => assert!(model.closed),
        },
        30..50 => match mailbox.force(mail(at, len)) {
            Pressure::Closed(_) => assert!(model.closed),
            Pressure::Refused(back) => {
                assert_eq!(number(&back), at);
                assert!(!model.has_room(len, Limits::HARD));
                model.pressed = true;
            }
            taken @ (Pressure::Ok | Pressure::High) => {
                assert!(!model.closed && model.has_room(len, Limits::HARD));
                model.pressed |= !model.has_room(len, 1);
                model.mails.push_back((at, len));
                assert_eq!(matches!(taken, Pressure::High), model.pressed);
            }
        },
        50..60 => {
            assert_eq!(mailbox.signal(Signal::Freeze { ticket: at }), !model.closed);
            if !model.closed {
                model.signals.push_back(at);
            }
        }
        60..62 => {
            let front: VecDeque<_> = (0..3).map(|n| mail(at + 1000 + n, 8)).collect();
            let taken = mailbox.signal_with_front(front, Signal::Thaw).is_ok();
            assert_eq!(taken, !model.closed);
            if taken {
                (0..3).rev().for_each(|n| model.mails.push_front((at + 1000 + n, 8)));
                model.signals.push_back(u64::MAX);
            }
        }
        62..99 => take(mailbox, model, if rng.chance(300) { Intake::Signals } else { Intake::All }),
        _ => {
            let out: Vec<u64> = mailbox.close().iter().map(number).collect();
            assert_eq!(out, model.mails.drain(..).map(|mail| mail.0).collect::<Vec<_>>());
            model.signals.clear();
            model.closed = true;
        }
    }
}

fn take(mailbox: &Mailbox, model: &mut Model, intake: Intake) {
    let next = mailbox.poll_next(intake);
    let signal = model.signals.pop_front();
    let mail =
        if signal.is_none() && intake == Intake::All { model.mails.pop_front() } else { None };
    match (next, signal, mail) {
        (Poll::Pending, None, None) => return,
        (Poll::Ready((Next::Signal(Signal::Freeze { ticket }), _)), Some(want), None) => {
            assert_eq!(ticket, want);
        }
        (Poll::Ready((Next::Signal(Signal::Thaw), _)), Some(u64::MAX), None) => (),
        (Poll::Ready((Next::Mail(got), _)), None, Some(want)) => assert_eq!(number(&got), want.0),
        (next, signal, mail) => panic!("{next:?}, but the model has {signal:?}, {mail:?}"),
    }
    let low = model.mails.len() <= LIMITS.messages / 2 && model.bytes() <= LIMITS.bytes / 2;
    let eases = model.pressed && low;
    model.pressed &= !eases;
    assert_eq!(mailbox.0.lock().expect("no panic").is_pressed(), model.pressed);
}

#[test]
fn pressure_is_told_once_and_eases_at_half() {
    let mailbox = Mailbox::new(LIMITS);
    for n in 0..8 {
        assert!(matches!(mailbox.force(mail(n, 8)), Pressure::Ok));
    }
    for n in 8..12 {
        assert!(matches!(mailbox.force(mail(n, 8)), Pressure::High));
    }
    let mut eased = Vec::new();
    while let Poll::Ready((Next::Mail(mail), now)) = mailbox.poll_next(Intake::All) {
        if now == Eased::Now {
            eased.push(number(&mail));
        }
    }
    assert_eq!(eased, [7], "when four are left");
}

#[test]
fn users_cannot_fill_the_lane_of_signals() {
    let mailbox = Mailbox::new(LIMITS);
    while !matches!(mailbox.force(mail(0, 8)), Pressure::Refused(_)) {}
    assert!(mailbox.signal(Signal::Thaw));
    let next = mailbox.poll_next(Intake::All);
    assert!(matches!(next, Poll::Ready((Next::Signal(Signal::Thaw), _))));
}

#[test]
fn a_burst_leaves_no_memory_behind() {
    let mailbox = Mailbox::new(Limits { messages: 1024, bytes: 1 << 20 });
    for n in 0..1024 {
        mailbox.try_send(mail(n, 8)).expect("room");
    }
    while mailbox.poll_next(Intake::All).is_ready() {}
    assert!(mailbox.0.lock().expect("no panic").room_kept() <= 8);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<F: Future>(future: Pin<&mut F>, woken: &Arc<Woken>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(woken))))
}

fn full() -> Mailbox {
    let mailbox = Mailbox::new(LIMITS);
    for n in 0..8 {
        mailbox.try_send(mail(n, 8)).expect("room");
    }
    mailbox
}

fn take_number(mailbox: &Mailbox) -> u64 {
    match mailbox.poll_next(Intake::All) {
        Poll::Ready((Next::Mail(mail), _)) => number(&mail),
        other => panic!("{other:?}"),
    }
}

#[test]
fn senders_wait_in_line() {
    let mailbox = full();
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let mut one = pin!(mailbox.send(mail(100, 8)));
    let mut two = pin!(mailbox.send(mail(101, 8)));
    assert!(poll(one.as_mut(), &first).is_pending());
    assert!(poll(two.as_mut(), &second).is_pending());
    assert_eq!(take_number(&mailbox), 0);
    assert_eq!((first.count(), second.count()), (1, 0));
    assert!(matches!(mailbox.try_send(mail(102, 8)), Err(SendError::Full(_))), "others wait");
    assert!(poll(two.as_mut(), &second).is_pending(), "not its turn");
    assert!(matches!(poll(one.as_mut(), &first), Poll::Ready(Ok(()))));
    assert_eq!(take_number(&mailbox), 1);
    assert!(matches!(poll(two.as_mut(), &second), Poll::Ready(Ok(()))));
    let rest: Vec<u64> = (0..8).map(|_| take_number(&mailbox)).collect();
    assert_eq!(rest, [2, 3, 4, 5, 6, 7, 100, 101]);
    mailbox.try_send(mail(0, 8)).expect("nobody waits any more");
}

#[test]
fn a_sender_that_gives_up_passes_its_turn_on() {
    let mailbox = full();
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let mut one = Box::pin(mailbox.send(mail(100, 8)));
    let mut two = pin!(mailbox.send(mail(101, 8)));
    assert!(poll(one.as_mut(), &first).is_pending());
    assert!(poll(two.as_mut(), &second).is_pending());
    assert_eq!(take_number(&mailbox), 0);
    assert_eq!(first.count(), 1);
    drop(one);
    assert_eq!(second.count(), 1, "it would wait for ever otherwise");
    assert!(matches!(poll(two.as_mut(), &second), Poll::Ready(Ok(()))));
}

#[test]
fn a_closed_mailbox_gives_waiting_senders_their_mail_back() {
    let mailbox = full();
    let woken = Arc::new(Woken::default());
    let mut waiting = pin!(mailbox.send(mail(100, 8)));
    assert!(poll(waiting.as_mut(), &woken).is_pending());
    assert_eq!(mailbox.close().len(), 8);
    assert_eq!(woken.count(), 1);
    match poll(waiting.as_mut(), &woken) {
        Poll::Ready(Err(mail)) => assert_eq!(number(&mail), 100),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_task_is_woken_only_for_what_it_sleeps_for() {
    let mailbox = Mailbox::new(LIMITS);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(mailbox.poll_killed(&Context::from_waker(&waker)).is_pending());
    mailbox.try_send(mail(0, 8)).expect("room");
    assert_eq!(woken.count(), 0, "it does not sleep yet");
    assert!(mailbox.poll_next(Intake::Signals).is_pending());
    mailbox.try_send(mail(1, 8)).expect("room");
    assert_eq!(woken.count(), 0, "frozen");
    assert!(mailbox.signal(Signal::Thaw));
    assert_eq!(woken.count(), 1);
    mailbox.kill(ExitReason::Killed);
    assert_eq!(woken.count(), 2, "wherever it is");
    assert!(matches!(
        mailbox.poll_killed(&Context::from_waker(&waker)),
        Poll::Ready(ExitReason::Killed)
    ));
}
