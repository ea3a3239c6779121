//! Two copies of the name: the node of the one that loses asks that of the one that wins, and ends
//! it on a yes.

use super::state::{Answer, Claims, Entry, Process, State};
use super::view::Resolution;
use super::{NODES, Rule, Step};

impl State {
    pub(super) fn handshake_steps(&self, rule: Rule, at: usize, steps: &mut Vec<Step>) {
        if self.may_lose(rule, at) {
            steps.push(Step::Lose(at));
        }
        for winner in (0..NODES).filter(|winner| *winner != at) {
            // In order: one question and one answer at a time.
            if self.asks[at][winner].is_some() && self.answers[winner][at].is_none() {
                steps.push(Step::Ask { loser: at, winner });
            }
            if self.answers[winner][at].is_some() {
                steps.push(Step::Answer { loser: at, winner });
            }
        }
    }

    fn may_lose(&self, rule: Rule, at: usize) -> bool {
        let Some(process) = self.nodes[at].process else { return false };
        let Resolution::Held(winner) = self.resolve(rule, at) else { return false };
        let node = usize::from(winner.log) / 2;
        process.losing_to.is_none() && node != at && self.asks[at][node].is_none()
    }

    pub(super) fn lose(&mut self, rule: Rule, at: usize) {
        let Resolution::Held(winner) = self.resolve(rule, at) else { return };
        if let Some(process) = &mut self.nodes[at].process {
            process.losing_to = Some(winner);
            let claims = Claims { loser: process.token, winner };
            self.asks[at][usize::from(winner.log) / 2] = Some(claims);
        }
    }

    /// The winner's node says yes only if that very process runs and is not to end itself.
    pub(super) fn ask(&mut self, rule: Rule, loser: usize, winner: usize) {
        let Some(claims) = self.asks[loser][winner].take() else { return };
        let is_meant = |process: Process| {
            process.token == claims.winner && process.losing_to.is_none() || rule == Rule::Unbound
        };
        let runs = self.nodes[winner].process.is_some_and(is_meant);
        let answer = if runs { Answer::Yes(claims) } else { Answer::No(claims) };
        self.answers[winner][loser] = Some(answer);
    }

    pub(super) fn answer(&mut self, rule: Rule, loser: usize, winner: usize) {
        let Some(answer) = self.answers[winner][loser].take() else { return };
        let (Answer::Yes(claims) | Answer::No(claims)) = answer;
        let is_meant = |process: &Process| {
            let is_exact = process.token == claims.loser;
            is_exact && process.losing_to == Some(claims.winner) || rule == Rule::Unbound
        };
        if !self.nodes[loser].process.as_ref().is_some_and(is_meant) {
            return;
        }
        match answer {
            Answer::Yes(Claims { winner, .. }) => {
                self.nodes[loser].process = None;
                self.append(loser, Entry::Gone(winner));
            }
            Answer::No(_) => self.thaw(loser),
        }
    }

    /// The node of a winner is dead: who was to end for it goes on.
    pub(super) fn thaw_loser_to(&mut self, at: usize, log: usize) {
        let losing_to = self.nodes[at].process.and_then(|process| process.losing_to);
        if losing_to.is_some_and(|winner| usize::from(winner.log) == log) {
            self.thaw(at);
        }
    }

    fn thaw(&mut self, at: usize) {
        if let Some(process) = &mut self.nodes[at].process {
            process.losing_to = None;
        }
    }
}
