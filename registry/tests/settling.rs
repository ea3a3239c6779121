//! What a node lets go of depends on what its peers say that they hold. Here they say it by hand.

mod common;

use common::{at_once, called, claim};
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Pid, Rng, Token};
use swarm_registry::{
    At, Event, Fact, Held, Mark, Message, Registry, Rejection, Resolution, Scope, Why,
};

/// Node 1, and peers that are played by the test.
struct Played {
    now: Instant,
    registry: Registry,
    sent: Vec<(NodeId, Message)>,
    events: Vec<Event>,
}

impl Played {
    fn new(peers: &[u64]) -> Self {
        let config = at_once().check().expect("within bounds");
        let registry = Registry::new(Instant::START, node(1), config, Rng::new(1));
        let (sent, events) = (Vec::new(), Vec::new());
        let mut played = Self { now: Instant::START, registry, sent, events };
        for peer in peers {
            played.registry.node_up(played.now, node(*peer));
            played.registry.session_up(played.now, node(*peer));
            played.lists(*peer, &[]);
        }
        played
    }

    fn poll(&mut self) {
        while let Some(output) = self.registry.poll_output() {
            match output {
                Output::Send { to, message } => self.sent.push((to, message)),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn hear(&mut self, from: u64, message: Message) {
        self.registry.handle_message(self.now, node(from), message);
        self.poll();
    }

    /// The peer holds these logs so far, and no others.
    fn lists(&mut self, peer: u64, marks: &[Mark]) {
        self.hear(peer, Message::Compare { scope: Scope::All, marks: marks.to_vec() });
    }

    /// Lets several compares go by.
    fn wait(&mut self) {
        let end = self.now + Duration::from_secs(60);
        while let Some(at) = self.registry.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.registry.handle_timeout(self.now);
            self.poll();
        }
        self.now = end;
    }

    fn append(&mut self, fact: Fact) -> u64 {
        let position = self.registry.append(self.now, fact);
        self.poll();
        position
    }

    /// Node 2 says this, as its first fact.
    fn first_of_2(&mut self, fact: &Fact) -> Mark {
        self.first_of(2, fact)
    }

    /// Node `n` says this, as its first fact.
    fn first_of(&mut self, n: u64, fact: &Fact) -> Mark {
        self.first_facts_of(n, std::slice::from_ref(fact))
    }

    /// Node `n` says these, as its first facts.
    fn first_facts_of(&mut self, n: u64, facts: &[Fact]) -> Mark {
        let mut writer = Self::of(n);
        writer.registry.node_up(writer.now, node(1));
        writer.registry.session_up(writer.now, node(1));
        writer.lists(1, &[nothing_of(n)]);
        for fact in facts {
            writer.append(fact.clone());
        }
        for (_, message) in writer.sent {
            if matches!(message, Message::Facts { .. }) {
                self.hear(n, message);
            }
        }
        self.mark_of(n)
    }

    fn of(n: u64) -> Self {
        let config = at_once().check().expect("within bounds");
        let registry = Registry::new(Instant::START, node(n), config, Rng::new(n));
        Self { now: Instant::START, registry, sent: Vec::new(), events: Vec::new() }
    }

    /// How far node 1 holds a log.
    fn mark_of(&self, n: u64) -> Mark {
        let log = self.registry.log_progress().find(|log| log.log == node(n)).expect("held");
        let state = Held::Open;
        Mark { log: log.log, position: log.position, digest: log.digest, state }
    }

    fn holds(&self, n: u64) -> bool {
        self.registry.log_progress().any(|log| log.log == node(n))
    }
}

fn node(n: u64) -> NodeId {
    NodeId::new(NodeName::new(format!("n{n}")).expect("a name"), Boot { millis: n, random: n })
}

fn named(n: u64, epoch: u64) -> Fact {
    let at = At::Running(Pid::new(node(n).boot, 1));
    Fact::Named(claim("room", Token::new(epoch, node(n).boot), at))
}

fn nothing_of(n: u64) -> Mark {
    Mark { log: node(n), position: 0, digest: 0, state: Held::Open }
}

fn closed(mark: Mark) -> Mark {
    Mark { state: Held::Closed, ..mark }
}

/// R3: whoever reads the end and not the claim would lose the name with the target.
#[test]
fn a_pointer_stays_until_every_member_has_the_claim_that_it_points_to() {
    let mut n1 = Played::new(&[2, 3]);
    n1.append(named(1, 1));
    let of_2 = n1.first_of_2(&named(2, 2));
    let why = Why::GoneTo { log: node(2), token: Token::new(2, node(2).boot) };
    let token = Token::new(1, node(1).boot);
    let gone = n1.append(Fact::Ended { name: called("room"), token, why });
    n1.lists(2, &[n1.mark_of(1), n1.mark_of(2)]);
    n1.wait();
    assert_eq!(n1.registry.position(&node(1)), gone, "n3 has not said that it has the claim");
    n1.lists(3, &[n1.mark_of(1), of_2]);
    n1.wait();
    assert_eq!(n1.registry.position(&node(1)), gone + 1, "the pointer is settled");
    n1.wait();
    assert_eq!(n1.registry.position(&node(1)), gone + 1, "once");
}

/// R4: a dead log goes when every live member has it, all of it, and nothing of it is needed.
#[test]
fn a_dead_log_stays_until_every_live_member_holds_it_and_its_names_run_elsewhere() {
    let mut n1 = Played::new(&[2, 3]);
    let of_2 = closed(n1.first_of_2(&named(2, 1)));
    n1.registry.session_down(n1.now, &node(2));
    n1.registry.node_dead(n1.now, &node(2));
    n1.lists(3, &[n1.mark_of(1), of_2.clone()]);
    n1.wait();
    assert!(n1.holds(2), "its claim is an orphan");
    n1.append(named(1, 2));
    n1.lists(3, &[n1.mark_of(1), Mark { position: 0, digest: 0, ..of_2.clone() }]);
    n1.wait();
    assert!(n1.holds(2), "n3 does not have it");
    n1.lists(3, &[n1.mark_of(1), Mark { state: Held::Open, ..of_2.clone() }]);
    n1.wait();
    assert!(n1.holds(2), "n3 holds n2 alive");
    n1.lists(3, &[n1.mark_of(1), of_2.clone()]);
    n1.wait();
    assert!(!n1.holds(2) && n1.registry.n_buried() == 1);

    // A late copy is not taken for news, unless it has more than was known.
    n1.lists(3, &[n1.mark_of(1), of_2.clone()]);
    assert!(!n1.holds(2));
    assert!(matches!(
        n1.sent.last(),
        Some((_, Message::Compare { scope: Scope::Answer, marks }))
            if matches!(&marks[..], [Mark { state: Held::Buried, .. }])
    ));
    n1.lists(3, &[n1.mark_of(1), Mark { position: 9, digest: 9, ..of_2 }]);
    assert!(n1.holds(2));
    assert!(!n1.registry.caught_up(), "there is more to know");
}

/// A node that was taken for dead points to one that is dead by now, where the name was stopped.
/// The others have settled that, and follow nobody who forgets the stop before the pointer.
#[test]
fn a_pointer_goes_with_the_tombstone_that_outranks_it() {
    let mut n1 = Played::new(&[2, 3]);
    n1.append(named(1, 1));
    let stopped = Token::new(2, node(2).boot);
    let of_2 = closed(n1.first_of_2(&Fact::Ended {
        name: called("room"),
        token: stopped,
        why: Why::Stopped,
    }));
    let why = Why::GoneTo { log: node(2), token: stopped };
    let token = Token::new(1, node(1).boot);
    n1.append(Fact::Ended { name: called("room"), token, why });
    n1.registry.session_down(n1.now, &node(2));
    n1.registry.node_dead(n1.now, &node(2));
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free);
    n1.lists(3, &[n1.mark_of(1), Mark { state: Held::Buried, ..of_2 }]);
    n1.wait();
    assert!(!n1.holds(2));
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free);
    assert_eq!(n1.registry.epoch(&called("room")), 0, "nothing is left");
}

/// This node ended the name while it took the other for dead, and forgot it together with the
/// other's log. The other comes back with a pointer to a claim that nobody has any more.
#[test]
fn a_pointer_to_a_node_that_has_forgotten_the_name_is_answered_with_its_end() {
    let mut n1 = Played::new(&[2]);
    let token = Token::new(2, node(1).boot);
    let why = Why::GoneTo { log: node(1), token };
    let gone = Fact::Ended { name: called("room"), token: Token::new(1, node(2).boot), why };
    n1.first_facts_of(2, &[named(2, 1), gone]);
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free, "and not pending for ever");
    assert_eq!(n1.registry.highest(&called("room")), Some(token), "the others read the end here");
}

/// Seed 19138 of `seeds`: the pointer came on a session with a node that nobody had told of,
/// and the tombstone that answers it was let go of before the pointer counted.
#[test]
fn a_tombstone_stays_for_what_does_not_count_yet() {
    let mut n1 = Played::new(&[2]);
    let token = Token::new(2, node(1).boot);
    n1.append(named(1, 2));
    n1.append(Fact::Ended { name: called("room"), token, why: Why::Stopped });
    n1.registry.session_up(n1.now, node(3));
    let why = Why::GoneTo { log: node(1), token };
    let gone = Fact::Ended { name: called("room"), token: Token::new(1, node(3).boot), why };
    n1.first_facts_of(3, &[named(3, 1), gone]);
    for _ in 0..2 {
        n1.lists(2, &[n1.mark_of(1), n1.mark_of(3)]);
        n1.wait();
    }
    n1.registry.node_up(n1.now, node(3));
    n1.lists(3, &[n1.mark_of(1), n1.mark_of(3)]);
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free, "and not pending for ever");
}

/// The peers buried two dead logs together, a claim and the stop that outranks it, and this node
/// hears of the stop's log alone.
#[test]
fn a_tombstone_is_kept_where_what_it_outranks_stays() {
    let mut n1 = Played::new(&[2, 3, 4]);
    let of_2 = n1.first_of(2, &named(2, 1));
    let token = Token::new(2, node(4).boot);
    let stopped = Fact::Ended { name: called("room"), token, why: Why::Stopped };
    let of_4 = n1.first_of(4, &stopped);
    for dead in [2, 4] {
        n1.registry.session_down(n1.now, &node(dead));
        n1.registry.node_dead(n1.now, &node(dead));
    }
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free);
    n1.lists(3, &[n1.mark_of(1), closed(of_2.clone()), Mark { state: Held::Buried, ..of_4 }]);
    n1.wait();
    assert!(!n1.holds(4) && n1.registry.caught_up());
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free);
    n1.lists(3, &[n1.mark_of(1), closed(of_2)]);
    n1.wait();
    assert!(!n1.holds(2));
    n1.lists(3, &[n1.mark_of(1)]);
    n1.wait();
    assert_eq!(n1.registry.epoch(&called("room")), 0, "nothing is left");
    assert!(n1.registry.next_epoch(&called("room")) > 2, "the stop may be left elsewhere");
}

/// The dead log that is still to come has a claim which the tombstone here outranks. Found by a
/// search of all states: the name came back.
#[test]
fn a_tombstone_stays_while_more_of_the_dead_is_to_come() {
    let mut n1 = Played::new(&[2, 3, 4]);
    let token = Token::new(2, node(4).boot);
    let stopped = Fact::Ended { name: called("room"), token, why: Why::Stopped };
    let of_4 = closed(n1.first_of(4, &stopped));
    for dead in [2, 4] {
        n1.registry.session_down(n1.now, &node(dead));
        n1.registry.node_dead(n1.now, &node(dead));
    }
    let more = Mark { position: 1, digest: 7, ..closed(nothing_of(2)) };
    n1.lists(3, &[n1.mark_of(1), more, of_4.clone()]);
    n1.wait();
    assert!(n1.holds(4), "n3 has a log whose claims it may outrank");
    n1.lists(3, &[n1.mark_of(1), closed(n1.mark_of(2)), of_4]);
    n1.wait();
    assert!(!n1.holds(4), "there is none");
}

/// A peer has buried a log, and more of it comes from another before this node follows. Found by
/// a search of all states: the claim that came was lost.
#[test]
fn what_a_peer_has_not_buried_stays() {
    let mut n1 = Played::new(&[2, 3, 4]);
    let first = n1.first_of_2(&named(2, 1));
    n1.registry.session_down(n1.now, &node(2));
    n1.registry.node_dead(n1.now, &node(2));
    // It will follow once it has read as much of n4's log as n3 had.
    let of_4 = Mark { position: 1, digest: 7, ..nothing_of(4) };
    n1.lists(3, &[n1.mark_of(1), of_4, Mark { state: Held::Buried, ..first }]);
    assert!(!n1.registry.caught_up(), "it waits");
    n1.registry.session_up(n1.now, node(2));
    n1.first_facts_of(2, &[named(2, 1), named(2, 3)]);
    assert_eq!(n1.mark_of(2).position, 2);
    n1.first_of(4, &Fact::Exited { pid: Pid::new(node(4).boot, 1) });
    n1.wait();
    assert!(n1.holds(2), "nobody has let go of the second claim");
}

/// Seed 411 of the chaos: the dead log's tombstone outranked this node's, which waited for the
/// last dead log to go.
#[test]
fn tombstones_do_not_wait_for_each_other() {
    let mut n1 = Played::new(&[2, 3]);
    let token = Token::new(2, node(2).boot);
    let ended = Fact::Ended { name: called("room"), token, why: Why::Stopped };
    n1.append(named(1, 1));
    let of_2 = closed(n1.first_of_2(&ended));
    let token = Token::new(1, node(1).boot);
    n1.append(Fact::Ended { name: called("room"), token, why: Why::Stopped });
    assert_eq!(n1.registry.epoch(&called("room")), 2, "both have left a tombstone");
    n1.registry.session_down(n1.now, &node(2));
    n1.registry.node_dead(n1.now, &node(2));
    n1.lists(3, &[n1.mark_of(1), of_2]);
    n1.wait();
    assert!(!n1.holds(2));
    n1.lists(3, &[n1.mark_of(1)]);
    n1.wait();
    assert_eq!(n1.registry.epoch(&called("room")), 0);
}

/// R1: facts of a live node come from itself, or around a cut link.
#[test]
fn only_the_writer_speaks_for_itself_while_it_can() {
    let mut n1 = Played::new(&[2, 3]);
    let mut n2 = Played::of(2);
    n2.registry.node_up(n2.now, node(1));
    n2.registry.session_up(n2.now, node(1));
    n2.lists(1, &[nothing_of(2)]);
    n2.append(named(2, 1));
    let facts = n2.sent.pop().expect("facts").1;
    n1.hear(3, facts.clone());
    assert_eq!(n1.registry.position(&node(2)), 0);
    assert_eq!(n1.registry.rejected().collect::<Vec<_>>(), [(Rejection::NotTheWriter, 1)]);
    n1.registry.session_down(n1.now, &node(2));
    n1.hear(3, facts);
    assert_eq!(n1.registry.position(&node(2)), 1);
    assert!(matches!(n1.registry.resolve(&called("room")), Resolution::Held { .. }));
}

/// A name whose claims are all gone is free at once; nothing waits for its tombstone.
/// Without a tombstone nothing of a stopped name is left but its epoch: who has it next would else
/// hold the token of who had it, and a fence would let both through.
#[test]
fn who_has_a_name_next_is_above_who_was_stopped() {
    let mut n1 = Played::new(&[2, 3]);
    let named = |epoch| match named(1, 1) {
        Fact::Named(claim) => {
            Fact::Named(swarm_registry::Claim { token: Token::new(epoch, node(1).boot), ..claim })
        }
        other => panic!("{other:?}"),
    };
    for epoch in 1..4 {
        assert_eq!(n1.registry.next_epoch(&called("room")), epoch);
        n1.append(named(epoch));
        let token = Token::new(epoch, node(1).boot);
        n1.append(Fact::Ended { name: called("room"), token, why: Why::Stopped });
        assert_eq!(n1.registry.epoch(&called("room")), 0, "it has left no tombstone");
    }
    // A node that comes later stands above it too.
    let told = n1.sent.iter().any(|(_, sent)| matches!(sent, Message::Released { epoch: 1.. }));
    assert!(!told, "there was nothing to tell when these came");
    n1.registry.session_down(n1.now, &node(3));
    n1.registry.session_up(n1.now, node(3));
    n1.poll();
    assert!(n1.sent.contains(&(node(3), Message::Released { epoch: 3 })));
    n1.hear(2, Message::Released { epoch: 9 });
    n1.hear(3, Message::Released { epoch: u64::MAX });
    assert_eq!(n1.registry.next_epoch(&called("room")), u64::MAX, "no overflow");
}

/// R5: a start or a restart just before its node died may have handed out tokens that nobody heard
/// of. At the next epoch the boot would decide, and a fence could hold off the successor for ever.
#[test]
fn who_starts_a_name_of_a_dead_node_is_above_what_that_may_have_handed_out() {
    let mut n1 = Played::new(&[2, 3]);
    n1.first_of(2, &named(2, 1));
    n1.registry.session_down(n1.now, &node(2));
    n1.registry.node_dead(n1.now, &node(2));
    let next = n1.registry.next_epoch(&called("room"));
    assert!(next > 60_000, "{next}");
    assert_eq!(n1.registry.next_epoch(&called("hall")), next, "nobody has heard of this one");
    n1.registry.node_up(n1.now, node(2));
    n1.registry.node_dead(n1.now, &node(2));
    assert!(n1.registry.next_epoch(&called("hall")) > next + 60_000, "it was back for a while");
}

#[test]
fn a_stop_needs_no_tombstone_where_nothing_could_bring_the_name_back() {
    let mut n1 = Played::new(&[2]);
    n1.append(named(1, 1));
    let token = Token::new(1, node(1).boot);
    n1.append(Fact::Ended { name: called("room"), token, why: Why::Stopped });
    assert_eq!(n1.registry.epoch(&called("room")), 0);
    n1.append(named(1, 1));
    n1.registry.node_dead(n1.now, &node(9));
    n1.append(Fact::Ended { name: called("room"), token, why: Why::Stopped });
    assert_eq!(n1.registry.epoch(&called("room")), 1, "a dead node's log may have the name");
    assert_eq!(n1.registry.resolve(&called("room")), Resolution::Free);
}
