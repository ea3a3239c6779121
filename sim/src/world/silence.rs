//! How sessions end by themselves: by silence, and by breaking.

use std::net::SocketAddr;
use std::time::Duration;

use super::sessions::{Carried, Conn, ConnId, State};
use super::{Happening, World};
use crate::Host;
use crate::struck::Class;

impl<H: Host> World<H> {
    /// An idle timeout ran out, unless a sign of life came in between.
    pub(super) fn idle(&mut self, id: ConnId, end: usize, ticket: u64) {
        let is_due = |conn: &&mut Conn<H::Frame>| conn.ends[end].idle_ticket == Some(ticket);
        if self.conns.get_mut(&id).filter(is_due).is_some() {
            self.strike(Class::IdleTimeout);
            self.session_arrived(id, end, Carried::Closed);
        }
    }

    pub(super) fn break_between(&mut self, a: SocketAddr, b: SocketAddr) {
        let is_between = |conn: &Conn<H::Frame>| {
            let [one, two] = [conn.ends[0].addr, conn.ends[1].addr];
            (one, two) == (a, b) || (one, two) == (b, a)
        };
        let ids: Vec<_> =
            self.conns.iter().filter(|(_, conn)| is_between(conn)).map(|(id, _)| *id).collect();
        for id in ids {
            self.break_conn(id);
        }
    }

    pub(super) fn break_conn(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.state != State::Open {
            return;
        }
        conn.state = State::Broken;
        self.struck.add(Class::SessionBreak);
        let [a, b] = [conn.ends[0].addr, conn.ends[1].addr];
        self.trace.line(self.now, format_args!("a session of {a} and {b} breaks"));
        for (nth, end) in conn.ends.iter_mut().enumerate().filter(|(_, end)| end.is_open) {
            end.idle_ticket = None;
            end.held.clear();
            // In the middle of a reset, each end notices by itself: at once, or when a probe of
            // its own goes unanswered.
            let after = self.rng.duration(Duration::ZERO..=self.faults.idle_timeout);
            // An end that has not heard of its session yet hears of its opening first.
            let at = (self.now + after).max(end.last_at);
            let carried = Carried::Closed;
            self.queue.push(at, Happening::Session { conn: id, end: nth, carried });
        }
    }

    /// Plans the next break of a random session, where the network breaks sessions.
    pub(super) fn plan_break(&mut self) {
        let Some(gap) = self.faults.break_gap else { return };
        let after = self.rng.duration(Duration::ZERO..=gap * 2);
        let ticket = self.break_ticket;
        self.queue.push(self.now + after.max(BREAK_GAP_MIN), Happening::Break { ticket });
    }

    /// A random session breaks.
    pub(super) fn break_random(&mut self, ticket: u64) {
        if ticket != self.break_ticket {
            return;
        }
        let open: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.state == State::Open)
            .map(|(id, _)| *id)
            .collect();
        if let Some(nth) = self.rng.index(open.len()) {
            self.break_conn(open[nth]);
        }
        self.plan_break();
    }

    /// Who reaches whom may have changed: idle timeouts start or end, held frames go on, and checkers
    /// hear of it.
    pub(super) fn reach_changed(&mut self) {
        for id in self.conns.keys().copied().collect::<Vec<_>>() {
            self.listen(id);
            self.release(id);
        }
        let (now, links) = (self.now, &self.links);
        let reaches = |from, to| links.blocked(now, from, to).is_none();
        for check in &mut self.checks {
            check.reach(now, &reaches);
        }
    }

    /// Starts the idle timeout of each end that hears nothing, and ends that of one that does.
    pub(super) fn listen(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if !matches!(conn.state, State::Open | State::HalfOpen) {
            return;
        }
        for end in [0, 1] {
            let (me, peer) = (&conn.ends[end], &conn.ends[1 - end]);
            // Half open, the dialler still waits for its handshake, whose deadline runs already.
            if !me.is_open || (conn.state == State::HalfOpen && end == 0) {
                continue;
            }
            let is_heard = peer.is_open
                && conn.state == State::Open
                && self.nodes.get(&peer.addr).is_some_and(|node| !node.is_paused())
                && self.links.blocked(self.now, peer.addr, me.addr).is_none();
            let me = &mut conn.ends[end];
            if is_heard {
                me.idle_ticket = None;
            } else if me.idle_ticket.is_none() {
                self.idle_tickets += 1;
                let ticket = self.idle_tickets;
                me.idle_ticket = Some(ticket);
                let idle = self.faults.idle_timeout;
                let at = self.now + idle + self.rng.duration(Duration::ZERO..=idle / 4);
                self.queue.push(at.max(me.last_at), Happening::Idle { conn: id, end, ticket });
            }
        }
    }

    /// Sends on what a cut held back, where it is mended.
    fn release(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        for nth in [0, 1] {
            let (from, is_sending) = (conn.ends[1 - nth].addr, conn.ends[1 - nth].is_open);
            let end = &mut conn.ends[nth];
            // What waits, waits in the memory of the sender, and is gone with it.
            if !is_sending {
                end.held.clear();
            }
            if end.held.is_empty() || self.links.blocked(self.now, from, end.addr).is_some() {
                continue;
            }
            for frame in std::mem::take(&mut end.held) {
                let (delay, _) = self.faults.draw_delay(&mut self.rng);
                end.last_at = end.last_at.max(self.now + delay);
                let carried = Carried::Frame(frame);
                self.queue.push(end.last_at, Happening::Session { conn: id, end: nth, carried });
            }
        }
    }
}

/// However often sessions are to break, time must pass.
const BREAK_GAP_MIN: Duration = Duration::from_millis(1);
