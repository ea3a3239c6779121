//! For each checker a history that it lets pass, and one that it does not.

use super::*;
use crate::member::{Member, Temper};
use crate::news::{Answer, End, Grant, How, News, Question};
use std::time::Duration;
use swarm_base::{Boot, Instant, Name, NodeId, NodeName, Pid, Token};
use swarm_registry::{At, Bytes, Claim, Config, Event, Fact, Spec, State, Why};
use swarm_sim::{Action, Faults, Violation, World, addr};

/// Nodes who know each other and have nothing, and what is true of them.
struct Story {
    world: World<SimNode>,
    truth: Shared,
}

impl Story {
    fn new(n_nodes: u16) -> Self {
        let mut story = Self { world: World::new(1, Faults::calm()), truth: Shared::default() };
        story.world.check(crate::truth::Witness(Rc::clone(&story.truth)));
        (1..=n_nodes).for_each(|n| story.start(n, n_nodes));
        story.run(3_000);
        assert_eq!(lack(&story.truth.borrow(), story.world.hosts()), None);
        story
    }

    fn start(&mut self, n: u16, n_nodes: u16) {
        let addrs: Vec<_> = (1..=n_nodes).map(addr).collect();
        let (now, rng) = (self.world.now(), self.world.rng(addr(n)));
        let config = Config::default().check().expect("the defaults");
        let temper = Temper { is_careful: true, start_max: Duration::ZERO, args_len: 4 };
        let member = Member::new(now, id(n), config, temper, rng);
        let node = SimNode::new(now, addr(n), &addrs, member, Rc::clone(&self.truth));
        self.truth.borrow_mut().started(addr(n), id(n));
        self.world.insert(addr(n), node);
    }

    fn run(&mut self, millis: u64) {
        self.world.run_for(Duration::from_millis(millis)).expect("the witness objects to nothing");
    }

    fn with<R>(&mut self, n: u16, f: impl FnOnce(&mut Member, Instant) -> R) -> R {
        self.world.with(addr(n), |node, now| f(node.member_mut(), now))
    }

    /// Claims a name on node `n`, for a process that runs or that does not.
    fn claim(&mut self, n: u16, name: &str, epoch: u64, serial: u64) {
        let at = At::Running(pid(n, serial));
        let token = Token::new(epoch, id(n).boot);
        let spec = Some(Spec { kind: "device".into(), args: Bytes::default() });
        let claim = Claim { spec, ..Claim::new(called(name), token, at) };
        self.with(n, |member, now| member.registry.append(now, Fact::Named(claim)));
    }

    /// Really runs a process on node `n`, and says so.
    fn spawn(&mut self, n: u16, name: &str, serial: u64) {
        self.tell(began(n, name, serial, How::Registered));
        self.with(n, |member, _| member.processes.insert(pid(n, serial), called(name)));
    }

    fn tell(&self, news: News) {
        self.truth.borrow_mut().observe(self.world.now(), &news);
    }

    fn observe(
        &self,
        check: &mut dyn Check<SimNode>,
        n: u16,
        news: &News,
    ) -> Result<(), Violation> {
        check.observe(self.world.now(), addr(n), news, self.world.hosts())
    }

    fn step(&self, check: &mut dyn Check<SimNode>, n: u16) -> Result<(), Violation> {
        check.step(self.world.now(), addr(n), self.world.hosts())
    }

    fn finish(&self, check: &mut dyn Check<SimNode>) -> Result<(), Violation> {
        check.finish(self.world.now(), self.world.hosts())
    }

    fn truth(&self) -> Shared {
        Rc::clone(&self.truth)
    }
}

fn id(n: u16) -> NodeId {
    let name = NodeName::new(format!("n{n}")).expect("a name");
    NodeId::new(name, Boot { millis: 1, random: u64::from(n) })
}

fn pid(n: u16, serial: u64) -> Pid {
    Pid::new(id(n).boot, serial)
}

fn called(name: &str) -> Name {
    Name::new(name).expect("a name")
}

fn meta(byte: u8) -> Bytes {
    Bytes::new([byte]).expect("short")
}

fn began(n: u16, name: &str, serial: u64, how: How) -> News {
    News::Began { name: called(name), pid: pid(n, serial), how }
}

fn ended(n: u16, name: &str, serial: u64, position: u64, why: End) -> News {
    News::Ended { name: called(name), pid: pid(n, serial), position, why }
}

fn changed(name: &str, was: Option<Pid>, now: Option<Pid>) -> News {
    let (name, kind, token, state) = (called(name), None, Token::default(), State::Held);
    News::Log(Event::Changed { name, was, now, kind, token, state })
}

fn joined(group: &str, n: u16, serial: u64) -> News {
    let (group, pid, node) = (called(group), pid(n, serial), id(n));
    News::Log(Event::Joined { group, pid, node, meta: meta(1) })
}

fn applied(n: u16, position: u64) -> News {
    News::Log(Event::Applied { log: id(n), position })
}

fn registered(n: u16, name: &str, serial: u64) -> News {
    let token = Token::new(1, id(n).boot);
    let grant = Grant { name: called(name), pid: pid(n, serial), token, log: id(n), position: 1 };
    News::Answered { id: 1, answer: Answer::Registered(grant) }
}

#[track_caller]
fn check(verdict: &Result<(), Violation>, is_right: bool) {
    assert_eq!(verdict.is_ok(), is_right, "{verdict:?}");
}

#[test]
fn g1_sees_one_log_in_two_states() {
    let mut story = Story::new(2);
    story.claim(1, "a", 1, 1);
    story.run(1_000);
    let mut g1 = equality::Equality::new(story.truth(), Kind::Storm);
    let states = |story: &Story, n| {
        equality::states(&story.truth.borrow(), story.world.host(addr(n)).member())
    };
    story.tell(changed("a", None, Some(pid(1, 1))));
    for (log, position, state) in [states(&story, 1), states(&story, 2)].concat() {
        assert_eq!(g1.judge(&log, position, state), Ok(()));
    }
    let before = states(&story, 1);
    story.claim(1, "a", 1, 2);
    let after = states(&story, 1);
    assert!(g1.judge(&after[0].0, before[0].1, after[0].2).is_err());
    check(&story.finish(&mut equality::Equality::new(story.truth(), Kind::Storm)), false);
    story.run(1_000);
    check(&story.finish(&mut equality::Equality::new(story.truth(), Kind::Storm)), true);
    let rolled_back = News::Log(Event::RolledBack { peer: id(2), position: 9 });
    check(&story.observe(&mut g1, 1, &rolled_back), false);
}

#[test]
fn g1_sees_what_does_not_follow() {
    fn judge(events: &[News]) -> Result<(), String> {
        let mut stories = stories::Stories::default();
        events.iter().try_for_each(|news| match news {
            News::Log(event) => stories.judge(&id(9), event),
            _ => Ok(()),
        })
    }
    let left = || News::Log(Event::Left { group: called("g"), pid: pid(1, 1), node: id(1) });
    assert_eq!(judge(&[changed("a", None, Some(pid(1, 1)))]), Ok(()));
    assert!(judge(&[changed("a", Some(pid(1, 1)), None)]).is_err());
    assert!(judge(&[changed("a", None, Some(pid(1, 1))), changed("a", None, None)]).is_err());
    assert_eq!(judge(&[joined("g", 1, 1), joined("g", 1, 1), left()]), Ok(()));
    assert!(judge(&[joined("g", 1, 1), left(), left()]).is_err());
}

#[test]
fn g1_sees_tables_that_were_not_told_of() {
    let mut story = Story::new(1);
    let mut told = stories::Stories::default();
    check(&story.finish(&mut told), true);
    story.claim(1, "a", 1, 1);
    check(&story.finish(&mut told), false);
    check(&story.observe(&mut told, 1, &changed("a", None, Some(pid(1, 1)))), true);
    check(&story.finish(&mut told), true);
}

#[test]
fn g2_sees_a_name_that_runs_twice() {
    let mut story = Story::new(2);
    let mut g2 = owners::Owners::new(story.truth(), Kind::Deaths);
    story.spawn(1, "a", 1);
    check(&story.observe(&mut g2, 1, &began(1, "a", 1, How::Registered)), true);
    story.claim(1, "a", 1, 1);
    story.run(1_000);
    check(&story.finish(&mut g2), true);
    story.spawn(2, "a", 1);
    check(&story.observe(&mut g2, 2, &began(2, "a", 1, How::Orphan)), false);
    check(&story.observe(&mut g2, 2, &began(2, "a", 1, How::Moved(pid(1, 1)))), true);
    check(&story.finish(&mut g2), false);
}

#[test]
fn g2_sees_a_claim_without_its_process() {
    let mut story = Story::new(2);
    story.claim(1, "a", 1, 1);
    story.run(1_000);
    check(&story.finish(&mut owners::Owners::new(story.truth(), Kind::Storm)), false);
}

#[test]
fn g3_sees_a_registration_that_nobody_knows() {
    let mut story = Story::new(2);
    let mut g3 = kept::Kept::new(story.truth());
    check(&story.observe(&mut g3, 2, &registered(1, "a", 1)), true);
    story.tell(began(1, "a", 1, How::Registered));
    check(&story.finish(&mut g3), false);
    story.claim(1, "a", 1, 1);
    story.run(1_000);
    check(&story.finish(&mut g3), true);
    story.claim(1, "a", 1, 2);
    check(&story.finish(&mut g3), false);
    story.tell(ended(1, "a", 1, 2, End::Exit));
    check(&story.finish(&mut g3), true);
}

#[test]
fn g4_sees_who_comes_back() {
    let story = Story::new(3);
    let mut g4 = ghosts::Ghosts::new(story.truth(), Kind::Storm);
    let shown = changed("a", None, Some(pid(1, 1)));
    check(&story.observe(&mut g4, 2, &shown), true);
    check(&story.observe(&mut g4, 1, &ended(1, "a", 1, 2, End::Exit)), true);
    check(&story.observe(&mut g4, 2, &applied(1, 1)), true);
    check(&story.observe(&mut g4, 2, &shown), true);
    check(&story.observe(&mut g4, 2, &applied(1, 2)), true);
    check(&story.observe(&mut g4, 2, &shown), false);
    check(&story.observe(&mut g4, 3, &shown), true);
    // Nobody has ever met the fourth node.
    check(&story.observe(&mut g4, 2, &changed("a", None, Some(pid(4, 1)))), false);
}

#[test]
fn g4_sees_who_stays() {
    let mut story = Story::new(2);
    let mut g4 = ghosts::Ghosts::new(story.truth(), Kind::Deaths);
    story.claim(1, "a", 1, 1);
    story.run(1_000);
    check(&story.finish(&mut g4), false);
    story.tell(began(1, "a", 1, How::Registered));
    check(&story.finish(&mut g4), true);
    check(&story.observe(&mut g4, 1, &ended(1, "a", 1, 2, End::Exit)), true);
    for _ in 0..2 {
        check(&story.step(&mut g4, 2), true);
        story.run(2_900);
    }
    check(&story.step(&mut g4, 2), true);
    story.run(2_000);
    check(&story.step(&mut g4, 2), false);
}

#[test]
fn g5_sees_who_does_not_find_what_it_was_granted() {
    let mut story = Story::new(2);
    let mut g5 = grants::Grants::new(story.truth());
    check(&story.observe(&mut g5, 2, &registered(1, "a", 1)), true);
    story.tell(began(1, "a", 1, How::Registered));
    check(&story.observe(&mut g5, 2, &registered(1, "a", 1)), false);
    story.claim(1, "a", 1, 1);
    // Its owner has it, and the caller does not know yet.
    check(&story.observe(&mut g5, 1, &registered(1, "a", 1)), true);
    check(&story.observe(&mut g5, 2, &registered(1, "a", 1)), false);
    story.run(1_000);
    check(&story.observe(&mut g5, 2, &registered(1, "a", 1)), true);
}

#[test]
fn g6_sees_a_stopped_name_that_comes_back() {
    let story = Story::new(2);
    let mut g6 = removal::Removal::new(story.truth());
    let shown = changed("a", None, Some(pid(1, 1)));
    check(&story.observe(&mut g6, 1, &ended(1, "a", 1, 2, End::Stopped)), true);
    check(&story.observe(&mut g6, 2, &shown), true);
    check(&story.observe(&mut g6, 2, &applied(1, 2)), true);
    check(&story.observe(&mut g6, 2, &changed("a", None, Some(pid(2, 1)))), true);
    check(&story.observe(&mut g6, 2, &shown), false);
}

#[test]
fn g6_sees_what_is_left_of_a_free_name() {
    let mut story = Story::new(2);
    story.tell(began(1, "a", 1, How::Registered));
    story.tell(changed("a", None, Some(pid(1, 1))));
    story.tell(ended(1, "a", 1, 2, End::Stopped));
    check(&story.finish(&mut removal::Removal::new(story.truth())), true);
    let (name, token) = (called("a"), Token::new(2, id(1).boot));
    let fact = Fact::Ended { name, token, why: Why::Stopped };
    story.with(1, |member, now| member.registry.append(now, fact));
    check(&story.finish(&mut removal::Removal::new(story.truth())), false);
}

#[test]
fn g7_sees_a_choice_that_claims_do_not_make() {
    let rank = |n: u16, epoch| (Token::new(epoch, id(n).boot), Some(pid(n, 1)));
    let (low, high) = (rank(1, 1), rank(2, 1));
    let mut g7 = choice::Choice::default();
    assert_eq!(g7.judge(&called("a"), &[low, high], high), Ok(()));
    assert_eq!(g7.judge(&called("a"), &[high, low], high), Ok(()));
    assert!(g7.judge(&called("a"), &[low, high], low).is_err(), "another than before");
    assert!(g7.judge(&called("b"), &[low, high], low).is_err(), "the lower one");
}

#[test]
fn g8_sees_who_is_started_again_and_again() {
    let story = Story::new(2);
    let mut g8 = flapping::Flapping::new(Kind::Storm);
    let twice = |g8: &mut flapping::Flapping, is_right| {
        check(&story.observe(g8, 1, &began(1, "a", 1, How::Orphan)), true);
        check(&story.observe(g8, 2, &began(2, "a", 1, How::Orphan)), true);
        check(&story.observe(g8, 1, &began(1, "a", 2, How::Orphan)), is_right);
    };
    twice(&mut g8, true);
    g8.act(story.world.now(), &Action::Heal);
    twice(&mut g8, false);
}

#[test]
fn g9_sees_a_question_without_an_answer() {
    let mut story = Story::new(2);
    let mut g9 = progress::Progress::new(story.truth());
    let asked = News::Asked { id: 9, what: Question::Whereis };
    let late = News::Answered { id: 9, answer: Answer::Late };
    check(&story.observe(&mut g9, 1, &asked), true);
    check(&story.observe(&mut g9, 1, &late), true);
    story.world.heal();
    story.run(7_000);
    check(&story.observe(&mut g9, 1, &asked), true);
    check(&story.observe(&mut g9, 1, &late), false);
    check(&story.step(&mut g9, 1), true);
    check(&story.finish(&mut g9), true);
    story.with(1, |member, now| member.ask(now, Question::Register, called("b")));
    story.world.crash(addr(2));
    check(&story.finish(&mut g9), false);
}

#[test]
fn p1_sees_members_who_did_not_join() {
    let mut story = Story::new(2);
    story.tell(began(1, "a", 1, How::Registered));
    story.tell(News::Joined { group: called("g"), pid: pid(1, 1), meta: meta(1) });
    check(&story.finish(&mut members::Members::new(story.truth())), false);
    let fact = Fact::Joined { group: called("g"), pid: pid(1, 1), meta: meta(1) };
    story.with(1, |member, now| member.registry.append(now, fact));
    check(&story.finish(&mut members::Members::new(story.truth())), false);
    story.run(1_000);
    check(&story.finish(&mut members::Members::new(story.truth())), true);
    story.tell(News::Joined { group: called("g"), pid: pid(1, 1), meta: meta(2) });
    check(&story.finish(&mut members::Members::new(story.truth())), false);
    story.tell(News::Left { group: called("g"), pid: pid(1, 1) });
    check(&story.finish(&mut members::Members::new(story.truth())), false);
}

#[test]
fn p2_sees_the_dead_in_a_group() {
    let mut story = Story::new(2);
    let mut p2 = exits::Exits::new(story.truth(), Kind::Storm);
    check(&story.observe(&mut p2, 2, &joined("g", 1, 1)), true);
    check(&story.observe(&mut p2, 1, &ended(1, "a", 1, 2, End::Exit)), true);
    check(&story.observe(&mut p2, 2, &applied(1, 2)), true);
    check(&story.observe(&mut p2, 2, &joined("g", 1, 1)), false);
    check(&story.finish(&mut p2), true);
    let fact = Fact::Joined { group: called("g"), pid: pid(1, 1), meta: meta(1) };
    story.with(1, |member, now| member.registry.append(now, fact));
    story.run(1_000);
    check(&story.finish(&mut p2), false);
}

#[test]
fn p4_sees_a_group_that_did_not_come_along() {
    let mut story = Story::new(2);
    let mut p4 = moves::Moves::new(story.truth());
    let moved = ended(1, "a", 1, 9, End::Moved);
    story.tell(began(1, "a", 1, How::Registered));
    story.tell(News::Joined { group: called("g"), pid: pid(1, 1), meta: meta(1) });
    check(&story.observe(&mut p4, 1, &moved), false);
    story.tell(began(2, "a", 7, How::Moved(pid(1, 1))));
    check(&story.observe(&mut p4, 1, &moved), false);
    let join = |byte| Fact::Joined { group: called("g"), pid: pid(2, 7), meta: meta(byte) };
    story.with(2, |member, now| member.registry.append(now, join(2)));
    check(&story.observe(&mut p4, 1, &moved), false);
    story.with(2, |member, now| member.registry.append(now, join(1)));
    check(&story.observe(&mut p4, 1, &moved), true);
}
