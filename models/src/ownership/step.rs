//! What can happen next, and what it does.

use super::state::{Node, Seen, State};
use super::view::Standing;
use super::{LOGS, NODES, Ownership, Rule};

/// One thing that happens. Nodes and logs are numbered: log `2 n` is that of the first boot of
/// node `n`, log `2 n + 1` that of its second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each node is the one that does it or that it happens to")]
pub enum Step {
    /// A node dies.
    Crash(usize),
    /// It comes back with a new boot, and gets the list of members from another.
    Reboot { node: usize, from: usize },
    /// A node holds another dead that lives.
    FalseDeath { at: usize, of: usize },
    /// The user stops the name.
    Stop(usize),
    /// A node finds another dead.
    LearnDeath { at: usize, of: usize },
    /// A node hears what another knows of a third, or of itself.
    Hear { at: usize, of: usize, seen: Seen },
    /// A node that is held dead says that it lives.
    Refute(usize),
    /// A node acknowledges the ring of another, behind its facts.
    Acknowledge { at: usize, by: usize },
    /// A node reads a log as far as another has it.
    Read { at: usize, log: usize, from: usize },
    /// The owner starts the name again.
    Start(usize),
    /// A process claims its name anew, above what is gone.
    ClaimAbove(usize),
    /// A process that is to end is frozen, and the winner's node is asked.
    Lose(usize),
    /// The winner's node is asked.
    Ask { loser: usize, winner: usize },
    /// It has answered.
    Answer { loser: usize, winner: usize },
    /// A node lets a closed log go.
    Bury { at: usize, log: usize },
}

impl State {
    /// What comes from outside.
    pub(super) fn faults(&self, model: &Ownership, steps: &mut Vec<Step>) {
        for at in 0..NODES {
            let node = &self.nodes[at];
            if !node.up {
                if node.boot == 0 && self.reboots < model.reboots {
                    steps.extend(self.live().map(|from| Step::Reboot { node: at, from }));
                }
                continue;
            }
            if self.crashes < model.crashes {
                steps.push(Step::Crash(at));
            }
            if self.false_deaths < model.false_deaths {
                let right = (0..NODES).filter(|of| *of != at && self.is_right_about(at, *of));
                steps.extend(right.map(|of| Step::FalseDeath { at, of }));
            }
            if self.stops < model.stops && self.may_stop(model.rule, at) {
                steps.push(Step::Stop(at));
            }
        }
    }

    /// What nodes do by themselves. Where there is none of it, all is quiet.
    pub(super) fn steps(&self, rule: Rule, steps: &mut Vec<Step>) {
        for at in self.live() {
            self.membership_steps(at, steps);
            self.reading_steps(rule, at, steps);
            if self.may_start(rule, at) {
                steps.push(Step::Start(at));
            }
            if self.may_claim_above(rule, at) {
                steps.push(Step::ClaimAbove(at));
            }
            self.handshake_steps(rule, at, steps);
            let closed = (0..LOGS).filter(|log| self.may_bury(rule, at, *log));
            steps.extend(closed.map(|log| Step::Bury { at, log }));
        }
    }

    pub(super) fn take(&mut self, rule: Rule, step: Step) {
        match step {
            Step::Crash(at) => {
                self.crashes += 1;
                self.crash(at);
            }
            Step::Reboot { node, from } => {
                self.reboots += 1;
                self.reboot(node, from);
            }
            Step::FalseDeath { at, of } => {
                self.false_deaths += 1;
                self.learn(at, of, Seen { dead: true, ..self.nodes[at].seen[of] });
            }
            Step::Stop(at) => {
                self.stops += 1;
                self.stop(at);
            }
            Step::LearnDeath { at, of } => {
                self.learn(at, of, Seen { dead: true, ..self.nodes[at].seen[of] });
            }
            Step::Hear { at, of, seen } => self.learn(at, of, seen),
            Step::Refute(at) => self.refute(at),
            Step::Acknowledge { at, by } => self.acknowledge(rule, at, by),
            Step::Read { at, log, from } => self.read(at, log, from),
            Step::Start(at) => self.start(rule, at),
            Step::ClaimAbove(at) => self.run(at, self.next_token(at)),
            Step::Lose(at) => self.lose(rule, at),
            Step::Ask { loser, winner } => self.ask(rule, loser, winner),
            Step::Answer { loser, winner } => self.answer(rule, loser, winner),
            Step::Bury { at, log } => self.bury(rule, at, log),
        }
    }

    fn membership_steps(&self, at: usize, steps: &mut Vec<Step>) {
        for of in (0..NODES).filter(|of| *of != at) {
            let seen = self.nodes[at].seen[of];
            let is_gone = !self.nodes[of].up || self.nodes[of].boot != seen.boot;
            if !seen.dead && is_gone {
                steps.push(Step::LearnDeath { at, of });
            }
            let mut news: Vec<Seen> = self.live().map(|from| self.nodes[from].seen[of]).collect();
            news.retain(|news| *news > seen);
            news.sort_unstable();
            news.dedup();
            steps.extend(news.into_iter().map(|seen| Step::Hear { at, of, seen }));
        }
        if self.accusation(at).is_some() {
            steps.push(Step::Refute(at));
        }
    }

    fn reading_steps(&self, rule: Rule, at: usize, steps: &mut Vec<Step>) {
        let others = || (0..NODES).filter(|other| *other != at);
        for by in others().filter(|by| self.has_session(at, *by)) {
            if self.same_ring(at, by) && !self.nodes[at].acked[by] {
                steps.push(Step::Acknowledge { at, by });
            }
        }
        for log in 0..LOGS {
            for from in others().filter(|from| self.may_read(rule, at, log, *from)) {
                steps.push(Step::Read { at, log, from });
            }
        }
    }

    /// A live log is read from its writer, a closed one from anybody who has more of it.
    fn may_read(&self, rule: Rule, at: usize, log: usize, from: usize) -> bool {
        let (reader, source) = (&self.nodes[at], &self.nodes[from]);
        let is_writer = source.log(from) == log;
        let has_more = source.read[log] > reader.read[log];
        let may = match self.standing(at, log) {
            Standing::Live => is_writer,
            Standing::Closed => is_writer || rule != Rule::LogsNotRelayed,
            Standing::Unseen => false,
        };
        self.has_session(at, from) && has_more && !source.buried[log] && may
    }

    /// `by` acknowledges the ring of `at`: all that it has written has arrived before that, and
    /// what it knows of the dead is waited for.
    fn acknowledge(&mut self, rule: Rule, at: usize, by: usize) {
        for log in 0..LOGS {
            if self.may_read(rule, at, log, by) {
                self.read(at, log, by);
            }
        }
        self.nodes[at].acked[by] = true;
    }

    /// What has been let go is of use again where there is more of it.
    fn read(&mut self, at: usize, log: usize, from: usize) {
        self.nodes[at].read[log] = self.nodes[from].read[log];
        self.nodes[at].buried[log] = false;
    }

    fn reboot(&mut self, at: usize, from: usize) {
        let boot = self.nodes[at].boot + 1;
        let mut seen = self.nodes[from].seen;
        seen[at] = Seen { boot, incarnation: 0, dead: false };
        let acked = [false; NODES];
        self.nodes[at] = Node { boot, seen, acked, up: true, ..self.nodes[at] };
    }

    /// The highest death of itself that a node knows of.
    fn accusation(&self, at: usize) -> Option<Seen> {
        let own = self.nodes[at].seen[at];
        let said = self.live().map(|other| self.nodes[other].seen[at]);
        said.filter(|said| said.dead && said.boot == own.boot && *said > own).max()
    }

    fn refute(&mut self, at: usize) {
        if let Some(seen) = self.accusation(at) {
            let incarnation = seen.incarnation + 1;
            self.nodes[at].seen[at] = Seen { incarnation, dead: false, ..seen };
        }
    }

    /// `at` learns what has become of another node.
    fn learn(&mut self, at: usize, of: usize, seen: Seen) {
        let before = self.alive(at, of);
        self.nodes[at].seen[of] = seen;
        if self.alive(at, of) == before {
            return;
        }
        self.nodes[at].acked = [false; NODES];
        for log in [2 * of, 2 * of + 1] {
            if self.standing(at, log) == Standing::Live {
                // What has been let go of it is sent again.
                self.nodes[at].buried[log] = false;
            } else {
                self.thaw_loser_to(at, log);
            }
        }
    }
}
