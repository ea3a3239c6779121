//! G7, the choice between claims: a total order on the claims alone, the same wherever it is made.

use crate::host::SimNode;
use crate::news::News;
use crate::truth::Hosts;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use swarm_base::{Instant, Name, Pid, Token};
use swarm_registry::{Claim, Event, Resolution, Standing};
use swarm_sim::{Check, Violation};

/// Which of two claims won, wherever both were known.
#[derive(Default)]
pub(crate) struct Choice {
    won: BTreeMap<(Name, Rank, Rank), Rank>,
    n_judged: u64,
}

/// What of a claim may decide.
pub(super) type Rank = (Token, Option<Pid>);

impl Choice {
    /// Of these live claims on a name, this one won.
    pub(super) fn judge(&mut self, name: &Name, claims: &[Rank], won: Rank) -> Result<(), String> {
        for other in claims.iter().filter(|other| **other != won) {
            self.n_judged += 1;
            let key = (name.clone(), won.min(*other), won.max(*other));
            if *self.won.entry(key).or_insert(won) != won {
                return Err(format!("of {name} {won:?} won against {other:?}, which won before"));
            }
            if *other > won {
                return Err(format!("of {name} {won:?} won against {other:?}, which is higher"));
            }
        }
        Ok(())
    }
}

impl Check<SimNode> for Choice {
    fn name(&self) -> &'static str {
        "G7: claims alone decide"
    }

    fn observe(
        &mut self,
        now: Instant,
        addr: SocketAddr,
        news: &News,
        hosts: &Hosts,
    ) -> Result<(), Violation> {
        let (News::Log(Event::Conflict { name } | Event::Changed { name, .. }), Some(host)) =
            (news, hosts.get(&addr))
        else {
            return Ok(());
        };
        let registry = &host.member().registry;
        let live = registry.claims(name).filter(|(.., standing)| *standing == Standing::Live);
        let live: Vec<Claim> = live.map(|(_, claim, _)| claim).collect();
        if live.len() < 2 {
            return Ok(());
        }
        let rank = |claim: &Claim| (claim.token, claim.pid());
        let claims: Vec<Rank> = live.iter().map(rank).collect();
        let verdict = match registry.resolve(name) {
            Resolution::Held { claim, .. } => self.judge(name, &claims, rank(&claim)),
            other => Err(format!("{name} has {} live claims, and is {other:?}", live.len())),
        };
        verdict.map_err(|sentence| Violation::new(self.name(), now, format!("{addr}: {sentence}")))
    }

    fn judged(&self) -> u64 {
        self.n_judged
    }
}
