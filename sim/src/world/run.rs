//! Running: what is due next, who handles it, what it wants, and when to stop.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;

use super::node::Input;
use super::{Happening, World};
use crate::{Effect, Host, Violation};

impl<H: Host> World<H> {
    /// Runs until the clock shows `end`; what is due at that moment still happens.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that stopped the run, now or earlier. The clock stands where it was seen.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Violation> {
        while self.step(end) {}
        self.verdict()?;
        self.now = self.now.max(end);
        Ok(())
    }

    /// Runs for `span`.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn run_for(&mut self, span: Duration) -> Result<(), Violation> {
        self.run_until(self.now + span)
    }

    /// Runs until `goal` holds, for `limit` at most. Tells how long that took, or `None` where the
    /// limit passed first. The goal is looked at before anything else happens, then a millisecond
    /// after whatever happens next.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn run_to(
        &mut self,
        limit: Duration,
        mut goal: impl FnMut(&Self) -> bool,
    ) -> Result<Option<Duration>, Violation> {
        let (start, end) = (self.now, self.now + limit);
        loop {
            self.verdict()?;
            if goal(self) {
                return Ok(Some(self.now.since(start)));
            }
            if self.now >= end {
                return Ok(None);
            }
            // Skips the time in which nothing happens.
            let next = self.next_at().map_or(end, |at| at.max(self.now) + GOAL_EVERY);
            self.run_until(next.min(end))?;
        }
    }

    /// Runs until no node has emitted an event for `quiet`, for `limit` at most. Tells how long
    /// that took without the quiet itself, or `None` where the limit passed first.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn run_until_quiet(
        &mut self,
        quiet: Duration,
        limit: Duration,
    ) -> Result<Option<Duration>, Violation> {
        let (start, end) = (self.now, self.now + limit);
        loop {
            self.verdict()?;
            let last_at = self.events.back().map_or(start, |(at, ..)| start.max(*at));
            if last_at + quiet <= self.now {
                return Ok(Some(last_at.since(start)));
            }
            if end <= self.now {
                return Ok(None);
            }
            let next = self.next_at().map_or(end, |at| at.max(self.now) + GOAL_EVERY);
            self.run_until(next.min(last_at + quiet).min(end))?;
        }
    }

    /// Runs until nothing is in flight and no timer is set, for `limit` at most. Tells how long
    /// that took, or `None` where the limit passed first; with a timer that always comes back, it
    /// does.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn run_until_idle(&mut self, limit: Duration) -> Result<Option<Duration>, Violation> {
        self.run_to(limit, |world| world.next_at().is_none())
    }

    /// Lets every checker judge the end.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn finish(&mut self) -> Result<(), Violation> {
        self.verdict()?;
        let (now, hosts) = (self.now, &self.hosts);
        let verdict = self.checks.iter_mut().try_for_each(|check| check.finish(now, hosts));
        if let Err(violation) = verdict {
            self.violate(violation);
        }
        self.verdict()
    }

    /// Stops the run with `violation`, as a checker would.
    pub fn report(&mut self, violation: Violation) {
        self.violate(violation);
    }

    fn verdict(&self) -> Result<(), Violation> {
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// When something is due next.
    fn next_at(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| at);
        self.queue.next_at().into_iter().chain(timer).min()
    }

    /// Lets one thing happen, unless nothing is due by `end` or the run has stopped.
    fn step(&mut self, end: Instant) -> bool {
        let packet = self.queue.next_at();
        let timer = self.timers.first();
        let is_timer = match (packet, timer) {
            (None, None) => return false,
            (Some(packet), Some((timer, _))) => timer < packet,
            (packet, None) => packet.is_none(),
            (None, Some(_)) => true,
        };
        let due = if is_timer { timer.map(|(at, _)| at) } else { packet };
        if self.violation.is_some() || due.is_none_or(|at| end < at) {
            return false;
        }
        self.now = due.map_or(self.now, |at| at.max(self.now));
        match timer.filter(|_| is_timer) {
            Some((_, addr)) => self.handle(addr, Input::Timeout),
            None => self.happen(),
        }
        true
    }

    fn happen(&mut self) {
        let Some(happening) = self.queue.pop() else { return };
        match happening {
            Happening::Datagram { from, to, datagram } => self.datagram_arrived(from, to, datagram),
            Happening::Session { conn, end, carried } => self.session_arrived(conn, end, carried),
            Happening::Dial { conn, attempt } => self.try_dial(conn, attempt),
            Happening::Idle { conn, end, ticket } => self.idle(conn, end, ticket),
            Happening::Wake(addr) => self.wake(addr),
            Happening::Flap(way) => self.flapped(way),
            Happening::Break { ticket } => self.break_random(ticket),
        }
    }

    /// Carries out what a host wants, arms its timer, and asks the checkers.
    pub(super) fn flush(&mut self, addr: SocketAddr) {
        let mut effects = 0;
        while let Some(effect) = self.hosts.get_mut(&addr).and_then(Host::poll_effect) {
            match effect {
                Effect::Datagram { to, datagram } => self.send_datagram(addr, to, datagram),
                Effect::Dial { session, to } => self.dial(addr, session, to),
                Effect::Frame { session, frame } => self.send_frame(addr, session, frame),
                Effect::Close { session } => self.close(addr, session),
                Effect::Event(event) => self.observe(addr, event),
            }
            effects += 1;
            if effects > Self::IN_FLIGHT_MAX {
                let sentence = format!("{addr} never stops wanting things");
                return self.violate(Violation::new("world: no livelock", self.now, sentence));
            }
        }
        if self.queue.len() > Self::IN_FLIGHT_MAX {
            let sentence = format!("{} packets are in flight", self.queue.len());
            self.violate(Violation::new("world: no flood", self.now, sentence));
        }
        self.set_timer(addr);
        let (now, hosts) = (self.now, &self.hosts);
        let verdict = match self.violation {
            Some(_) => Ok(()),
            None => self.checks.iter_mut().try_for_each(|check| check.step(now, addr, hosts)),
        };
        if let Err(violation) = verdict {
            self.violate(violation);
        }
    }

    fn observe(&mut self, addr: SocketAddr, event: H::Event) {
        self.trace.line(self.now, format_args!("{addr} {event:?}"));
        let (now, hosts) = (self.now, &self.hosts);
        let verdict = match self.violation {
            Some(_) => Ok(()),
            None => {
                self.checks.iter_mut().try_for_each(|check| check.observe(now, addr, &event, hosts))
            }
        };
        if let Err(violation) = verdict {
            self.violate(violation);
        }
        if self.events.len() == Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back((self.now, addr, event));
    }

    /// Counts the inputs of one moment: time that never passes is a livelock.
    pub(super) fn count_step(&mut self, addr: SocketAddr, input: &Input<H>) {
        self.steps += 1;
        if self.steps_at < self.now {
            (self.steps_at, self.steps_now) = (self.now, 0);
        }
        self.steps_now += 1;
        let timeouts = match (input, self.nodes.get_mut(&addr)) {
            (Input::Timeout, Some(node)) => {
                let before = if node.timeouts.0 == self.now { node.timeouts.1 } else { 0 };
                node.timeouts = (self.now, before + 1);
                before + 1
            }
            _ => 0,
        };
        if timeouts > Self::TIMEOUTS_AT_ONE_INSTANT_MAX {
            let sentence = format!("the timer of {addr} goes off for ever at one instant");
            self.violate(Violation::new("world: no livelock", self.now, sentence));
        } else if self.steps_now > self.steps_at_one_instant_max {
            let sentence = format!("{} inputs at one instant, the last at {addr}", self.steps_now);
            self.violate(Violation::new("world: no livelock", self.now, sentence));
        }
    }
}

/// How often a goal is looked at.
const GOAL_EVERY: Duration = Duration::from_millis(1);
