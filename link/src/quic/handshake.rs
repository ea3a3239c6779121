//! From a dial, or a knock, to a connection between two members of one cluster.

use super::connection::{self, CONTROL};
use super::endpoint::Shared;
use super::link::{self, Link};
use super::notice::Notice;
use super::{cause, certificate};
use crate::checks::{self, Refusal};
use crate::{Cause, Identity, Reason};
use bytes::Bytes;
use quinn::{Connection, Incoming, SendStream};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::NodeName;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

/// Dials, and keeps the session until it ends.
pub(super) async fn dial(
    shared: Arc<Shared>,
    link: Arc<Link>,
    bulk: mpsc::Receiver<Bytes>,
    address: SocketAddr,
    expected: NodeName,
) {
    let outcome = tokio::select! {
        outcome = connect(&shared, address, &expected) => outcome,
        reason = link.closing() => Err(Cause::Here(reason)),
    };
    match outcome {
        Ok(open) => live(shared, link, bulk, open).await,
        Err(why) => {
            link.close_outboxes();
            shared.forget(link.session);
            shared.tell(Notice::Failed { session: link.session, why }).await;
        }
    }
}

/// Takes a connection that somebody else dialled, and keeps the session until it ends. `permit`
/// counts as long as the handshake lasts.
pub(super) async fn accept(shared: Arc<Shared>, incoming: Incoming, permit: OwnedSemaphorePermit) {
    let peer = canonical(incoming.remote_address());
    let accepted = timeout(HANDSHAKE_MAX, welcome(&shared, incoming)).await;
    match accepted.unwrap_or(Err(Cause::Silent)) {
        Ok(open) => {
            drop(permit);
            match shared.accepted() {
                Some((link, bulk)) => live(shared, link, bulk, open).await,
                None => link::close(&open.connection, Reason::Overloaded),
            }
        }
        // It dialled and thought better of it: nobody was turned away.
        Err(Cause::There(Reason::GivenUp)) => (),
        Err(why) => shared.try_tell(Notice::Rejected { peer, why }),
    }
}

/// A connection whose other side is known.
struct Open {
    connection: Connection,
    identity: Identity,
    control: SendStream,
}

async fn connect(shared: &Shared, address: SocketAddr, expected: &NodeName) -> Result<Open, Cause> {
    let connecting = shared
        .endpoint
        .connect_with(shared.client.clone(), address, SERVER_NAME)
        .map_err(|e| cause::of_dial(&e))?;
    let connection = connecting.await.map_err(|e| cause::of(&e))?;
    match identify(shared, &connection, Some(expected)) {
        Ok(identity) => open(connection, identity).await,
        Err((reason, why)) => {
            // The other side may not be through with the handshake yet: a close would reach it as a
            // bare error then. Its first stream says that it is.
            let _ = timeout(VERDICT_MAX, connection.accept_uni()).await;
            link::close(&connection, reason);
            Err(why)
        }
    }
}

async fn welcome(shared: &Shared, incoming: Incoming) -> Result<Open, Cause> {
    let connecting = incoming.accept().map_err(|e| cause::of(&e))?;
    let connection = connecting.await.map_err(|e| cause::of(&e))?;
    match identify(shared, &connection, None) {
        Ok(identity) => open(connection, identity).await,
        Err((reason, why)) => {
            link::close(&connection, reason);
            Err(why)
        }
    }
}

async fn open(connection: Connection, identity: Identity) -> Result<Open, Cause> {
    let control = connection::open_stream(&connection, CONTROL).await.map_err(|e| cause::of(&e))?;
    Ok(Open { connection, identity, control })
}

/// Reads the other's certificate, whose chain is verified, and compares it with what is expected.
fn identify(
    shared: &Shared,
    connection: &Connection,
    dialled: Option<&NodeName>,
) -> Result<Identity, Refusal> {
    let found = connection
        .peer_identity()
        .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok())
        .and_then(|chain| certificate::identity(chain.first()?))
        .ok_or((Reason::WrongCertificate, Cause::WrongCertificate))?;
    checks::identity(&shared.me.cluster, dialled, &found)?;
    Ok(found)
}

async fn live(shared: Arc<Shared>, link: Arc<Link>, bulk: mpsc::Receiver<Bytes>, open: Open) {
    let Open { connection, identity, control } = open;
    let (session, peer) = (link.session, canonical(connection.remote_address()));
    let _ = link.connection.set(connection.clone());
    shared.tell(Notice::Opened { session, identity, peer }).await;
    let why = connection::run(&shared, &link, &connection, control, bulk).await;
    shared.forget(session);
    shared.tell(Notice::Closed { session, why }).await;
}

/// A socket for both families shows IPv4 addresses as IPv6 ones.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// TLS wants one. The names of nodes need not be names of DNS.
const SERVER_NAME: &str = "swarm";
/// How long an accepted handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// How long a dial that found the wrong node waits for it to be told so.
const VERDICT_MAX: Duration = Duration::from_secs(1);
