//! Where a node is, as its user says it.

use crate::StartError;
use std::net::SocketAddr;

/// A socket address, or a host and port that resolve to some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAddress {
    /// An address.
    Socket(SocketAddr),
    /// A host name and port, such as `node-1.example:7000`.
    Host(String),
}

impl From<SocketAddr> for NodeAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl From<&str> for NodeAddress {
    fn from(address: &str) -> Self {
        Self::Host(address.to_owned())
    }
}

impl From<String> for NodeAddress {
    fn from(address: String) -> Self {
        Self::Host(address)
    }
}

impl NodeAddress {
    pub(crate) async fn resolve(&self, what: &'static str) -> Result<Vec<SocketAddr>, StartError> {
        let host = match self {
            Self::Socket(address) => return Ok(vec![*address]),
            Self::Host(host) => host,
        };
        let failed = |reason: String| StartError::Address { what, address: host.clone(), reason };
        let found: Vec<_> =
            tokio::net::lookup_host(host).await.map_err(|e| failed(e.to_string()))?.collect();
        if found.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        Ok(found)
    }

    pub(crate) async fn first(&self, what: &'static str) -> Result<SocketAddr, StartError> {
        Ok(self.resolve(what).await?[0])
    }
}
