//! What the reconciler plans, name by name, and that it neither spins nor forgets.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use swarm_base::{Boot, Instant, Name, NodeId, NodeName, Rng};
use swarm_handoff::{Acting, Action, Checked, Is, Placement, Reconciler, Should};

const ALL: Acting = Acting { decides: true, slots: 32 };
const NONE: Acting = Acting { decides: false, slots: 32 };

#[test]
fn each_place_asks_for_its_action() {
    let here = Is::Here { movable: true, moving: false };
    let (mine, theirs) = (Should::Node(node("me")), Should::Node(node("you")));
    let movement = Action::Move { name: name("n"), to: node("you") };
    for (should, is, action, waits) in [
        (mine.clone(), Is::Free, None, false),
        (theirs.clone(), Is::Free, None, false),
        (mine.clone(), here.clone(), None, false),
        (theirs.clone(), here.clone(), Some(movement), true),
        (theirs.clone(), Is::Here { movable: false, moving: false }, None, false),
        (theirs.clone(), Is::Here { movable: true, moving: true }, None, true),
        (Should::Nobody, here.clone(), None, false),
        (Should::Unknown, here, None, true),
        (mine.clone(), Is::There(node("you")), None, false),
        (mine.clone(), Is::Pending, None, true),
        (mine, Is::Orphan, Some(Action::Start(name("n"))), true),
        (theirs, Is::Orphan, None, true),
        (Should::Nobody, Is::Orphan, None, false),
        (Should::Unknown, Is::Orphan, None, true),
    ] {
        let (mut reconciler, view) = (reconciler(), View::default());
        view.put("n", should.clone(), is.clone());
        reconciler.mark(name("n"));
        let planned = reconciler.plan(at(0), &view, 10, ALL);
        assert_eq!(planned, Vec::from_iter(action), "{should:?} {is:?}");
        assert_eq!(reconciler.marked() == 1, waits, "{should:?} {is:?}");
        assert_eq!(reconciler.plan(at(0), &view, 10, ALL), [], "nothing is planned twice at once");
    }
}

#[test]
fn an_action_is_planned_again_ever_more_slowly_until_it_has_its_effect() {
    let (mut reconciler, view) = (reconciler(), View::default());
    view.put("n", Should::Node(node("me")), Is::Orphan);
    reconciler.mark(name("n"));
    let mut planned = Vec::new();
    for now in (0..70_000).step_by(100) {
        // Marking it over and over does not bring it forward.
        reconciler.mark(name("n"));
        if without_sweeps(reconciler.plan(at(now), &view, 10, ALL)) == [Action::Start(name("n"))] {
            planned.push(now);
        }
    }
    // It doubles from 1 s, up to 7 s.
    let doubling = [0, 1000, 3000].into_iter();
    assert_eq!(planned, doubling.chain((7000..70_000).step_by(7000)).collect::<Vec<_>>());
    view.put("n", Should::Node(node("me")), Is::Here { movable: true, moving: false });
    reconciler.mark(name("n"));
    reconciler.plan(at(70_000), &view, 10, ALL);
    assert_eq!(reconciler.marked(), 0);
    view.put("n", Should::Node(node("me")), Is::Orphan);
    reconciler.mark(name("n"));
    let planned = without_sweeps(reconciler.plan(at(70_000), &view, 10, ALL));
    assert_eq!(planned, [Action::Start(name("n"))], "orphaned anew, started at once");
}

#[test]
fn another_action_does_not_wait_for_the_first_to_be_due_again() {
    let (mut reconciler, view) = (reconciler(), View::default());
    let here = Is::Here { movable: true, moving: false };
    for to in ["you", "them"] {
        view.put("n", Should::Node(node(to)), here.clone());
        reconciler.mark(name("n"));
        let planned = reconciler.plan(at(0), &view, 10, ALL);
        assert_eq!(planned, [Action::Move { name: name("n"), to: node(to) }]);
    }
}

#[test]
fn moves_wait_for_slots_and_a_still_ring_but_starts_do_not() {
    let (mut reconciler, view) = (reconciler(), View::default());
    for index in 0..5 {
        let here = Is::Here { movable: true, moving: false };
        view.put(&format!("move-{index}"), Should::Node(node("you")), here);
    }
    view.put("start", Should::Node(node("me")), Is::Orphan);
    reconciler.ring_changed(at(0));
    reconciler.mark_all(view.names());
    let acting = Acting { decides: true, slots: 2 };
    let planned = without_sweeps(reconciler.plan(at(0), &view, 100, acting));
    assert_eq!(planned, [Action::Start(name("start"))]);
    assert_eq!(reconciler.poll_timeout(), Some(at(300)), "when the hold-down is over");
    assert_eq!(reconciler.plan(at(299), &view, 100, acting), []);
    assert_eq!(reconciler.plan(at(300), &view, 100, acting).len(), 2, "as many as slots");
    assert_eq!(reconciler.poll_timeout(), Some(at(1000)), "no slot is left: nothing to spin for");
    assert_eq!(reconciler.plan(at(301), &view, 100, Acting { decides: true, slots: 1 }).len(), 1);
}

#[test]
fn a_ring_that_flaps_holds_moves_back_but_not_for_ever() {
    let (mut reconciler, view) = (reconciler(), View::default());
    view.put("n", Should::Node(node("you")), Is::Here { movable: true, moving: false });
    reconciler.mark(name("n"));
    let mut moved = None;
    for now in (0..5000).step_by(200) {
        reconciler.ring_changed(at(now));
        if !without_sweeps(reconciler.plan(at(now), &view, 10, ALL)).is_empty() {
            moved = moved.or(Some(now));
        }
    }
    assert_eq!(moved, Some(3000));
}

#[test]
fn a_node_that_comes_and_goes_gets_nothing_until_it_stays() {
    let (mut reconciler, view) = (reconciler(), View::default());
    let you = node("you");
    view.put("n", Should::Node(you.clone()), Is::Here { movable: true, moving: false });
    let moves = |now: u64, reconciler: &mut Reconciler| {
        reconciler.mark(name("n"));
        !without_sweeps(reconciler.plan(at(now), &view, 10, ALL)).is_empty()
    };
    // It comes for the first time: what moves there is settled at once.
    reconciler.node_joined(at(0), &you.name);
    assert!(moves(0, &mut reconciler));
    let mut moved = Vec::new();
    for now in (2_000..14_000).step_by(100) {
        match now % 2_000 {
            0 if now < 12_000 => reconciler.node_left(at(now), &you.name),
            300 if now < 12_000 => reconciler.node_joined(at(now), &you.name),
            _ if now % 2_000 < 300 && now < 12_000 => continue,
            _ => (),
        }
        if now % 2_000 != 0 && moves(now, &mut reconciler) {
            moved.push(now);
        }
    }
    assert_eq!(moved.first(), Some(&12_300), "two seconds after it came last");

    // Who was away for long is as good as new.
    reconciler.node_left(at(20_000), &you.name);
    reconciler.node_joined(at(30_000), &you.name);
    reconciler.ring_changed(at(30_000));
    assert!(moves(30_300, &mut reconciler));
}

#[test]
fn starts_and_moves_wait_for_agreement_without_spinning() {
    let start = (Should::Node(node("me")), Is::Orphan, Action::Start(name("n")));
    // Who has not agreed may hold its target dead, and would start the name once more.
    let to = node("you");
    let here = Is::Here { movable: true, moving: false };
    let action = Action::Move { name: name("n"), to: to.clone() };
    for (should, is, action) in [start, (Should::Node(to), here, action)] {
        let (mut reconciler, view) = (reconciler(), View::default());
        view.put("n", should, is);
        reconciler.mark(name("n"));
        assert_eq!(reconciler.plan(at(0), &view, 10, NONE), []);
        assert_eq!(reconciler.poll_timeout(), Some(at(1000)));
        assert_eq!(reconciler.plan(at(1), &view, 10, NONE), []);
        assert_eq!(view.looks(), 1, "it is not looked at in vain");
        assert_eq!(reconciler.plan(at(2), &view, 10, ALL), [action]);
    }
}

#[test]
fn an_orphan_that_its_owner_leaves_alone_is_handed_to_it() {
    let (mut reconciler, view) = (reconciler(), View::default());
    view.put("n", Should::Node(node("you")), Is::Orphan);
    reconciler.mark(name("n"));
    assert_eq!(reconciler.plan(at(0), &view, 10, NONE), []);
    assert_eq!(reconciler.poll_timeout(), Some(at(2000)));
    let adopt = Action::Adopt { name: name("n"), to: node("you") };
    let adopt = std::slice::from_ref(&adopt);
    assert_eq!(reconciler.plan(at(2000), &view, 10, NONE), adopt);
    assert_eq!(reconciler.plan(at(5999), &view, 10, NONE), []);
    assert_eq!(reconciler.plan(at(6000), &view, 10, NONE), adopt);
    view.put("n", Should::Node(node("you")), Is::There(node("you")));
    reconciler.mark(name("n"));
    assert_eq!((reconciler.plan(at(6001), &view, 10, NONE), reconciler.marked()), (vec![], 0));
}

#[test]
fn what_cannot_begin_is_postponed_and_a_mark_brings_it_forward() {
    let (mut reconciler, view) = (reconciler(), View::default());
    view.put("n", Should::Node(node("you")), Is::Here { movable: true, moving: false });
    reconciler.mark(name("n"));
    let movement = [Action::Move { name: name("n"), to: node("you") }];
    assert_eq!(reconciler.plan(at(0), &view, 10, ALL), movement);
    reconciler.postpone(name("n"), at(7000));
    assert_eq!(reconciler.plan(at(6999), &view, 10, ALL), []);
    assert_eq!(reconciler.plan(at(7000), &view, 10, ALL), movement);
    reconciler.postpone(name("n"), at(9000));
    reconciler.mark(name("n"));
    assert_eq!(reconciler.plan(at(7001), &view, 10, ALL), movement);
    // A change of the ring makes every plan void.
    reconciler.ring_changed(at(7002));
    reconciler.mark(name("n"));
    assert_eq!(without_sweeps(reconciler.plan(at(7302), &view, 10, ALL)), movement);
}

#[test]
fn a_sweep_comes_with_every_change_of_the_ring_and_else_every_ten_seconds() {
    let (mut reconciler, view) =
        (Reconciler::new(at(0), config(), node("me"), Rng::new(1)), View::default());
    let mut sweeps = Vec::new();
    for now in (0..60_000).step_by(50) {
        if now == 15_000 {
            reconciler.ring_changed(at(now));
        }
        if reconciler.plan(at(now), &view, 10, ALL) == [Action::Sweep] {
            sweeps.push(now);
        }
    }
    assert_eq!(sweeps[0], 0);
    assert!(sweeps.contains(&15_000), "{sweeps:?}");
    for pair in sweeps.windows(2) {
        assert!(pair[1] == 15_000 || (9000..=11_050).contains(&(pair[1] - pair[0])), "{sweeps:?}");
    }
    view.put("unused", Should::Nobody, Is::Free);
}

/// A cluster's worth of names whose places change at random, on one node: in the end each is
/// where it should be, whatever the budget, the slots and the order were.
#[test]
fn every_name_gets_where_it_should_be() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let (mut reconciler, view) = (reconciler(), View::default());
        let mut now = 0;
        for round in 0..400 {
            let calm = round > 200;
            let changed = format!("n{}", rng.below(20));
            if !calm {
                let owner = ["me", "you", "them"][rng.below(3) as usize];
                let is = match rng.below(3) {
                    0 => Is::Here { movable: true, moving: false },
                    1 => Is::Orphan,
                    _ => Is::Pending,
                };
                view.put(&changed, Should::Node(node(owner)), is);
                // Some changes are missed: the sweep is for those.
                if rng.chance(700) {
                    reconciler.mark(name(&changed));
                }
                if rng.chance(50) {
                    reconciler.ring_changed(at(now));
                }
            }
            let acting = Acting { decides: calm || rng.chance(500), slots: rng.below(3) as usize };
            let budget = 1 + rng.below(8) as usize;
            let mut actions = VecDeque::from(reconciler.plan(at(now), &view, budget, acting));
            while let Some(action) = actions.pop_front() {
                match action {
                    Action::Sweep => {
                        let names = view.names().into_iter();
                        actions.extend(names.filter_map(|name| reconciler.sweep(&view, name)));
                    }
                    Action::Start(name) => view.move_to(&name, "me"),
                    Action::Move { name, to } | Action::Adopt { name, to } => {
                        // At first half of them fail.
                        if calm || rng.chance(500) {
                            view.move_to(&name, to.name.as_str());
                        }
                    }
                }
            }
            if calm {
                view.settle_pending();
            }
            now += rng.below(1000);
        }
        assert_eq!(view.misplaced(), Vec::<Name>::new(), "seed {seed}");
    }
}

#[test]
fn a_sweep_looks_at_what_was_missed_and_leaves_what_waits_to_its_turn() {
    let (mut reconciler, view) = (reconciler(), View::default());
    let here = Is::Here { movable: true, moving: false };
    for text in ["missed", "waiting"] {
        view.put(text, Should::Node(node("you")), here.clone());
    }
    view.put("orphan", Should::Node(node("you")), Is::Orphan);
    view.put("home", Should::Node(node("me")), here);
    reconciler.mark_all([name("waiting"), name("orphan")]);
    let acting = Acting { decides: true, slots: 0 };
    assert_eq!(reconciler.plan(at(0), &view, 10, acting), []);
    let looks = view.looks();
    for text in ["waiting", "orphan"] {
        assert_eq!(reconciler.sweep(&view, name(text)), None);
    }
    assert_eq!(view.looks(), looks, "one has its turn, the other its moment");
    assert_eq!(reconciler.sweep(&view, name("home")), None);
    assert_eq!(reconciler.marked(), 2, "where nothing is to be done nothing is kept");
    reconciler.plan(at(1), &view, 0, Acting { decides: true, slots: 1 });
    let movement = Action::Move { name: name("missed"), to: node("you") };
    assert_eq!(reconciler.sweep(&view, name("missed")), Some(movement));
    assert_eq!(reconciler.plan(at(2), &view, 10, acting), [], "the slot is used up");
    // A change of the ring may have made an owner of who was to be handed the orphan.
    view.put("orphan", Should::Node(node("me")), Is::Orphan);
    reconciler.ring_changed(at(3));
    without_sweeps(reconciler.plan(at(3), &view, 0, acting));
    assert_eq!(reconciler.sweep(&view, name("orphan")), Some(Action::Start(name("orphan"))));
}

/// Where names are and should be, and how often anybody looked.
#[derive(Default)]
struct View(RefCell<BTreeMap<Name, (Should, Is)>>, RefCell<usize>);

impl View {
    fn put(&self, text: &str, should: Should, is: Is) {
        self.0.borrow_mut().insert(name(text), (should, is));
    }

    fn names(&self) -> Vec<Name> {
        self.0.borrow().keys().cloned().collect()
    }

    fn looks(&self) -> usize {
        *self.1.borrow()
    }

    fn move_to(&self, name: &Name, to: &str) {
        if let Some((_, is)) = self.0.borrow_mut().get_mut(name) {
            let here = Is::Here { movable: true, moving: false };
            *is = if to == "me" { here } else { Is::There(node(to)) };
        }
    }

    fn settle_pending(&self) {
        for (_, is) in self.0.borrow_mut().values_mut().filter(|(_, is)| *is == Is::Pending) {
            *is = Is::Orphan;
        }
    }

    fn misplaced(&self) -> Vec<Name> {
        let placed = |should: &Should, is: &Is| match is {
            Is::Here { .. } => *should == Should::Node(node("me")),
            Is::There(_) => true,
            _ => false,
        };
        let view = self.0.borrow();
        let names = view.iter().filter(|(_, (should, is))| !placed(should, is));
        names.map(|(name, _)| name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Placement for View {
    fn owner(&self, name: &Name) -> Should {
        self.0.borrow()[name].0.clone()
    }

    fn is(&self, name: &Name) -> Is {
        *self.1.borrow_mut() += 1;
        self.0.borrow()[name].1.clone()
    }
}

/// A reconciler whose first sweep is over.
fn reconciler() -> Reconciler {
    let mut reconciler = Reconciler::new(at(0), config(), node("me"), Rng::new(1));
    assert_eq!(reconciler.plan(at(0), &View::default(), 0, NONE), [Action::Sweep]);
    reconciler
}

fn without_sweeps(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|action| *action != Action::Sweep).collect()
}

fn config() -> Checked {
    Checked::default()
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn node(name: &str) -> NodeId {
    NodeId::new(NodeName::new(name).expect("a node name"), Boot::default())
}

fn at(millis: u64) -> Instant {
    Instant::after_start(Duration::from_millis(millis))
}
