//! Who has seen which end: what G4 and P2 have in common.

use super::reading::Reading;
use crate::host::SimNode;
use crate::member::Member;
use crate::news::News;
use crate::scenario::Kind;
use crate::truth::{Hosts, Truth};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, NodeId, Pid};

/// The ends of processes, and what each life knows of them.
pub(super) struct Ends {
    kind: Kind,
    reading: Reading,
    due: VecDeque<Due>,
    /// Those that were not known in time, unless the session turns out to have been broken.
    late: VecDeque<Due>,
    n_due: u64,
}

/// An end that must be known somewhere by then, if the session lasts.
struct Due {
    at: Instant,
    pid: Pid,
    addr: SocketAddr,
    life: NodeId,
    writer: NodeId,
    session: (u64, u64),
}

impl Due {
    /// Who must know it, if the session with the writer is still the same.
    fn reader<'a>(&self, hosts: &'a Hosts) -> Option<&'a Member> {
        let reader = hosts.get(&self.addr)?.member();
        let writer = hosts.values().map(SimNode::member).find(|one| *one.me() == self.writer)?;
        let is_same = *reader.me() == self.life && session_of(writer, reader) == Some(self.session);
        is_same.then_some(reader)
    }
}

impl Ends {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            reading: Reading::default(),
            due: VecDeque::new(),
            late: VecDeque::new(),
            n_due: 0,
        }
    }

    pub(super) fn observe(&mut self, now: Instant, member: &Member, news: &News, hosts: &Hosts) {
        self.reading.observe(member, news);
        if let News::Ended { pid, position, .. } = news {
            self.reading.written(member.me(), *position, *pid);
            if self.kind == Kind::Deaths {
                self.expect(now, member, *pid, hosts);
            }
        }
    }

    /// Whether a node may show a process: it has not read of its end, and holds its node alive.
    pub(super) fn may_show(&self, member: &Member, pid: Pid) -> Result<(), String> {
        if self.reading.has_read(member, pid) {
            return Err(format!("shows {pid}, of whose end it has read"));
        }
        let is_alive = member.agreement.ring().iter().any(|life| life.boot == pid.boot);
        is_alive.then_some(()).ok_or_else(|| format!("shows {pid}, whose node it holds dead"))
    }

    pub(super) fn step(&mut self, member: &Member) {
        self.reading.step(member);
    }

    /// A process that is still shown to a reader although its end was due there. The reader and
    /// the writer have had one session all the time: a broken one they would have noticed by now.
    pub(super) fn late(
        &mut self,
        now: Instant,
        hosts: &Hosts,
        is_shown: impl Fn(&Member, Pid) -> bool,
    ) -> Option<(SocketAddr, Pid)> {
        while self.due.front().is_some_and(|first| first.at <= now) {
            let Some(due) = self.due.pop_front() else { break };
            self.n_due += 1;
            if due.reader(hosts).is_some_and(|reader| is_shown(reader, due.pid)) {
                self.late.push_back(Due { at: due.at + NOTICED, ..due });
            }
        }
        while self.late.front().is_some_and(|first| first.at <= now) {
            let late = self.late.pop_front()?;
            if late.reader(hosts).is_some() {
                return Some((late.addr, late.pid));
            }
        }
        None
    }

    /// How many ends were due.
    pub(super) const fn n_due(&self) -> u64 {
        self.n_due
    }

    fn expect(&mut self, now: Instant, writer: &Member, pid: Pid, hosts: &Hosts) {
        for (addr, host) in hosts {
            let reader = host.member();
            let Some(session) = session_of(writer, reader) else { continue };
            let (life, writer) = (reader.me().clone(), writer.me().clone());
            let at = now + EXIT_KNOWN;
            self.due.push_back(Due { at, pid, addr: *addr, life, writer, session });
        }
    }
}

/// Which session two nodes have, as each of them counts.
fn session_of(a: &Member, b: &Member) -> Option<(u64, u64)> {
    let nth = |one: &Member, other: &Member| one.sessions.get(other.me()).copied();
    Some((nth(a, b)?, nth(b, a)?))
}

/// What `truth` calls alive is shown by right; of others nobody needs to have heard yet.
pub(super) fn is_ghost(truth: &Truth, pid: Pid) -> bool {
    !truth.is_alive(pid)
}

/// By then a process that ended is gone wherever its node has a session.
const EXIT_KNOWN: Duration = Duration::from_secs(1);

/// Both ends of a session have noticed by then that it was broken.
const NOTICED: Duration = Duration::from_secs(5);
