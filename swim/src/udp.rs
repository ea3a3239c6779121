//! The shell: one socket, one timer, one task. It decides nothing.
//!
//! ```
//! use swarm_base::{ClusterSecret, NodeName};
//! use swarm_swim::udp::{Notice, Udp};
//! use swarm_swim::{Config, Event, Filter, Keyring, Metadata};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keyring = Keyring::new("shop", ClusterSecret::generate());
//! let config = Config::default().check()?;
//! let mut nodes = Vec::new();
//! for name in ["a", "b"] {
//!     let udp = Udp::bind("127.0.0.1:0".parse()?).await?;
//!     let name = NodeName::new(name)?;
//!     nodes.push(udp.start(name, Metadata::default(), config, keyring.clone())?);
//! }
//! let mut events = nodes[1].subscribe(Filter::all());
//! nodes[1].join([nodes[0].address()]).await;
//! while events.next().await != Some(Notice::Event(Event::Merged)) {}
//! assert_eq!(nodes[1].members().len(), 2);
//! # Ok(())
//! # }
//! ```

#![expect(clippy::disallowed_methods, reason = "a shell: it reads the clocks and spawns the task")]

mod cipher;
pub use cipher::RingCipher;

mod group;
pub use group::Group;

mod port;
pub use port::{Arrival, Port};

mod subscription;
pub use subscription::{Notice, Subscription};

mod task;

use crate::{Checked, Keyring, Metadata};
use ring::rand::{SecureRandom, SystemRandom};
use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use swarm_base::{Boot, NodeName, Rng};
use task::Life;

/// A bound port, on which a node of the group can start.
#[derive(Debug)]
pub struct Udp {
    port: Port,
    advertised: SocketAddr,
    boot: Boot,
}

impl Udp {
    /// Binds a port. With port 0 the system chooses one.
    ///
    /// # Errors
    ///
    /// Those of the system. Nothing is bound then.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or if the operating system has no random bytes to give.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing is bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let port = Port::bind(address).await?;
        let advertised = port.local_addr()?;
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let boot = Boot { millis: millis as u64, random: random() };
        Ok(Self { port, advertised, boot })
    }

    /// Where others are told to send. The bound address, unless [`advertise`](Self::advertise)
    /// named another.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.advertised
    }

    /// Tells others to send to `address`: behind a translation of addresses, or where the bound
    /// one is unspecified.
    #[must_use]
    pub const fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertised = address;
        self
    }

    /// Starts in this boot, instead of one of this moment by the wall clock.
    #[must_use]
    pub const fn boot(mut self, boot: Boot) -> Self {
        self.boot = boot;
        self
    }

    /// Starts a new life of the node `name`, in a task that ends with the [`Group`]. It knows
    /// nobody before [`Group::join`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) where the advertised address is unspecified
    /// (`0.0.0.0`, `[::]`) or has port 0: nobody could send there. Nothing is started then.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or if the operating system has no random bytes to give.
    pub fn start(
        self,
        name: NodeName,
        metadata: Metadata,
        config: Checked,
        keyring: Keyring,
    ) -> io::Result<Group> {
        let Self { port, advertised: address, boot } = self;
        if address.ip().is_unspecified() || address.port() == 0 {
            let text = format!("{address} cannot be advertised, want an address that others reach");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let (seeds, rng) = (Vec::new(), Rng::new(random()));
        let life = Life { name, boot, address, metadata, config, keyring, seeds, rng };
        Ok(Group::start(life, port))
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    u64::from_be_bytes(bytes)
}
