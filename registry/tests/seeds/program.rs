//! What a node does with names: it grants, starts, moves and stops, and gives way to who won.

use crate::member::{Member, Request, Start};
use crate::news::{Answer, End, Grant, How, News};
use std::time::Duration;
use swarm_base::{Instant, Name, Pid, Token};
use swarm_registry::{At, Bytes, Claim, Fact, Resolution, Spec, Why};

/// A process that is given to another node.
pub(crate) struct Parcel {
    pub(crate) name: Name,
    pub(crate) pid: Pid,
    pub(crate) token: Token,
    pub(crate) spec: Option<Spec>,
    pub(crate) groups: Vec<(Name, Bytes)>,
}

impl Member {
    /// Starts a process under `name` for who asks, unless it has one already.
    pub(super) fn grant(&mut self, now: Instant, request: Request) {
        let is_known = self.may_act(now);
        let answer = match self.registry.resolve(&request.name) {
            _ if self.agreement.owner(&request.name) != self.me() => Answer::No,
            Resolution::Held { .. } | Resolution::Orphan { .. } => Answer::Taken,
            Resolution::Free if is_known => {
                let spec = Spec { kind: "device".into(), args: self.args() };
                let asker = Some(request.asker);
                let start = Start { at: now, how: How::Registered, asker };
                return self.begin(now, request.name, Some(spec), Vec::new(), start);
            }
            Resolution::Free | Resolution::Pending { .. } if now < request.until => {
                return self.held.push(request);
            }
            Resolution::Free | Resolution::Pending { .. } => Answer::No,
        };
        self.answer(request.asker, answer);
    }

    /// A process of its own, under a name that nobody has as far as this node knows.
    pub(crate) fn register_by_pid(&mut self, now: Instant, name: Name) {
        if self.registry.resolve(&name) != Resolution::Free {
            return;
        }
        let token = self.next_token(&name);
        let pid = self.spawn(&name, How::ByPid);
        let at = At::Running(pid);
        let claim = Claim::new(name, token, at);
        self.registry.append(now, Fact::Named(claim));
    }

    /// The names that run here and win, with their claims.
    pub(crate) fn winning(&self) -> Vec<Claim> {
        let mut own: Vec<Claim> = self
            .registry
            .own_claims()
            .filter(|own| own.pid().is_some() && self.wins(own))
            .collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        own
    }

    pub(crate) fn stop(&mut self, now: Instant, claim: &Claim) {
        let Some(pid) = claim.pid() else { return };
        let (name, token) = (claim.name.clone(), claim.token);
        let ended = Fact::Ended { name, token, why: Why::Stopped };
        self.end(now, claim, pid, ended, End::Stopped);
    }

    /// The process ends by itself: its node starts it again.
    pub(crate) fn exit(&mut self, now: Instant, claim: &Claim) {
        let Some(pid) = claim.pid() else { return };
        let position = self.registry.append(now, Fact::Exited { pid });
        self.forget(claim, pid, position, End::Exit);
    }

    pub(crate) fn join(&mut self, now: Instant, pid: Pid, group: Name, meta: Bytes) {
        self.registry.append(now, Fact::Joined { group: group.clone(), pid, meta: meta.clone() });
        self.tell(News::Joined { group, pid, meta });
    }

    pub(crate) fn leave(&mut self, now: Instant, pid: Pid, group: Name) {
        self.registry.append(now, Fact::Left { group: group.clone(), pid });
        self.tell(News::Left { group, pid });
    }

    /// What goes to the target of a move. The process here is on its way from now on.
    pub(crate) fn pack(&mut self, now: Instant, claim: &Claim, to: &swarm_base::NodeId) -> Parcel {
        let pid = claim.pid().expect("a process that runs");
        let at = At::Moving { pid, to: to.clone(), id: self.serial };
        self.registry.append(now, Fact::Named(Claim { at, ..claim.clone() }));
        let groups = self.registry.memberships(self.me(), pid).collect();
        let token = Token::new(self.registry.next_epoch(&claim.name), to.boot);
        Parcel { name: claim.name.clone(), pid, token, spec: claim.spec.clone(), groups }
    }

    /// Takes a process in. Returns the token of its claim here.
    pub(crate) fn unpack(&mut self, now: Instant, parcel: &Parcel) -> Token {
        let epoch = parcel.token.epoch.max(self.registry.next_epoch(&parcel.name));
        let token = Token::new(epoch, self.me().boot);
        let pid = self.spawn(&parcel.name, How::Moved(parcel.pid));
        let (name, spec, at) = (parcel.name.clone(), parcel.spec.clone(), At::Running(pid));
        let claim = Claim { spec, ..Claim::new(name, token, at) };
        self.name_and_join(now, claim, pid, parcel.groups.clone());
        token
    }

    /// The process runs at `to` by now.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        parcel: &Parcel,
        to: &swarm_base::NodeId,
        token: Token,
    ) {
        let Some(claim) = self.registry.own(&parcel.name) else { return };
        let why = Why::GoneTo { log: to.clone(), token };
        let ended = Fact::Ended { name: parcel.name.clone(), token: claim.token, why };
        self.end(now, &claim, parcel.pid, ended, End::Moved);
    }

    /// Looks at the names of which something was told since.
    pub(super) fn look_after(&mut self, now: Instant) {
        for name in std::mem::take(&mut self.dirty) {
            let Some(own) = self.registry.own(&name) else { continue };
            match self.registry.resolve(&name) {
                Resolution::Held { node, claim } if node != self.me() => {
                    let why = Why::GoneTo { log: node.clone(), token: claim.token };
                    let ended = Fact::Ended { name: name.clone(), token: own.token, why };
                    self.give_way(now, &own, ended);
                }
                Resolution::Held { .. } if self.registry.highest(&name) > Some(own.token) => {
                    self.outranked.insert(name);
                }
                Resolution::Held { .. } if own.at == At::Waiting => {
                    let start = Start { at: now, how: How::Again, asker: None };
                    self.begin(now, name, own.spec, own.groups, start);
                }
                Resolution::Held { .. } => {}
                other => panic!("{name} is claimed here, and {other:?}"),
            }
        }
    }

    /// Who has a name holds its highest token (ownership, R5). Two that hold each other dead and
    /// still read each other's logs raise theirs in turn: no faster than this is called.
    pub(super) fn claim_above(&mut self, now: Instant) {
        for name in std::mem::take(&mut self.outranked) {
            let Some(own) = self.registry.own(&name) else { continue };
            if self.wins(&own) && self.registry.highest(&name) > Some(own.token) {
                let token = self.next_token(&name);
                self.registry.append(now, Fact::Named(Claim { token, ..own }));
            }
        }
    }

    pub(super) fn start_orphans(&mut self, now: Instant) {
        if !self.may_act(now) {
            return;
        }
        let mine = |name: &&Name| self.agreement.owner(name) == self.me();
        let mut orphans: Vec<Name> = self.registry.orphans().filter(mine).cloned().collect();
        orphans.sort_unstable();
        for name in orphans {
            let Resolution::Orphan { claim, .. } = self.registry.resolve(&name) else { continue };
            let (spec, groups) = (claim.spec.clone(), claim.groups.clone());
            let start = Start { at: now, how: How::Orphan, asker: None };
            self.begin(now, name, spec, groups, start);
        }
    }

    pub(super) fn finish_starts(&mut self, now: Instant) {
        let due: Vec<_> = self.starts.extract_if(.., |_, start| start.at <= now).collect();
        for (name, Start { how, asker, .. }) in due {
            let own = self.registry.own(&name).filter(|own| own.at == At::Starting);
            let Some(own) = own.filter(|own| self.wins(own)) else {
                if let Some(asker) = asker {
                    self.answer(asker, Answer::No);
                }
                continue;
            };
            let pid = self.spawn(&name, how);
            let (token, groups) = (own.token, own.groups.clone());
            let claim = Claim { at: At::Running(pid), groups: Vec::new(), ..own };
            let position = self.name_and_join(now, claim, pid, groups);
            if let Some(asker) = asker {
                let log = self.me().clone();
                self.answer(asker, Answer::Registered(Grant { name, pid, token, log, position }));
            }
        }
    }

    /// Claims a name, and starts its process a while later.
    fn begin(
        &mut self,
        now: Instant,
        name: Name,
        spec: Option<Spec>,
        groups: Vec<(Name, Bytes)>,
        start: Start,
    ) {
        let token = self.next_token(&name);
        let at = At::Starting;
        let claim = Claim { spec, groups, ..Claim::new(name.clone(), token, at) };
        self.registry.append(now, Fact::Named(claim));
        let at = now + self.rng.duration(Duration::ZERO..=self.temper.start_max);
        self.starts.insert(name, Start { at, ..start });
    }

    /// A process runs from now on.
    pub(super) fn spawn(&mut self, name: &Name, how: How) -> Pid {
        self.serial += 1;
        let pid = Pid::new(self.me().boot, self.serial);
        self.processes.insert(pid, name.clone());
        self.tell(News::Began { name: name.clone(), pid, how });
        pid
    }

    fn name_and_join(
        &mut self,
        now: Instant,
        claim: Claim,
        pid: Pid,
        groups: Vec<(Name, Bytes)>,
    ) -> u64 {
        let joined = groups.iter().cloned();
        let joined = joined.map(|(group, meta)| Fact::Joined { group, pid, meta });
        let facts: Vec<Fact> = std::iter::once(Fact::Named(claim)).chain(joined).collect();
        let position = self.registry.append_all(now, facts);
        for (group, meta) in groups {
            self.tell(News::Joined { group, pid, meta });
        }
        position
    }

    fn give_way(&mut self, now: Instant, own: &Claim, ended: Fact) {
        match own.pid() {
            Some(pid) => self.end(now, own, pid, ended, End::Outdone),
            None => drop(self.registry.append(now, ended)),
        }
    }

    fn end(&mut self, now: Instant, claim: &Claim, pid: Pid, ended: Fact, why: End) {
        let position = self.registry.append_all(now, [ended, Fact::Exited { pid }]);
        self.forget(claim, pid, position, why);
    }

    fn forget(&mut self, claim: &Claim, pid: Pid, position: u64, why: End) {
        self.processes.remove(&pid);
        self.tell(News::Ended { name: claim.name.clone(), pid, position, why });
    }

    fn wins(&self, own: &Claim) -> bool {
        matches!(self.registry.resolve(&own.name), Resolution::Held { claim, .. } if claim == *own)
    }

    fn next_token(&self, name: &Name) -> Token {
        Token::new(self.registry.next_epoch(name), self.me().boot)
    }

    fn args(&self) -> Bytes {
        Bytes::new(vec![7; self.temper.args_len]).expect("within bounds")
    }
}

/// The `n`th name that everybody wants.
pub(crate) fn called(n: u64) -> Name {
    Name::new(format!("name-{n}")).expect("a name")
}
