//! Checkers: each hook fires, the first violation stops the run and says what led to it.

use crate::probe::{A, B, Given, Probe, probes};
use crate::{at, ms};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use swarm_base::Instant;
use swarm_sim::{Action, Check, Faults, Violation};

/// Counts what it is asked, and finds fault with one datagram.
#[derive(Clone, Default)]
struct Counting {
    asked: Rc<RefCell<Asked>>,
    bad: Option<u64>,
    bad_steps: Option<u64>,
    is_bad_in_the_end: bool,
}

#[derive(Default)]
struct Asked {
    events: u64,
    steps: u64,
    actions: Vec<Action>,
    finished: u64,
}

impl Check<Probe> for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Given,
        hosts: &BTreeMap<SocketAddr, Probe>,
    ) -> Result<(), Violation> {
        assert!(hosts.contains_key(&addr));
        self.asked.borrow_mut().events += 1;
        match event {
            Given::Datagram(_, number) if Some(*number) == self.bad => {
                Err(Violation::new("counting", now, format!("{addr} was given {number}")))
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, _: Instant, action: &Action) {
        self.asked.borrow_mut().actions.push(action.clone());
    }

    fn step(
        &mut self,
        now: Instant,
        _: SocketAddr,
        _: &BTreeMap<SocketAddr, Probe>,
    ) -> Result<(), Violation> {
        let mut asked = self.asked.borrow_mut();
        asked.steps += 1;
        match Some(asked.steps) == self.bad_steps {
            true => Err(Violation::new("counting", now, "too many steps")),
            false => Ok(()),
        }
    }

    fn finish(&mut self, now: Instant, _: &BTreeMap<SocketAddr, Probe>) -> Result<(), Violation> {
        self.asked.borrow_mut().finished += 1;
        match self.is_bad_in_the_end {
            true => Err(Violation::new("counting", now, "all is not well")),
            false => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.asked.borrow().events
    }
}

#[test]
fn every_hook_fires() {
    let check = Counting::default();
    let asked = Rc::clone(&check.asked);
    let mut world = probes(1, Faults::calm());
    world.check(check);
    world.with(A, |probe, _| probe.send(B, 1));
    world.pause(B, ms(5));
    world.run_for(ms(10)).expect("nothing is wrong");
    world.finish().expect("nothing is wrong");
    {
        let asked = asked.borrow();
        assert_eq!((asked.events, asked.steps, asked.finished), (1, 2, 1));
        assert_eq!(asked.actions, [Action::Pause(B, ms(5))]);
    }
    assert_eq!(world.judged().collect::<Vec<_>>(), [("counting", 1)]);
}

#[test]
fn the_first_violation_stops_the_run_and_carries_the_story() {
    let mut world = probes(2, Faults::calm());
    world.check(Counting { bad: Some(3), ..Counting::default() });
    for number in 0..10 {
        world.with(A, |probe, _| probe.send(B, number));
        let _ = world.run_for(ms(2));
    }
    let violation = world.run_for(ms(100)).expect_err("the third datagram is bad");
    assert_eq!(violation.property, "counting");
    assert_eq!(violation.sentence, format!("{B} was given 3"));
    assert!(at(6) <= violation.at && violation.at <= at(8));
    assert_eq!(world.now(), violation.at, "the clock stands");
    let last = violation.last.last().expect("the trace has lines");
    assert!(last.contains("Datagram") && last.contains('3'), "{last}");
    let text = violation.to_string();
    assert!(text.starts_with("counting does not hold at 0.00"), "{text}");
    assert_eq!(world.run_to(ms(5), |_| true), Err(violation.clone()));
    assert_eq!((world.finish(), world.violation()), (Err(violation.clone()), Some(&violation)));
}

#[test]
fn a_step_and_the_end_may_violate_too() {
    let mut world = probes(3, Faults::calm());
    world.check(Counting { bad_steps: Some(2), ..Counting::default() });
    world.with(A, |probe, _| probe.send(B, 1));
    let violation = world.run_for(ms(10)).expect_err("the second step is bad");
    assert_eq!(violation.sentence, "too many steps");

    let mut world = probes(3, Faults::calm());
    world.check(Counting { is_bad_in_the_end: true, ..Counting::default() });
    world.run_for(ms(10)).expect("the end has not come");
    assert_eq!(world.finish().expect_err("it has").sentence, "all is not well");
}

#[test]
fn a_timer_that_never_moves_on_is_a_livelock() {
    let mut world = probes(4, Faults::calm());
    world.with(A, |probe, _| (probe.timer, probe.is_stuck) = (Some(at(5)), true));
    let violation = world.run_for(ms(10)).expect_err("the timer is stuck");
    assert_eq!((violation.property, violation.at), ("world: no livelock", at(5)));
    assert!(violation.last.iter().any(|line| line.contains("Timeout")));
}

#[test]
fn an_endless_exchange_in_no_time_is_a_livelock() {
    let no_time = Duration::ZERO..=Duration::ZERO;
    let mut world = probes(5, Faults { delay: no_time, ..Faults::calm() });
    world.keep_lines(10);
    world.limit_steps(1_000);
    world.with(A, |probe, _| probe.is_echo = true);
    world.with(B, |probe, _| probe.is_echo = true);
    world.with(A, |probe, _| probe.send(B, 0));
    let violation = world.run_for(ms(1)).expect_err("time never passes");
    assert_eq!((violation.property, violation.at), ("world: no livelock", at(0)));
    assert_eq!(violation.last.len(), 10);
}

#[test]
fn an_endless_exchange_that_takes_time_is_none() {
    let mut world = probes(5, Faults::calm());
    world.limit_steps(10);
    world.with(A, |probe, _| probe.is_echo = true);
    world.with(B, |probe, _| probe.is_echo = true);
    world.with(A, |probe, _| probe.send(B, 0));
    world.run_for(ms(100)).expect("time passes");
    assert!(world.steps() > 50);
}

#[test]
fn a_session_that_is_dialled_twice_is_the_hosts_fault() {
    let mut world = probes(6, Faults::calm());
    world.with(A, |probe, _| probe.dial(0, B));
    world.with(A, |probe, _| probe.dial(0, B));
    let violation = world.run_for(ms(1)).expect_err("the number is not new");
    assert_eq!(violation.property, "world: new sessions");
}

#[test]
fn a_run_tells_how_long_it_took_to_reach_its_goal() {
    let mut world = probes(7, Faults { delay: ms(40)..=ms(40), ..Faults::calm() });
    world.with(A, |probe, _| probe.send(B, 1));
    let took = world.run_to(ms(100), |world| world.events().count() == 1);
    assert!(matches!(took, Ok(Some(took)) if (ms(40)..=ms(41)).contains(&took)), "{took:?}");
    assert_eq!(world.run_to(ms(100), |_| false), Ok(None));
    assert_eq!(world.now(), at(100) + world.now().since(at(100)), "the limit passed");

    world.with(A, |probe, _| probe.send(B, 2));
    let quiet = world.run_until_quiet(ms(200), ms(1_000));
    assert!(matches!(quiet, Ok(Some(took)) if (ms(40)..=ms(41)).contains(&took)), "{quiet:?}");
    world.with(A, |probe, now| probe.timer = Some(now + Duration::from_secs(3_600)));
    let asked_at = world.now();
    assert!(matches!(world.run_until_quiet(ms(200), ms(1_000)), Ok(Some(_))));
    assert!(world.now().since(asked_at) <= ms(201), "the hour is not waited for");
    assert_eq!(world.run_until_idle(ms(100)), Ok(None), "a timer is set");
}

#[test]
fn a_note_and_every_packet_may_stand_in_the_trace() {
    let mut world = probes(8, Faults::calm());
    world.trace_packets();
    world.note("the client begins");
    world.with(A, |probe, _| probe.send(B, 42));
    world.run_for(ms(5)).expect("nothing is checked");
    let lines: Vec<_> = world.last(4).map(str::to_owned).collect();
    let ends =
        ["note: the client begins", &format!("{A} sends {B} 42"), &format!("{A} reaches {B} 42")];
    for (line, end) in lines.iter().zip(ends) {
        assert!(line.ends_with(end), "{line}");
    }
}
