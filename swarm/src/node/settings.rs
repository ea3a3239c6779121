//! Nodes that differ in a setting that all must share: they are kept out, and the node that comes to
//! a cluster of others does not stay.

use super::{Event, Node, NodeMeta};
use std::time::Duration;
use swarm_base::{Boot, Instant, NodeId, NodeName};
use swarm_link::Cause;

impl Node {
    /// Whether a node has the settings of this one, as far as all must share them.
    pub(crate) fn shares_settings(&self, meta: &NodeMeta) -> bool {
        self.meta.shares_settings(meta)
    }

    /// Whether this node has just come to a cluster that it differs from: then it owns nothing, and
    /// waits for one of the others to say in what.
    pub(super) fn waits_for_settings(&mut self, now: Instant) -> bool {
        let waits = self.is_kept_out();
        if waits {
            self.alone_until = Some(now + TOLD_WITHIN);
            self.emit(Event::MeetsOthers);
        }
        waits
    }

    /// Whether this node is the one that is kept out, not the others: it is joining, and most of the
    /// members differ from it. Of as many it is the oldest that counts: others that were kept out may
    /// not be gone yet.
    fn is_kept_out(&self) -> bool {
        let count = |nodes: &mut dyn Iterator<Item = &NodeId>| {
            nodes.fold((0_usize, None), |(count, oldest), node| {
                (count + 1, Some(oldest.map_or(node.boot, |boot: Boot| boot.min(node.boot))))
            })
        };
        let mut others = self.placing.members().map(|(node, _)| node).filter(|n| **n != self.me);
        let (n_sharing, oldest_sharing) = count(&mut others);
        let (n_differing, oldest_differing) = count(&mut self.kept_out.iter());
        self.alone_until.is_some()
            && n_differing > 0
            && (n_differing > n_sharing
                || (n_differing == n_sharing && oldest_differing < oldest_sharing))
    }

    /// No session with `peer` came to be.
    pub(super) fn refused(&mut self, now: Instant, peer: &NodeName, why: &Cause) {
        if let Cause::Settings { setting, here, there } = why
            && self.is_kept_out()
            && self.differs.is_none()
        {
            self.differs = Some(Differs {
                peer: peer.clone(),
                setting: setting.clone(),
                here: here.clone(),
                there: there.clone(),
            });
            self.alone_until = Some(now + GOODBYE_AFTER);
        }
    }

    /// This node has waited for the others for as long as it does. Tells whether it is to stop, since
    /// they differ from it.
    pub(super) fn stops_for_settings(&mut self, now: Instant) -> bool {
        let Some(differs) = self.differs.clone() else { return false };
        self.alone_until = Some(now + TOLD_WITHIN);
        self.emit(Event::SettingsDiffer(differs));
        true
    }
}

/// A setting that all nodes must share, and do not.
#[derive(Clone, Debug)]
pub(crate) struct Differs {
    /// A node on which it is another one.
    pub peer: NodeName,
    /// Which.
    pub setting: String,
    /// What it is set to on this node.
    pub here: String,
    /// What it is set to on the other.
    pub there: String,
}

/// A node that knows in what it differs stays for so long: the other one is being told, and would
/// forget it with its goodbye.
const GOODBYE_AFTER: Duration = Duration::from_secs(1);

/// How long a node waits for one of those that it differs from to say in what. Longer than a few
/// attempts at a session take. Then it goes on alone: nobody can be reached but by gossip.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_secs(10);
