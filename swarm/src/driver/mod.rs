//! The driver: one task that owns the node, its sockets and its timer, and decides nothing.

mod commands;
mod events;
#[cfg(feature = "fail-points")]
mod fail_point;
#[cfg(feature = "fail-points")]
pub use fail_point::{FailPoint, FailPointError};

use crate::core::Core;
use crate::node::{Differs, Drained, Node, Outcome, Peer, What};
pub(crate) use commands::{Errands, SPAWNED};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use swarm_base::{Instant, Machine, Name, Output};
use swarm_link::quic::{Endpoint, Lane, Notice as LinkNotice, Push};
use swarm_process::Notice as ProcessNotice;
use swarm_registry::Bytes;
use swarm_swim::udp::{Arrival, Port};
use tokio::sync::{mpsc, oneshot, watch};

/// What handles ask of the driver.
#[derive(Debug)]
pub(crate) enum Input {
    /// A question; the driver answers by its deadline.
    Ask { id: u64, what: What, deadline: Instant, reply: oneshot::Sender<Outcome> },
    /// Nobody waits for the answer any more.
    Forget { id: u64 },
    /// Names may, or may not, be placed here.
    Ready(Readiness),
    /// Move everything away; tells how far it is.
    Drain { left: Duration, progress: watch::Sender<Draining> },
    /// From now on nothing that ends here is news: the node stops. Answered once that holds.
    Closing { done: oneshot::Sender<()> },
    /// Say goodbye; answered when the others know, or after a while.
    Depart { done: oneshot::Sender<()> },
    /// Flush, close and end.
    Stop,
    /// What is said of a name.
    Meta { name: Name, reply: oneshot::Sender<Option<Bytes>> },
    /// Why a name runs where it runs.
    Explain { name: Name, reply: oneshot::Sender<crate::Explanation> },
    /// The state of the node.
    Snapshot { reply: oneshot::Sender<crate::Snapshot> },
}

/// Whether names may be placed on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    NotReady,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draining {
    pub left: usize,
    pub total: usize,
    /// Set with the last one.
    pub end: Option<Drained>,
}

/// What a driver learns while it starts.
#[derive(Debug)]
pub(crate) enum Started {
    /// The member list is here, or there is none to wait for.
    Merged,
    /// A live node has the name.
    NameTaken(std::net::SocketAddr),
    /// The others have other settings.
    SettingsDiffer(Differs),
    /// The wall clock was set back: the node must take a boot above this one.
    BootBehind(swarm_base::Boot),
}

/// The driver.
pub(crate) struct Driver {
    pub node: Node,
    pub core: Arc<Core>,
    pub port: Port,
    pub endpoint: Endpoint,
    pub link_notices: mpsc::Receiver<LinkNotice>,
    pub process_notices: mpsc::Receiver<ProcessNotice>,
    pub inputs: mpsc::Receiver<Input>,
    /// Told once, when the node is part of its cluster.
    pub started: Option<oneshot::Sender<Started>>,
    pub answers: BTreeMap<u64, oneshot::Sender<Outcome>>,
    pub errands: Errands,
    /// Who waits for the drain, until it is done.
    pub drains: Vec<watch::Sender<Draining>>,
    pub departed: Option<oneshot::Sender<()>>,
    /// Whether the driver ends when the others know that the node has left.
    pub ends_departed: bool,
    /// Where this node is to end itself.
    #[cfg(feature = "fail-points")]
    pub fail_at: Option<FailPoint>,
    /// Set when the driver is to end.
    pub end: Option<End>,
}

/// How a driver ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What is queued is sent first.
    Flush,
    /// At once.
    Drop,
}

/// How many inputs of one source are handled before their outputs are sent: what comes together
/// goes out together.
const BATCH: usize = 256;

/// The largest gossip packet, and room to notice a larger one.
const PACKET_MAX: usize = 2048;

impl Driver {
    /// Runs until it is told to stop, or all handles are gone.
    pub(crate) async fn run(mut self) {
        let mut packet = vec![0; PACKET_MAX];
        let mut timer = pin!(tokio::time::sleep_until(self.core.clock.at(self.core.clock.now())));
        self.pump();
        while self.end.is_none() {
            let deadline = self.node.poll_timeout().map(|at| self.core.clock.at(at));
            // Never put off: the node takes a call that comes too early, while a timer that is put
            // off and brought forward again costs a system call and a wake-up each time.
            if let Some(deadline) = deadline
                && (deadline < timer.deadline() || timer.is_elapsed())
            {
                timer.as_mut().reset(deadline);
            }
            tokio::select! {
                arrived = self.port.receive(&mut packet) => {
                    // An error of one send shows at the next receive; SWIM sees what is dead.
                    if let Ok(arrival) = arrived {
                        self.on_arrival(arrival, &packet);
                        self.more_packets(&mut packet);
                    }
                }
                Some(notice) = self.link_notices.recv() => {
                    self.on_link(notice);
                    for _ in 1..BATCH {
                        let Ok(notice) = self.link_notices.try_recv() else { break };
                        self.on_link(notice);
                    }
                }
                Some(notice) = self.process_notices.recv() => {
                    self.on_process(notice);
                    for _ in 1..BATCH {
                        let Ok(notice) = self.process_notices.try_recv() else { break };
                        self.on_process(notice);
                    }
                }
                input = self.inputs.recv() => match input {
                    Some(input) => {
                        self.on_input(input);
                        for _ in 1..BATCH {
                            let Ok(input) = self.inputs.try_recv() else { break };
                            self.on_input(input);
                        }
                    }
                    None => self.end = Some(End::Drop),
                },
                () = self.core.abandoned.notified() => self.end = Some(End::Drop),
                () = timer.as_mut(), if deadline.is_some() => {
                    let now = self.core.clock.now();
                    self.node.handle_timeout(now);
                }
            }
            self.pump();
            self.do_what_is_due();
            // The node has something to do several times a second, if only to probe another one.
            self.core.watches.retry(&self.core);
        }
        self.finish().await;
    }

    /// Does without the timer what is due already, such as the look at a name that has just
    /// changed: a timer brought forward for that costs a system call and two wake-ups, and comes
    /// up to a millisecond late. Once only, so that what goes on being due does not keep inputs
    /// waiting.
    fn do_what_is_due(&mut self) {
        let now = self.core.clock.now();
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
            self.pump();
        }
    }

    /// Gives out whatever the node wants.
    fn pump(&mut self) {
        self.port.follow(self.core.clock.now(), self.node.swim());
        while let Some(output) = self.node.poll_output() {
            #[cfg(feature = "fail-points")]
            self.fail_before(&output);
            match output {
                Output::Send { to: Peer::Datagram(to), message } => {
                    self.port.send(&message, to);
                }
                Output::Send { to: Peer::Control(session), message } => {
                    if let Some(control) = self.endpoint.control(session) {
                        // A queue that is full has the session closed by the link.
                        let push = control.push(|out| out.extend_from_slice(&message));
                        self.pushed(push, message.len());
                    }
                }
                Output::Send { to: Peer::Bulk(session), message } => {
                    let len = message.len();
                    // What finds no room is sent again by its machine.
                    let push = self.endpoint.send_bulk(session, message.into());
                    self.pushed(push, len);
                }
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn pushed(&self, push: Push, len: usize) {
        if push == Push::TooLong {
            self.core.unsent.fetch_add(1, Ordering::Relaxed);
            tracing::error!(node = %self.core.me, len, "a frame is too long for its stream");
        }
    }

    fn on_packet(&mut self, packet: &[u8], from: std::net::SocketAddr) {
        let now = self.core.clock.now();
        self.node.handle_message(now, Peer::Datagram(from), packet.to_vec());
    }

    fn on_arrival(&mut self, arrival: Arrival, packet: &[u8]) {
        let now = self.core.clock.now();
        match arrival {
            Arrival::Packet { len, from } => self.on_packet(&packet[..len], from),
            Arrival::Closed(node) => self.node.stream_closed(now, &node),
            Arrival::Refused(node) => self.node.packet_refused(now, &node),
        }
    }

    fn more_packets(&mut self, packet: &mut [u8]) {
        for _ in 1..BATCH {
            let Some((len, from)) = self.port.try_receive(packet) else { return };
            self.on_packet(&packet[..len], from);
        }
    }

    fn on_link(&mut self, notice: LinkNotice) {
        let now = self.core.clock.now();
        match notice {
            LinkNotice::Opened { session, identity, peer } => {
                self.node.session_opened(now, session, identity, peer);
            }
            LinkNotice::Failed { session, why } => self.node.session_failed(now, session, why),
            LinkNotice::Closed { session, why } => self.node.session_closed(now, session, why),
            LinkNotice::Frame { session, lane, bytes } => {
                #[cfg(feature = "fail-points")]
                self.fail_on(&bytes);
                let from = match lane {
                    Lane::Bulk => Peer::Bulk(session),
                    _ => Peer::Control(session),
                };
                self.node.handle_message(now, from, bytes.into());
            }
            LinkNotice::Rejected { peer, why } => {
                tracing::warn!(%peer, %why, "a connection was rejected");
            }
            _ => (),
        }
    }

    fn on_input(&mut self, input: Input) {
        let now = self.core.clock.now();
        match input {
            Input::Ask { id, what, deadline, reply } => {
                self.answers.insert(id, reply);
                self.node.ask(now, id, deadline.since(now), what);
            }
            Input::Forget { id } => {
                self.answers.remove(&id);
                self.node.forget_ask(now, id);
            }
            Input::Ready(readiness) => {
                self.node.stop_draining(now);
                self.node.set_ready(now, readiness == Readiness::Ready);
            }
            Input::Drain { left, progress } => {
                self.drains.retain(|waits| !waits.is_closed());
                self.drains.push(progress);
                self.node.drain(now, left);
            }
            Input::Closing { done } => {
                self.core.close();
                self.node.closing(now);
                let _ = done.send(());
            }
            Input::Depart { done } => {
                self.departed = Some(done);
                self.node.depart(now);
            }
            Input::Stop => {
                self.node.close(now);
                self.end = Some(End::Flush);
            }
            Input::Meta { name, reply } => {
                let _ = reply.send(self.node.registry().name_meta(&name));
            }
            Input::Explain { name, reply } => {
                let _ = reply.send(self.node.explain(now, &name));
            }
            Input::Snapshot { reply } => {
                let _ = reply.send(crate::snapshot::of(&self.node, &self.core));
            }
        }
    }

    async fn finish(mut self) {
        self.pump();
        // In this order: whoever spawns too late for `kill_all` sees that this is closed.
        self.inputs.close();
        self.core.processes.kill_all();
        self.core.fail_spawning();
        // Processes end by telling so; nobody reads it any more.
        self.process_notices.close();
        if self.end == Some(End::Flush) {
            self.endpoint.shutdown().await;
        }
        self.core.events.close();
        self.core.changes.close();
        self.core.changed.notify_waiters();
    }
}
