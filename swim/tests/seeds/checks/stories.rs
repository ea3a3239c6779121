//! M4, no resurrection: what each node tells of each other one makes sense as a story.

use super::Hosts;
use crate::node::Node;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, NodeId, NodeName};
use swarm_sim::{Check, Violation};
use swarm_swim::{Event, Member};

/// Nobody fails who was not there, nobody joins twice, boots only grow, and the dead come back
/// only by a higher incarnation.
#[derive(Default)]
pub(crate) struct Stories {
    known: BTreeMap<SocketAddr, BTreeMap<NodeName, Story>>,
    lives: BTreeMap<SocketAddr, Boot>,
    n_judged: u64,
}

struct Story {
    boot: Boot,
    incarnation: u64,
    is_live: bool,
}

impl Stories {
    pub(super) fn judge(&mut self, addr: SocketAddr, event: &Event) -> Result<(), String> {
        let known = self.known.entry(addr).or_default();
        match event {
            Event::Joined(member) => joined(known, member),
            Event::Updated(member) => {
                let story = of(known, &member.id)?;
                story.incarnation = story.incarnation.max(member.incarnation);
                story.live(event)
            }
            Event::Suspected { node, .. } | Event::Refuted { node } => of(known, node)?.live(event),
            Event::Failed { node, .. } | Event::Left { node } => {
                let story = of(known, node)?;
                story.live(event)?;
                story.is_live = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn joined(known: &mut BTreeMap<NodeName, Story>, member: &Member) -> Result<(), String> {
    let story = Story { boot: member.id.boot, incarnation: member.incarnation, is_live: true };
    let Some(old) = known.insert(member.id.name.clone(), story) else { return Ok(()) };
    if old.is_live {
        return Err(format!("{member:?} joined and was there"));
    }
    if (member.id.boot, member.incarnation) <= (old.boot, old.incarnation) {
        return Err(format!("{member:?} came back from the dead"));
    }
    Ok(())
}

fn of<'a>(known: &'a mut BTreeMap<NodeName, Story>, id: &NodeId) -> Result<&'a mut Story, String> {
    let story = known.get_mut(&id.name).filter(|story| story.boot == id.boot);
    story.ok_or_else(|| format!("{id:?} is unknown"))
}

impl Story {
    fn live(&self, event: &Event) -> Result<(), String> {
        if self.is_live { Ok(()) } else { Err(format!("{event:?} about the dead")) }
    }
}

impl Check<Node> for Stories {
    fn name(&self) -> &'static str {
        "M4: nobody comes back from the dead"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &Event,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        self.n_judged += 1;
        let Some(boot) = hosts.get(&addr).map(|node| node.id().boot) else { return Ok(()) };
        if self.lives.insert(addr, boot) != Some(boot) {
            self.known.remove(&addr);
        }
        self.judge(addr, event)
            .map_err(|sentence| Violation::new(self.name(), now, format!("{addr}: {sentence}")))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
