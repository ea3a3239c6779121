//! G8, no flapping: after a heal no node starts a name of the dead twice, not even where the
//! first start turned out to be one too many.

use crate::host::SimNode;
use crate::news::{How, News};
use crate::scenario::Kind;
use crate::truth::Hosts;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use swarm_base::{Boot, Instant, Name};
use swarm_sim::{Action, Check, Violation};

pub(crate) struct Flapping {
    kind: Kind,
    is_healed: bool,
    /// Who has started what since the heal.
    began: BTreeSet<(Name, Boot)>,
    n_judged: u64,
}

impl Flapping {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, is_healed: false, began: BTreeSet::new(), n_judged: 0 }
    }
}

impl Check<SimNode> for Flapping {
    fn name(&self) -> &'static str {
        "G8: nobody flaps after a heal"
    }

    fn act(&mut self, _: Instant, action: &Action) {
        match action {
            Action::Heal => self.is_healed = true,
            // They come with the heal.
            Action::Network(_) | Action::Start(_) => {}
            _ => {
                self.is_healed = false;
                self.began.clear();
            }
        }
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        _: &Hosts,
    ) -> Result<(), Violation> {
        let News::Began { name, pid, how: How::Orphan } = news else { return Ok(()) };
        // Who decides without the others starts what another one starts, again and again.
        if !self.is_healed || self.kind == Kind::Rash {
            return Ok(());
        }
        self.n_judged += 1;
        if self.began.insert((name.clone(), pid.boot)) {
            return Ok(());
        }
        let sentence = format!("{addr} started {name} again, as {pid}");
        Err(Violation::new(self.name(), now, sentence))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
