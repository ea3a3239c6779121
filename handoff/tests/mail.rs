//! The mail of a move: it goes in parts, each of which is taken before the next one is sent, and all
//! of it is in front of what the standby itself is sent.

mod common;

use bytes::Bytes;
use common::{Node, Said, at, five_mails, name, node, token};
use swarm_base::{Machine, Output};
use swarm_handoff::{Config, DiscardReason, MoveEvent, MoveMessage, Promoted, Refusal};

#[test]
fn mail_of_many_parts_arrives_in_order() {
    let (mut source, mut target) = (Node::parts("s"), Node::parts("t"));
    let id = source.stopped("n", "t");
    target.standby("s", id.serial);
    for (part, bytes) in [(0, ["0", "1"]), (1, ["2", "3"])] {
        let mails = bytes.map(Bytes::from).to_vec();
        let message = MoveMessage::Mails { id, part, mails };
        assert_eq!(source.said(), [Said::Send(message.clone())]);
        target.hears("s", message);
        let taken = MoveMessage::MailsTaken { id, part };
        assert_eq!(target.said(), [Said::Send(taken.clone())]);
        source.hears("t", taken);
    }
    let mails = vec![Bytes::from_static(b"4")];
    let commit = MoveMessage::Commit { id, token: token(2), mails };
    assert_eq!(source.said(), [Said::Send(commit.clone())]);
    target.hears("s", commit);
    match target.moves.poll_output() {
        Some(Output::Event(MoveEvent::Promote { mails, .. })) => assert_eq!(mails, five_mails()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_part_is_as_large_as_may_be_and_a_large_mail_goes_alone() {
    let config = Config { mails_bytes_max: 10, ..Config::default() };
    let mut source = Node::with("s", config);
    let id = source.offered("n", "t");
    source.hears("t", MoveMessage::Ready { id });
    let mails = [4, 4, 4, 20, 1].map(|len| Bytes::from(vec![0; len]));
    source.moves.stopped(at(0), id, token(2), mails.to_vec());
    source.said();
    let mut lens = Vec::new();
    for part in 0..4 {
        source.moves.session_up(at(0), &node("t"));
        for said in source.said() {
            let Said::Send(MoveMessage::Mails { mails, .. } | MoveMessage::Commit { mails, .. }) =
                said
            else {
                panic!("{said:?}")
            };
            lens.push(mails.iter().map(Bytes::len).collect::<Vec<_>>());
        }
        source.hears("t", MoveMessage::MailsTaken { id, part });
        if part < 3 {
            source.said();
        }
    }
    assert_eq!(lens, [vec![4, 4], vec![4], vec![20], vec![1]]);
}

#[test]
fn a_lost_part_is_sent_again() {
    let (mut source, mut target) = (Node::parts("s"), Node::parts("t"));
    let id = source.stopped("n", "t");
    target.standby("s", id.serial);
    let lost = source.said();
    source.moves.handle_timeout(at(2000));
    assert_eq!(source.said(), lost);
    source.moves.session_up(at(2000), &node("t"));
    assert_eq!(source.said(), lost);
    source.hears("t", MoveMessage::Ready { id });
    assert_eq!(source.said(), lost, "also where the target asks what comes of it");
    let mails = ["0", "1"].map(Bytes::from).to_vec();
    let taken = MoveMessage::MailsTaken { id, part: 0 };
    for _ in 0..2 {
        target.hears("s", MoveMessage::Mails { id, part: 0, mails: mails.clone() });
        assert_eq!(target.said(), [Said::Send(taken.clone())]);
    }
    target.hears("s", MoveMessage::Mails { id, part: 2, mails });
    assert_eq!(target.said(), [], "one is missing in between");
    source.hears("t", taken.clone());
    assert!(matches!(source.said()[..], [Said::Send(MoveMessage::Mails { part: 1, .. })]));
    source.hears("t", taken);
    assert_eq!(source.said(), [], "it has been told so");
    target.hears("s", MoveMessage::Commit { id, token: token(2), mails: vec![] });
    assert_eq!(target.said(), [Said::Promote { mails: 2 }], "each once");
}

#[test]
fn a_target_that_dies_between_two_parts_gives_all_of_them_back() {
    let mut source = Node::parts("s");
    let id = source.stopped("n", "t");
    source.hears("t", MoveMessage::MailsTaken { id, part: 0 });
    source.said();
    source.moves.claim_seen(
        at(0),
        &name("n"),
        &node("t"),
        Promoted { token: token(2), position: 1 },
    );
    source.hears("t", MoveMessage::Ack { id, token: token(2), position: 1 });
    assert_eq!(source.said(), [], "it lacks two parts");
    source.moves.node_dead(at(0), &node("t"));
    match source.moves.poll_output() {
        Some(Output::Event(MoveEvent::Resume { mails, .. })) => assert_eq!(mails, five_mails()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mail_for_which_there_is_no_room_is_declined() {
    let config = Config { bytes_max: 1000, state_bytes_max: 600, ..Config::default() };
    let mut target = Node::with("t", config);
    let id = target.standby("s", 1);
    let mails = vec![Bytes::from(vec![0; 990])];
    target.hears("s", MoveMessage::Mails { id, part: 0, mails: mails.clone() });
    assert_eq!(target.said(), [Said::Send(MoveMessage::MailsTaken { id, part: 0 })]);
    target.hears("s", MoveMessage::Mails { id, part: 1, mails: mails.clone() });
    let nack = Said::Send(MoveMessage::Nack { id, why: Refusal::Full });
    assert_eq!(target.said(), [Said::Discard(DiscardReason::NoRoom), nack.clone()]);
    target.hears("s", MoveMessage::Mails { id, part: 1, mails });
    assert_eq!(target.said(), [nack], "asked again, answered again");
    target.standby("s", 2);
    assert_eq!(target.moves.standbys(), 1, "what was kept for the first is let go of");
}

#[test]
fn an_orphan_gets_the_rest_of_its_mail_where_its_source_lives_after_all() {
    let mut target = Node::parts("t");
    let id = target.standby("s", 1);
    let mails = |part: u32| MoveMessage::Mails { id, part, mails: vec![Bytes::new(); 2] };
    target.hears("s", mails(0));
    target.said();
    target.moves.node_dead(at(0), &node("s"));
    target.hears("s", mails(1));
    assert_eq!(target.said(), [Said::SourceDied]);
    target.moves.promote_orphan(at(0), id, token(3));
    assert_eq!(target.said(), [Said::Promote { mails: 2 }]);
    target.moves.promoted(at(0), id, Ok(Promoted { token: token(3), position: 1 }));
    target.said();
    let taken = |part| Said::Send(MoveMessage::MailsTaken { id, part });
    target.hears("s", mails(0));
    assert_eq!(target.said(), [taken(0)], "it has had these");
    target.hears("s", mails(1));
    assert_eq!(target.said(), [Said::Deliver { mails: 2 }, taken(1)]);
    let commit = MoveMessage::Commit { id, token: token(2), mails: vec![Bytes::new()] };
    target.hears("s", commit);
    let ack = Said::Send(MoveMessage::Ack { id, token: token(3), position: 1 });
    assert_eq!(target.said(), [Said::Deliver { mails: 1 }, ack]);
}
