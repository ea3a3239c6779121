//! The task: waits for an arrival, the timer or a command, and does what the machine wants.

#![expect(clippy::disallowed_methods, reason = "the task reads the clock for the machine")]

use super::cipher::RingCipher;
use super::group::View;
use super::port::{Arrival, Port};
use super::subscription::Told;
use crate::{
    Checked, Event, KeyChange, KeyChangeError, KeyReport, Keyring, Member, Metadata,
    PACKET_LEN_MAX, Swim,
};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// What the handle asks of the task.
#[derive(Debug)]
pub(super) enum Command {
    Join(Vec<SocketAddr>),
    SetMetadata(Metadata),
    SetConfig(Checked),
    /// Answered when the step is over, or at once where it is not begun.
    ChangeKeys(KeyChange, oneshot::Sender<Result<KeyReport, KeyChangeError>>),
    /// Answered when the goodbye is over.
    Leave(oneshot::Sender<()>),
}

/// What one life of a node has in common with the next.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) name: NodeName,
    pub(super) boot: Boot,
    pub(super) address: SocketAddr,
    pub(super) metadata: Metadata,
    pub(super) config: Checked,
    pub(super) keyring: Keyring,
    pub(super) seeds: Vec<SocketAddr>,
    pub(super) rng: Rng,
}

impl Life {
    fn id(&self) -> NodeId {
        NodeId::new(self.name.clone(), self.boot)
    }

    fn begin(&mut self, now: Instant) -> Swim {
        let (id, metadata, keyring) = (self.id(), self.metadata.clone(), self.keyring.clone());
        let cipher = Box::new(RingCipher::new());
        let rng = self.rng.fork();
        Swim::new(now, id, self.address, metadata, self.config, keyring, cipher, rng)
    }
}

pub(super) struct Task {
    life: Life,
    machine: Swim,
    port: Port,
    started: tokio::time::Instant,
    commands: mpsc::Receiver<Command>,
    events: broadcast::Sender<Told>,
    n_events: u64,
    view: watch::Sender<View>,
    leaving: Option<oneshot::Sender<()>>,
    rotating: Option<oneshot::Sender<Result<KeyReport, KeyChangeError>>>,
}

impl Task {
    pub(super) fn new(
        mut life: Life,
        port: Port,
        commands: mpsc::Receiver<Command>,
        events: broadcast::Sender<Told>,
    ) -> (Self, watch::Receiver<View>) {
        let started = tokio::time::Instant::now();
        let machine = life.begin(Instant::START);
        let (view, shown) = watch::channel(View {
            me: life.id(),
            members: sorted(&machine),
            counters: machine.counters(),
            health: machine.health(),
            keys: machine.keys(),
            n_streams: 0,
            last_event: 0,
        });
        let task = Self {
            life,
            machine,
            port,
            started,
            commands,
            events,
            n_events: 0,
            view,
            leaving: None,
            rotating: None,
        };
        (task, shown)
    }

    /// Runs until the machine has fallen silent, the handle is gone, or the socket is broken.
    pub(super) async fn run(mut self) {
        // One byte more than a packet, to tell those that are too long from those that fit.
        let mut buffer = [0; PACKET_LEN_MAX + 1];
        let mut timer = pin!(tokio::time::sleep_until(self.started));
        let mut n_errors = 0;
        self.flush();
        while let Some(deadline) = self.machine.poll_timeout() {
            let deadline = self.started + deadline.since_start();
            // Never put off: the machine takes a call that comes too early.
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            tokio::select! {
                arrived = self.port.receive(&mut buffer) => match arrived {
                    Ok(arrival) => {
                        n_errors = 0;
                        self.take(arrival, &buffer);
                        self.take_waiting(&mut buffer);
                    }
                    Err(_) if n_errors < ERRORS_MAX => {
                        n_errors += 1;
                        tokio::time::sleep(ERROR_REST).await;
                    }
                    Err(_) => break,
                },
                () = timer.as_mut() => {
                    let now = self.now();
                    self.machine.handle_timeout(now);
                    self.flush();
                }
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
            }
        }
        if let Some(left) = self.leaving.take() {
            // Nobody waits any more where this fails.
            let _ = left.send(());
        }
    }

    fn now(&self) -> Instant {
        Instant::after_start(self.started.elapsed())
    }

    fn take(&mut self, arrival: Arrival, buffer: &[u8]) {
        let now = self.now();
        match arrival {
            Arrival::Packet { len, from } => {
                self.machine.handle_message(now, from, buffer[..len].to_vec());
            }
            Arrival::Closed(node) => self.machine.hint_closed(now, &node),
            Arrival::Refused(node) => self.machine.hint_refused(now, &node),
        }
        self.flush();
    }

    /// Takes what else has arrived, up to a bound, before the timer is looked at again: after a
    /// pause the answers count before their deadlines do.
    fn take_waiting(&mut self, buffer: &mut [u8]) {
        for _ in 0..BURST_MAX {
            let Some((len, from)) = self.port.try_receive(buffer) else { return };
            self.take(Arrival::Packet { len, from }, buffer);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Join(seeds) => {
                self.life.seeds.extend(&seeds);
                self.machine.join(now, seeds);
            }
            Command::SetMetadata(metadata) => {
                self.life.metadata = metadata.clone();
                self.machine.set_metadata(now, metadata);
            }
            Command::SetConfig(config) => {
                self.life.config = config;
                self.machine.set_config(now, config);
            }
            Command::ChangeKeys(change, done) => match self.machine.change_keys(now, change) {
                Ok(()) => self.rotating = Some(done),
                // Nobody waits any more where this fails.
                Err(error) => drop(done.send(Err(error))),
            },
            Command::Leave(done) => {
                self.leaving = Some(done);
                self.machine.leave(now);
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        let now = self.now();
        self.port.follow(now, &self.machine);
        let mut events = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { to, message } => self.port.send(&message, to),
                Output::Event(event) => events.push(event),
            }
        }
        if events.is_empty() {
            let (counters, health) = (self.machine.counters(), self.machine.health());
            let n_streams = self.port.n_streams();
            // Nobody waits for these to change.
            self.view.send_if_modified(|view| {
                (view.counters, view.health, view.n_streams) = (counters, health, n_streams);
                false
            });
            return;
        }
        let behind = events.iter().find_map(|event| match event {
            Event::BootBehind { remembered } => Some(*remembered),
            _ => None,
        });
        self.tell(events);
        if let Some(remembered) = behind {
            self.begin_anew(now, remembered);
        }
    }

    /// Shows the members, then tells of the changes.
    fn tell(&mut self, events: Vec<Event>) {
        self.view.send_replace(View {
            me: self.life.id(),
            members: sorted(&self.machine),
            counters: self.machine.counters(),
            health: self.machine.health(),
            keys: self.machine.keys(),
            n_streams: self.port.n_streams(),
            last_event: self.n_events + events.len() as u64,
        });
        for event in events {
            if let Event::KeysConfirmed(report) = &event
                && let Some(done) = self.rotating.take()
            {
                let _ = done.send(Ok(report.clone()));
            }
            self.n_events += 1;
            // Nobody may be listening.
            let _ = self.events.send(Told { number: self.n_events, event });
        }
    }

    /// The clock has stepped back: begins a life above the one that the group remembers.
    fn begin_anew(&mut self, now: Instant, remembered: Boot) {
        if self.leaving.is_some() {
            return;
        }
        self.life.keyring = self.machine.keyring().clone();
        self.life.boot.millis = remembered.millis.saturating_add(1);
        self.machine = self.life.begin(now);
        self.machine.join(now, self.life.seeds.iter().copied());
        self.tell(Vec::new());
        self.flush();
    }
}

/// Everybody known, in the order of their ids.
fn sorted(machine: &Swim) -> Arc<[Member]> {
    let mut members: Vec<Member> = machine.members().cloned().collect();
    members.sort_by(|one, other| one.id.cmp(&other.id));
    members.into()
}

/// How many packets are taken in a row.
const BURST_MAX: usize = 64;

/// After how many failures in a row the socket counts as broken, and the pause after each.
const ERRORS_MAX: u32 = 100;
const ERROR_REST: Duration = Duration::from_millis(10);
