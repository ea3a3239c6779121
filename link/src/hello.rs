//! The first message on a session.

use serde::{Deserialize, Serialize};
use swarm_base::NodeId;

/// What each side says first. Fields that a newer node adds are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest version of the protocol that the node speaks.
    #[serde(rename = "v")]
    pub version: u16,
    /// The oldest version that it still speaks.
    #[serde(rename = "o")]
    pub oldest: u16,
    /// The cluster.
    #[serde(rename = "c")]
    pub cluster: String,
    /// The node, in its present life.
    #[serde(rename = "n")]
    pub node: NodeId,
    /// The sender's number for this session, drawn at random.
    #[serde(rename = "l")]
    pub link: u64,
    /// The receiver's number for the last session with it that the sender lost.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// The settings that the nodes must share, by name, with what they are set to.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

impl Hello {
    /// The newest version of the protocol that this release speaks.
    pub const VERSION: u16 = 1;
    /// The oldest version of the protocol that this release still speaks.
    pub const OLDEST: u16 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::codec::{self, Limits};
    use swarm_base::{Boot, NodeName};

    #[test]
    fn a_hello_of_a_newer_node_is_understood() {
        #[derive(Serialize)]
        struct Newer {
            v: u16,
            o: u16,
            c: String,
            n: NodeId,
            l: u64,
            new: Vec<u8>,
        }
        let node = NodeId::new(NodeName::new("a").expect("a name"), Boot { millis: 1, random: 2 });
        let newer = Newer { v: 2, o: 1, c: "blue".into(), n: node.clone(), l: 7, new: vec![1, 2] };
        let bytes = codec::encode(&newer).expect("encodes");
        let hello = codec::decode::<Hello>(&bytes, Limits::default()).expect("decodes");
        let cluster = "blue".into();
        let settings = Vec::new();
        let want = Hello { version: 2, oldest: 1, cluster, node, link: 7, lost: None, settings };
        assert_eq!(hello, want);
    }
}
