//! Whose name it is: a newcomer with the name of a member.
//!
//! Same address: a restart, the newer boot takes the name. Another address: the member is asked.
//! If it answers, the newcomer is refused; if not, the newer boot takes the name.

use super::{Protocol, Sender};
use crate::wire::{Message, Update};
use crate::{Event, Record, State};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm_base::{Boot, Instant, NodeId, NodeName};

/// A newcomer that waits for whether the holder of its name answers.
#[derive(Debug)]
pub(super) struct Contest {
    newcomer: Sender,
    record: Update,
    holder: Arc<Record>,
    seq: u64,
    n_tries: u32,
    next: Instant,
}

/// What becomes of a newcomer.
enum Admission {
    Admitted,
    /// The holder of the name has to be asked.
    Contested(Arc<Record>),
    /// The name is this node's own.
    Taken(SocketAddr),
    /// A later life is remembered.
    Behind(Boot),
}

impl Contest {
    pub(super) const fn due(&self) -> Instant {
        self.next
    }

    pub(super) fn postpone(&mut self, lost: Duration) {
        self.next += lost;
    }
}

impl Protocol {
    /// A node asks to be let in.
    pub(super) fn handle_join(&mut self, now: Instant, sender: &Sender, updates: Vec<Update>) {
        // It is the sender's own: a packet without it is none.
        let Some(record) = updates.first() else { return };
        match self.admission(&sender.id, record) {
            Admission::Admitted => {
                self.handle_updates(now, sender, &updates);
                self.send_pages(sender, 0, &[]);
            }
            Admission::Contested(holder) => self.contest(now, sender, record, holder),
            Admission::Taken(holder) => {
                self.send_bare(sender.from, sender.id.boot, Message::Taken { holder }, []);
            }
            Admission::Behind(remembered) => {
                self.send_bare(sender.from, sender.id.boot, Message::Behind { remembered }, []);
            }
        }
    }

    fn admission(&self, newcomer: &NodeId, record: &Update) -> Admission {
        if self.is_self(&newcomer.name) {
            return Admission::Taken(self.own().address);
        }
        let Some(entry) = self.table.get(&newcomer.name) else { return Admission::Admitted };
        let held = &entry.member;
        if held.id.boot == newcomer.boot {
            Admission::Admitted
        } else if held.is_live() && record.address() != Some(held.address) {
            Admission::Contested(held.record.clone())
        } else if held.id.boot > newcomer.boot {
            Admission::Behind(held.id.boot)
        } else {
            Admission::Admitted
        }
    }

    fn contest(&mut self, now: Instant, newcomer: &Sender, record: &Update, holder: Arc<Record>) {
        let name = &newcomer.id.name;
        // The newcomer asks again while it waits; one contest is enough.
        let is_new = self.contests.get(name).is_none_or(|c| c.newcomer.id != newcomer.id);
        if !is_new || self.contests.len() >= CONTESTS_MAX {
            return;
        }
        let seq = self.next_seq();
        let contest = Contest {
            newcomer: newcomer.clone(),
            record: record.clone(),
            holder,
            seq,
            n_tries: 0,
            next: now,
        };
        self.contests.insert(name.clone(), contest);
        self.ask_holder(now, name);
    }

    /// Asks holders again, and lets in those whose holder did not answer.
    pub(super) fn contest_tick(&mut self, now: Instant) {
        let due: Vec<_> = self
            .contests
            .iter()
            .filter(|(_, contest)| contest.next <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.ask_holder(now, &name);
        }
    }

    /// Asks one holder (again), or lets its newcomer in.
    fn ask_holder(&mut self, now: Instant, name: &NodeName) {
        let Some(contest) = self.contests.get_mut(name) else { return };
        if contest.n_tries < TRIES {
            contest.n_tries += 1;
            contest.next = now + self.config.probe_timeout;
            let (seq, holder) = (contest.seq, Arc::clone(&contest.holder));
            self.ping(&holder, seq);
            let _ = self.ping_through_others(seq, &holder, self.config.probe_timeout);
        } else if let Some(contest) = self.contests.remove(name) {
            self.decide(now, &contest);
        }
    }

    /// The holder did not answer.
    fn decide(&mut self, now: Instant, contest: &Contest) {
        let Contest { newcomer, record, holder, .. } = contest;
        if newcomer.id.boot > holder.id.boot {
            let _ = self.settle(now, Some(newcomer), record);
            self.send_pages(newcomer, 0, &[]);
        } else {
            let remembered = holder.id.boot;
            self.send_bare(newcomer.from, newcomer.id.boot, Message::Behind { remembered }, []);
        }
    }

    /// Whether an answer with this number was about a contest: then the name is taken.
    pub(super) fn handle_holder_ack(&mut self, seq: u64) -> bool {
        let Some(name) =
            self.contests.iter().find(|(_, c)| c.seq == seq).map(|(name, _)| name.clone())
        else {
            return false;
        };
        if let Some(Contest { newcomer, holder, .. }) = self.contests.remove(&name) {
            let taken = Message::Taken { holder: holder.address };
            self.send_bare(newcomer.from, newcomer.id.boot, taken, []);
        }
        true
    }

    /// A seed says that our name is another's. Believed only where we asked.
    pub(super) fn handle_taken(&mut self, sender: &Sender, holder: SocketAddr) {
        if self.is_joining(&sender.id) {
            self.fall_silent(Event::NameTaken { holder });
        }
    }

    /// A seed remembers a later life of ours. Believed only where we asked.
    pub(super) fn handle_behind(&mut self, sender: &Sender, remembered: Boot) {
        if self.is_joining(&sender.id) && remembered > self.me.boot {
            self.pulls.remove(&sender.id);
            self.report_boot(remembered);
        }
    }

    /// Somebody's table has a later boot under our name.
    pub(super) fn handle_later_boot(&mut self, update: &Update) {
        match (update.state(), update.address()) {
            // It lives elsewhere, and newer boots win: two of one name were let in by two halves.
            (State::Alive, Some(holder)) if holder != self.own().address => {
                self.fall_silent(Event::NameTaken { holder });
            }
            // An accusation says nothing of where; the statement that it accuses will come.
            (State::Suspect, _) => {}
            // At our own address it can only be the memory of a former life.
            _ => self.report_boot(update.id().boot),
        }
    }

    fn report_boot(&mut self, remembered: Boot) {
        if self.reported_boot.is_none_or(|reported| reported < remembered) {
            self.reported_boot = Some(remembered);
            self.event(Event::BootBehind { remembered });
        }
    }
}

/// The most newcomers that wait at once.
const CONTESTS_MAX: usize = 32;

/// How often a holder is asked, a probe timeout apart, directly and through others.
const TRIES: u32 = 3;
