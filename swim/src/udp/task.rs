//! The task: waits for a packet, the timer or a command, and does what the machine wants.

#![expect(clippy::disallowed_methods, reason = "the task reads the clock for the machine")]

use super::group::View;
use crate::{Event, Member, Metadata, PACKET_LEN_MAX, Swim};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Instant, Machine, Output};
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// What the handle asks of the task.
#[derive(Debug)]
pub(super) enum Command {
    Join(Vec<SocketAddr>),
    SetMetadata(Metadata),
    /// Answered when the goodbye is over.
    Leave(oneshot::Sender<()>),
}

pub(super) struct Task {
    machine: Swim,
    socket: UdpSocket,
    started: tokio::time::Instant,
    commands: mpsc::Receiver<Command>,
    events: broadcast::Sender<Event>,
    view: watch::Sender<View>,
    leaving: Option<oneshot::Sender<()>>,
}

impl Task {
    pub(super) fn new(
        machine: Swim,
        socket: UdpSocket,
        commands: mpsc::Receiver<Command>,
        events: broadcast::Sender<Event>,
        view: watch::Sender<View>,
    ) -> Self {
        let started = tokio::time::Instant::now();
        Self { machine, socket, started, commands, events, view, leaving: None }
    }

    /// Runs until the machine has fallen silent, the handle is gone, or the socket is broken.
    pub(super) async fn run(mut self) {
        // One byte more than a packet, to tell those that are too long from those that fit.
        let mut buffer = [0; PACKET_LEN_MAX + 1];
        let mut n_errors = 0;
        self.flush();
        while let Some(deadline) = self.machine.poll_timeout() {
            let deadline = self.started + deadline.since_start();
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((len, from)) => {
                        n_errors = 0;
                        self.receive(&buffer[..len], from);
                        self.receive_waiting(&mut buffer);
                    }
                    // What was sent before could not be delivered: no fault of this socket.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                    Err(_) if n_errors < ERRORS_MAX => {
                        n_errors += 1;
                        tokio::time::sleep(ERROR_REST).await;
                    }
                    Err(_) => break,
                },
                () = tokio::time::sleep_until(deadline) => {
                    let now = self.now();
                    self.machine.handle_timeout(now);
                }
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
            }
            self.flush();
        }
        if let Some(left) = self.leaving.take() {
            // Nobody waits any more where this fails.
            let _ = left.send(());
        }
    }

    fn now(&self) -> Instant {
        Instant::after_start(self.started.elapsed())
    }

    fn receive(&mut self, packet: &[u8], from: SocketAddr) {
        let now = self.now();
        self.machine.handle_message(now, from, packet.to_vec());
        self.flush();
    }

    /// Takes what else has arrived, up to a bound, before the timer is looked at again: after a
    /// pause the answers count before their deadlines do.
    fn receive_waiting(&mut self, buffer: &mut [u8]) {
        for _ in 0..BURST_MAX {
            match self.socket.try_recv_from(buffer) {
                Ok((len, from)) => self.receive(&buffer[..len], from),
                Err(_) => return,
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Join(seeds) => self.machine.join(now, seeds),
            Command::SetMetadata(metadata) => self.machine.set_metadata(now, metadata),
            Command::Leave(done) => {
                self.leaving = Some(done);
                self.machine.leave(now);
            }
        }
    }

    fn flush(&mut self) {
        let mut has_changed = false;
        while let Some(output) = self.machine.poll_output() {
            match output {
                // A full buffer or an unreachable address is a lost packet; the machine copes.
                Output::Send { to, message } => drop(self.socket.try_send_to(&message, to)),
                Output::Event(event) => {
                    self.show();
                    has_changed = true;
                    // Nobody may be listening.
                    let _ = self.events.send(event);
                }
            }
        }
        if !has_changed {
            self.show_counters();
        }
    }

    /// Shows the members, before the event that tells of the change.
    fn show(&self) {
        let members = sorted(&self.machine);
        let counters = self.machine.counters();
        self.view.send_replace(View { members, counters });
    }

    fn show_counters(&self) {
        let counters = self.machine.counters();
        self.view.send_modify(|view| view.counters = counters);
    }
}

/// Everybody known, in the order of their ids.
pub(super) fn sorted(machine: &Swim) -> Arc<[Member]> {
    let mut members: Vec<Member> = machine.members().cloned().collect();
    members.sort_by(|one, other| one.id.cmp(&other.id));
    members.into()
}

/// How many packets are taken in a row.
const BURST_MAX: usize = 64;

/// After how many failures in a row the socket counts as broken, and the pause after each.
const ERRORS_MAX: u32 = 100;
const ERROR_REST: Duration = Duration::from_millis(10);
