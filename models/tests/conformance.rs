//! The model of a move does what the machine does: on random walks both are in the same phase, run
//! the same process and have the same messages under way.

use stateright::Model;
use std::collections::BTreeMap;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Rng, Token};
use swarm_handoff as handoff;
use swarm_handoff::{
    AbortReason, Config, Frozen, MoveEvent, MoveId, MoveMessage, Offer, Promoted, Refusal,
    SourcePhase, TargetPhase,
};
use swarm_models::moves::{Moves, Role, Sent, State, Step};

#[test]
fn the_model_and_the_machine_take_the_same_way() {
    let mut taken = BTreeMap::new();
    for seed in 0..3_000 {
        let mut rng = Rng::new(seed);
        let mut state = Moves::Sound.init_states().remove(0);
        let (mut real, mut way) = (Real::new(), Vec::new());
        for _ in 0..40 {
            let mut steps = Vec::new();
            Moves::Sound.actions(&state, &mut steps);
            steps.retain(|step| match step {
                // The machine does so on a clock, which stands still here.
                Step::GiveUp(_) => false,
                // Else few walks come far.
                Step::Crash(_) => rng.chance(30),
                Step::Expire(_) | Step::CannotBuild(_) => rng.chance(200),
                _ => true,
            });
            let Some(index) = rng.index(steps.len()) else { break };
            let step = steps[index];
            *taken.entry(kind(step)).or_insert(0_u64) += 1;
            way.push(step);
            let next = Moves::Sound.next_state(&state, step).expect("it can be taken");
            real.take(step, &next);
            real.compare(&next, || format!("SEED {seed}: {way:#?}"));
            state = next;
        }
    }
    println!("{taken:?}");
    assert_eq!(taken.len(), 13, "every kind of step is taken");
}

/// Two machines, and what is under way between them.
struct Real {
    ends: [handoff::Moves; 2],
    /// Whether the process of the name is here, and frozen.
    process: [Option<bool>; 2],
    up: [bool; 2],
    claimed: [Option<Promoted>; 2],
    ids: Vec<MoveId>,
    wire: BTreeMap<Key, MoveMessage>,
    /// All that was ever sent: what is repeated is the same again.
    sent: BTreeMap<Key, MoveMessage>,
    epoch: u64,
}

/// To whom, what, and about which move.
type Key = (usize, &'static str, u8);

impl Real {
    fn new() -> Self {
        let end = |at: usize| {
            let config = Config::default().check().expect("sound settings");
            let mut moves = handoff::Moves::new(Instant::START, config, node(at), Rng::new(1));
            moves.session_up(Instant::START, &node(1 - at));
            moves
        };
        Self {
            ends: [end(0), end(1)],
            process: [Some(false), None],
            up: [true; 2],
            claimed: [None; 2],
            ids: Vec::new(),
            wire: BTreeMap::new(),
            sent: BTreeMap::new(),
            epoch: 1,
        }
    }

    fn take(&mut self, step: Step, next: &State) {
        let now = Instant::START;
        match step {
            Step::Begin(at) => {
                let end = &mut self.ends[at];
                // Whatever failed before may be tried again at once.
                end.forget(&name());
                end.target_changed(&node(1 - at));
                self.ids.push(end.begin(now, name(), node(1 - at)).expect("begins"));
                self.process[at] = Some(true);
            }
            Step::Deliver(sent) => {
                let message = self.wire.remove(&key(sent)).expect("under way");
                self.hear(sent, message);
            }
            Step::Double(sent) => self.hear(sent, self.wire[&key(sent)].clone()),
            Step::Lose(sent) => drop(self.wire.remove(&key(sent))),
            Step::Crash(at) => {
                (self.up[at], self.process[at]) = (false, None);
                self.wire.retain(|(to, ..), _| *to != at);
            }
            Step::Notice(at) => {
                // What its log says last comes first.
                if let Some(claim) = self.claimed[1 - at] {
                    self.ends[at].claim_seen(now, &name(), &node(1 - at), claim);
                }
                self.ends[at].node_dead(now, &node(1 - at));
            }
            Step::Expire(at) => {
                let _ = self.ends[at].cancel(now, &name(), AbortReason::Stopped);
            }
            Step::Repeat(at) | Step::Ask(at) => self.repeat(at, next),
            Step::Stopped(at) => {
                let id = self.id_of(at);
                self.process[at] = None;
                self.epoch += 1;
                let token = Token::new(self.epoch, Boot::default());
                self.ends[at].stopped(now, id, token, Vec::new());
            }
            Step::SeeClaim(at) => {
                let claim = self.claimed[1 - at].expect("it has claimed the name");
                self.ends[at].claim_seen(now, &name(), &node(1 - at), claim);
            }
            Step::Built(at) => {
                let id = self.id_of(at);
                self.ends[at].built(now, id, Ok(()));
            }
            Step::CannotBuild(at) => {
                let (id, reason) = (self.id_of(at), "no room".to_owned());
                self.ends[at].built(now, id, Err(Refusal::StartFailed { reason }));
            }
            Step::GiveUp(_) | Step::OwnTimer(_) => unreachable!("not taken"),
        }
        for at in 0..2 {
            self.poll(at, next);
        }
        // A start from the spec, once the other end is dead, is not the machine's.
        for at in (0..2).filter(|at| !self.up[1 - at] && next.ends[*at].process.is_some()) {
            self.process[at].get_or_insert(false);
        }
    }

    fn hear(&mut self, sent: Sent, message: MoveMessage) {
        let to = usize::from(sent.to);
        // A machine that runs the name takes no offer: its node says so when it is to be built.
        self.ends[to].handle_message(Instant::START, node(1 - to), message);
    }

    /// What a timer has the machine say once more, or for the first time a question.
    fn repeat(&mut self, at: usize, next: &State) {
        let news = next.wire().map(|sent| key(*sent)).filter(|key| !self.wire.contains_key(key));
        for key in news.collect::<Vec<_>>() {
            assert_eq!(key.0, 1 - at, "it is said to the other end");
            let id = self.ids[usize::from(key.2)];
            let message = match key.1 {
                "query" => MoveMessage::Query { id },
                _ => self.sent[&key].clone(),
            };
            self.wire.insert(key, message);
        }
    }

    fn poll(&mut self, at: usize, next: &State) {
        while let Some(output) = self.ends[at].poll_output() {
            match output {
                Output::Send { to, message } => {
                    let to = usize::from(to == node(1));
                    let key = (to, message.label(), self.index(message.id()));
                    self.sent.insert(key, message.clone());
                    if self.up[to] && self.up[at] {
                        self.wire.insert(key, message);
                    }
                }
                Output::Event(event) => self.answer(at, event, next),
            }
        }
    }

    fn answer(&mut self, at: usize, event: MoveEvent, next: &State) {
        let (now, runs) = (Instant::START, self.process[at].is_some());
        let end = &mut self.ends[at];
        match event {
            MoveEvent::Freeze { id, .. } => end.frozen(now, id, Frozen::Ready(offer())),
            MoveEvent::Thaw { .. } | MoveEvent::Resume { .. } => self.process[at] = Some(false),
            MoveEvent::Build { id, .. } if runs => {
                end.built(now, id, Err(Refusal::RunsIt { token: Token::default() }));
            }
            MoveEvent::Promote { id, token, .. } => {
                let claim = Promoted { token, position: 0 };
                (self.process[at], self.claimed[at]) = (Some(false), Some(claim));
                end.promoted(now, id, Ok(claim));
            }
            MoveEvent::SourceDied { id, .. } => {
                self.epoch += 1;
                let token = Token::new(self.epoch, Boot::default());
                match next.ran_as_orphan(self.index(id)) {
                    true => self.ends[at].promote_orphan(now, id, token),
                    false => self.ends[at].discard(now, id),
                }
            }
            _ => (),
        }
    }

    fn compare(&self, state: &State, way: impl Fn() -> String) {
        for at in (0..2).filter(|at| self.up[*at]) {
            assert_eq!(self.role(at), state.role(at), "end {at}, {}", way());
            let process = state.ends[at].process.map(|process| process.frozen);
            assert_eq!(self.process[at], process, "process of end {at}, {}", way());
        }
        let real: Vec<Key> = self.wire.keys().copied().collect();
        let mut model: Vec<Key> = state.wire().map(|sent| key(*sent)).collect();
        model.sort_unstable();
        assert_eq!(real, model, "under way, {}", way());
    }

    fn role(&self, at: usize) -> Option<Role> {
        let role = self.ends[at].of(&name())?;
        Some(match role {
            handoff::Role::Source { id, phase, .. } => match phase {
                SourcePhase::Freezing | SourcePhase::Offered => Role::Offered(self.index(id)),
                SourcePhase::Stopping => Role::Stopping(self.index(id)),
                SourcePhase::Committed => Role::Committed(self.index(id)),
            },
            handoff::Role::Target { id, phase, .. } => match phase {
                TargetPhase::Building => Role::Building(self.index(id)),
                _ => Role::Ready(self.index(id)),
            },
        })
    }

    /// The move that an end takes part in.
    fn id_of(&self, at: usize) -> MoveId {
        match self.ends[at].of(&name()).expect("on a move") {
            handoff::Role::Source { id, .. } | handoff::Role::Target { id, .. } => id,
        }
    }

    fn index(&self, id: MoveId) -> u8 {
        self.ids.iter().position(|known| *known == id).expect("it began") as u8
    }
}

fn key(sent: Sent) -> Key {
    (sent.to.into(), sent.message.label(), sent.message.id())
}

fn kind(step: Step) -> String {
    let text = format!("{step:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn node(at: usize) -> NodeId {
    let name = NodeName::new(["s", "t"][at]).expect("a node name");
    NodeId::new(name, Boot { millis: at as u64 + 1, random: 0 })
}

fn name() -> Name {
    Name::new("n").expect("a name")
}

fn offer() -> Offer {
    Offer {
        name: name(),
        kind: "kind".into(),
        args: Vec::<u8>::new().into(),
        token: Token::default(),
        groups: Vec::new(),
        state: Some(vec![0_u8].into()),
    }
}
