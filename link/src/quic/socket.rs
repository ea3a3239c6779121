//! The socket under all connections.

use super::SettingsError;
use super::credentials::CredentialsError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Why there is no endpoint. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the port.
    #[error("the address {address} is taken")]
    Taken {
        /// Which.
        address: SocketAddr,
    },
    /// The operating system refuses the address for another reason.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// What the operating system said.
        reason: String,
    },
    /// A setting makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Something that works, but not as well as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The kernel gives the socket a smaller buffer than asked. Bursts will be lost and sent again.
    #[error(
        "the kernel gives a socket buffer of {found} bytes where {wanted} were asked: raise {setting}"
    )]
    SocketBuffer {
        /// The kernel's setting that limits it.
        setting: &'static str,
        /// What was asked.
        wanted: usize,
        /// What it gave.
        found: usize,
    },
}

pub(super) fn bind(
    address: SocketAddr,
    buffer: usize,
) -> Result<(UdpSocket, Vec<Warning>), BindError> {
    open(address, buffer).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        _ => BindError::Address { address, reason: error.to_string() },
    })
}

fn open(address: SocketAddr, wanted: usize) -> io::Result<(UdpSocket, Vec<Warning>)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_recv_buffer_size(wanted)?;
    socket.set_send_buffer_size(wanted)?;
    // Linux reports twice what it was asked for: the other half is its own bookkeeping.
    let factor = if cfg!(target_os = "linux") { 2 } else { 1 };
    let given = [
        ("net.core.rmem_max", socket.recv_buffer_size()? / factor),
        ("net.core.wmem_max", socket.send_buffer_size()? / factor),
    ];
    socket.bind(&address.into())?;
    let clamped = given.into_iter().filter(|(_, found)| *found < wanted);
    let warnings =
        clamped.map(|(setting, found)| Warning::SocketBuffer { setting, wanted, found }).collect();
    Ok((socket.into(), warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (first, _) = bind(loopback, 65_536).expect("bound");
        let address = first.local_addr().expect("an address");
        let error = bind(address, 65_536).expect_err("taken");
        assert_eq!(error, BindError::Taken { address });
    }

    #[test]
    fn a_clamped_buffer_is_a_warning() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (_, warnings) = bind(loopback, 4096).expect("bound");
        assert_eq!(warnings, []);
        let (_, warnings) = bind(loopback, 1 << 30).expect("bound");
        assert_eq!(warnings.len(), 2, "no kernel gives a gigabyte");
    }
}
