//! What the node tells: routes, views, answers and news.

use super::{Draining, Driver, End, Started};
use crate::node::{Differs, Event, Gone};
use crate::traffic::Route;
use std::sync::atomic::Ordering;
use swarm_base::{NodeId, Session};
use swarm_groups::Change;
use swarm_link::{Cause, Reason};
use swarm_registry::{Event as Fresh, State};

impl Driver {
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Dial { session, node, address } => {
                self.endpoint.dial(session, address, &node.name);
            }
            Event::Close { session, reason } => self.endpoint.close(session, reason),
            Event::SessionUp { node, session } => self.session_up(node, session),
            Event::SessionDown { node, session, why } => self.session_down(&node, session, &why),
            Event::NodeDown { boot, how } => {
                if how == Gone::Dead {
                    self.core.processes.calls().fail_node(boot);
                }
                self.core.watches.node_down(&self.core, boot);
                self.core.routes.forget(boot);
                self.core.changed.notify_waiters();
            }
            Event::Members => {
                let members = crate::member::members(&self.node);
                self.core.set_members(members);
            }
            Event::Facts(event) => self.on_fact(&event),
            Event::Process(command) => self.command(command),
            Event::Answer { id, outcome } => {
                if let Some(reply) = self.answers.remove(&id) {
                    let _ = reply.send(outcome);
                }
            }
            Event::Public(event) => {
                tracing::debug!(?event, "swarm");
                self.core.events.publish(&event);
            }
            Event::Draining { left, total, end } => {
                for progress in &self.drains {
                    progress.send_replace(Draining { left, total, end });
                }
                if end.is_some() {
                    self.drains.clear();
                }
            }
            Event::Merged => {
                if let Some(started) = self.started.take() {
                    let _ = started.send(Started::Merged);
                }
            }
            Event::Departed => {
                if self.ends_departed {
                    self.end = Some(End::Flush);
                }
                if let Some(departed) = self.departed.take() {
                    let _ = departed.send(());
                }
            }
            Event::NameTaken { holder } => {
                tracing::error!(node = %self.core.me, %holder, "a live node has this node's name");
                if let Some(started) = self.started.take() {
                    let _ = started.send(Started::NameTaken(holder));
                }
                self.core.events.publish(&crate::Event::NameTaken { holder });
                self.end = Some(End::Flush);
            }
            Event::MeetsOthers => self.core.meets_others.store(true, Ordering::Relaxed),
            Event::SettingsDiffer(differs) => self.settings_differ(differs),
            Event::BootBehind { remembered } => {
                if let Some(started) = self.started.take() {
                    let _ = started.send(Started::BootBehind(remembered));
                    self.core.events.publish(&crate::Event::BootBehind { remembered });
                    self.end = Some(End::Flush);
                }
            }
        }
    }

    fn settings_differ(&mut self, differs: Differs) {
        let Differs { peer, setting, here, there } = differs.clone();
        let node = &self.core.me;
        tracing::error!(%node, %peer, setting, here, there, "the settings of the cluster differ");
        if let Some(started) = self.started.take() {
            let _ = started.send(Started::SettingsDiffer(differs));
        }
        let event = crate::Event::SettingsDiffer { peer, setting, here, there };
        self.core.events.publish(&event);
        // It says goodbye, so that it is no member when another one like it comes.
        self.ends_departed = true;
        self.node.depart(self.core.clock.now());
    }

    fn session_up(&mut self, node: NodeId, session: Session) {
        let Some(outbox) = self.endpoint.messages(session) else { return };
        let boot = node.boot;
        self.core.routes.insert(Route { node, session, outbox });
        self.endpoint.open(session);
        self.core.watches.connected(&self.core, boot);
        self.core.changed.notify_waiters();
    }

    fn session_down(&mut self, node: &NodeId, session: Session, why: &Cause) {
        self.core.routes.remove(session);
        // A node that said goodbye has answered its calls, or passed them on to where its
        // processes went: those are still under way. Whether one that is gone said goodbye, its
        // `NodeDown` tells.
        if !matches!(why, Cause::There(Reason::Shutdown) | Cause::Here(Reason::Gone)) {
            self.core.processes.calls().fail_node(node.boot);
        }
        self.core.changed.notify_waiters();
    }

    fn on_fact(&mut self, event: &Fresh) {
        match event {
            Fresh::Changed { name, was, now, state, kind, .. } => {
                // Until the claim of its new node is here, messages go to the old process, and
                // that node passes them on.
                if *state == State::Pending {
                    return;
                }
                // Of two processes that share a name by their pids neither ends.
                if let (Some(now), Some(_)) = (*now, kind) {
                    // While its new claim was pending, messages went to the one in the view.
                    let was = was.or_else(|| self.core.names.whereis(name.as_bytes()));
                    if let Some(was) = was {
                        self.core.trails.lay(self.core.clock.now(), was, now);
                    }
                }
                let routes = &self.core.routes;
                // Whoever looks in between finds one of the two, so that a name that is being
                // started again is never taken for nobody's.
                if now.is_none() && *state != State::Free {
                    routes.set_unsettled(name);
                    self.core.names.apply(event);
                } else {
                    self.core.names.apply(event);
                    routes.set_settled(name);
                }
                self.core.changes.name(name, *now);
                // Wherever it is now, messages no longer follow its last move.
                routes.moved(name);
                self.core.changed.notify_waiters();
            }
            Fresh::Joined { group, pid, meta, .. } => {
                let change = self.core.groups.apply(event);
                if change != Change::Nothing {
                    self.core.changes.group(group, *pid, Some(meta));
                }
                // A worker that joins again, or says something else of itself, is in it already.
                if change == Change::Joined {
                    let joined = crate::Event::GroupJoined { group: group.clone(), pid: *pid };
                    self.core.events.publish(&joined);
                }
            }
            Fresh::Left { group, pid, .. } => {
                if self.core.groups.apply(event) == Change::Left {
                    self.core.changes.group(group, *pid, None);
                    let left = crate::Event::GroupLeft { group: group.clone(), pid: *pid };
                    self.core.events.publish(&left);
                }
            }
            Fresh::RolledBack { peer, position } => {
                tracing::error!(%peer, position, "a peer holds more of this node's log than it wrote");
            }
            Fresh::Slowed { peer, until } => {
                let wait = until.since(self.core.clock.now());
                tracing::warn!(%peer, ?wait, "a peer takes no more facts for a while: too many a second");
            }
            Fresh::Conflict { .. } | Fresh::Applied { .. } => (),
        }
    }
}
