//! What users do, what processes do by themselves, and what has to hold (reliability H1 to H8).

use super::{Step, World, ms};
use swarm_base::{Name, NodeId};
use swarm_handoff::{AbortReason, Accepting, MoveId, MoveOutcome, Role, SourcePhase, TargetPhase};

impl World {
    pub(super) fn operate(&mut self) {
        if self.calm {
            return;
        }
        let names: Vec<Name> = self.mail.keys().cloned().collect();
        let name = names[self.rng.below(names.len() as u64) as usize].clone();
        match self.rng.below(100) {
            0..50 => self.begin(&name),
            50..80 => self.mail(&name),
            80..86 if self.classes.failures => self.call_off(&name),
            86..90 if self.classes.failures => self.exit(&name),
            90..94 if self.classes.failures => self.standby_exits(),
            94..98 if self.classes.failures => self.accept(),
            _ => (),
        }
        let delay = self.rng.duration(ms(10)..=ms(400));
        self.after(delay, Step::Operate);
    }

    /// Everything is in order from here on.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        for at in self.nodes.live() {
            self.with(&at, |moves, _| moves.set_accepting(Accepting::Yes));
        }
    }

    pub(super) fn begin(&mut self, name: &Name) {
        let Some(at) = self.holder(name) else { return };
        let others: Vec<NodeId> = self.nodes.live().into_iter().filter(|id| *id != at).collect();
        let Some(to) = self.rng.index(others.len()).map(|index| others[index].clone()) else {
            return;
        };
        let begun = self.with(&at, |moves, now| {
            // The test wants moves, not patience.
            moves.forget(name);
            moves.target_changed(&to);
            moves.begin(now, name.clone(), to.clone())
        });
        if let Some(Ok(id)) = begun {
            self.names.insert(id, name.clone());
        }
    }

    fn call_off(&mut self, name: &Name) {
        let reasons = [AbortReason::Stopped, AbortReason::Unregistered, AbortReason::Conflict];
        let why = reasons[self.rng.below(3) as usize];
        for at in self.nodes.live() {
            self.with(&at, |moves, now| moves.cancel(now, name, why));
        }
    }

    /// A process ends by itself, and its supervisor starts it again where it was.
    fn exit(&mut self, name: &Name) {
        let Some(at) = self.holder(name) else { return };
        let Some(toy) = self.nodes.get_mut(&at) else { return };
        let moving = match toy.moves.of(name) {
            Some(Role::Source {
                phase: SourcePhase::Stopping | SourcePhase::Committed, ..
            }) => {
                return;
            }
            Some(Role::Source { id, .. }) => Some(id),
            Some(Role::Target { .. }) => return,
            None => None,
        };
        toy.processes.remove(name);
        if let Some(mail) = self.mail.get_mut(name) {
            mail.lost = true;
        }
        self.newest.remove(name);
        if let Some(id) = moving {
            self.with(&at, |moves, now| moves.exited(now, id));
        }
        self.start_from_spec_at(&at, name);
    }

    fn standby_exits(&mut self) {
        for at in self.nodes.live() {
            let Some(toy) = self.nodes.get_mut(&at) else { continue };
            let first = toy.standbys.iter().next().map(|(id, standby)| (*id, standby.name.clone()));
            let Some((id, name)) = first else { continue };
            let promoting = matches!(
                toy.moves.of(&name),
                Some(Role::Target {
                    phase: TargetPhase::Promoting { .. } | TargetPhase::Orphaned,
                    ..
                })
            );
            if !promoting {
                toy.standbys.remove(&id);
                let reason = "it ended by itself".to_owned();
                self.with(&at, |moves, now| moves.standby_exited(now, id, reason));
            }
        }
    }

    fn accept(&mut self) {
        let accepting = match self.rng.below(4) {
            0 => Accepting::NotReady,
            1 => Accepting::Leaving,
            _ => Accepting::Yes,
        };
        let live = self.nodes.live();
        if let Some(index) = self.rng.index(live.len()) {
            self.with(&live[index], |moves, _| moves.set_accepting(accepting));
        }
    }

    /// A running process counts, now and then.
    pub(super) fn work(&mut self) {
        if !self.rng.chance(300) {
            return;
        }
        for at in self.nodes.live() {
            let Some(toy) = self.nodes.get_mut(&at) else { continue };
            for (name, process) in toy.processes.iter_mut().filter(|(_, process)| !process.frozen) {
                process.counter += 1;
                self.newest.insert(name.clone(), process.counter);
            }
        }
    }

    /// What a crash takes with it. A standby of the node may survive it, or be thrown away.
    pub(super) fn wipe(&mut self, node: &NodeId) {
        for mail in self.mail.values_mut() {
            mail.lost = true;
        }
        let names: Vec<Name> = self.newest.keys().cloned().collect();
        for name in names {
            if !self.newest_is_held(&name, Some(node)) {
                self.newest.remove(&name);
            }
        }
    }

    pub(super) fn ran(&mut self, id: MoveId, what: &'static str) {
        let ran = self.ran.entry(id).or_default();
        ran.push(what);
        let ran = ran.clone();
        let once = |what| ran.iter().filter(|done| **done == what).count() <= 1;
        let source_side = ran.iter().filter(|done| ["thawed", "moved", "resumed"].contains(done));
        let mut holds = once("promoted") && source_side.count() <= 1;
        if ran.contains(&"promoted") {
            holds &= !ran.contains(&"thawed") && !ran.contains(&"resumed");
        }
        self.expect("H5: one outcome for each move", holds, || format!("{id}: {ran:?}"));
    }

    /// A process that ignores its move, or panics or hangs in it, has not moved.
    pub(super) fn check_stays(&mut self, at: &NodeId, name: &Name, outcome: &MoveOutcome) {
        let stays = matches!(
            outcome,
            MoveOutcome::Ignored
                | MoveOutcome::NotFrozen { .. }
                | MoveOutcome::Aborted(AbortReason::FreezeTimeout)
        );
        let process = self.nodes.get(at).and_then(|toy| toy.processes.get(name));
        let runs = process.is_some_and(|process| !process.frozen);
        self.expect("H8: who does not move goes on where it is", !stays || runs, || {
            format!("{outcome:?}, and {name} does not run on {at}")
        });
    }

    pub(super) fn check_step(&mut self) {
        let names: Vec<Name> = self.mail.keys().cloned().collect();
        for name in &names {
            let running = self
                .nodes
                .toys()
                .filter(|toy| toy.processes.get(name).is_some_and(|process| !process.frozen));
            let running: Vec<NodeId> = running.map(|toy| toy.id.clone()).collect();
            self.expect("H1: at most one instance", running.len() <= 1, || {
                format!("{name} runs on {running:?}")
            });
            let held = !self.newest.contains_key(name) || self.newest_is_held(name, None);
            let newest = self.newest.get(name).copied();
            self.expect("H2: the newest state exists", held, || {
                format!("{name} had reached {newest:?}")
            });
        }
    }

    /// Whether a node other than `except` has the newest state: running, frozen or kept.
    pub(super) fn newest_is_held(&self, name: &Name, except: Option<&NodeId>) -> bool {
        let newest = self.newest.get(name).copied();
        self.nodes.toys().filter(|toy| Some(&toy.id) != except).any(|toy| {
            toy.processes.get(name).is_some_and(|process| Some(process.counter) == newest)
                || toy.kept.values().any(|kept| kept.name == *name && kept.counter == newest)
        })
    }

    pub(super) fn check_end(&mut self) {
        let names: Vec<Name> = self.mail.keys().cloned().collect();
        for name in &names {
            let processes: Vec<String> = self
                .nodes
                .toys()
                .filter_map(|toy| Some((&toy.id, toy.processes.get(name)?)))
                .map(|(id, process)| format!("{id}: {process:?}"))
                .collect();
            let running = processes.len() == 1 && processes[0].contains("frozen: false");
            let roles: Vec<_> = self.nodes.toys().filter_map(|toy| toy.moves.of(name)).collect();
            self.expect("H3: exactly one runs when quiet", running, || {
                format!("{name} runs on {processes:?}, roles {roles:?}")
            });
            let mail = &self.mail[name];
            let (sent, handled, lost) = (mail.sent, mail.handled, mail.lost);
            self.expect("H7: no mail is lost", lost || sent == handled, || {
                format!("{name} was sent {sent}, handled {handled}")
            });
        }
        let left: Vec<String> = self
            .nodes
            .toys()
            .filter(|toy| {
                toy.moves.in_flight() + toy.moves.held() + toy.moves.standbys() > 0
                    || !toy.standbys.is_empty()
                    || !toy.kept.is_empty()
            })
            .map(|toy| format!("{}: {:?}, {:?}, {:?}", toy.id, toy.moves, toy.standbys, toy.kept))
            .collect();
        self.expect("H6: every move ends", left.is_empty(), || left.join("; "));
        let begun: Vec<MoveId> = self.names.keys().copied().collect();
        for id in begun {
            let lives = self.nodes.toys().any(|toy| toy.id.boot == id.source);
            let ended = self.ended.get(&id).copied().unwrap_or(0);
            let once = if lives { ended == 1 } else { ended <= 1 };
            self.expect("H5: one outcome for each move", once, || {
                format!("{id} ended {ended} times")
            });
        }
    }

    pub(super) fn holder(&self, name: &Name) -> Option<NodeId> {
        let holder = self.nodes.toys().find(|toy| toy.processes.contains_key(name));
        holder.map(|toy| toy.id.clone())
    }
}
