//! Waiting for what the agents say, with deadlines, and claims about what they have said.

use super::{Node, Stage};
use crate::Failure;
use crate::cluster::agent::{Kind, Life, State};
use crate::cluster::now;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

impl Stage {
    /// Waits until each of `nodes` counts every other one as alive, at the address it is at now,
    /// and nobody besides: when the last of them said something.
    pub(in crate::cluster) async fn until_all_see_all(
        &self,
        nodes: &[Node],
        within: Duration,
    ) -> Result<Instant, Failure> {
        let expected = format!("all {} nodes alive in every view", nodes.len());
        self.until(within, &expected, |stage| stage.all_see_all(nodes)).await?;
        let last = nodes.iter().filter_map(|node| self.agent(*node).log().last_at()).max();
        Ok(last.unwrap_or_else(now))
    }

    /// Whether each of `nodes` counts every other one as alive, and nobody besides.
    pub(in crate::cluster) fn all_see_all(&self, nodes: &[Node]) -> Result<(), String> {
        for at in nodes {
            let log = self.agent(*at).log();
            for of in nodes.iter().filter(|of| *of != at) {
                let life = self.life(*of);
                let (name, state) = (self.agent(*at).name(), log.view().state(&life));
                if state != Some(State::Alive) {
                    let state = state.map_or("unknown".to_owned(), |state| format!("{state:?}"));
                    return Err(format!("{life} is {} to {name}", state.to_lowercase()));
                }
                let address = log.view().address(&life);
                if address != self.agent(*of).address() {
                    return Err(format!("{life} is at {address:?} to {name}"));
                }
            }
            let (n_live, n_wanted) = (log.view().n_live(), nodes.len() - 1);
            if n_live != n_wanted {
                let name = self.agent(*at).name();
                return Err(format!("{name} counts {n_live} others, not {n_wanted}"));
            }
        }
        Ok(())
    }

    /// Waits until each of `nodes` has said this of a life since a moment: when the first and the
    /// last one did.
    pub(in crate::cluster) async fn until_all_say(
        &self,
        nodes: &[Node],
        since: Instant,
        kind: Kind,
        life: &Life,
        within: Duration,
    ) -> Result<(Instant, Instant), Failure> {
        let expected = format!("{kind:?} of {life} from each of {} nodes", nodes.len());
        let heard = |stage: &Self, node: Node| {
            let heard = stage.agent(node).log().heard(since, kind, life);
            heard.ok_or_else(|| format!("{} has not said so", stage.agent(node).name()))
        };
        let mut learned = (since, since);
        self.until(within, &expected, |stage| {
            let times = nodes.iter().map(|node| heard(stage, *node));
            let times: BTreeSet<_> = times.collect::<Result<_, _>>()?;
            if let (Some(first), Some(last)) = (times.first(), times.last()) {
                learned = (*first, *last);
            }
            Ok(())
        })
        .await?;
        Ok(learned)
    }

    /// Whether none of `nodes` has said this of anybody since a moment, except of `except`.
    pub(in crate::cluster) fn silent_on(
        &self,
        nodes: &[Node],
        since: Instant,
        kind: Kind,
        except: &[&Life],
    ) -> Result<(), String> {
        for node in nodes {
            let log = self.agent(*node).log();
            let about = log.since(since).filter(|(_, event)| event.kind == kind);
            let mut about = about.filter_map(|(_, event)| event.about.as_ref());
            if let Some(life) = about.find(|life| !except.contains(life)) {
                return Err(format!("{}: {kind:?} of {life}", self.agent(*node).name()));
            }
        }
        Ok(())
    }

    /// How often `nodes` have said this since a moment, of anybody.
    pub(in crate::cluster) fn count(&self, nodes: &[Node], since: Instant, kind: Kind) -> usize {
        let count = |node: &Node| {
            let log = self.agent(*node).log();
            log.since(since).filter(|(_, event)| event.kind == kind).count()
        };
        nodes.iter().map(count).sum()
    }

    /// Waits until `look` is content, and looks again whenever agents have said something.
    ///
    /// # Errors
    ///
    /// Says what was expected, and what `look` saw last instead; or which agent died meanwhile.
    pub(in crate::cluster) async fn until(
        &self,
        within: Duration,
        expected: &str,
        mut look: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let within = within * self.setting.profile().slowness();
        let mut over = std::pin::pin!(tokio::time::sleep(within));
        loop {
            let changed = self.changed.notified();
            self.nobody_died()?;
            let Err(seen) = look(self) else { return Ok(()) };
            tokio::select! {
                () = changed => tokio::time::sleep(REST).await,
                () = &mut over => {
                    let sentence = format!("expected {expected} within {within:?}; saw: {seen}");
                    return Err(Failure::new(sentence));
                }
            }
        }
    }

    /// Holds whatever was done for this long, as long as `look` is content.
    ///
    /// # Errors
    ///
    /// Says what was expected, and what `look` saw instead; or which agent died meanwhile.
    pub(in crate::cluster) async fn hold(
        &self,
        length: Duration,
        expected: &str,
        look: impl Fn(&Self) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let begin = now();
        let mut over = std::pin::pin!(tokio::time::sleep(length));
        loop {
            let changed = self.changed.notified();
            self.nobody_died()?;
            if let Err(seen) = look(self) {
                let after = begin.elapsed();
                let sentence = format!("expected {expected} for {length:?}; saw after {after:.1?}");
                return Err(Failure::new(format!("{sentence}: {seen}")));
            }
            tokio::select! {
                () = changed => tokio::time::sleep(REST).await,
                () = &mut over => return Ok(()),
            }
        }
    }

    pub(super) fn nobody_died(&self) -> Result<(), Failure> {
        match self.agents.iter().find(|agent| agent.has_died()) {
            Some(agent) => {
                Err(Failure::new(format!("{} has ended though nobody asked it", agent.name())))
            }
            None => Ok(()),
        }
    }
}

/// Between a line and the look at it: what is waited for needs the processor more than the looks
/// do. What is timed is timed by its lines.
const REST: Duration = Duration::from_millis(2);
