//! Two endpoints on loopback, driven as a node drives them.
#![cfg(feature = "quic")]
#![expect(clippy::disallowed_methods, reason = "real sockets need a real clock")]

mod common;

use bytes::Bytes;
use common::{Node, Outcome, cluster_secret, frame, node_name};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use swarm_base::ClusterSecret;
use swarm_link::quic::{BindError, Lane, Notice, Push, SendError, Settings};
use swarm_link::{Cause, Reason};

#[tokio::test]
async fn frames_of_all_three_lanes_arrive_in_order() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.connect(&mut b).await;

    let control = a.endpoint.control(at_a).expect("open");
    for number in 0..100u32 {
        assert_eq!(control.push(frame(number)), Push::Queued);
    }
    for number in 0..100u32 {
        let want = Notice::Frame {
            session: at_b,
            lane: Lane::Control,
            bytes: Bytes::copy_from_slice(&number.to_be_bytes()),
        };
        assert_eq!(b.next().await, want);
    }

    let payload = Bytes::from(vec![7; 3_000_000]);
    assert_eq!(b.endpoint.send_bulk(at_b, payload.clone()), Push::Queued);
    let want = Notice::Frame { session: at_a, lane: Lane::Bulk, bytes: payload };
    assert_eq!(a.next().await, want);

    let messages = b.endpoint.messages(at_b).expect("open");
    for number in 0..10_000u32 {
        messages.send(frame(number)).await.expect("queued");
    }
    for number in 0..10_000u32 {
        assert_eq!(a.inbox.next().await, (at_a, Bytes::copy_from_slice(&number.to_be_bytes())));
    }
}

#[tokio::test]
async fn messages_wait_until_the_session_is_opened() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.dial(&mut b).await;
    a.endpoint.open(at_a);
    let messages = a.endpoint.messages(at_a).expect("open");
    assert_eq!(messages.push(frame(1)), Push::Queued);
    // The control frame overtakes the message that was there before it.
    assert_eq!(a.endpoint.control(at_a).expect("open").push(frame(2)), Push::Queued);
    assert!(matches!(b.next().await, Notice::Frame { lane: Lane::Control, .. }));
    assert!(b.inbox.is_empty());
    b.endpoint.open(at_b);
    assert_eq!(b.inbox.next().await, (at_b, Bytes::copy_from_slice(&1u32.to_be_bytes())));
}

#[tokio::test]
async fn a_wrong_secret_is_the_same_plain_cause_on_both_sides() {
    let (mut a, mut b) = (
        Node::start("a"),
        Node::with("b", "blue", &ClusterSecret::generate(), Settings::default()),
    );
    let (here, there) = a.dial_in_vain(&mut b, "b").await;
    assert_eq!(here, Cause::WrongSecret);
    assert_eq!(there, Outcome::Rejected(Cause::WrongSecret));
}

#[tokio::test]
async fn a_wrong_cluster_is_named_on_both_sides() {
    let (mut a, mut b) =
        (Node::start("a"), Node::with("b", "green", &cluster_secret(), Settings::default()));
    let (here, there) = a.dial_in_vain(&mut b, "b").await;
    let cause =
        |ours: &str, theirs: &str| Cause::WrongCluster { ours: ours.into(), theirs: theirs.into() };
    assert_eq!(here, cause("blue", "green"));
    assert_eq!(there, Outcome::Rejected(cause("green", "blue")));
}

#[tokio::test]
async fn a_wrong_name_is_told_to_both_sides() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (here, there) = a.dial_in_vain(&mut b, "c").await;
    assert_eq!(here, Cause::WrongName { expected: node_name("c"), found: node_name("b") });
    assert_eq!(there, Outcome::Closed(Cause::There(Reason::WrongName)));
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let a = Node::start("a");
    let error = Node::try_bind("b", a.address()).err();
    assert_eq!(error, Some(BindError::Taken { address: a.address() }));
}

#[tokio::test]
async fn garbage_on_the_port_changes_nothing() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let mut rng = swarm_base::Rng::new(5);
    for len in (0..1472).step_by(7) {
        let bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        stranger.send_to(&bytes, b.address()).expect("sent");
    }
    let (at_a, at_b) = a.connect(&mut b).await;
    a.endpoint.messages(at_a).expect("open").send(frame(1)).await.expect("queued");
    assert_eq!(b.inbox.next().await.0, at_b);
}

/// Each stream of a few that are open at once would cost a round trip.
#[tokio::test]
async fn short_payloads_share_a_stream_and_keep_their_order() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.connect(&mut b).await;
    let payload = |number: u32| {
        let mut bytes = vec![0; 65_600];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Bytes::from(bytes)
    };
    let mut sent = 0;
    // More than there is room for: whoever sends again does so once some have arrived.
    while a.endpoint.send_bulk(at_a, payload(sent)) == Push::Queued {
        sent += 1;
        assert!(sent < 1000, "what waits is bounded");
    }
    assert!(sent > 32, "{sent} wait");
    for number in 0..sent {
        let (session, lane, bytes) = (at_b, Lane::Bulk, payload(number));
        assert_eq!(b.next().await, Notice::Frame { session, lane, bytes });
    }
    assert_eq!(a.endpoint.send_bulk(at_a, payload(sent)), Push::Queued);
}

#[tokio::test]
async fn shutdown_flushes_what_is_queued() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.connect(&mut b).await;
    let (control, messages) =
        (a.endpoint.control(at_a).expect("open"), a.endpoint.messages(at_a).expect("open"));
    for number in 0..5000u32 {
        assert_eq!(control.push(frame(number)), Push::Queued);
        assert_eq!(messages.push(frame(number)), Push::Queued);
    }
    let payload = Bytes::from(vec![1; 2_000_000]);
    assert_eq!(a.endpoint.send_bulk(at_a, payload), Push::Queued);
    let ended = tokio::spawn(async move { a.endpoint.shutdown().await });
    let (mut control_frames, mut payloads) = (0, 0);
    loop {
        match b.next().await {
            Notice::Frame { lane: Lane::Control, .. } => control_frames += 1,
            Notice::Frame { lane: Lane::Bulk, .. } => payloads += 1,
            notice => {
                let why = Cause::There(Reason::Shutdown);
                assert_eq!(notice, Notice::Closed { session: at_b, why });
                break;
            }
        }
    }
    assert_eq!((control_frames, payloads), (5000, 1));
    for number in 0..5000u32 {
        assert_eq!(b.inbox.next().await.1[..], number.to_be_bytes());
    }
    ended.await.expect("shut down");
    assert_eq!(control.push(frame(0)), Push::Closed);
    assert_eq!(messages.send(frame(0)).await, Err(SendError::Closed));
}

#[tokio::test]
async fn a_slow_inbox_makes_the_sender_wait() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, _) = a.connect(&mut b).await;
    let messages = a.endpoint.messages(at_a).expect("open");
    b.inbox.hold();
    let kilobyte = |bytes: &mut Vec<u8>| bytes.extend_from_slice(&[3; 1024]);
    let mut pushed = 0u64;
    // Queue, send window and receive window fill; then nothing moves however long one waits.
    loop {
        match messages.push(kilobyte) {
            Push::Queued => pushed += 1,
            push => {
                assert_eq!(push, Push::Full);
                let stuck = tokio::time::timeout(Duration::from_millis(300), messages.space());
                if stuck.await.is_err() {
                    break;
                }
            }
        }
        assert!(messages.queued() <= 1024 * 1024 + 1028);
        assert!(pushed < 32 * 1024, "32 MB went somewhere");
    }
    // Control goes around it.
    assert_eq!(a.endpoint.control(at_a).expect("open").push(frame(1)), Push::Queued);
    assert!(matches!(b.next().await, Notice::Frame { lane: Lane::Control, .. }));
    b.inbox.release();
    for _ in 0..pushed {
        b.inbox.next().await;
    }
    assert_eq!(messages.push(kilobyte), Push::Queued);
}

#[tokio::test]
async fn a_session_whose_control_frames_pile_up_is_closed() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.connect(&mut b).await;
    let control = a.endpoint.control(at_a).expect("open");
    // The driver of b takes no notices: its queue of them, the windows and the queue here fill.
    let megabyte = |bytes: &mut Vec<u8>| bytes.resize(bytes.len() + 1024 * 1024, 0);
    let mut pushed = 0;
    while control.push(megabyte) == Push::Queued {
        pushed += 1;
        assert!(pushed < 1000, "it never fills");
        tokio::task::yield_now().await;
    }
    assert!(pushed >= 64);
    let why = Cause::Here(Reason::Overloaded);
    assert_eq!(a.next().await, Notice::Closed { session: at_a, why });
    let why = Cause::There(Reason::Overloaded);
    let closed = Notice::Closed { session: at_b, why };
    while b.next().await != closed {}
}

#[tokio::test]
async fn an_inbox_that_panics_ends_its_session_only() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (first, _) = a.connect(&mut b).await;
    let (second, at_b) = a.connect(&mut b).await;
    b.inbox.panic_at(b"boom");
    let boom = |bytes: &mut Vec<u8>| bytes.extend_from_slice(b"boom");
    a.endpoint.messages(first).expect("open").send(boom).await.expect("queued");
    let why = Cause::There(Reason::Protocol);
    assert_eq!(a.next().await, Notice::Closed { session: first, why });
    a.endpoint.messages(second).expect("open").send(frame(1)).await.expect("queued");
    assert_eq!(b.inbox.next().await.0, at_b);
}

#[tokio::test]
async fn a_frame_that_is_too_long_never_leaves() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.connect(&mut b).await;
    let messages = a.endpoint.messages(at_a).expect("open");
    let long = |bytes: &mut Vec<u8>| bytes.resize(bytes.len() + 1024 * 1024 + 1, 0);
    assert_eq!(messages.push(long), Push::TooLong);
    assert_eq!(messages.send(long).await, Err(SendError::TooLong { max: 1024 * 1024 }));
    let payload = Bytes::from(vec![0; 18 << 20]);
    assert_eq!(a.endpoint.send_bulk(at_a, payload), Push::TooLong);
    messages.send(frame(1)).await.expect("queued");
    assert_eq!(b.inbox.next().await.0, at_b);
}

#[tokio::test]
async fn a_frame_over_the_receivers_limit_closes_the_session() {
    let strict = Settings { message_len_max: 1024, ..Settings::default() };
    let (mut a, mut b) = (Node::start("a"), Node::with("b", "blue", &cluster_secret(), strict));
    let (at_a, at_b) = a.connect(&mut b).await;
    let messages = a.endpoint.messages(at_a).expect("open");
    messages.send(|bytes| bytes.extend_from_slice(&[0; 1025])).await.expect("queued");
    let here = Notice::Closed { session: at_b, why: Cause::Here(Reason::Protocol) };
    assert_eq!(b.next().await, here);
    let there = Notice::Closed { session: at_a, why: Cause::There(Reason::Protocol) };
    assert_eq!(a.next().await, there);
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_closed_after_the_idle_timeout() {
    let short = Settings {
        idle_timeout: Duration::from_millis(600),
        keep_alive: Duration::from_millis(200),
        ..Settings::default()
    };
    let mut a = Node::with("a", "blue", &cluster_secret(), short.clone());
    let mut b = Node::with("b", "blue", &cluster_secret(), short);
    // All that a sends b goes through a socket that stops, as a cut cable does.
    let relay = common::Relay::start(b.address());
    let (at_a, _) = a.dial_at(&mut b, relay.address()).await;
    relay.pause();
    assert_eq!(a.next().await, Notice::Closed { session: at_a, why: Cause::Silent });
}

#[tokio::test]
async fn a_restarted_peer_resets_the_sessions_of_its_old_life() {
    let slow = Settings { keep_alive: Duration::from_millis(200), ..Settings::default() };
    let (mut a, mut b) =
        (Node::with("a", "blue", &cluster_secret(), slow.clone()), Node::start("b"));
    // The relay hides the goodbye of the old life.
    let relay = common::Relay::start(b.address());
    let (at_a, at_b) = a.dial_at(&mut b, relay.address()).await;
    // Both ends know that the handshake is through, as they do once the hellos are there.
    assert_eq!(b.endpoint.control(at_b).expect("open").push(frame(1)), Push::Queued);
    assert!(matches!(a.next().await, Notice::Frame { .. }));
    assert!(a.endpoint.heard(at_a).expect("open") > 0);
    let address = b.address();
    relay.pause();
    b.stop().await;
    let restarted = common::until(|| Node::try_bind("b", address).ok()).await;
    relay.resume();
    assert_eq!(a.next().await, Notice::Closed { session: at_a, why: Cause::Reset });
    assert_eq!(a.endpoint.heard(at_a), None);
    drop(restarted);
}

#[tokio::test]
async fn a_dial_that_nobody_answers_can_be_given_up() {
    let mut a = Node::start("a");
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let address: SocketAddr = mute.local_addr().expect("an address");
    let session = swarm_base::Session::dialled(1);
    a.endpoint.dial(session, address, &node_name("b"));
    a.endpoint.close(session, Reason::GivenUp);
    let why = Cause::Here(Reason::GivenUp);
    assert_eq!(a.next().await, Notice::Failed { session, why });
}

#[tokio::test]
async fn what_drops_the_endpoint_ends_its_sessions() {
    let (mut a, mut b) = (Node::start("a"), Node::start("b"));
    let (at_a, at_b) = a.connect(&mut b).await;
    let messages = a.endpoint.messages(at_a).expect("open");
    drop(a);
    assert!(messages.is_closed());
    let why = Cause::There(Reason::Shutdown);
    assert_eq!(b.next().await, Notice::Closed { session: at_b, why });
}
