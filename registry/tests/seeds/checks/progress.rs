//! G9, progress: every question is answered in its time, and once the network is well every node
//! decides and answers.

use crate::host::SimNode;
use crate::news::{Answer, News, Question};
use crate::truth::{Hosts, Shared};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Instant, NodeId};
use swarm_sim::{Check, Violation};

pub(crate) struct Progress {
    truth: Shared,
    /// What was asked when, by each life.
    asked: BTreeMap<(NodeId, u64), (Question, Instant)>,
    n_judged: u64,
}

impl Progress {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, asked: BTreeMap::new(), n_judged: 0 }
    }
}

impl Check<SimNode> for Progress {
    fn name(&self) -> &'static str {
        "G9: every question is answered"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let Some(me) = hosts.get(&addr).map(|host| host.member().me().clone()) else {
            return Ok(());
        };
        match news {
            News::Asked { id, what } => drop(self.asked.insert((me, *id), (*what, now))),
            News::Answered { id, answer } => {
                let Some((what, at)) = self.asked.remove(&(me, *id)) else { return Ok(()) };
                let calm = self.truth.borrow().calm_since;
                let is_calm = calm.is_some_and(|since| since + CALM <= at);
                self.n_judged += u64::from(is_calm);
                let is_answer = match what {
                    Question::Whereis => matches!(answer, Answer::Found(_)),
                    Question::Register => *answer != Answer::Late,
                };
                if is_calm && !is_answer {
                    let sentence = format!("{addr} asked {what:?} at {at}, and heard {answer:?}");
                    return Err(Violation::new(self.name(), now, sentence));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, now: Instant, addr: SocketAddr, hosts: &Hosts) -> Result<(), Violation> {
        let Some(host) = hosts.get(&addr) else { return Ok(()) };
        let member = host.member();
        let late = member.asked.values().find(|asked| asked.deadline < member.ticked_at());
        match late {
            None => Ok(()),
            Some(late) => {
                let sentence = format!("{addr} has waited since before {}", late.deadline);
                Err(Violation::new(self.name(), now, sentence))
            }
        }
    }

    fn finish(&mut self, now: Instant, hosts: &Hosts) -> Result<(), Violation> {
        let lack = lack(hosts);
        lack.map_or(Ok(()), |sentence| Err(Violation::new(self.name(), now, sentence)))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}

/// In the end all hold alive who runs, may act, and have nothing left to start.
pub(super) fn lack(hosts: &Hosts) -> Option<String> {
    let running = hosts.values().map(|host| host.member().me().clone());
    let running: crate::news::Ring = running.collect();
    hosts.iter().find_map(|(addr, host)| {
        let member = host.member();
        let ring = member.agreement.ring();
        if **ring != running {
            return Some(format!("{addr} holds {ring:?} alive, and {running:?} run"));
        }
        let is_agreed = member.agreement.is_complete(|log| member.registry.position(log));
        if !is_agreed || !member.registry.caught_up() {
            let ahead: Vec<_> = member.registry.ahead().collect();
            return Some(format!("{addr} may not act: agreed {is_agreed}, behind {ahead:?}"));
        }
        let starting = member.starts.keys().next();
        starting.map(|name| format!("{addr} is starting {name}"))
    })
}

/// By then sessions are back.
const CALM: Duration = Duration::from_secs(6);
