//! What a certificate says about the node that holds it.

use std::fmt;
use swarm_base::NodeName;

/// The holder of a certificate: written as `swarm://<cluster>/node/<name>`, the URI among the
/// certificate's alternative names, with everything outside RFC 3986's unreserved characters
/// percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The cluster that the certificate is for.
    pub cluster: String,
    /// The name of the node.
    pub node: NodeName,
    /// What the holder may do.
    pub role: Role,
}

/// What the holder of a certificate may do: a certificate of one role is worth nothing in another
/// (the lesson of Consul's CVE-2021-37219).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Be a node of the cluster.
    Member,
    /// Use the cluster from outside. No session is made for it yet.
    Client,
}

impl Identity {
    /// A member of `cluster`.
    #[must_use]
    pub fn member(cluster: impl Into<String>, node: NodeName) -> Self {
        Self { cluster: cluster.into(), node, role: Role::Member }
    }

    /// The identity as a URI.
    #[must_use]
    pub fn to_uri(&self) -> String {
        let mut uri = String::from(SCHEME);
        encode(&mut uri, &self.cluster);
        uri.push_str(match self.role {
            Role::Member => MEMBER,
            Role::Client => CLIENT,
        });
        encode(&mut uri, self.node.as_str());
        uri
    }

    /// The identity that `uri` writes, if it is one.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let (cluster, path) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        let (role, node) = path.split_once('/')?;
        let role = [(MEMBER, Role::Member), (CLIENT, Role::Client)]
            .into_iter()
            .find(|(segment, _)| segment.trim_matches('/') == role)?
            .1;
        let node = NodeName::new(decode(node)?).ok()?;
        Some(Self { cluster: decode(cluster)?, node, role })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri())
    }
}

fn encode(uri: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// Strict: a name has one spelling, so that two certificates with different URIs are never taken
/// for the same node.
fn decode(segment: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), segment.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let mut spelled = String::new();
    encode(&mut spelled, &text);
    (spelled == segment).then_some(text)
}

const SCHEME: &str = "swarm://";
const MEMBER: &str = "/node/";
const CLIENT: &str = "/client/";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster: &str, node: &str) -> Identity {
        Identity::member(cluster, NodeName::new(node).expect("a name"))
    }

    #[test]
    fn an_identity_is_a_uri() {
        let check = |identity: Identity, uri: &str| {
            assert_eq!(identity.to_uri(), uri);
            assert_eq!(Identity::from_uri(uri), Some(identity));
        };
        check(identity("blue", "app-1"), "swarm://blue/node/app-1");
        check(identity("blue", "app-1@host"), "swarm://blue/node/app-1%40host");
        check(identity("a/b c", "n/%"), "swarm://a%2Fb%20c/node/n%2F%25");
        check(identity("", "ü"), "swarm:///node/%C3%BC");
        let client = Identity { role: Role::Client, ..identity("blue", "shell") };
        check(client, "swarm://blue/client/shell");
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        for uri in [
            "",
            "https://blue/node/a",
            "swarm://blue",
            "swarm://blue/a",
            "swarm://blue/node/",
            "swarm://blue/admin/a",
            "swarm://blue/node/a/b",
            "swarm://blue/node/a@b",
            "swarm://blue/node/%4",
            "swarm://blue/node/%61",
            "swarm://blue/node/%+1",
            "swarm://blue/node/%2f",
            "swarm://blue/node/%FF",
        ] {
            assert_eq!(Identity::from_uri(uri), None, "{uri}");
        }
    }
}
