//! No dead boot comes back: whoever has held a life of a node dead takes it for alive again only
//! on a newer word of its own, and never a former life after a later one. No node is disowned.

use crate::world::host::SimNode;
use crate::world::news::{Change, News};
use crate::world::truth::Hosts;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, NodeName};
use swarm_sim::{Action, Check, Violation};

#[derive(Debug, Default)]
pub(crate) struct Boots {
    /// What each node held dead, at which incarnation.
    dead: BTreeMap<(SocketAddr, Boot), u64>,
    newest: BTreeMap<(SocketAddr, NodeName), Boot>,
    judged: u64,
}

impl Check<SimNode> for Boots {
    fn name(&self) -> &'static str {
        "no dead boot comes back"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        event: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        if let News::Disowned { why } = event {
            let sentence = format!("{addr} was made to stop: {why}");
            return Err(Violation::new(self.name(), now, sentence));
        }
        let News::Peer { boot, name, incarnation, change } = event else { return Ok(()) };
        if *change != Change::Up {
            self.dead.insert((addr, *boot), *incarnation);
            return Ok(());
        }
        let newest = self.newest.entry((addr, name.clone())).or_insert(*boot);
        if boot < newest {
            let sentence = format!("{addr} takes {name} {boot} for alive, after {newest}");
            return Err(Violation::new(self.name(), now, sentence));
        }
        *newest = *boot;
        if let Some(dead_at) = self.dead.get(&(addr, *boot)) {
            self.judged += 1;
            if incarnation <= dead_at {
                let sentence = format!(
                    "{addr} takes {name} {boot} for alive at {incarnation}, which was dead at {dead_at}"
                );
                return Err(Violation::new(self.name(), now, sentence));
            }
        }
        Ok(())
    }

    fn act(&mut self, _: Instant, action: &Action) {
        if let Action::Start(addr) = action {
            // A new life has no memory.
            self.dead.retain(|(observer, _), _| observer != addr);
            self.newest.retain(|(observer, _), _| observer != addr);
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
