//! However facts arrive, the same facts make the same state.

mod common;

use common::{at_once, bytes, called, claim};
use proptest::prelude::*;
use std::collections::BTreeMap;
use swarm_base::{Boot, Instant, Machine, Name, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{At, Bytes, Claim, Config, Event, Fact, Message, Registry, Why};

/// One thing that a writer may say.
#[derive(Clone, Debug)]
enum Say {
    Named(u8, u8, u8),
    Stopped(u8),
    Gone(u8, u8),
    Joined(u8, u8, u8),
    Left(u8, u8),
    Exited(u8),
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        (0..6u8, 1..4u8, 0..4u8).prop_map(|(name, epoch, at)| Say::Named(name, epoch, at)),
        (0..6u8).prop_map(Say::Stopped),
        (0..6u8, 1..4u8).prop_map(|(name, epoch)| Say::Gone(name, epoch)),
        (0..3u8, 0..4u8, any::<u8>()).prop_map(|(group, pid, meta)| Say::Joined(group, pid, meta)),
        (0..3u8, 0..4u8).prop_map(|(group, pid)| Say::Left(group, pid)),
        (0..4u8).prop_map(Say::Exited),
    ]
}

/// How the facts travel to a reader.
#[derive(Clone, Debug)]
enum Way {
    /// Append the next fact at the writer.
    Append,
    /// Let the writer send what it has.
    Flush,
    /// Deliver the message at this place of those that wait, and keep it for another time or not.
    Deliver(proptest::sample::Index, bool),
    /// Break the session and bring it up again: what waits is lost.
    Break,
    /// The reader holds the writer dead for a moment.
    Death,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        6 => Just(Way::Append),
        3 => Just(Way::Flush),
        6 => (any::<proptest::sample::Index>(), any::<bool>())
            .prop_map(|(idx, keep)| Way::Deliver(idx, keep)),
        1 => Just(Way::Break),
        1 => Just(Way::Death),
    ]
}

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n, random: n })
}

fn pid(serial: u8) -> Pid {
    Pid::new(node(1).boot, u64::from(serial))
}

fn fact(registry: &Registry, say: &Say) -> Option<Fact> {
    let name = |name: u8| called(&format!("name-{name}"));
    let group = |group: u8| called(&format!("group-{group}"));
    let own = |n: u8| registry.own(&name(n)).map(|claim| claim.token);
    Some(match say {
        Say::Named(n, epoch, at) => {
            let at = match at {
                0 => At::Starting,
                1 => At::Waiting,
                2 => At::Running(pid(*epoch)),
                _ => At::Moving { pid: pid(*epoch), to: node(3), id: 1 },
            };
            let token = Token::new(u64::from(*epoch), node(1).boot);
            Fact::Named(claim(&format!("name-{n}"), token, at))
        }
        Say::Stopped(n) => Fact::Ended { name: name(*n), token: own(*n)?, why: Why::Stopped },
        Say::Gone(n, epoch) => {
            let token = Token::new(own(*n)?.epoch + u64::from(*epoch), node(3).boot);
            let why = Why::GoneTo { log: node(3), token };
            Fact::Ended { name: name(*n), token: own(*n)?, why }
        }
        Say::Joined(g, p, meta) => {
            Fact::Joined { group: group(*g), pid: pid(*p), meta: bytes(&[*meta]) }
        }
        Say::Left(g, p) => Fact::Left { group: group(*g), pid: pid(*p) },
        Say::Exited(p) => Fact::Exited { pid: pid(*p) },
    })
}

/// The state that `of` made at `registry`, as far as its interface shows.
type State = (BTreeMap<Name, (Claim, String)>, BTreeMap<Pid, Vec<(Name, Bytes)>>, u64, u64);

fn state(registry: &Registry, of: &NodeId) -> State {
    let mut names = BTreeMap::new();
    for n in 0..6 {
        let name = called(&format!("name-{n}"));
        let (epoch, resolved) = (registry.epoch(&name), registry.resolve(&name));
        let resolved = format!("{epoch} {resolved:?}");
        let token = Token::default();
        let claim = registry
            .claims(&name)
            .next()
            .map_or_else(|| claim("none", token, At::Waiting), |(_, claim, _)| claim);
        names.insert(name, (claim, resolved));
    }
    let members = (0..4).map(|p| (pid(p), registry.memberships(of, pid(p)).collect())).collect();
    let log = registry.log_progress().find(|log| log.log == *of).expect("held");
    (names, members, log.position, log.digest)
}

/// A writer, a reader, and the messages between them.
struct Pair {
    now: Instant,
    writer: Registry,
    reader: Registry,
    waiting: Vec<Message>,
    told: BTreeMap<Name, Pid>,
    groups: BTreeMap<(Name, Pid), Bytes>,
}

impl Pair {
    fn new(config: &Config) -> Self {
        let make = |n: u64| {
            let config = config.clone().check().expect("within bounds");
            Registry::new(Instant::START, node(n), config, Rng::new(n))
        };
        let (writer, reader) = (make(1), make(2));
        let (told, groups) = (BTreeMap::new(), BTreeMap::new());
        let waiting = Vec::new();
        let mut pair = Self { now: Instant::START, writer, reader, waiting, told, groups };
        for (registry, other) in [(&mut pair.writer, 2), (&mut pair.reader, 1)] {
            registry.node_up(Instant::START, node(other));
            registry.node_up(Instant::START, node(3));
        }
        pair.sessions_up();
        pair
    }

    fn sessions_up(&mut self) {
        self.waiting.clear();
        self.writer.session_up(self.now, node(2));
        self.reader.session_up(self.now, node(1));
        self.answers();
        self.flush();
    }

    /// What the writer sends, waits.
    fn flush(&mut self) {
        while let Some(output) = self.writer.poll_output() {
            if let Output::Send { to, message } = output
                && to == node(2)
            {
                self.waiting.push(message);
            }
        }
    }

    /// What the reader sends, arrives at once.
    fn answers(&mut self) {
        while let Some(output) = self.reader.poll_output() {
            match output {
                Output::Send { to, message } if to == node(1) => {
                    self.writer.handle_message(self.now, node(2), message);
                }
                Output::Send { .. } => {}
                Output::Event(event) => self.follow(event),
            }
        }
    }

    fn follow(&mut self, event: Event) {
        match event {
            Event::Changed { name, was, now, .. } => {
                let before = match now {
                    Some(pid) => self.told.insert(name, pid),
                    None => self.told.remove(&name),
                };
                assert_eq!(before, was, "changes follow each other");
            }
            Event::Joined { group, pid, meta, .. } => drop(self.groups.insert((group, pid), meta)),
            Event::Left { group, pid, .. } => {
                assert!(self.groups.remove(&(group, pid)).is_some(), "who left was there");
            }
            Event::Conflict { .. } | Event::Applied { .. } => {}
            Event::Slowed { .. } => panic!("nobody is too fast"),
            Event::RolledBack { .. } => panic!("nobody was set back"),
        }
    }

    fn go(&mut self, way: &Way, sayings: &mut impl Iterator<Item = Say>) {
        match way {
            Way::Append => {
                if let Some(fact) = sayings.next().and_then(|say| fact(&self.writer, &say)) {
                    self.writer.append(self.now, fact);
                }
            }
            Way::Flush => self.flush(),
            Way::Deliver(idx, keep) if !self.waiting.is_empty() => {
                let idx = idx.index(self.waiting.len());
                let message =
                    if *keep { self.waiting[idx].clone() } else { self.waiting.remove(idx) };
                self.reader.handle_message(self.now, node(1), message);
                self.answers();
            }
            Way::Deliver(..) => {}
            Way::Break => {
                self.writer.session_down(self.now, &node(2));
                self.reader.session_down(self.now, &node(1));
                self.answers();
                self.sessions_up();
            }
            Way::Death => {
                self.reader.node_dead(self.now, &node(1));
                self.answers();
                self.reader.node_up(self.now, node(1));
                self.answers();
            }
        }
    }

    /// Lets both sides finish on a session that works.
    fn settle(&mut self) {
        self.go(&Way::Break, &mut std::iter::empty());
        for _ in 0..1_000 {
            self.flush();
            if self.waiting.is_empty() {
                break;
            }
            for message in std::mem::take(&mut self.waiting) {
                self.reader.handle_message(self.now, node(1), message);
                self.answers();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_repetition_and_loss_of_messages_gives_the_writers_state(
        sayings in prop::collection::vec(say(), 0..60),
        ways in prop::collection::vec(way(), 0..120),
        history_facts_max in 1..20usize,
    ) {
        // A short history: much arrives as a snapshot.
        let config = Config { history_facts_max, ..at_once() };
        let mut pair = Pair::new(&config);
        let mut sayings = sayings.into_iter();
        for way in &ways {
            pair.go(way, &mut sayings);
        }
        for say in sayings {
            if let Some(fact) = fact(&pair.writer, &say) {
                pair.writer.append(pair.now, fact);
            }
        }
        pair.settle();
        prop_assert_eq!(state(&pair.reader, &node(1)), state(&pair.writer, &node(1)));

        // What the events told is what is there.
        for n in 0..6 {
            let name = called(&format!("name-{n}"));
            let held = match pair.reader.resolve(&name) {
                swarm_registry::Resolution::Held { claim, .. } => claim.pid(),
                _ => None,
            };
            prop_assert_eq!(pair.told.get(&name).copied(), held);
        }
        let members: BTreeMap<(Name, Pid), Bytes> = (0..4)
            .flat_map(|p| {
                let groups = pair.reader.memberships(&node(1), pid(p));
                groups.map(move |(group, meta)| ((group, pid(p)), meta))
            })
            .collect();
        prop_assert_eq!(&pair.groups, &members);
        let listed = pair.reader.names().count();
        prop_assert_eq!(listed, pair.reader.len());
    }

    #[test]
    fn no_message_panics(
        first: u64, count: u32, position: u64, digest: u64, index: u32, of: u32,
        facts: Vec<u8>, kind in 0..4u8,
    ) {
        let mut pair = Pair::new(&at_once());
        pair.settle();
        let facts = encoded(&facts);
        let log = node(1);
        let message = match kind {
            0 => Message::Facts { log, first, count, facts },
            1 => Message::Chunk { log, position, digest, index, of, count, facts },
            2 => Message::Ask { log: node(2), after: position },
            _ => Message::Got { log: node(2), position, pieces: index },
        };
        pair.reader.handle_message(pair.now, node(1), message);
        pair.answers();
        prop_assert!(pair.reader.is_empty());
    }
}

/// Bytes as they come from the wire.
fn encoded(bytes: &[u8]) -> swarm_registry::Encoded {
    let message = swarm_base::codec::encode(serde_bytes::Bytes::new(bytes)).expect("bytes encode");
    swarm_base::codec::decode(&message, swarm_base::codec::Limits::default()).expect("decodes")
}
