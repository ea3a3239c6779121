//! A socket for one member that is doubted.

#![expect(clippy::disallowed_methods, reason = "a task of the port, owned by the socket's owner")]

use super::Sign;
use crate::PACKET_LEN_MAX;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use swarm_base::NodeId;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// See the module. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Connected {
    to: SocketAddr,
    /// Not the runtime's: that would not send before it has been polled once.
    socket: std::net::UdpSocket,
    task: JoinHandle<()>,
}

impl Connected {
    /// A socket beside `udp`, from the same address.
    pub(super) fn new(
        udp: &UdpSocket,
        node: &NodeId,
        to: SocketAddr,
        signs: &mpsc::Sender<Sign>,
    ) -> io::Result<Self> {
        let own = udp.local_addr()?.ip();
        let own = match (own.is_unspecified(), to) {
            (false, _) => own,
            (true, SocketAddr::V4(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            (true, SocketAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = std::net::UdpSocket::bind((own, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let read = UdpSocket::from_std(socket.try_clone()?)?;
        let task = tokio::spawn(listen(read, node.clone(), to, signs.clone()));
        Ok(Self { to, socket, task })
    }

    pub(super) fn is_to(&self, address: SocketAddr) -> bool {
        self.to == address
    }

    pub(super) fn send(&self, packet: &[u8]) {
        // The refusal of an earlier packet is taken by the next call of either kind.
        if let Err(error) = self.socket.send(packet)
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            let _ = self.socket.send(packet);
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(socket: UdpSocket, node: NodeId, from: SocketAddr, signs: mpsc::Sender<Sign>) {
    let mut buffer = [0; PACKET_LEN_MAX + 1];
    let mut n_errors = 0;
    while n_errors < ERRORS_MAX {
        let sign = match socket.recv(&mut buffer).await {
            Ok(len) => Sign::Packet { bytes: buffer[..len].to_vec(), from },
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Sign::Refused(node.clone())
            }
            // Unreachable hosts and networks: no proof of anything.
            Err(_) => {
                n_errors += 1;
                continue;
            }
        };
        if signs.send(sign).await.is_err() {
            return;
        }
    }
}

/// After how many other errors the socket is given up.
const ERRORS_MAX: u32 = 16;
