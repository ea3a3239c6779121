//! The counterexamples of the ownership rules, each as a story that must end well.

mod common;

use common::{Cluster, Seen, bytes, called, claim, held};
use std::time::Duration;
use swarm_base::{Boot, Instant, NodeId, NodeName, Pid, Rng, Token};
use swarm_registry::{At, Claim, Config, Fact, Registry, Why};
use swarm_sim::addr;

/// R1: without shared logs of the dead, a name is lost after a crash and a reboot (6 steps).
#[test]
fn a_crash_and_a_reboot_lose_no_name() {
    let mut c = Cluster::new(3, 1);
    c.start(1, "room", 1);
    c.run(1);
    c.crash(1);
    c.boot(1);
    c.up(1);
    c.run(5);
    for n in 1..=3 {
        assert_eq!(c.see(n, "room"), Seen::Orphan(1), "the newer life on n1 closes the older: {n}");
        assert!(c.registry(n).caught_up());
    }
    c.start(1, "room", 1);
    c.run(60);
    for n in 1..=3 {
        assert_eq!(c.see(n, "room"), held("n1", 2));
        assert_eq!(c.registry(n).log_progress().count(), 3, "the dead log is settled and gone");
        assert_eq!(c.registry(n).n_buried(), 1);
    }
}

/// R1: a newer boot proves the old one dead, whatever is said of the old one later.
#[test]
fn an_older_life_does_not_come_back() {
    let mut c = Cluster::new(2, 12);
    c.start(1, "room", 1);
    c.run(1);
    let old = c.id(1);
    c.crash(1);
    c.boot(1);
    c.up(1);
    c.run(1);
    c.with(2, |node, now| node.registry.node_up(now, old));
    assert_eq!(c.see(2, "room"), Seen::Orphan(1));
}

/// R1: a name whose last facts reached one peer only is lost (3 steps).
#[test]
fn the_last_facts_of_a_dead_node_reach_all_through_the_one_that_has_them() {
    let mut c = Cluster::new(3, 2);
    c.world.sever(addr(1), addr(3));
    c.start(1, "room", 1);
    c.run_for(Duration::from_millis(100));
    assert_eq!((c.see(2, "room"), c.see(3, "room")), (held("n1", 1), Seen::Free));
    c.crash(1);
    c.dead(1);
    c.run(1);
    assert_eq!(c.see(2, "room"), Seen::Orphan(1));
    assert_eq!(c.see(3, "room"), Seen::Orphan(1));
    assert!(c.registry(3).caught_up());
}

/// R1: who was away when a node died learns its facts from whoever comes first.
#[test]
fn a_joiner_is_told_what_dead_nodes_left() {
    let mut c = Cluster::new(3, 3);
    c.crash(3);
    c.dead(3);
    c.start(1, "room", 1);
    c.run(1);
    c.crash(1);
    c.dead(1);
    c.run(1);
    c.boot(3);
    c.up(3);
    c.run(5);
    assert_eq!(c.see(3, "room"), Seen::Orphan(1));
}

/// R1: a stopped name comes back when a late copy of the dead log arrives (7 steps).
#[test]
fn a_stopped_name_does_not_come_back_with_a_late_copy_of_the_dead_log() {
    let mut c = Cluster::new(3, 4);
    c.start(1, "room", 1);
    c.run(1);
    // n3 knows the claim of n1 and nothing that follows.
    c.world.isolate(addr(3));
    c.run(5);
    c.crash(1);
    for other in [1, 3] {
        c.dead_at(2, other);
    }
    c.start(2, "room", 1);
    c.stop(2, "room");
    c.run(120);
    assert_eq!(c.see(2, "room"), Seen::Free);
    c.dead_at(3, 1);
    assert_eq!(c.see(3, "room"), Seen::Orphan(1), "n3 cannot know better");
    c.world.heal();
    c.up(3);
    c.run(5);
    assert_eq!(c.see(2, "room"), Seen::Free);
    assert_eq!(c.see(3, "room"), Seen::Free);
    assert!(c.registry(2).caught_up() && c.registry(3).caught_up());
    c.run(120);
    assert_eq!(c.see(2, "room"), Seen::Free);
    assert_eq!(c.see(3, "room"), Seen::Free);
    assert_eq!(c.registry(2).log_progress().count(), 2, "the log of n1 is gone");
}

/// R1: the same boot coming back shows its claims again, a newer one does not.
#[test]
fn a_false_death_hides_claims_until_the_node_is_back() {
    let mut c = Cluster::new(3, 5);
    c.start(1, "room", 1);
    c.append(1, Fact::Joined { group: called("all"), pid: pid(&c, 1, 1), meta: bytes(b"m") });
    c.run(1);
    c.dead_at(2, 1);
    assert_eq!(c.see(2, "room"), Seen::Orphan(1));
    c.run(1);
    assert!(c.node(2).groups.is_empty() && c.node(2).told.is_empty());
    assert_eq!(c.see(3, "room"), held("n1", 1), "others do not follow");
    c.up(1);
    c.run(1);
    assert_eq!(c.see(2, "room"), held("n1", 1));
    assert_eq!((c.node(2).groups.len(), c.node(2).told.len()), (1, 1));
}

/// R1 and consequence 4: even where its log had been buried meanwhile, a node that was taken for
/// dead comes back with all it has, and the conflict is seen by both sides.
#[test]
fn a_false_death_that_lasted_ends_in_a_conflict_that_all_see() {
    let mut c = Cluster::new(3, 13);
    c.start(1, "room", 1);
    c.start(1, "hall", 2);
    c.run(1);
    for other in [2, 3] {
        c.dead_at(other, 1);
    }
    c.run(1);
    c.start(2, "room", 1);
    c.start(2, "hall", 2);
    c.run(60);
    assert_eq!(c.registry(3).n_buried(), 1, "n1 is settled");
    assert_eq!(c.see(1, "room"), held("n2", 2), "the session is still there");
    c.up(1);
    c.run_for(Duration::from_millis(500));
    for n in 1..=3 {
        assert_eq!(c.registry(n).claims(&called("room")).count(), 2, "n{n}");
        assert_eq!(c.registry(n).claims(&called("hall")).count(), 2, "n{n}");
        assert_eq!(c.see(n, "room"), held("n2", 2));
    }
}

/// R4: an orphan is settled only by a claim that beats it. When that claim's node dies, and
/// nobody saw the claim, the orphan counts again. (Marks as plain flags: lost in 19 steps.)
#[test]
fn an_orphan_counts_again_when_its_successor_dies_unseen() {
    let mut c = Cluster::new(3, 6);
    c.start(1, "room", 1);
    c.run(1);
    c.crash(1);
    c.dead(1);
    c.run(1);
    c.world.isolate(addr(2));
    c.start(2, "room", 1);
    c.run(1);
    c.crash(2);
    c.dead(2);
    c.run(60);
    assert_eq!(c.see(3, "room"), Seen::Orphan(1));
    assert_eq!(c.registry(3).memberships(&c.id(1), pid(&c, 1, 1)).count(), 0);
}

/// R3: a node that saw the end before the successor's claim neither loses the name nor starts it
/// twice; when the successor dies unseen it starts from the old spec.
#[test]
fn a_name_on_its_way_is_pending_and_survives_the_death_of_its_target() {
    let mut c = Cluster::new(3, 7);
    let token = c.start(1, "room", 1);
    c.append(1, Fact::Joined { group: called("all"), pid: pid(&c, 1, 1), meta: bytes(b"m") });
    c.run(1);
    c.world.sever(addr(2), addr(3));
    c.world.sever(addr(2), addr(1));
    c.run_for(Duration::from_millis(10));
    let next = Token::new(2, c.id(2).boot);
    c.append(2, Fact::Named(claim("room", next, At::Running(pid(&c, 2, 1)))));
    let why = Why::GoneTo { log: c.id(2), token: next };
    c.append(1, Fact::Ended { name: called("room"), token, why });
    c.append(1, Fact::Exited { pid: pid(&c, 1, 1) });
    c.run_for(Duration::from_millis(100));
    assert_eq!(c.see(3, "room"), Seen::Pending);
    assert_eq!(c.registry(3).epoch(&called("room")), 2, "a start goes above the move");
    c.crash(2);
    c.dead(2);
    assert_eq!(c.see(3, "room"), Seen::Orphan(1), "the claim before the move");
    let swarm_registry::Resolution::Orphan { claim, .. } = c.registry(3).resolve(&called("room"))
    else {
        unreachable!("it was one a line ago")
    };
    assert_eq!(claim.groups, [(called("all"), bytes(b"m"))], "with the groups to join again");
}

/// R3: the pointer goes once its claim is known everywhere, and a later stop is for good.
#[test]
fn a_moved_name_that_stops_leaves_nothing_behind() {
    let mut c = Cluster::new(3, 8);
    let token = c.start(1, "room", 1);
    let next = Token::new(2, c.id(2).boot);
    c.append(2, Fact::Named(claim("room", next, At::Running(pid(&c, 2, 1)))));
    let why = Why::GoneTo { log: c.id(2), token: next };
    c.append(1, Fact::Ended { name: called("room"), token, why });
    c.run(1);
    assert_eq!(c.see(3, "room"), held("n2", 2));
    c.stop(2, "room");
    c.run(1);
    c.crash(2);
    c.dead(2);
    for n in [1, 3] {
        assert_eq!(c.see(n, "room"), Seen::Free, "although the pointer is still there: {n}");
    }
    c.run(120);
    for n in [1, 3] {
        assert_eq!(c.see(n, "room"), Seen::Free);
        assert_eq!(c.registry(n).epoch(&called("room")), 0, "nothing is left at {n}");
        assert_eq!(c.registry(n).log_progress().count(), 2);
    }
}

/// Consequence 3: a link that is cut while both ends live (without relays: two for ever).
#[test]
fn facts_go_around_a_cut_link() {
    let mut c = Cluster::new(3, 9);
    c.world.sever(addr(1), addr(3));
    c.run(10);
    c.start(1, "room", 1);
    c.start(3, "room", 1);
    c.run(5);
    for n in 1..=3 {
        assert_eq!(c.see(n, "room"), held("n3", 1), "the higher boot wins, everywhere: {n}");
        assert_eq!(c.registry(n).claims(&called("room")).count(), 2);
        assert!(c.node(n).conflicts > 0);
    }
}

/// Consequence 11: a machine that was set back must not go on.
#[test]
fn a_machine_that_was_set_back_learns_it() {
    let mut c = Cluster::new(2, 10);
    c.start(1, "a", 1);
    c.start(1, "b", 2);
    c.run(1);
    c.crash(1);
    let (id, now, rng) = (c.id(1), c.world.now(), c.world.rng(addr(1)));
    let node = common::Node::new(now, id.clone(), c.config.clone(), rng);
    c.world.insert(addr(1), swarm_sim::Meshed::new(now, addr(1), id, node, [addr(2)]));
    c.run(10);
    assert!(c.node(1).rolled_back);
}

/// Consequence 6: a reply that carries a position can wait for it.
#[test]
fn a_position_is_told_when_it_is_reached() {
    let mut c = Cluster::new(2, 11);
    c.start(1, "room", 1);
    let position = c.append(1, Fact::Exited { pid: pid(&c, 1, 9) });
    assert_eq!(c.registry(1).position(&c.id(1)), position);
    assert_eq!(c.registry(2).position(&c.id(1)), 0);
    c.run(1);
    assert_eq!(c.registry(2).position(&c.id(1)), position);
    let progress = c.registry(1).progress().next().expect("one peer");
    assert_eq!(progress.acknowledged, Some(position));
}

fn pid(c: &Cluster, n: u16, serial: u64) -> Pid {
    Pid::new(c.id(n).boot, serial)
}

/// A process with very many names: its end takes each of them once, in time that grows with their
/// number and not with its square (at 20,000 of them the square is minutes of a debug build).
#[test]
fn a_process_of_many_names_ends() {
    let config = Config::default().check().expect("within bounds");
    let boot = Boot { millis: 1, random: 1 };
    let me = NodeId::new(NodeName::new("n").expect("a name"), boot);
    let mut registry = Registry::new(Instant::START, me, config, Rng::new(1));
    let pid = Pid::new(boot, 1);
    let named = |i| Fact::Named(claim(&format!("x{i}"), Token::new(1, boot), At::Running(pid)));
    let by_pid = |fact| match fact {
        Fact::Named(claim) => Fact::Named(Claim { spec: None, ..claim }),
        other => other,
    };
    let n_names = 20_000;
    registry.append_all(Instant::START, (0..n_names).map(named).map(by_pid));
    assert_eq!(registry.pid_names(pid).count(), n_names);
    registry.append(Instant::START, Fact::Exited { pid });
    assert_eq!((registry.pid_names(pid).count(), registry.len()), (0, 0));
}

#[test]
fn a_stop_outranks_a_pointer_from_an_earlier_claim() {
    let mut c = Cluster::new(3, 1);
    c.start(1, "room", 1);
    // What the second node says of an earlier time has only now become known.
    let (one, two) = (c.id(1), c.id(2));
    let old = Token::new(5, two.boot);
    c.append(2, Fact::Named(claim("room", old, At::Running(Pid::new(two.boot, 1)))));
    let why = Why::GoneTo { log: one.clone(), token: Token::new(6, one.boot) };
    c.append(2, Fact::Ended { name: called("room"), token: old, why });
    c.run(1);
    assert_eq!(c.see(3, "room"), held("n1", 1));
    // It is stopped before its holder has claimed it above that.
    c.stop(1, "room");
    c.run(1);
    for n in 1..=3 {
        assert_eq!(c.see(n, "room"), Seen::Free, "on n{n}");
    }
}
