//! What may be done to the world: one verb for each action, and the actions as values.

use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::Instant;

use super::World;
use super::node::Ending;
use crate::{Action, Cut, Faults, Host};

impl<H: Host> World<H> {
    /// Does `action`. What does not apply, such as the crash of a dead node, does nothing, and so
    /// does [`Action::Start`]: for that the world needs a host, see [`insert`](Self::insert).
    pub fn act(&mut self, action: Action) {
        self.announce(&action);
        match action {
            Action::Start(_) => (),
            Action::Crash(addr) => self.end(addr, Ending::Crash),
            Action::Stop(addr) => self.end(addr, Ending::Stop),
            Action::Pause(addr, span) => self.pause_node(addr, span),
            Action::Slow(addr, factor) => self.slow_node(addr, factor),
            Action::Skew(addr, permille) => self.skew_node(addr, permille),
            Action::Cut(from, to) => self.links.cut(from, to, Cut::OneWay),
            Action::Sever(a, b) => {
                self.links.cut(a, b, Cut::NonTransitive);
                self.links.cut(b, a, Cut::NonTransitive);
            }
            Action::Partition(groups) => self.divide(&groups),
            Action::Mend(kind) => self.links.mend(kind),
            Action::Join(a, b) => self.links.join(a, b),
            Action::Flap { a, b, period, until } => self.start_flap(a, b, period, until),
            Action::Lossy(from, to, permille) => self.links.set_loss(from, to, permille),
            Action::Break(a, b) => self.break_between(a, b),
            Action::Network(faults) => self.apply_faults(*faults),
            Action::Heal => {
                self.links.heal();
                self.cure_nodes();
                let Faults { idle_timeout, dial_timeout, .. } = self.faults;
                self.apply_faults(Faults { idle_timeout, dial_timeout, ..Faults::calm() });
            }
        }
        self.reach_changed();
    }

    /// Kills the node at `addr` without a word: the peers of its sessions hear nothing until
    /// their idle timeout. What it sent before is still on its way.
    pub fn crash(&mut self, addr: SocketAddr) {
        self.act(Action::Crash(addr));
    }

    /// Ends the node at `addr`; its sessions close as they do on [`Effect::Close`].
    ///
    /// [`Effect::Close`]: crate::Effect::Close
    pub fn stop(&mut self, addr: SocketAddr) {
        self.act(Action::Stop(addr));
    }

    /// Stops the node at `addr` from handling anything for `span`, then lets it handle everything
    /// at once.
    pub fn pause(&mut self, addr: SocketAddr, span: Duration) {
        self.act(Action::Pause(addr, span));
    }

    /// Makes the node at `addr` take `factor` times [`SERVICE_TIME`](Self::SERVICE_TIME) for each
    /// input and each timeout; zero makes it normal.
    pub fn slow(&mut self, addr: SocketAddr, factor: u32) {
        self.act(Action::Slow(addr, factor));
    }

    /// Makes the clock of the node at `addr` run at `permille` thousandths of the true rate.
    ///
    /// # Panics
    ///
    /// If `permille` is zero.
    pub fn skew(&mut self, addr: SocketAddr, permille: u32) {
        self.act(Action::Skew(addr, permille));
    }

    /// Cuts the way from `from` to `to`; the other direction stays as it is. Frames of sessions
    /// are held until it is mended, or until the receiving end closes of silence.
    pub fn cut(&mut self, from: SocketAddr, to: SocketAddr) {
        self.act(Action::Cut(from, to));
    }

    /// Cuts `a` and `b` off from each other, but from nobody else.
    pub fn sever(&mut self, a: SocketAddr, b: SocketAddr) {
        self.act(Action::Sever(a, b));
    }

    /// Cuts the groups off from each other. A node of no group reaches everybody: a bridge. Cuts
    /// of an earlier partition are gone.
    pub fn partition(&mut self, groups: &[&[SocketAddr]]) {
        self.act(Action::Partition(groups.iter().map(|group| group.to_vec()).collect()));
    }

    /// Cuts `addr` off from every other address that ever ran a node.
    pub fn isolate(&mut self, addr: SocketAddr) {
        let others = self.places.keys().copied().filter(|other| *other != addr).collect();
        self.act(Action::Partition(vec![vec![addr], others]));
    }

    /// Cuts `a` and `b` off from each other for one `period`, joins them for the next, and so on
    /// until `until`.
    pub fn flap(&mut self, a: SocketAddr, b: SocketAddr, period: Duration, until: Instant) {
        self.act(Action::Flap { a, b, period, until });
    }

    /// Loses `permille` in a thousand of the datagrams from `from` to `to`, besides what
    /// [`Faults::loss_permille`] takes.
    pub fn lossy(&mut self, from: SocketAddr, to: SocketAddr, permille: u32) {
        self.act(Action::Lossy(from, to, permille));
    }

    /// Takes away whatever is wrong between `a` and `b`.
    pub fn join(&mut self, a: SocketAddr, b: SocketAddr) {
        self.act(Action::Join(a, b));
    }

    /// Breaks all sessions between `a` and `b`. What is in flight is lost, and each end hears
    /// `Closed` at a time of its own, within the idle timeout; until then it may send in vain.
    pub fn break_session(&mut self, a: SocketAddr, b: SocketAddr) {
        self.act(Action::Break(a, b));
    }

    /// Changes how the network behaves from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.act(Action::Network(Box::new(faults)));
    }

    /// Takes away all cuts, flaps, lossy pairs, pauses, slowness and skew, and calms the network,
    /// whose timeouts stay as they are. Dead nodes stay dead, broken sessions broken.
    pub fn heal(&mut self) {
        self.act(Action::Heal);
    }

    pub(super) fn announce(&mut self, action: &Action) {
        self.trace.line(self.now, format_args!("fault: {action:?}"));
        for check in &mut self.checks {
            check.act(self.now, action);
        }
    }
}
