//! A state that goes in chunks, while any message is lost, doubled or overtaken, and whatever the
//! source has under way is lost with a session.
//!
//! It mirrors `swarm-handoff`'s `moves/source/chunks.rs` and `moves/target/coming.rs`: one state of
//! three chunks, of which two are under way at most. What begins and ends a move is the subject of
//! [`moves`](crate::moves), for which such an offer is an offer that takes its time. Left out: other
//! states that share the window, and the bounds on what they take.

use stateright::{Model, Property};
use std::collections::BTreeSet;

/// The way of a state in chunks, or a variant that is known to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// What the crate does.
    Sound,
    /// The target builds what it has once as many chunks have come as there are.
    Count,
    /// The target puts each chunk behind the one that came before it.
    Append,
    /// The target builds what it has once the last chunk has come.
    BuildOnLast,
    /// The target says how far the furthest chunk goes, not how far there is no gap.
    TakenFurthest,
}

/// H2, for one state.
pub const TORN: &str = "what is built is the state, each chunk in its place";
/// Else nobody sends what is missing.
pub const AHEAD: &str = "the source takes nothing for taken that the target has not";
/// What bounds memory and what else a session carries.
pub const WINDOW: &str = "no more than a window is under way";

/// Both ends, and what is under way between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    source: Source,
    target: Option<Target>,
    built: Option<[Place; CHUNKS]>,
    wire: BTreeSet<Message>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Source {
    taken: usize,
    sent: usize,
    is_wanted: bool,
}

/// Which chunk stands where; `None` where none has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Target {
    places: [Place; CHUNKS],
    came: usize,
}

type Place = Option<usize>;

/// What the ends tell each other. What was sent twice is one thing that can arrive twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "they are those of swarm-handoff")]
pub enum Message {
    Announce,
    Chunk(usize),
    Taken(usize),
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A message arrives.
    Deliver(Message),
    /// It arrives, and a copy of it stays under way.
    Double(Message),
    /// It never arrives.
    Lose(Message),
    /// The source says again what it announced: by a timer, or on a new session.
    Repeat,
}

impl Model for Chunks {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let source = Source { taken: 0, sent: 0, is_wanted: false };
        vec![State { source, target: None, built: None, wire: BTreeSet::from([Message::Announce]) }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for message in &state.wire {
            steps.extend([Step::Deliver(*message), Step::Double(*message), Step::Lose(*message)]);
        }
        if state.may_repeat() {
            steps.push(Step::Repeat);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        match step {
            Step::Deliver(message) => {
                next.wire.remove(&message);
                next.deliver(*self, message);
            }
            Step::Double(message) => next.deliver(*self, message),
            Step::Lose(message) => drop(next.wire.remove(&message)),
            Step::Repeat => {
                next.source.sent = next.source.taken;
                next.source.is_wanted = false;
                next.wire.insert(Message::Announce);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(TORN, |_, state: &State| {
                state.built.is_none_or(|places| places == std::array::from_fn(Some))
            }),
            Property::always(AHEAD, |_, state: &State| state.source.taken <= state.known()),
            Property::always(WINDOW, |_, state: &State| {
                state.source.sent - state.source.taken <= AT_ONCE
            }),
        ];
        if *self == Self::Sound {
            properties.extend(seen());
        }
        properties
    }
}

/// That the search meets what the promises are about. The variants need not.
fn seen() -> [Property<Chunks>; 3] {
    [
        Property::sometimes("the state is built", |_, state: &State| state.built.is_some()),
        Property::sometimes("a chunk waits behind a gap", |_, state: &State| {
            state.target.is_some_and(|target| target.places[..2] == [None, Some(1)])
        }),
        Property::sometimes("it goes on behind what was taken", |_, state: &State| {
            let Source { taken, sent, is_wanted } = state.source;
            taken > 0 && sent > taken && is_wanted && !state.wire.contains(&Message::Chunk(0))
        }),
    ]
}

impl State {
    fn deliver(&mut self, chunks: Chunks, message: Message) {
        match message {
            // It is being built: nothing is said until it is.
            Message::Announce if self.built.is_some() => (),
            Message::Announce => {
                let target = Target { places: [None; CHUNKS], came: 0 };
                let upto = self.target.get_or_insert(target).upto(chunks);
                self.wire.insert(Message::Taken(upto));
            }
            Message::Chunk(at) => self.hear_chunk(chunks, at),
            Message::Taken(upto) => self.hear_taken(upto),
        }
    }

    fn hear_chunk(&mut self, chunks: Chunks, at: usize) {
        let Some(target) = &mut self.target else { return };
        target.came += 1;
        let place = if chunks == Chunks::Append { target.came - 1 } else { at };
        target.places[place].get_or_insert(at);
        let is_whole = match chunks {
            Chunks::Count | Chunks::Append => target.came == CHUNKS,
            Chunks::BuildOnLast => at == CHUNKS - 1,
            Chunks::Sound | Chunks::TakenFurthest => target.gapless() == CHUNKS,
        };
        // Beyond the variants that count, how many have come decides nothing.
        if !matches!(chunks, Chunks::Count | Chunks::Append) {
            target.came = 0;
        }
        self.wire.insert(Message::Taken(target.upto(chunks)));
        if is_whole {
            self.built = Some(target.places);
            self.target = None;
        }
    }

    fn hear_taken(&mut self, upto: usize) {
        let source = &mut self.source;
        source.is_wanted = true;
        source.taken = source.taken.max(upto);
        source.sent = source.sent.max(upto);
        while source.sent < CHUNKS && source.sent - source.taken < AT_ONCE {
            self.wire.insert(Message::Chunk(source.sent));
            source.sent += 1;
        }
    }

    fn may_repeat(&self) -> bool {
        self.built.is_none() && !self.wire.contains(&Message::Announce)
    }

    /// How much the target has, or has built from.
    fn known(&self) -> usize {
        let has = |places: &[Place; CHUNKS]| places.iter().take_while(|p| p.is_some()).count();
        let target = self.target.as_ref().map(Target::gapless);
        self.built.as_ref().map(has).or(target).unwrap_or(0)
    }
}

impl Target {
    /// How much there is without a gap.
    fn gapless(&self) -> usize {
        self.places.iter().take_while(|place| place.is_some()).count()
    }

    /// How much it says that it has.
    fn upto(&self, chunks: Chunks) -> usize {
        match chunks {
            Chunks::TakenFurthest => {
                self.places.iter().rposition(Option::is_some).map_or(0, |at| at + 1)
            }
            _ => self.gapless(),
        }
    }
}

const CHUNKS: usize = 3;

const AT_ONCE: usize = 2;
