//! Tests: peers that hold a certificate, or none, and break the rules.

use super::credentials::Credentials;
use super::{BULK_LEN_MAX, CONTROL_LEN_MAX, Endpoint, Inbox, Notice, Pace, Settings};
use crate::{Cause, Identity, Reason, Role};
use bytes::Bytes;
use quinn::{ClientConfig, Connection, ConnectionError, VarInt};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{ClusterSecret, NodeName, Session};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[tokio::test]
async fn an_unknown_kind_of_stream_ends_the_session() {
    breach(move |peer| async move { send(&peer, &[9]).await }).await;
}

#[tokio::test]
async fn a_second_control_stream_ends_the_session() {
    breach(move |peer| async move {
        send(&peer, &[1]).await;
        send(&peer, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn a_control_frame_is_refused_by_its_length_alone() {
    let long = u32::try_from(CONTROL_LEN_MAX + 1).expect("a mebibyte").to_be_bytes();
    breach(move |peer| async move { send(&peer, &[&[1][..], &long].concat()).await }).await;
}

#[tokio::test]
async fn a_message_frame_is_refused_by_its_length_alone() {
    breach(move |peer| async move { send(&peer, &[2, 0xff, 0xff, 0xff, 0xff]).await }).await;
}

#[tokio::test]
async fn a_stream_that_ends_within_a_frame_ends_the_session() {
    breach(move |peer| async move { send(&peer, &[1, 0, 0, 0, 2, 7]).await }).await;
}

#[tokio::test]
async fn a_payload_that_is_too_long_ends_the_session() {
    let mut payload = vec![7; BULK_LEN_MAX + 2];
    payload[0] = 3;
    breach(move |peer| async move { send(&peer, &payload).await }).await;
}

#[tokio::test]
async fn a_stranger_without_a_certificate_is_rejected() {
    let node = Node::start();
    let credentials = credentials("stranger");
    // Believes the node, and shows nothing of itself.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = super::verify::ClusterVerifier::new(credentials.roots(), &provider);
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"swarm/1".to_vec()];
    let quic = quinn::crypto::rustls::QuicClientConfig::try_from(tls).expect("TLS 1.3");
    rejected(node, ClientConfig::new(Arc::new(quic)), Cause::WrongCertificate).await;
}

#[tokio::test]
async fn another_protocol_is_rejected() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = super::verify::ClusterVerifier::new(credentials("x").roots(), &provider);
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let quic = quinn::crypto::rustls::QuicClientConfig::try_from(tls).expect("TLS 1.3");
    rejected(Node::start(), ClientConfig::new(Arc::new(quic)), Cause::OtherProtocol).await;
}

#[tokio::test]
async fn a_certificate_of_another_role_is_rejected() {
    let name = NodeName::new("shell").expect("a name");
    let identity = Identity { role: Role::Client, ..Identity::member("blue", name) };
    let client = Credentials::issue(&secret(), identity).expect("credentials");
    let config = Settings::default().client(&client).expect("a client");
    rejected(Node::start(), config, Cause::WrongCertificate).await;
}

/// Lets a certified peer do something to an open session, which both sides see end.
async fn breach<F: Future<Output = ()> + Send + 'static>(
    act: impl FnOnce(Connection) -> F + Send + 'static,
) {
    let mut node = Node::start();
    let config = Settings::default().client(&credentials("a")).expect("a client");
    let (_endpoint, peer) = dial(node.address, config).await;
    let peer = peer.expect("connected");
    let session = match node.next().await {
        Notice::Opened { session, .. } => session,
        other => panic!("expected a session, got {other:?}"),
    };
    node.endpoint.open(session);
    let mut acting = JoinSet::new();
    acting.spawn(act(peer.clone()));
    let why = Cause::Here(Reason::Protocol);
    assert_eq!(node.next().await, Notice::Closed { session, why });
    let told = timeout(PATIENCE, peer.closed()).await.expect("in time");
    let code = VarInt::from_u32(Reason::Protocol.code());
    assert!(
        matches!(&told, ConnectionError::ApplicationClosed(close) if close.error_code == code),
        "{told:?}"
    );
    acting.join_next().await.expect("one").expect("no panic");
}

async fn rejected(mut node: Node, config: ClientConfig, want: Cause) {
    let (_endpoint, _peer) = dial(node.address, config).await;
    match node.next().await {
        Notice::Rejected { why, .. } => assert_eq!(why, want),
        other => panic!("expected a rejection, got {other:?}"),
    }
}

/// Writes a stream of these bytes, as far as the other side takes them.
async fn send(peer: &Connection, bytes: &[u8]) {
    if let Ok(mut stream) = peer.open_uni().await {
        let _ = stream.write_all(bytes).await;
        let _ = stream.finish();
    }
}

async fn dial(
    address: SocketAddr,
    config: ClientConfig,
) -> (quinn::Endpoint, Result<Connection, ConnectionError>) {
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).expect("bound");
    let connecting = endpoint.connect_with(config, address, "swarm").expect("dialled");
    let connection = timeout(PATIENCE, connecting).await.expect("in time");
    (endpoint, connection)
}

struct Node {
    endpoint: Endpoint,
    address: SocketAddr,
    notices: mpsc::Receiver<Notice>,
}

impl Node {
    fn start() -> Self {
        let (sender, notices) = mpsc::channel(16);
        let (local, settings) = ((Ipv4Addr::LOCALHOST, 0).into(), Settings::default());
        let endpoint =
            Endpoint::bind(local, &credentials("b"), settings, sender, Arc::new(Nothing));
        let endpoint = endpoint.expect("bound");
        let address = endpoint.local_addr();
        Self { endpoint, address, notices }
    }

    async fn next(&mut self) -> Notice {
        timeout(PATIENCE, self.notices.recv()).await.expect("in time").expect("running")
    }
}

struct Nothing;

impl Inbox for Nothing {
    fn deliver(&self, _: Session, _: Bytes) -> Pace {
        Pace::Go
    }
}

fn secret() -> ClusterSecret {
    ClusterSecret::from_bytes(&(0..32).collect::<Vec<u8>>()).expect("a secret")
}

fn credentials(name: &str) -> Credentials {
    let name = NodeName::new(name).expect("a name");
    Credentials::from_secret(&secret(), "blue", &name).expect("credentials")
}

const PATIENCE: Duration = Duration::from_secs(20);
