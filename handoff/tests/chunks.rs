//! A state that is too large for its offer: it is announced, goes in chunks, and is built once all
//! of it is there.

mod common;

use bytes::Bytes;
use common::{Node, Said, at, id, node, offer, token};
use swarm_base::{Machine, Output};
use swarm_handoff::{
    AbortReason, Config, DiscardReason, Frozen, MoveEvent, MoveId, MoveMessage, MoveOutcome, Offer,
    Refusal, Role, TargetPhase,
};

/// How many chunks are under way to one node at most.
const AT_ONCE: usize = 16;

/// Ten bytes make a chunk.
fn ten(text: &str) -> Node {
    Node::with(text, config())
}

fn config() -> Config {
    Config { chunk_bytes: 10, ..Config::default() }
}

/// An offer with a state in which no chunk is like another.
fn large(text: &str, len: usize) -> Offer {
    let state: Vec<u8> = (0..len).map(|at| (at / 7) as u8).collect();
    Offer { state: Some(state.into()), ..offer(text, 0) }
}

fn announce(id: MoveId, text: &str, len: u64) -> MoveMessage {
    MoveMessage::Announce { id, offer: Offer { state: None, ..offer(text, 0) }, len }
}

/// The chunk of [`large`]'s state that begins at `at`.
fn chunk(id: MoveId, len: usize, at: usize) -> MoveMessage {
    let state = large("n", len).state.expect("it has one");
    MoveMessage::Chunk { id, at: at as u64, bytes: state.slice(at..len.min(at + 10)) }
}

fn taken(id: MoveId, upto: u64) -> MoveMessage {
    MoveMessage::ChunkTaken { id, upto }
}

/// A move with a state of `len` bytes, announced.
fn announced(source: &mut Node, text: &str, len: usize) -> MoveId {
    let id = source.begin(text, "t").expect("begins");
    source.frozen(id, Frozen::Ready(large(text, len)));
    let said = [Said::Freeze, Said::LogMoving, Said::Send(announce(id, text, len as u64))];
    assert_eq!(source.said(), said, "and not a byte of its state");
    id
}

/// Where the chunks begin that a source has sent, and of which move each is.
fn chunks(source: &mut Node) -> Vec<(MoveId, u64)> {
    let at = |said| match said {
        Said::Send(MoveMessage::Chunk { id, at, .. }) => (id, at),
        other => panic!("{other:?}"),
    };
    source.said().into_iter().map(at).collect()
}

/// The offer that a target is to build.
fn built(target: &mut Node) -> Option<Offer> {
    std::iter::from_fn(|| target.moves.poll_output()).find_map(|output| match output {
        Output::Event(MoveEvent::Build { offer, .. }) => Some(offer),
        _ => None,
    })
}

#[test]
fn a_state_of_many_chunks_arrives_whole() {
    let (mut source, mut target) = (ten("s"), ten("t"));
    let id = announced(&mut source, "n", 1005);
    target.hears("s", announce(id, "n", 1005));
    assert_eq!(target.said(), [Said::Send(taken(id, 0))]);
    source.hears("t", taken(id, 0));
    let mut way = source.said();
    let mut n_chunks = 0;
    while let Some(said) = (!way.is_empty()).then(|| way.remove(0)) {
        assert!(way.len() < AT_ONCE, "no more than a window of them is under way");
        let Said::Send(message) = said else { panic!("{said:?}") };
        n_chunks += 1;
        target.hears("s", message);
        let Some(Output::Send { message, .. }) = target.moves.poll_output() else {
            panic!("it says how far it is")
        };
        source.hears("t", message);
        way.extend(source.said());
    }
    assert_eq!(n_chunks, 101);
    assert_eq!(built(&mut target), Some(large("n", 1005)));
    assert_eq!(source.moves.held(), large("n", 1005).size(), "it keeps the snapshot, once");
    target.moves.built(at(0), id, Ok(()));
    assert_eq!(target.said(), [Said::Send(MoveMessage::Ready { id })]);
    source.hears("t", MoveMessage::Ready { id });
    assert_eq!(source.said(), [Said::Stop]);
    source.hears("t", taken(id, 1005));
    assert_eq!(source.said(), [], "stale");
}

#[test]
fn a_kind_that_the_target_does_not_serve_is_refused_before_its_state_is_sent() {
    let (mut source, mut target) = (ten("s"), ten("t"));
    target.moves.set_kinds(["other".to_owned()].into());
    let id = announced(&mut source, "n", 1005);
    target.hears("s", announce(id, "n", 1005));
    let refused = MoveMessage::Refused { id, why: Refusal::UnknownKind };
    assert_eq!(target.said(), [Said::Send(refused.clone())]);
    source.hears("t", refused);
    let outcome = MoveOutcome::Refused(Refusal::UnknownKind);
    assert_eq!(source.said(), [Said::Thaw(outcome.clone()), Said::Ended(outcome)]);
    let until = source.begin("n", "t").expect_err("it would be refused again").until();
    assert_eq!(until, Some(at(0) + config().ignored));
    assert!(source.begin("n", "u").is_ok(), "another one may serve it");
}

#[test]
fn a_state_of_one_chunk_stands_in_its_offer() {
    let mut source = ten("s");
    let id = source.begin("n", "t").expect("begins");
    source.frozen(id, Frozen::Ready(large("n", 10)));
    let offer = MoveMessage::Offer { id, offer: large("n", 10) };
    assert_eq!(source.said()[2..], [Said::Send(offer)]);
}

#[test]
fn chunks_go_on_after_a_break() {
    let mut source = ten("s");
    let id = announced(&mut source, "n", 500);
    source.hears("t", taken(id, 0));
    assert_eq!(chunks(&mut source).len(), AT_ONCE);
    source.moves.session_down(at(0), &node("t"));
    source.hears("t", taken(id, 70));
    source.moves.handle_timeout(at(3000));
    assert_eq!(source.said(), [], "nobody would hear it");
    source.moves.session_up(at(3000), &node("t"));
    assert_eq!(source.said(), [Said::Send(announce(id, "n", 500))], "the head, and no chunk");
    source.hears("t", taken(id, 90));
    let sent = chunks(&mut source);
    assert_eq!((sent.len(), sent[0]), (AT_ONCE, (id, 90)), "not from its beginning");
}

#[test]
fn chunks_that_were_lost_are_sent_again() {
    let mut source = ten("s");
    let id = announced(&mut source, "n", 30);
    source.hears("t", taken(id, 0));
    assert_eq!(chunks(&mut source), [(id, 0), (id, 10), (id, 20)]);
    source.hears("t", taken(id, 10));
    assert_eq!(source.said(), []);
    source.moves.handle_timeout(at(2000));
    assert_eq!(source.said(), [Said::Send(announce(id, "n", 30))]);
    source.hears("t", taken(id, 10));
    assert_eq!(chunks(&mut source), [(id, 10), (id, 20)]);
    source.hears("t", taken(id, 31));
    assert_eq!(source.said(), [], "it never had so much");
}

#[test]
fn a_chunk_twice_or_out_of_place_changes_nothing() {
    let (mut target, id) = (ten("t"), id("s", 1));
    target.hears("s", chunk(id, 35, 0));
    assert_eq!(target.said(), [], "nobody has announced it");
    target.hears("s", announce(id, "n", 35));
    target.hears("s", announce(id, "n", 35));
    assert_eq!(target.said(), [Said::Send(taken(id, 0)), Said::Send(taken(id, 0))]);
    for (at, upto) in [(10, 0), (10, 0), (0, 20), (0, 20), (10, 20)] {
        target.hears("s", chunk(id, 35, at));
        assert_eq!(target.said(), [Said::Send(taken(id, upto))], "at {at}");
    }
    for (at, len) in [(30, 6), (36, 1), (u64::MAX, 2), (20, 0), (25, 0)] {
        let bytes = Bytes::from(vec![9; len]);
        target.hears("s", MoveMessage::Chunk { id, at, bytes });
        assert_eq!(target.said(), [Said::Send(taken(id, 20))], "{len} bytes at {at}");
    }
    target.hears("u", MoveMessage::Chunk { id, at: 20, bytes: vec![9; 15].into() });
    assert_eq!(target.said(), [], "it is another node's move");
    target.hears("s", chunk(id, 35, 30));
    assert_eq!(target.said(), [Said::Send(taken(id, 20))], "there is a gap");
    target.moves.built(at(0), id, Ok(()));
    assert_eq!(target.said(), [], "nobody has asked for it");
    target.hears("s", chunk(id, 35, 20));
    assert_eq!(built(&mut target), Some(large("n", 35)));
    target.hears("s", chunk(id, 35, 20));
    target.hears("s", announce(id, "n", 35));
    assert_eq!(target.said(), [], "it is being built");
    target.moves.built(at(0), id, Ok(()));
    target.said();
    target.hears("s", chunk(id, 35, 0));
    assert_eq!(target.said(), []);
    target.hears("s", announce(id, "n", 35));
    assert_eq!(target.said(), [Said::Send(MoveMessage::Ready { id })]);
}

#[test]
fn no_more_than_the_state_is_kept_behind_a_gap() {
    let (mut target, id) = (ten("t"), id("s", 1));
    target.hears("s", announce(id, "n", 100));
    // Each alone is within the state, but there is no room for all of them.
    for at in 1..=50 {
        target.hears("s", MoveMessage::Chunk { id, at, bytes: vec![7; 50].into() });
    }
    target.said();
    target.hears("s", MoveMessage::Chunk { id, at: 0, bytes: vec![7; 1].into() });
    assert_eq!(target.said(), [Said::Send(taken(id, 52))], "of which two were kept");
}

#[test]
fn a_state_for_which_there_is_no_room_is_refused_before_it_is_sent() {
    let config = Config { bytes_max: 1000, state_bytes_max: 600, ..config() };
    let mut target = Node::with("t", config);
    let refused = |id, why| Said::Send(MoveMessage::Refused { id, why });
    for (serial, name, len, refusal) in [
        (1, "a", 700, Some(Refusal::TooLarge { size: 705 })),
        (2, "a", u64::MAX, Some(Refusal::TooLarge { size: usize::MAX })),
        (3, "a", 500, None),
        (4, "b", 590, Some(Refusal::Full)),
        (5, "b", 300, None),
    ] {
        let id = id("s", serial);
        target.hears("s", announce(id, name, len));
        let said = refusal.map_or(Said::Send(taken(id, 0)), |why| refused(id, why));
        assert_eq!(target.said(), [said], "move {serial}");
    }
    let (former, later) = (id("s", 5), id("s", 6));
    target.hears("s", MoveMessage::Abort { id: former });
    target.hears("s", announce(later, "b", 400));
    assert_eq!(target.said(), [Said::Send(taken(later, 0))], "what is called off leaves its room");
    let mut source =
        Node::with("s", Config { bytes_max: 1000, state_bytes_max: 600, ..self::config() });
    let id = source.begin("n", "t").expect("begins");
    source.said();
    source.frozen(id, Frozen::Ready(large("n", 601)));
    let why = MoveOutcome::Aborted(AbortReason::TooLarge);
    assert_eq!(source.said(), [Said::Thaw(why.clone()), Said::Ended(why)]);
}

#[test]
fn states_go_in_turn() {
    let mut source = ten("s");
    let a = announced(&mut source, "a", 10_000);
    source.hears("t", taken(a, 0));
    assert_eq!(chunks(&mut source).len(), AT_ONCE);
    let b = announced(&mut source, "b", 50);
    source.hears("t", taken(b, 0));
    assert_eq!(source.said(), [], "the window is full");
    source.hears("t", taken(a, 40));
    assert_eq!(chunks(&mut source), [(b, 0), (a, 160), (b, 10), (a, 170)]);
    source.hears("t", taken(a, 80));
    assert_eq!(chunks(&mut source), [(b, 20), (a, 180), (b, 30), (a, 190)]);
    assert_eq!(source.cancel("a"), swarm_handoff::Cancelled::Aborted);
    let last =
        MoveMessage::Chunk { id: b, at: 40, bytes: large("b", 50).state.expect("one").slice(40..) };
    assert!(source.said().contains(&Said::Send(last)), "what was under way of a leaves room for b");
}

#[test]
fn a_large_state_has_the_time_that_it_needs_and_no_more() {
    let mut source = ten("s");
    let id = announced(&mut source, "n", 500);
    for (now, upto) in [(9_000, 0), (9_900, 10), (19_000, 20), (28_000, 30)] {
        source.moves.handle_timeout(at(now));
        source.moves.handle_message(at(now), node("t"), taken(id, upto));
        assert_eq!(source.moves.in_flight(), 1, "at {now}");
    }
    for now in (30_000..38_000).step_by(2000) {
        source.moves.handle_timeout(at(now));
        source.moves.handle_message(at(now), node("t"), taken(id, 30));
    }
    source.said();
    source.moves.handle_timeout(at(38_000));
    let why = MoveOutcome::Aborted(AbortReason::OfferTimeout);
    let abort = Said::Send(MoveMessage::Abort { id });
    assert_eq!(source.said(), [abort, Said::Thaw(why.clone()), Said::Ended(why)]);
}

#[test]
fn a_state_on_its_way_goes_with_its_move() {
    let whole = |target: &mut Node, id, said: &[Said]| {
        assert_eq!(target.said(), said);
        assert_eq!(target.moves.standbys(), 0);
        target.hears("s", chunk(id, 35, 10));
        assert_eq!(target.said(), [], "too late");
        target.hears("s", announce(id, "n", 35));
        let refused = MoveMessage::Refused { id, why: Refusal::Gone };
        assert_eq!(target.said(), [Said::Send(refused)]);
    };
    let begun = |config| {
        let (mut target, id) = (Node::with("t", config), id("s", 1));
        target.hears("s", announce(id, "n", 35));
        target.hears("s", chunk(id, 35, 0));
        target.said();
        let phase = TargetPhase::Collecting;
        let role = Role::Target { id, from: node("s"), phase };
        assert_eq!(target.moves.of(&common::name("n")), Some(role));
        (target, id)
    };
    let (mut target, id) = begun(config());
    target.hears("s", MoveMessage::Abort { id });
    whole(&mut target, id, &[]);
    let (mut target, id) = begun(config());
    target.moves.node_dead(at(0), &node("s"));
    whole(&mut target, id, &[]);
    let (mut target, id) = begun(config());
    target.moves.session_down(at(0), &node("s"));
    target.moves.handle_timeout(at(30_000));
    whole(&mut target, id, &[]);
    // Nothing is thrown away of which nothing was built.
    let (mut target, first) = begun(config());
    let second = self::id("s", 2);
    target.hears("s", MoveMessage::Offer { id: second, offer: offer("n", 1) });
    assert_eq!(target.said(), [Said::Build]);
    target.hears("s", MoveMessage::Commit { id: first, token: token(2), mails: vec![] });
    let nack = MoveMessage::Nack { id: first, why: Refusal::Gone };
    assert_eq!(target.said(), [Said::Send(nack)]);
    target.moves.built(at(0), second, Ok(()));
    target.hears("s", MoveMessage::Abort { id: second });
    assert!(target.said().contains(&Said::Discard(DiscardReason::Aborted)));
}

#[test]
fn a_target_whose_state_keeps_coming_does_not_ask() {
    let (mut target, id) = (ten("t"), id("s", 1));
    target.hears("s", announce(id, "n", 35));
    target.moves.handle_message(at(20_000), node("s"), chunk(id, 35, 0));
    target.said();
    target.moves.handle_timeout(at(30_000));
    assert_eq!(target.said(), []);
    target.moves.handle_timeout(at(50_000));
    assert_eq!(target.said(), [Said::Send(MoveMessage::Query { id })]);
}
