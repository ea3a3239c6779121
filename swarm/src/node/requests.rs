//! Questions: who answers them, and how.

use super::asks::{AskKey, Asks, Open, Place};
use super::wire::{Answer, Ask, AskFrame, Outcome, Referral, What, Wire};
use super::{Node, Owner};
use crate::reference::Target;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Instant, Name, NodeId, Pid};
use swarm_process::Stage;
use swarm_registry::{At, Bytes, Claim, Fact, Resolution};

impl Node {
    /// A caller of this node asks; `Event::Answer` with the same id answers, within `deadline`.
    pub(crate) fn ask(&mut self, now: Instant, id: u64, left: Duration, what: What) {
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let ask = Ask { origin: self.me.clone(), id, left_ms, hops: 0, is_reserved: false, what };
        self.take_ask(now, ask);
        self.touch(now);
    }

    /// The caller no longer waits.
    pub(crate) fn forget_ask(&mut self, now: Instant, id: u64) {
        self.end_ask(now, (self.me.boot, id));
        self.touch(now);
    }

    /// Nobody waits for the answer any more.
    pub(super) fn end_ask(&mut self, now: Instant, key: AskKey) {
        self.gave_up(now, &key);
        self.abandon_start_of(now, &key);
        if let Some(open) = self.asks.remove(&key) {
            self.withdraw(&open);
        }
    }

    /// Tells the node that has the question that its answer is not wanted. On the same stream it
    /// comes behind the question itself, which may have been on its way all the time.
    fn withdraw(&mut self, open: &Open) {
        if let Some(to) = open.place.asked() {
            self.send(to, &Wire::Withdrawn(open.ask.id));
        }
    }

    /// Another node asks.
    pub(super) fn on_ask(&mut self, now: Instant, ask: Ask) {
        let key = ask.key();
        match self.asks.get(&key).map(|open| &open.place) {
            None => match self.answered.get(&key).cloned() {
                Some(answer) => self.answers.push((ask.origin, answer)),
                None => self.take_ask(now, ask),
            },
            Some(Place::Parked(_)) => self.consider(now, &key),
            // It was asked again, and is where it was.
            Some(_) => (),
        }
    }

    /// `from` was asked, and knows a node that is to be asked instead.
    pub(super) fn on_referral(&mut self, now: Instant, from: &NodeId, referral: Referral) {
        let Referral { id, to, is_reserved } = referral;
        let key = (self.me.boot, id);
        let Some(before) = self.asks.get(&key).cloned() else { return };
        let Place::Sent(path) = &before.place else { return };
        let Some(at) = path.iter().rposition(|node| node == from) else { return };
        if path.get(at + 1) == Some(&to) {
            return self.send_ask(now, &before, &to, at + 2, is_reserved);
        }
        if at + 1 < path.len() {
            self.withdraw(&before);
        }
        if to == self.me {
            self.asks.put(&key, Place::Parked(Stage::Resolve));
            // Otherwise nobody knows better than this node, and it waits for a change here.
            if is_reserved {
                self.asks.set_reserved(&key);
                self.consider(now, &key);
            }
        } else if self.links.session(&to).is_none() {
            self.asks.put(&key, Place::Parked(Stage::Connect));
        } else if at + 1 < usize::from(Ask::HOPS_MAX) {
            self.send_ask(now, &before, &to, at + 2, is_reserved);
            let path = path[..=at].iter().cloned().chain([to]).collect();
            self.asks.put(&key, Place::Sent(path));
        }
    }

    fn take_ask(&mut self, now: Instant, ask: Ask) {
        let ask = Arc::new(ask);
        match self.asks.insert(now, Arc::clone(&ask)) {
            Some(key) => self.consider(now, &key),
            None => {
                let outcome = Outcome::Timeout(Stage::Queued);
                self.answers.push((ask.origin.clone(), Answer { id: ask.id, at: None, outcome }));
            }
        }
    }

    pub(super) fn on_answer(&mut self, now: Instant, answer: Answer) {
        let key = (self.me.boot, answer.id);
        let place = self.asks.get(&key).map(|open| &open.place);
        // An answer to a question that was asked again elsewhere is as good.
        if matches!(place, Some(Place::Sent(_) | Place::Parked(_))) {
            self.answer(now, &key, answer.outcome, answer.at);
        }
    }

    /// Looks at a question: answers it, passes it on, or parks it until something changes.
    pub(super) fn consider(&mut self, now: Instant, key: &AskKey) {
        let Some(before) = self.asks.get(key).cloned() else { return };
        self.dispatch(now, key, &before.ask);
        if self.asks.get(key).is_none_or(|open| open.place.asked() != before.place.asked()) {
            self.withdraw(&before);
        }
    }

    fn dispatch(&mut self, now: Instant, key: &AskKey, ask: &Ask) {
        match &ask.what {
            What::Register { name, spec } => self.consider_register(now, key, ask, name, spec),
            What::RegisterPid { name, pid } if ask.is_reserved => {
                self.consider_pid(now, key, name, *pid);
            }
            What::RegisterPid { name, pid } => self.consider_gate(now, key, name, *pid),
            What::Unregister { name } => self.consider_unregister(now, key, name),
            What::Stop { name, how } => self.consider_stop(now, key, name, *how),
            What::StopPid { pid, how } => self.consider_stop_pid(now, key, *pid, *how),
            What::Whereis { name } => self.consider_whereis(now, key, name),
            What::Explain { name } => self.consider_explain(now, key, name),
            What::Join { member, group, meta } => {
                let meta = Bytes::new(&meta[..]).unwrap_or_default();
                let joined = |node: &Self, pid| node.join_of(pid, group.clone(), meta);
                self.consider_membership(now, key, member, joined);
            }
            What::Swap { member, group: Some(group), old, new } => {
                let swapped = |node: &Self, pid| match node.registry.meta(pid, group) {
                    Some(meta) if meta == old => {
                        let (group, meta) = (group.clone(), new.clone());
                        Ok(Fact::Joined { group, pid, meta })
                    }
                    Some(meta) => Err(Outcome::Differs(meta.clone())),
                    None => Err(Outcome::NotMember),
                };
                self.consider_membership(now, key, member, swapped);
            }
            What::Swap { member, group: None, old, new } => {
                let swapped = |node: &Self, _| match member {
                    Target::Name(name) => match node.registry.own(name) {
                        Some(claim) if claim.meta == *old => {
                            Ok(Fact::Named(Claim { meta: new.clone(), ..claim }))
                        }
                        Some(claim) => Err(Outcome::Differs(claim.meta)),
                        None => Err(Outcome::NotFound),
                    },
                    Target::Pid(_) => Err(Outcome::NotFound),
                };
                self.consider_membership(now, key, member, swapped);
            }
            What::Leave { member, group } => {
                let left = |_: &Self, pid| Ok(Fact::Left { group: group.clone(), pid });
                self.consider_membership(now, key, member, left);
            }
        }
    }

    /// Sends a question to the node that is to answer it; parks it if that is this node. A question
    /// of another node goes back to it, with the advice to ask there: so a question only ever comes
    /// from who asked it, on the stream on which it is withdrawn. One that was passed on by a third
    /// node could come when its name had been registered and stopped elsewhere, and start it again.
    pub(super) fn pass_on(&mut self, now: Instant, key: &AskKey, to: Owner) {
        let Some(open) = self.asks.get(key).cloned() else { return };
        let to = match to {
            Owner::Node(to) => to,
            Owner::Nobody if self.alone_until.is_some() => {
                return self.asks.put(key, Place::Parked(Stage::Resolve));
            }
            Owner::Nobody => return self.answer(now, key, Outcome::NoNode, None),
        };
        if to == self.me || open.ask.hops >= Ask::HOPS_MAX {
            return self.asks.put(key, Place::Parked(Stage::Resolve));
        }
        let Ask { ref origin, id, is_reserved, .. } = *open.ask;
        if *origin != self.me {
            self.asks.remove(key);
            return self.send(origin, &Wire::Referral(Referral { id, to, is_reserved }));
        }
        if self.links.session(&to).is_none() {
            return self.asks.put(key, Place::Parked(Stage::Connect));
        }
        self.send_ask(now, &open, &to, 1, is_reserved);
        // Who was asked first is asked again, and what it knows now may change the rest of the way.
        if !matches!(&open.place, Place::Sent(path) if path.first() == Some(&to)) {
            self.asks.put(key, Place::Sent(vec![to]));
        }
    }

    /// Asks `to`, which is the node number `hops` on the way of the question.
    fn send_ask(&mut self, now: Instant, open: &Open, to: &NodeId, hops: usize, is_reserved: bool) {
        let left_ms = u64::try_from(open.deadline.since(now).as_millis()).unwrap_or(u64::MAX);
        let hops = u8::try_from(hops).unwrap_or(Ask::HOPS_MAX);
        let ask = Ask { left_ms, hops, is_reserved, ..(*open.ask).clone() };
        self.send(to, &Wire::Ask(AskFrame::new(ask)));
    }

    fn consider_whereis(&mut self, now: Instant, key: &AskKey, name: &Name) {
        match self.registry.resolve(name) {
            Resolution::Held { node, .. } if *node != self.me => {
                let node = node.clone();
                self.pass_on(now, key, Owner::Node(node));
            }
            Resolution::Held { claim, .. } => {
                let pid = claim.pid();
                self.answer(now, key, Outcome::At(pid), None);
            }
            Resolution::Free => self.ask_owners(now, key, name, Outcome::At(None)),
            _ => self.asks.put(key, Place::Parked(Stage::Resolve)),
        }
    }

    fn consider_membership(
        &mut self,
        now: Instant,
        key: &AskKey,
        member: &Target,
        change: impl FnOnce(&Self, Pid) -> Result<Fact, Outcome>,
    ) {
        let pid = match member {
            Target::Pid(pid) if pid.boot != self.me.boot => {
                return self.pass_to_boot(now, key, *pid);
            }
            Target::Pid(pid) if self.names.lives(*pid) => *pid,
            Target::Pid(_) => return self.answer(now, key, Outcome::NotFound, None),
            Target::Name(name) => match self.registry.resolve(name) {
                Resolution::Held { node, .. } if *node != self.me => {
                    let node = node.clone();
                    return self.pass_on(now, key, Owner::Node(node));
                }
                Resolution::Held { claim, .. } => match claim.at {
                    At::Running(pid) if self.names.lives(pid) && !self.is_offered(name) => pid,
                    // Its groups are on their way with it: what is changed now would stay behind.
                    _ => return self.asks.put(key, Place::Parked(Stage::Running)),
                },
                Resolution::Free if !self.names.is_starting(name) => {
                    return self.ask_owners(now, key, name, Outcome::NotFound);
                }
                _ => return self.asks.put(key, Place::Parked(Stage::Resolve)),
            },
        };
        match change(self, pid) {
            Ok(fact) => {
                let position = self.registry.append(now, fact);
                let at = Some((self.me.clone(), position));
                self.answer(now, key, Outcome::Done, at);
            }
            Err(outcome) => self.answer(now, key, outcome, None),
        }
    }

    fn join_of(&self, pid: Pid, group: Name, meta: Bytes) -> Result<Fact, Outcome> {
        if self.registry.may_join(pid, &group) {
            Ok(Fact::Joined { group, pid, meta })
        } else {
            Err(Outcome::Full(self.registry.config().groups_max as u64))
        }
    }

    pub(super) fn pass_to_boot(&mut self, now: Instant, key: &AskKey, pid: Pid) {
        let node = self.placing.members().map(|(node, _)| node).find(|node| node.boot == pid.boot);
        match node.cloned() {
            Some(node) => self.pass_on(now, key, Owner::Node(node)),
            None => self.answer(now, key, Outcome::NotFound, None),
        }
    }

    /// Passes a question about a name that is free here on to those who would know better: its
    /// owners, one for each kind. With the last of them the answer is `nobody`.
    pub(super) fn ask_owners(&mut self, now: Instant, key: &AskKey, name: &Name, nobody: Outcome) {
        let Some(Open { ask, .. }) = self.asks.get(key) else { return };
        let is_next = |owner: &NodeId| match ask.hops {
            0 => *owner != self.me,
            // In one order, so that none is asked twice.
            _ => *owner > self.me && *owner != ask.origin,
        };
        let next = self.placing.owners_of_any_kind(name).into_iter().find(is_next);
        match next.filter(|_| ask.hops < Ask::HOPS_MAX) {
            Some(owner) => self.pass_on(now, key, Owner::Node(owner)),
            None => self.answer(now, key, nobody, None),
        }
    }

    /// Answers a question. What its asker has caused is visible to it before the answer is.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        key: &AskKey,
        outcome: Outcome,
        at: Option<(NodeId, u64)>,
    ) {
        let Some(Open { ask, .. }) = self.asks.get(key).cloned() else { return };
        if ask.origin != self.me {
            self.asks.remove(key);
            return self.finish(now, &ask, outcome, at);
        }
        match at {
            // A log that is not alive here gets no further, and the wait would only time out.
            Some((log, position))
                if self.registry.position(&log) < position
                    && self.placing.member(&log).is_some() =>
            {
                self.asks.put(key, Place::Held { log, position, outcome });
            }
            _ => {
                self.asks.remove(key);
                self.finish(now, &ask, outcome, None);
            }
        }
    }

    /// The question is no longer here.
    fn finish(&mut self, now: Instant, ask: &Ask, outcome: Outcome, at: Option<(NodeId, u64)>) {
        let answer = Answer { id: ask.id, at, outcome };
        if ask.origin != self.me {
            self.answered.insert(now, ask, answer.clone());
        }
        self.answers.push((ask.origin.clone(), answer));
    }

    /// Gives out the answers that waited for `log` up to `position`.
    pub(super) fn release_held(&mut self, now: Instant, log: &NodeId, position: u64) {
        for key in self.asks.held_for(log, position) {
            if let Some(Open { ask, place: Place::Held { outcome, .. }, .. }) =
                self.asks.remove(&key)
            {
                self.finish(now, &ask, outcome, None);
            }
        }
    }

    /// Looks again at the parked questions about `name`.
    pub(super) fn reconsider(&mut self, now: Instant, name: &Name) {
        for key in self.asks.parked_on(name) {
            self.consider(now, &key);
        }
    }

    /// Looks again at all questions that wait for something: also at those that another node has,
    /// since it may no longer be the one to ask, or may have lost them.
    pub(super) fn reconsider_all(&mut self, now: Instant) {
        for key in self.asks.waiting() {
            self.consider(now, &key);
        }
    }

    /// The session to `node` is gone, and with it perhaps an answer: what it was asked is asked
    /// again. What it asked here it will ask again, or could no longer withdraw.
    pub(super) fn asks_unsent(&mut self, now: Instant, node: &NodeId) {
        for key in self.asks.parked_of(node) {
            self.asks.remove(&key);
        }
        for key in self.asks.sent_to(node) {
            self.asks.put(&key, Place::Parked(Stage::Connect));
            self.consider(now, &key);
        }
    }

    /// `node` is dead: it answers no more, and its log will not get further.
    pub(super) fn asks_of_dead(&mut self, now: Instant, node: &NodeId) {
        self.asks_unsent(now, node);
        self.release_held(now, node, u64::MAX);
    }

    pub(super) fn expire_asks(&mut self, now: Instant) {
        while let Some(key) = self.asks.expired(now) {
            self.gave_up(now, &key);
            self.abandon_start_of(now, &key);
            let Some(open) = self.asks.remove(&key) else { continue };
            self.withdraw(&open);
            let outcome = match open.place {
                Place::Parked(stage) => Outcome::Timeout(stage),
                Place::Sent(_) | Place::Starting | Place::Stopping => {
                    Outcome::Timeout(Stage::Running)
                }
                // It is done; only this node is behind in reading of it.
                Place::Held { outcome, .. } => outcome,
            };
            self.finish(now, &open.ask, outcome, None);
        }
    }

    /// How many names are leaving this node.
    pub(crate) fn moves(&self) -> usize {
        self.moves.in_flight()
    }

    /// How many questions are under way here.
    pub(crate) fn open_asks(&self) -> (usize, usize) {
        (self.asks.len(), Asks::OPEN_MAX)
    }

    pub(super) fn owner_of(&self, kind: &str, name: &Name) -> Owner {
        self.placing.owner(kind, name)
    }
}
