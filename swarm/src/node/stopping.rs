//! Names that are taken away, and processes that are ended.

use super::asks::{AskKey, Place};
use super::wire::Outcome;
use super::{Command, Node, Owner, Stop};
use swarm_base::{Instant, Name, Pid};
use swarm_handoff::{AbortReason, Cancelled};
use swarm_process::Stage;
use swarm_registry::{At, Resolution};

impl Node {
    pub(super) fn consider_unregister(&mut self, now: Instant, key: &AskKey, name: &Name) {
        match self.registry.resolve(name) {
            Resolution::Held { node, .. } if *node != self.me => {
                let node = node.clone();
                self.pass_on(now, key, Owner::Node(node));
            }
            // Another node may be about to run it, and is asked when it does.
            Resolution::Held { .. } if self.names.escalating.contains_key(name) => {
                self.asks.put(key, Place::Parked(Stage::Running));
            }
            Resolution::Held { claim, .. } => {
                let (token, pid) = (claim.token, claim.pid());
                match (self.moves.cancel(now, name, AbortReason::Unregistered), pid) {
                    // Already on its way to another node: it is taken away there.
                    (Cancelled::Committed, _) => {
                        return self.asks.put(key, Place::Parked(Stage::Running));
                    }
                    // The process goes on without the name.
                    (Cancelled::Aborted, Some(pid)) => self.command(Command::Thaw { pid }),
                    (_, Some(pid)) if self.conflicts.involves(name) => {
                        self.command(Command::Thaw { pid });
                    }
                    (_, Some(_)) => (),
                    (_, None) => self.abandon_name(now, name),
                }
                self.conflicts.forget(name);
                let position = self.end_for_good(now, name, token);
                let at = Some((self.me.clone(), position));
                self.answer(now, key, Outcome::Done, at);
            }
            Resolution::Free if !self.names.is_starting(name) => {
                self.ask_owners(now, key, name, Outcome::NotFound);
            }
            _ => self.asks.put(key, Place::Parked(Stage::Resolve)),
        }
    }

    pub(super) fn consider_stop(&mut self, now: Instant, key: &AskKey, name: &Name, how: Stop) {
        match self.registry.resolve(name) {
            Resolution::Held { node, .. } if *node != self.me => {
                let node = node.clone();
                self.pass_on(now, key, Owner::Node(node));
            }
            Resolution::Held { .. } if self.names.escalating.contains_key(name) => {
                self.asks.put(key, Place::Parked(Stage::Running));
            }
            Resolution::Held { claim, .. } => {
                let cancelled = self.moves.cancel(now, name, AbortReason::Stopped);
                self.names.stop_for_good(name);
                match claim.at {
                    // Already on its way to another node: it is stopped there, or here when it
                    // comes back.
                    _ if cancelled == Cancelled::Committed => {
                        self.asks.put(key, Place::Parked(Stage::Running));
                    }
                    At::Running(pid) | At::Moving { pid, .. } => {
                        self.asks.put(key, Place::Stopping);
                        self.command(Command::Stop { pid, how });
                    }
                    At::Starting | At::Waiting => {
                        let position = self.end_for_good(now, name, claim.token);
                        self.abandon_name(now, name);
                        let at = Some((self.me.clone(), position));
                        self.answer(now, key, Outcome::Done, at);
                    }
                }
            }
            Resolution::Free if !self.names.is_starting(name) => {
                self.ask_owners(now, key, name, Outcome::NotFound);
            }
            _ => self.asks.put(key, Place::Parked(Stage::Resolve)),
        }
    }

    pub(super) fn consider_stop_pid(&mut self, now: Instant, key: &AskKey, pid: Pid, how: Stop) {
        if pid.boot != self.me.boot {
            return self.pass_to_boot(now, key, pid);
        }
        if !self.names.lives(pid) {
            return self.answer(now, key, Outcome::NotFound, None);
        }
        self.asks.put(key, Place::Stopping);
        self.names.tell_when_ended(pid, *key);
        self.command(Command::Stop { pid, how });
    }
}
