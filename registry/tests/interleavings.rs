//! Readers of names beside their writer, in thousands of orders in which they can meet.
//!
//! Only with shuttle's locks: `RUSTFLAGS="--cfg shuttle" cargo test -p swarm-registry --test
//! interleavings`. A schedule that fails is printed, and `shuttle::replay` runs it again.

#![cfg(shuttle)]

use shuttle::thread;
use std::collections::BTreeMap;
use swarm_base::{Boot, Name, Pid, Token};
use swarm_registry::{Event, Found, State, View};

/// Names that have a process all the time.
const KEPT: u64 = 3;

/// Names that come and go.
const PASSING: u64 = 3;

/// How often a kept name changes its process.
const CHANGES: u64 = 2;

fn changed(name: &str, serial: Option<u64>) -> Event {
    Event::Changed {
        name: Name::new(name).expect("a name"),
        was: None,
        now: serial.map(|serial| Pid::new(Boot::default(), serial)),
        kind: serial.map(|serial| format!("kind-{serial}").into()),
        token: Token::default(),
        state: if serial.is_some() { State::Held } else { State::Free },
    }
}

fn kept(n: u64) -> String {
    format!("kept-{n}")
}

fn passing(n: u64) -> String {
    format!("passing-{n}")
}

/// A process is shown with its own kind: nobody sees half of a change.
fn is_whole(found: &Found) {
    let kind = format!("kind-{}", found.pid.serial);
    assert_eq!(found.kind.as_deref(), Some(kind.as_str()), "{found:?} is torn");
}

fn write(view: &View) {
    for serial in 1..=CHANGES {
        for n in 0..KEPT {
            view.apply(&changed(&kept(n), Some(serial)));
        }
        for n in 0..PASSING {
            let is_there = (n + serial) % 2 == 0;
            view.apply(&changed(&passing(n), is_there.then_some(serial)));
        }
    }
}

/// A list has each kept name once and no name twice.
fn list(view: &View) {
    let mut seen = BTreeMap::new();
    for (name, found) in view.names() {
        is_whole(&found);
        assert_eq!(seen.insert(name.clone(), found), None, "{name} is listed twice");
    }
    for n in 0..KEPT {
        let name = Name::new(kept(n)).expect("a name");
        assert!(seen.contains_key(&name), "{name} is there all the time");
    }
    assert!(seen.len() as u64 <= KEPT + PASSING);
}

/// A lookup goes forward only, and the count stays within what can be there.
fn look(view: &View) {
    let mut last = 0;
    for _ in 0..3 {
        let found = view.find(kept(0).as_bytes()).expect("it is there all the time");
        is_whole(&found);
        assert!(found.pid.serial >= last, "{found:?} after {last}");
        last = found.pid.serial;
        let whereis = view.whereis(kept(0).as_bytes()).expect("it is there all the time");
        assert!(whereis.serial >= last);
        last = whereis.serial;
        let count = view.count() as u64;
        assert!((KEPT..=KEPT + PASSING).contains(&count), "{count} names");
    }
}

fn readers_and_a_writer() {
    let view = View::new();
    for n in 0..KEPT {
        view.apply(&changed(&kept(n), Some(0)));
    }
    let readers: [fn(&View); 3] = [list, list, look];
    let threads = readers.map(|read| {
        let view = view.clone();
        thread::spawn(move || read(&view))
    });
    write(&view);
    for thread in threads {
        thread.join().expect("what it saw was right");
    }
    assert_eq!(view.count(), view.names().count(), "at rest the count is exact");
    list(&view);
}

#[test]
fn whoever_reads_meanwhile_sees_whole_names_once() {
    shuttle::check_random(readers_and_a_writer, 2_000);
}

#[test]
fn nor_is_there_a_rare_order_that_shows_another_thing() {
    shuttle::check_pct(readers_and_a_writer, 2_000, 3);
}
