//! A network of its own: one namespace for each host, all on one bridge, nothing outside of them.

mod leftovers;
mod rules;
mod tool;
mod traffic;
pub(super) use leftovers::remove_leftovers;
pub(super) use tool::{command_in, missing};
pub(super) use traffic::{Arrivals, Traffic};

use crate::Failure;
use rules::Rules;
use std::fmt::{Display, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

/// A network. Dropped, it is removed, with every process that is still inside.
pub(super) struct Net {
    prefix: String,
    rules: Vec<Rules>,
}

/// A host of a network, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Host(pub(super) usize);

/// Which packets a host loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Anybody,
    Only(Host),
}

impl Net {
    /// Makes a network of `n` hosts.
    pub(super) fn new(n: usize) -> Result<Self, Failure> {
        assert!((1..=HOSTS_MAX).contains(&n), "the addresses do for {HOSTS_MAX} hosts");
        // One process may make several, one after the other.
        static LAST: AtomicU32 = AtomicU32::new(0);
        let serial = LAST.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}-{}-{serial}", std::process::id());
        // From here on a failure removes what is there already.
        let net = Self { prefix, rules: vec![Rules::default(); n] };
        tool::ip(None, &net.namespaces_script())?;
        tool::ip(Some(&net.switch()), &net.switch_script())?;
        for host in net.hosts() {
            tool::ip(Some(&net.namespace(host)), &net.host_script(host))?;
            net.apply(host)?;
        }
        Ok(net)
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = Host> + use<> {
        (0..self.rules.len()).map(Host)
    }

    /// The name of a host's namespace.
    pub(super) fn namespace(&self, host: Host) -> String {
        format!("{}-h{}", self.prefix, host.0)
    }

    /// The name of the namespace in the middle, which reaches every host.
    pub(super) fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    /// A host's address.
    pub(super) fn address(&self, host: Host) -> Ipv4Addr {
        assert!(host.0 < self.rules.len(), "there is no host {}", host.0);
        address(host)
    }

    /// A host's IPv6 address.
    pub(super) fn address_v6(&self, host: Host) -> Ipv6Addr {
        assert!(host.0 < self.rules.len(), "there is no host {}", host.0);
        address_v6(host)
    }

    /// From now on `host` loses this share of what arrives, in thousandths.
    pub(super) fn lose(&mut self, host: Host, from: From, permille: u32) -> Result<(), Failure> {
        match from {
            From::Anybody => self.rules[host.0].loss = permille,
            From::Only(from) => drop(self.rules[host.0].loss_from.insert(address(from), permille)),
        }
        self.apply(host)
    }

    /// From now on nothing arrives at `to` that `from` has sent. The other way stays open.
    pub(super) fn cut(&mut self, from: Host, to: Host) -> Result<(), Failure> {
        self.rules[to.0].cut.insert(address(from));
        self.apply(to)
    }

    /// From now on nothing passes between any of `left` and any of `right`.
    pub(super) fn cut_between(&mut self, left: &[Host], right: &[Host]) -> Result<(), Failure> {
        for (cut, others) in [(left, right), (right, left)] {
            for host in cut {
                self.rules[host.0].cut.extend(others.iter().copied().map(address));
                self.apply(*host)?;
            }
        }
        Ok(())
    }

    /// Takes all cuts and losses away. What was counted of them is forgotten.
    pub(super) fn heal(&mut self) -> Result<(), Failure> {
        for host in self.hosts() {
            self.rules[host.0] = Rules::default();
            self.apply(host)?;
        }
        Ok(())
    }

    /// What a host has sent and received since it was made, as its network card counts.
    pub(super) fn traffic(&self, host: Host) -> Result<Traffic, Failure> {
        let text = tool::show(&self.namespace(host), "ip", &["-s", "-j", "link", "show", CARD])?;
        Traffic::parse(&text)
    }

    /// What arrived at a host, and what its rules took away, since they changed last.
    pub(super) fn arrivals(&self, host: Host) -> Result<Arrivals, Failure> {
        let args = ["-j", "list", "counters", "table", "inet", rules::TABLE];
        Arrivals::parse(&tool::show(&self.namespace(host), "nft", &args)?)
    }

    fn apply(&self, host: Host) -> Result<(), Failure> {
        tool::nft(&self.namespace(host), &self.rules[host.0].script())
    }

    fn namespaces_script(&self) -> String {
        let switch = self.switch();
        let mut script = format!("netns add {switch}\n");
        for host in self.hosts() {
            let namespace = self.namespace(host);
            let _ = writeln!(script, "netns add {namespace}");
            let _ = writeln!(
                script,
                "link add name {CARD} netns {namespace} address {} type veth peer name p{} netns {switch}",
                mac(host.0),
                host.0
            );
        }
        script
    }

    fn switch_script(&self) -> String {
        let mut script = format!(
            "link add name {BRIDGE} address {} type bridge mcast_snooping 0\n\
             link set lo up\n",
            mac(SWITCH)
        );
        let _ = writeln!(script, "link set {BRIDGE} addrgenmode none up");
        let _ = writeln!(script, "addr add {SWITCH_ADDRESS}/16 dev {BRIDGE}");
        for host in self.hosts() {
            let _ = writeln!(script, "link set p{} addrgenmode none master {BRIDGE} up", host.0);
            script.push_str(&neighbour(address(host), host.0, BRIDGE));
        }
        script
    }

    fn host_script(&self, host: Host) -> String {
        let mut script = format!(
            "link set lo up\n\
             link set {CARD} addrgenmode none up\n\
             addr add {}/16 dev {CARD}\n\
             addr add {}/64 dev {CARD} nodad\n",
            address(host),
            address_v6(host)
        );
        script.push_str(&neighbour(SWITCH_ADDRESS, SWITCH, CARD));
        for other in self.hosts().filter(|other| *other != host) {
            script.push_str(&neighbour(address(other), other.0, CARD));
            script.push_str(&neighbour(address_v6(other), other.0, CARD));
        }
        script
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        leftovers::remove_all(&format!("{}-", self.prefix));
    }
}

/// How every namespace of every run begins.
const PREFIX: &str = "swarmnet";

/// The network card of a host.
const CARD: &str = "eth0";

const BRIDGE: &str = "br0";

/// More than two cores can run.
const HOSTS_MAX: usize = 1000;

/// The address of the namespace in the middle.
pub(super) const SWITCH_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 255, 1);

/// The number in the middle's hardware address.
const SWITCH: usize = 0xff01;

fn address(Host(host): Host) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, (host / 250) as u8, (host % 250 + 1) as u8)
}

fn address_v6(Host(host): Host) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, host as u16 + 1)
}

fn mac(number: usize) -> String {
    format!("02:00:00:00:{:02x}:{:02x}", number >> 8 & 0xff, number & 0xff)
}

/// Nobody asks for hardware addresses: the questions would count as traffic, and the kernel's
/// table of the answers is one for all namespaces and too small for fifty hosts.
fn neighbour(address: impl Display, number: usize, device: &str) -> String {
    format!("neigh replace {address} lladdr {} dev {device} nud permanent\n", mac(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_hosts_share_an_address() {
        let mut seen = BTreeSet::from([SWITCH_ADDRESS]);
        assert!((0..HOSTS_MAX).all(|host| seen.insert(address(Host(host)))));
        let mut seen = BTreeSet::from([mac(SWITCH)]);
        assert!((0..HOSTS_MAX).all(|host| seen.insert(mac(host))));
    }
}
