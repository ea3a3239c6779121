//! The move protocol step by step: what each end says and asks for, and what bounds it.

mod common;

use bytes::Bytes;
use common::{Node, Said, at, id, name, node, offer, token};
use swarm_base::Machine;
use swarm_handoff::{
    AbortReason, Accepting, Busy, Cancelled, Config, DiscardReason, Frozen, MoveId, MoveMessage,
    MoveOutcome, Promoted, Refusal, ResumeReason, Role, SourcePhase, TargetPhase,
};

#[test]
fn a_move_goes_its_way() {
    let (mut source, mut target) = (Node::new("s"), Node::new("t"));
    let id = source.begin("n", "t").expect("begins");
    assert_eq!(source.said(), [Said::Freeze]);
    source.frozen(id, Frozen::Ready(offer("n", 10)));
    assert_eq!(
        source.said(),
        [Said::LogMoving, Said::Send(MoveMessage::Offer { id, offer: offer("n", 10) })]
    );
    target.hears("s", MoveMessage::Offer { id, offer: offer("n", 10) });
    assert_eq!(target.said(), [Said::Build]);
    target.moves.built(at(0), id, Ok(()));
    assert_eq!(target.said(), [Said::Send(MoveMessage::Ready { id })]);
    source.hears("t", MoveMessage::Ready { id });
    assert_eq!(source.said(), [Said::Stop]);
    source.moves.stopped(at(0), id, token(2), vec![Bytes::from_static(b"mail")]);
    let commit =
        MoveMessage::Commit { id, token: token(2), mails: vec![Bytes::from_static(b"mail")] };
    assert_eq!(source.said(), [Said::Send(commit.clone())]);
    assert_eq!(source.moves.held(), offer("n", 10).size() + 4);
    target.hears("s", commit.clone());
    assert_eq!(target.said(), [Said::Promote { mails: 1 }]);
    target.hears("s", commit.clone());
    assert_eq!(target.said(), [], "it is being promoted");
    target.moves.promoted(at(0), id, Ok(Promoted { token: token(2), position: 7 }));
    let ack = MoveMessage::Ack { id, token: token(2), position: 7 };
    assert_eq!(target.said(), [Said::Send(ack.clone())]);
    target.hears("s", commit.clone());
    assert_eq!(target.said(), [Said::Send(ack.clone())], "asked again, answered again");
    source.hears("t", ack.clone());
    let done = Said::Send(MoveMessage::Done { id });
    assert_eq!(source.said(), [done.clone(), Said::Moved, Said::Ended(MoveOutcome::Moved)]);
    source.hears("t", ack);
    assert_eq!(source.said(), [done]);
    target.hears("s", MoveMessage::Done { id });
    target.hears("s", commit);
    target.hears("s", MoveMessage::Offer { id, offer: offer("n", 10) });
    assert_eq!(target.said(), [], "stale");
    assert_eq!((source.moves.held(), source.moves.in_flight(), target.moves.standbys()), (0, 0, 0));
}

#[test]
fn whoever_stays_goes_on_as_before() {
    for (outcome, said) in [
        (Frozen::Ignore, vec![Said::Ended(MoveOutcome::Ignored)]),
        (Frozen::Failed("panic".into()), {
            let why = MoveOutcome::NotFrozen { reason: "panic".into() };
            vec![Said::Thaw(why.clone()), Said::Ended(why)]
        }),
        (Frozen::Ready(offer("n", 17 << 20)), {
            let why = MoveOutcome::Aborted(AbortReason::TooLarge);
            vec![Said::Thaw(why.clone()), Said::Ended(why)]
        }),
    ] {
        let mut source = Node::new("s");
        let id = source.begin("n", "t").expect("begins");
        source.said();
        source.frozen(id, outcome);
        assert_eq!(source.said(), said);
        assert!(matches!(source.begin("n", "t"), Err(Busy::Backoff { .. })));
        assert!(source.begin("n", "u").is_ok(), "another target is another question");
    }
}

#[test]
fn begin_handoff_that_gives_no_answer_ends_after_five_seconds_and_holds_up_nobody() {
    let mut source = Node::new("s");
    let stuck = source.begin("stuck", "t").expect("begins");
    let other = source.begin("other", "t").expect("begins beside it");
    source.said();
    source.frozen(other, Frozen::Ignore);
    assert_eq!(source.said(), [Said::Ended(MoveOutcome::Ignored)]);
    assert_eq!(source.moves.poll_timeout(), Some(at(5000)));
    source.moves.handle_timeout(at(5000));
    let why = MoveOutcome::Aborted(AbortReason::FreezeTimeout);
    assert_eq!(source.said(), [Said::Thaw(why.clone()), Said::Ended(why)]);
    source.frozen(stuck, Frozen::Ready(offer("stuck", 1)));
    assert_eq!(source.said(), [], "too late");
}

#[test]
fn an_offer_is_repeated_then_called_off() {
    let mut source = Node::new("s");
    let id = source.offered("n", "t");
    let repeated = Said::Send(MoveMessage::Offer { id, offer: offer("n", 1) });
    for now in [2000, 4000, 6000, 8000] {
        assert_eq!(source.moves.poll_timeout(), Some(at(now)));
        source.moves.handle_timeout(at(now));
        assert_eq!(source.said(), std::slice::from_ref(&repeated));
    }
    source.moves.handle_timeout(at(10_000));
    let why = MoveOutcome::Aborted(AbortReason::OfferTimeout);
    let abort = Said::Send(MoveMessage::Abort { id });
    assert_eq!(source.said(), [abort.clone(), Said::Thaw(why.clone()), Said::Ended(why)]);
    source.hears("t", MoveMessage::Ready { id });
    assert_eq!(source.said(), [abort], "and whoever did not hear it hears it again");
    assert_eq!(source.moves.poll_timeout(), None);
}

#[test]
fn moves_are_bounded_by_number_and_by_bytes() {
    let config =
        Config { moves_max: 3, bytes_max: 1000, state_bytes_max: 600, ..Config::default() };
    let mut source = Node::with("s", config);
    let ids: Vec<MoveId> =
        (0..3).map(|n| source.begin(&format!("n{n}"), "t").expect("begins")).collect();
    assert_eq!(source.begin("n3", "t"), Err(Busy::Full { max: 3 }));
    assert_eq!((source.moves.in_flight(), source.moves.slots()), (3, 0));
    source.said();
    source.frozen(ids[0], Frozen::Ready(offer("n0", 550)));
    source.frozen(ids[1], Frozen::Ready(offer("n1", 550)));
    let why = MoveOutcome::Aborted(AbortReason::NoRoom);
    assert_eq!(source.said()[2..], [Said::Thaw(why.clone()), Said::Ended(why)]);
    assert!(source.moves.held() <= 1000);
    source.frozen(ids[2], Frozen::Ready(offer("n2", 100)));
    assert_eq!(source.moves.slots(), 1, "by number two, by what they usually take one");
    source.said();
    source.moves.node_dead(at(0), &node("t"));
    assert_eq!((source.moves.held(), source.moves.slots()), (0, 3));
}

#[test]
fn standbys_are_bounded_by_number_and_by_bytes() {
    let config =
        Config { standbys_max: 2, bytes_max: 1000, state_bytes_max: 600, ..Config::default() };
    let mut target = Node::with("t", config);
    let refused = |id, why| vec![Said::Send(MoveMessage::Refused { id, why })];
    for (serial, name, size, refusal) in [
        (1, "a", 700, Some(Refusal::TooLarge { size: 705 })),
        (2, "a", 500, None),
        (3, "b", 590, Some(Refusal::Full)),
        (4, "b", 300, None),
        (5, "c", 1, Some(Refusal::Full)),
    ] {
        let id = id("s", serial);
        target.hears("s", MoveMessage::Offer { id, offer: offer(name, size) });
        let expected = refusal.map_or(vec![Said::Build], |why| refused(id, why));
        assert_eq!(target.said(), expected, "move {serial}");
    }
    assert_eq!(target.moves.standbys(), 2);
}

#[test]
fn a_name_is_on_one_move_at_a_time() {
    let mut here = Node::new("t");
    let first = here.begin("n", "u").expect("begins");
    assert_eq!(here.begin("n", "s"), Err(Busy::Moving));
    assert_eq!(here.begin("n2", "t"), Err(Busy::Here));
    assert_eq!(here.begin("n2", "nowhere"), Err(Busy::Unreachable));
    here.said();
    let id = id("s", 1);
    here.hears("s", MoveMessage::Offer { id, offer: offer("n", 1) });
    assert_eq!(here.said(), [Said::Send(MoveMessage::Refused { id, why: Refusal::Busy })]);
    let role = Role::Source { id: first, to: node("u"), phase: SourcePhase::Freezing };
    assert_eq!(here.moves.of(&name("n")), Some(role));
}

#[test]
fn a_later_move_of_the_source_replaces_its_standby() {
    let mut target = Node::new("t");
    let (first, second) = (target.standby("s", 1), id("s", 2));
    target.hears("s", MoveMessage::Offer { id: second, offer: offer("n", 1) });
    assert_eq!(target.said(), [Said::Discard(DiscardReason::Superseded), Said::Build]);
    target.hears("u", MoveMessage::Offer { id: id("u", 9), offer: offer("n", 1) });
    let busy = MoveMessage::Refused { id: id("u", 9), why: Refusal::Busy };
    assert_eq!(target.said(), [Said::Send(busy)], "another source's does not");
    target.hears("s", MoveMessage::Commit { id: first, token: token(2), mails: vec![] });
    let nack = MoveMessage::Nack { id: first, why: Refusal::Gone };
    assert_eq!(target.said(), [Said::Send(nack)]);
}

#[test]
fn an_offer_that_its_abort_has_overtaken_is_not_built() {
    let (mut target, id) = (Node::new("t"), id("s", 1));
    target.hears("s", MoveMessage::Abort { id });
    target.hears("s", MoveMessage::Offer { id, offer: offer("n", 1) });
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![] });
    assert_eq!(
        target.said(),
        [
            Said::Send(MoveMessage::Refused { id, why: Refusal::Gone }),
            Said::Send(MoveMessage::Nack { id, why: Refusal::Gone }),
        ]
    );
}

#[test]
fn nobody_speaks_about_moves_of_others() {
    let (mut source, mut target) = (Node::new("s"), Node::new("t"));
    let outgoing = source.offered("n", "t");
    for message in [
        MoveMessage::Ready { id: outgoing },
        MoveMessage::Refused { id: outgoing, why: Refusal::Gone },
        MoveMessage::Abort { id: outgoing },
    ] {
        source.hears("u", message);
    }
    let incoming = target.standby("s", 1);
    target.hears("u", MoveMessage::Commit { id: incoming, token: token(9), mails: vec![] });
    target.hears("u", MoveMessage::Abort { id: incoming });
    target.hears("u", MoveMessage::Offer { id: id("s", 5), offer: offer("x", 1) });
    assert_eq!((source.said(), target.said()), (vec![], vec![]));
}

#[test]
fn a_call_off_works_until_the_target_is_ready() {
    let mut source = Node::new("s");
    assert_eq!(source.cancel("n"), Cancelled::NotMoving);
    source.begin("n", "t").expect("begins");
    source.said();
    let why = MoveOutcome::Aborted(AbortReason::Stopped);
    assert_eq!(source.cancel("n"), Cancelled::Aborted);
    assert_eq!(source.said(), [Said::Thaw(why.clone()), Said::Ended(why.clone())]);
    let id = source.offered("n", "t");
    assert_eq!(source.cancel("n"), Cancelled::Aborted);
    let abort = Said::Send(MoveMessage::Abort { id });
    assert_eq!(source.said(), [abort, Said::Thaw(why.clone()), Said::Ended(why)]);
    let id = source.offered("n", "t");
    source.hears("t", MoveMessage::Ready { id });
    assert_eq!(source.cancel("n"), Cancelled::Committed);
    assert_eq!(source.said(), [Said::Stop], "its end is what was asked for");
    source.moves.stopped(at(0), id, token(2), vec![]);
    assert_eq!(source.cancel("n"), Cancelled::Committed);
}

#[test]
fn a_process_that_dies_before_the_commit_is_its_supervisors_business() {
    let mut source = Node::new("s");
    let ended = Said::Ended(MoveOutcome::Aborted(AbortReason::Exited));
    let freezing = source.begin("n", "t").expect("begins");
    source.said();
    source.moves.exited(at(0), freezing);
    assert_eq!(source.said(), std::slice::from_ref(&ended));
    let stopping = source.offered("n", "t");
    source.hears("t", MoveMessage::Ready { id: stopping });
    source.said();
    assert_eq!(source.moves.cancel(at(0), &name("n"), AbortReason::Exited), Cancelled::Aborted);
    assert_eq!(source.said(), [Said::Send(MoveMessage::Abort { id: stopping }), ended]);
    source.moves.stopped(at(0), stopping, token(2), vec![]);
    assert_eq!(source.said(), [], "too late");
    let committed = source.committed("n", "t");
    assert_eq!(source.moves.cancel(at(0), &name("n"), AbortReason::Exited), Cancelled::Committed);
    source.moves.exited(at(0), committed);
    source.moves.exited(at(0), freezing);
    assert_eq!(source.said(), [], "too late");
}

#[test]
fn a_target_that_dies_gives_the_process_back() {
    let mut source = Node::new("s");
    let offered = source.offered("offered", "t");
    let committed = source.committed("committed", "t");
    let stopping = source.offered("stopping", "t");
    source.hears("t", MoveMessage::Ready { id: stopping });
    source.said();
    source.moves.node_dead(at(0), &node("t"));
    let (aborted, resumed) = (
        MoveOutcome::Aborted(AbortReason::TargetDied),
        MoveOutcome::Resumed(ResumeReason::TargetDied),
    );
    let back = |above| [Said::Resume { above, mails: 1 }, Said::Ended(resumed.clone())];
    let mut expected = vec![
        Said::Send(MoveMessage::Abort { id: offered }),
        Said::Thaw(aborted.clone()),
        Said::Ended(aborted),
    ];
    expected.extend(back(token(2)));
    assert_eq!(source.said(), expected);
    source.moves.stopped(at(0), stopping, token(5), vec![Bytes::new()]);
    assert_eq!(source.said(), back(token(5)), "once it has ended here");
    source.hears("t", MoveMessage::Ack { id: committed, token: token(2), position: 1 });
    assert_eq!(source.said(), [Said::Send(MoveMessage::Done { id: committed })], "too late");
}

#[test]
fn the_targets_claim_counts_as_its_acknowledgement() {
    let mut source = Node::new("s");
    let id = source.committed("n", "t");
    let claim = |token| Promoted { token, position: 3 };
    source.moves.claim_seen(at(0), &name("n"), &node("u"), claim(token(2)));
    source.moves.claim_seen(at(0), &name("n"), &node("t"), claim(token(1)));
    assert_eq!(source.said(), []);
    source.moves.claim_seen(at(0), &name("n"), &node("t"), claim(token(2)));
    let done = Said::Send(MoveMessage::Done { id });
    assert_eq!(source.said(), [done, Said::Moved, Said::Ended(MoveOutcome::Moved)]);
    source.moves.node_dead(at(0), &node("t"));
    assert_eq!(source.said(), [], "nothing to resume");
}

#[test]
fn a_standby_whose_source_dies_waits_for_a_decision() {
    let mut target = Node::new("t");
    let id = target.standby("s", 1);
    target.moves.node_dead(at(0), &node("s"));
    assert_eq!(target.said(), [Said::SourceDied]);
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![Bytes::new()] });
    assert_eq!(target.said(), [], "a commit from behind the grave decides nothing");
    target.moves.promote_orphan(at(0), id, token(3));
    assert_eq!(target.said(), [Said::Promote { mails: 0 }]);
    target.moves.promoted(at(0), id, Ok(Promoted { token: token(3), position: 1 }));
    let ack = Said::Send(MoveMessage::Ack { id, token: token(3), position: 1 });
    assert_eq!(target.said(), std::slice::from_ref(&ack));
    // It lives after all, and has stopped its process: its mail is not lost.
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![Bytes::new()] });
    assert_eq!(target.said(), [Said::Deliver { mails: 1 }, ack.clone()]);
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![Bytes::new()] });
    assert_eq!(target.said(), [ack], "once");

    let id = target.standby("u", 1);
    target.moves.node_dead(at(0), &node("u"));
    target.said();
    target.moves.discard(at(0), id);
    assert_eq!(target.said(), [Said::Discard(DiscardReason::SourceDied)]);
    target.hears("u", MoveMessage::Commit { id, token: token(2), mails: vec![] });
    assert_eq!(target.said(), [Said::Send(MoveMessage::Nack { id, why: Refusal::Gone })]);
    target.hears("u", MoveMessage::Offer { id: self::id("u", 2), offer: offer("n", 1) });
    let refused = MoveMessage::Refused { id: self::id("u", 2), why: Refusal::SourceDead };
    assert_eq!(target.said(), [Said::Send(refused)]);
    target.moves.node_up(at(0), &node("u"));
    target.hears("u", MoveMessage::Offer { id: self::id("u", 3), offer: offer("n", 1) });
    assert_eq!(target.said(), [Said::Build]);
}

#[test]
fn a_standby_that_is_built_after_its_sources_death_waits_too() {
    let (mut target, id) = (Node::new("t"), id("s", 1));
    target.hears("s", MoveMessage::Offer { id, offer: offer("n", 1) });
    target.moves.node_dead(at(0), &node("s"));
    assert_eq!(target.said(), [Said::Build]);
    target.moves.built(at(0), id, Ok(()));
    assert_eq!(target.said(), [Said::SourceDied]);
    assert!(matches!(
        target.moves.of(&name("n")),
        Some(Role::Target { phase: TargetPhase::Orphaned, .. })
    ));
    target.moves.handle_timeout(at(1999));
    assert_eq!(target.said(), [], "no timer decides");
    target.moves.handle_timeout(at(2000));
    assert_eq!(target.said(), [Said::SourceDied], "but it is asked again");
}

#[test]
fn a_target_never_promotes_by_itself_but_asks() {
    let mut target = Node::new("t");
    let id = target.standby("s", 1);
    let mut asked = Vec::new();
    while let Some(next) = target.moves.poll_timeout().filter(|next| *next <= at(70_000)) {
        target.moves.handle_timeout(next);
        for said in target.said() {
            match said {
                Said::Send(MoveMessage::Ready { .. }) => (),
                Said::Send(MoveMessage::Query { id: of }) if of == id => asked.push(next),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(asked, [at(30_000), at(60_000)]);
    target.hears("s", MoveMessage::Abort { id });
    assert_eq!(target.said(), [Said::Discard(DiscardReason::Aborted)]);
}

#[test]
fn a_leaving_target_takes_nothing_and_declines_late_commits() {
    let mut target = Node::new("t");
    let (ready, promoting) = (target.standby("s", 1), target.standby_of("p", "s", 2));
    target.hears("s", MoveMessage::Commit { id: promoting, token: token(2), mails: vec![] });
    target.said();
    target.moves.set_accepting(Accepting::Leaving);
    let refused = |id| Said::Send(MoveMessage::Refused { id, why: Refusal::Leaving });
    assert_eq!(target.said(), [Said::Discard(DiscardReason::Leaving), refused(ready)]);
    target.hears("s", MoveMessage::Commit { id: ready, token: token(2), mails: vec![] });
    let nack = Said::Send(MoveMessage::Nack { id: ready, why: Refusal::Leaving });
    assert_eq!(target.said(), [nack]);
    target.hears("s", MoveMessage::Offer { id: id("s", 3), offer: offer("x", 1) });
    assert_eq!(target.said(), [refused(id("s", 3))]);
    target.moves.promoted(at(0), promoting, Ok(Promoted { token: token(2), position: 1 }));
    assert!(matches!(target.said()[..], [Said::Send(MoveMessage::Ack { .. })]), "too late to stop");
}

#[test]
fn a_target_that_is_not_ready_is_skipped_until_it_changes() {
    let mut source = Node::new("s");
    let id = source.offered("n", "t");
    source.hears("t", MoveMessage::Refused { id, why: Refusal::NotReady });
    let why = MoveOutcome::Refused(Refusal::NotReady);
    assert_eq!(source.said(), [Said::Thaw(why.clone()), Said::Ended(why)]);
    let busy = source.begin("another", "t").expect_err("not ready for any name");
    assert!(busy.until().is_some_and(|until| until > at(5_000)), "{busy}");
    source.moves.target_changed(&node("t"));
    assert!(source.begin("another", "t").is_ok());
}

#[test]
fn a_promotion_that_fails_gives_the_process_back_under_a_higher_token() {
    let (mut source, mut target) = (Node::new("s"), Node::new("t"));
    let id = source.committed("n", "t");
    target.standby("s", id.serial);
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![] });
    target.said();
    let why = Refusal::StartFailed { reason: "end_handoff panicked".into() };
    target.moves.promoted(at(0), id, Err(why.clone()));
    let nack = MoveMessage::Nack { id, why: why.clone() };
    assert_eq!(target.said(), [Said::Send(nack.clone())]);
    source.hears("t", nack);
    let outcome = MoveOutcome::Resumed(ResumeReason::Refused(why));
    assert_eq!(source.said(), [Said::Resume { above: token(2), mails: 1 }, Said::Ended(outcome)]);
    assert!(matches!(source.begin("n", "t"), Err(Busy::Backoff { .. })));
}

#[test]
fn a_new_session_repeats_what_is_due() {
    let (mut source, mut target) = (Node::new("s"), Node::new("t"));
    let (offered, committed) = (source.offered("o", "t"), source.committed("c", "t"));
    source.moves.session_down(at(0), &node("t"));
    source.moves.handle_timeout(at(3000));
    assert_eq!(source.said(), [], "nobody would hear it");
    source.moves.session_up(at(3000), &node("t"));
    let mails = vec![Bytes::new()];
    assert_eq!(
        source.said(),
        [
            Said::Send(MoveMessage::Offer { id: offered, offer: offer("o", 1) }),
            Said::Send(MoveMessage::Commit { id: committed, token: token(2), mails }),
        ]
    );
    let (ready, run) = (target.standby("s", 1), target.standby_of("r", "s", 2));
    target.hears("s", MoveMessage::Commit { id: run, token: token(2), mails: vec![] });
    target.moves.promoted(at(0), run, Ok(Promoted { token: token(2), position: 1 }));
    target.said();
    target.moves.session_up(at(0), &node("s"));
    assert_eq!(
        target.said(),
        [
            Said::Send(MoveMessage::Ack { id: run, token: token(2), position: 1 }),
            Said::Send(MoveMessage::Ready { id: ready }),
        ]
    );
}

#[test]
fn a_standby_whose_source_cannot_be_asked_goes() {
    let mut target = Node::new("t");
    let id = target.standby("s", 1);
    target.moves.session_down(at(0), &node("s"));
    target.moves.handle_timeout(at(29_999));
    assert_eq!(target.said(), []);
    target.moves.handle_timeout(at(30_000));
    assert_eq!(target.said(), [Said::Discard(DiscardReason::SourceSilent)]);
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![] });
    assert_eq!(target.said(), [Said::Send(MoveMessage::Nack { id, why: Refusal::Gone })]);
}
