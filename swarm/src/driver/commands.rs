//! Commands of the node for its processes, and what processes tell the node.

use super::Driver;
use crate::node::{Command, Freeze, Frozen, Mode, Stop};
use crate::scope::split_kind;
use crate::traffic::{Watcher, decode_handed_over, encode_handed_over};
use crate::worker::{Start, StartRequest};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use swarm_base::{Boot, Name, Pid, Token};
use swarm_handoff::MoveId;
use swarm_process::{
    Ask, ExitReason, Forward, Handle, Handoff, Lookup, Mail, Notice, Pressure, Signal,
};

/// What processes have been asked, by the number that comes back with the answer.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    next: u64,
    open: BTreeMap<u64, (Pid, Errand)>,
    /// Processes that start again with what their move had taken, by the ticket of the start.
    resuming: BTreeMap<u64, (Token, Vec<Vec<u8>>)>,
    /// Processes that are starting, by ticket.
    starting: BTreeMap<u64, Handle>,
}

#[derive(Debug)]
enum Errand {
    Freeze(Freeze),
    Take { id: MoveId, name: Name, to: Boot },
    Promote { id: MoveId, token: Token },
    Resume { ticket: u64 },
    Resolve { name: Name, loser: Pid },
}

/// Tickets of processes that were spawned by a handle, not started by the node.
pub(crate) const SPAWNED: u64 = 1 << 63;

/// How long a process that moved away is remembered, so that late messages follow it.
const FORWARD_FOR: Duration = Duration::from_secs(60);

impl Errands {
    fn enter(&mut self, pid: Pid, errand: Errand) -> u64 {
        self.next += 1;
        self.open.insert(self.next, (pid, errand));
        self.next
    }
}

impl Driver {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Start { ticket, name, kind, args, token, mode } => {
                self.start(ticket, name, &kind, args, token, mode);
            }
            Command::Abandon { ticket } => {
                let resumed = self.errands.open.values().find_map(|(pid, errand)| match errand {
                    Errand::Resume { ticket: of } if *of == ticket => self.find(*pid),
                    _ => None,
                });
                if let Some(process) = self.errands.starting.get(&ticket).cloned().or(resumed) {
                    process.kill();
                }
            }
            Command::Freeze { freeze, pid } => {
                let errand = Errand::Freeze(freeze);
                self.signal(pid, errand, |ticket| Signal::Freeze { ticket });
            }
            Command::Thaw { pid } => {
                if let Some(process) = self.find(pid) {
                    process.signal(Signal::Thaw);
                }
            }
            Command::Take { id, pid, name, to } => {
                self.core.routes.set_moving(name.clone(), to.boot);
                let until = self.core.clock.now() + FORWARD_FOR;
                let forward = Some(Forward { name: name.clone(), until });
                let errand = Errand::Take { id, name, to: to.boot };
                self.signal(pid, errand, |ticket| Signal::Take { ticket, forward });
            }
            Command::Promote { id, pid, token, mails } => {
                let front = self.decode_all(mails);
                self.promote(pid, Errand::Promote { id, token }, token, front);
            }
            Command::Deliver { pid, mails } => {
                let mails = self.decode_all(mails);
                if let Some(process) = self.find(pid) {
                    for mail in mails {
                        self.force(&process, mail);
                    }
                }
            }
            Command::Discard { pid } => {
                if let Some(process) = self.find(pid) {
                    process.signal(Signal::Discard);
                }
            }
            Command::Stop { pid, how } => {
                if let Some(process) = self.find(pid) {
                    match how {
                        Stop::Graceful(grace) => self.core.processes.stop(&process, grace),
                        Stop::Kill => process.kill(),
                    }
                }
            }
            Command::Retoken { pid, token } => {
                if let Some(process) = self.find(pid) {
                    process.raise_token(token);
                }
            }
            Command::Resolve { name, loser, pid, state, rival } => {
                let (errand, state) = (Errand::Resolve { name, loser }, Bytes::from(state));
                self.signal(pid, errand, |ticket| Signal::Resolve { ticket, state, rival });
            }
        }
    }

    fn start(
        &mut self,
        ticket: u64,
        name: Name,
        kind: &str,
        args: Vec<u8>,
        token: Token,
        mode: Mode,
    ) {
        let now = self.core.clock.now();
        let Some(kind) = self.core.kinds.get(kind) else {
            let reason = format!("kind {} is not served by this node", split_kind(kind).1);
            return self.node.started(now, ticket, Err(reason));
        };
        let start = match mode {
            Mode::Fresh => Start::Run,
            Mode::Standby { state } => Start::Standby { state: state.map(Bytes::from) },
            Mode::Resumed { state, mails } => {
                self.errands.resuming.insert(ticket, (token, mails));
                Start::Standby { state: state.map(Bytes::from) }
            }
        };
        let request = StartRequest { ticket, name: Some(name), token, args: args.into(), start };
        let process = kind.start(&self.core.processes, self.core.system(&kind.scope), request);
        self.errands.starting.insert(ticket, process);
    }

    /// What a process tells.
    pub(super) fn on_process(&mut self, notice: Notice) {
        let now = self.core.clock.now();
        match notice {
            Notice::Started { ticket, pid, result, asks } => {
                self.started(ticket, pid, result, asks);
            }
            Notice::Exited { ticket, pid, reason, .. } => {
                self.errands.starting.remove(&ticket);
                self.errands.open.retain(|_, (of, _)| *of != pid);
                self.node.exited(now, pid, &reason);
                self.core.ease(pid);
                self.core.watches.watcher_ended(&self.core, pid, &reason);
            }
            Notice::Frozen { ticket, handoff, .. } => {
                if let Some((_, Errand::Freeze(freeze))) = self.errands.open.remove(&ticket) {
                    let frozen = match handoff {
                        Handoff::Ignore => Frozen::Ignore,
                        Handoff::Restart => Frozen::Restart,
                        Handoff::Resume(state) => Frozen::Resume(state.into()),
                        Handoff::Failed { message } => Frozen::Failed(message),
                    };
                    self.node.frozen(now, &freeze, frozen);
                }
            }
            Notice::Taken { ticket, mails, .. } => {
                if let Some((_, Errand::Take { id, name, to })) = self.errands.open.remove(&ticket)
                {
                    let core = &self.core;
                    let encode = |mail| encode_handed_over(core, to, mail);
                    let mails = mails.into_iter().filter_map(encode).collect();
                    self.node.taken(now, id, &name, mails);
                }
            }
            Notice::Promoted { ticket, pid } => match self.errands.open.remove(&ticket) {
                Some((_, Errand::Promote { id, token })) => self.node.promoted(now, id, token),
                Some((_, Errand::Resume { ticket })) => self.node.started(now, ticket, Ok(pid)),
                _ => (),
            },
            Notice::Resolved { ticket, pid, result } => {
                if let Err(error) = &result {
                    tracing::warn!(%pid, %error, "the state of the other copy was not taken in");
                }
                if let Some((_, Errand::Resolve { name, loser })) =
                    self.errands.open.remove(&ticket)
                {
                    self.node.resolved(now, &name, loser, pid, result);
                }
            }
            Notice::Eased { pid } => self.core.ease(pid),
            Notice::Asked { pid, ask } => self.on_process_ask(pid, ask),
            _ => (),
        }
    }

    fn on_process_ask(&mut self, pid: Pid, ask: Ask) {
        let now = self.core.clock.now();
        match ask {
            Ask::Join(group) => self.node.join(now, pid, group),
            Ask::Leave(group) => self.node.leave(now, pid, group),
            Ask::Monitor(target) => {
                self.core.watches.watch(&self.core, target, Watcher::Process(pid));
            }
            Ask::Link(target) => {
                self.core.watches.link(&self.core, target, pid);
            }
            _ => (),
        }
    }

    fn started(&mut self, ticket: u64, pid: Pid, result: Result<(), ExitReason>, asks: Vec<Ask>) {
        let now = self.core.clock.now();
        self.errands.starting.remove(&ticket);
        if ticket & SPAWNED != 0 {
            if result.is_ok() {
                self.node.spawned(now, pid);
            }
            if !asks.is_empty() {
                // Whoever spawned it finds it in the groups that it joined.
                self.ask_all(pid, asks);
                self.pump();
            }
            return self.core.spawned(ticket, result.map(|()| pid));
        }
        match (result, self.errands.resuming.remove(&ticket)) {
            (Ok(()), Some((token, mails))) => {
                let front = self.decode_all(mails);
                self.promote(pid, Errand::Resume { ticket }, token, front);
            }
            (Ok(()), None) => self.node.started(now, ticket, Ok(pid)),
            (Err(reason), _) => {
                let reason = match reason {
                    ExitReason::StartFailed { message } => message,
                    other => other.to_string(),
                };
                self.node.started(now, ticket, Err(reason));
            }
        }
        // The answer to who asked for the start goes behind these.
        self.ask_all(pid, asks);
    }

    fn ask_all(&mut self, pid: Pid, asks: Vec<Ask>) {
        for ask in asks {
            self.on_process_ask(pid, ask);
        }
    }

    fn promote(&mut self, pid: Pid, errand: Errand, token: Token, front: VecDeque<Mail>) {
        let Some(process) = self.find(pid) else { return };
        let ticket = self.errands.enter(pid, errand);
        if process.promote(ticket, token, front).is_err() {
            self.errands.open.remove(&ticket);
        }
    }

    fn signal(&mut self, pid: Pid, errand: Errand, signal: impl FnOnce(u64) -> Signal) {
        // A process that has ended tells so itself, and that ends what it was wanted for.
        let Some(process) = self.find(pid) else { return };
        let ticket = self.errands.enter(pid, errand);
        if !process.signal(signal(ticket)) {
            self.errands.open.remove(&ticket);
        }
    }

    fn force(&self, process: &Handle, mail: Mail) {
        if let Pressure::Refused(mail) | Pressure::Closed(mail) = process.force(mail)
            && let Some(reply) = mail.reply
        {
            reply.fail(swarm_process::CallFailure::Full);
        }
    }

    fn decode_all(&self, mails: Vec<Vec<u8>>) -> VecDeque<Mail> {
        mails.into_iter().filter_map(|mail| decode_handed_over(&self.core, mail.into())).collect()
    }

    fn find(&self, pid: Pid) -> Option<Handle> {
        match self.core.processes.find(pid) {
            Lookup::Here(process) => Some(process),
            Lookup::Moved(_) | Lookup::Nowhere => None,
        }
    }
}
