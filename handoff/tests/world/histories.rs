//! One small history for each property that no broken variant of the protocol breaks first: the
//! checker must reject it.

use super::World;
use swarm_base::Name;
use swarm_handoff::MoveOutcome;

/// The property that is violated once this has happened, behind a calm start.
fn violated(happens: impl FnOnce(&mut World, &Name)) -> Option<&'static str> {
    let mut world = World::new(0, None);
    let name = Name::new("n0").expect("a name");
    happens(&mut world, &name);
    world.violation.map(|(property, _)| property)
}

fn lose_process(world: &mut World, name: &Name) {
    let at = world.holder(name).expect("it runs");
    world.nodes.get_mut(&at).expect("it lives").processes.remove(name);
}

#[test]
fn a_calm_end_breaks_nothing() {
    assert_eq!(violated(|world, _| world.check_end()), None);
}

#[test]
fn h3_a_name_that_does_not_run_in_the_end() {
    let property = violated(|world, name| {
        lose_process(world, name);
        world.check_end();
    });
    assert_eq!(property, Some("H3: exactly one runs when quiet"));
}

#[test]
fn h6_a_move_that_never_ends() {
    let property = violated(|world, name| {
        world.run_until(super::Instant::START + super::ms(40));
        world.begin(name);
        world.check_end();
    });
    assert_eq!(property, Some("H6: every move ends"));
}

#[test]
fn h7_mail_out_of_order() {
    let property = violated(|world, name| {
        world.handle_mail(name, 2);
        world.handle_mail(name, 1);
    });
    assert_eq!(property, Some("H7: mail stays in order"));
}

#[test]
fn h7_mail_that_never_comes() {
    let property = violated(|world, name| {
        world.mail.get_mut(name).expect("a known name").sent = 1;
        world.check_end();
    });
    assert_eq!(property, Some("H7: no mail is lost"));
}

#[test]
fn h8_a_process_that_ignores_its_move_and_is_gone() {
    let property = violated(|world, name| {
        let at = world.holder(name).expect("it runs");
        world.check_stays(&at, name, &MoveOutcome::Ignored);
        assert!(world.violation.is_none(), "it runs");
        lose_process(world, name);
        world.check_stays(&at, name, &MoveOutcome::Ignored);
    });
    assert_eq!(property, Some("H8: who does not move goes on where it is"));
}
