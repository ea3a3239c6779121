//! Nodes with other addresses than IPv4 alone.

use super::deaths::{PROOF_LIMIT, kill_last, until_watched};
use crate::Failure;
use crate::cluster::net::Host;
use crate::cluster::stage::{PATIENCE, PORT, Start};
use crate::cluster::{Figures, Stage};
use std::net::{Ipv6Addr, SocketAddr};

/// All nodes speak IPv6.
pub(super) async fn ipv6(stage: &mut Stage) -> Result<Figures, Failure> {
    let addresses: Vec<_> = stage.net().hosts().map(|host| stage.net().address_v6(host)).collect();
    let start = |Host(host): Host| Start {
        bind: Some(SocketAddr::from((addresses[host], PORT))),
        ..Start::default()
    };
    join_and_kill(stage, start).await
}

/// Every other node has a socket for IPv6 and IPv4, and advertises its IPv4 address: to that
/// socket the others have mapped addresses, and are the same nodes.
pub(super) async fn dual_stack(stage: &mut Stage) -> Result<Figures, Failure> {
    let addresses: Vec<_> = stage.net().hosts().map(|host| stage.net().address(host)).collect();
    let start = |Host(host): Host| match host % 2 {
        0 => Start {
            bind: Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))),
            advertise: Some(SocketAddr::from((addresses[host], PORT))),
            ..Start::default()
        },
        _ => Start::default(),
    };
    join_and_kill(stage, start).await
}

async fn join_and_kill(
    stage: &mut Stage,
    start: impl Fn(Host) -> Start,
) -> Result<Figures, Failure> {
    let nodes = stage.start_all(start).await?;
    let begin = stage.join(&nodes).await?;
    let done = stage.until_all_see_all(&nodes, PATIENCE).await?;
    let figures = Figures::default().and_time("all see all after", done - begin);
    until_watched(stage, &nodes).await?;
    kill_last(stage, &nodes, PROOF_LIMIT, figures).await
}
