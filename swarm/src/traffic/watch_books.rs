//! What is written down of monitors and links that reach over the border of a node, and what is owed
//! to other nodes for them.
//!
//! A `Down` is kept until its watcher's node has taken it: one that was lost with its session is sent
//! again on the next, with the reason that it had. A frame that finds a full queue is owed until there
//! is room.

use super::Frame;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use swarm_base::codec;
use swarm_base::{Boot, Pid};
use swarm_process::{Down, ExitReason, MonitorId};
use tokio::sync::oneshot;

/// Who watches from here.
#[derive(Debug)]
pub(crate) enum Watcher {
    Future(oneshot::Sender<Down>),
    Process(Pid),
    Link(Pid),
}

impl Watcher {
    const fn process(&self) -> Option<Pid> {
        match self {
            Self::Process(pid) | Self::Link(pid) => Some(*pid),
            Self::Future(_) => None,
        }
    }
}

/// What a node is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// That a process of its is watched from here, and linked with one of this node's.
    Monitor,
    /// That it is not any more.
    Demonitor,
    /// That a process of this node has ended that it watches.
    Down,
    /// That what it has told of the end of its process has been taken.
    Taken,
    /// That a process of its was linked with one of this node's, which has ended: it asks how.
    Broken,
}

/// Something that a node is to be told about one watch, by the number of who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owed {
    pub(super) boot: Boot,
    pub(super) note: Note,
    pub(super) watch: u64,
}

/// What to do about a watch that another node asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Serve {
    /// Watch the process, under this number of this node's.
    Watch(u64),
    /// It is watched already.
    Known,
    /// It has ended, and that is to be told once more.
    Ended,
}

#[derive(Debug)]
struct Served {
    boot: Boot,
    watch: u64,
    monitor: Option<MonitorId>,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    next: u64,
    /// Processes of other nodes that are watched from here.
    watching: BTreeMap<u64, (Pid, Watcher)>,
    /// The watches of each process of this node.
    of_watcher: BTreeSet<(Pid, u64)>,
    /// Processes of other nodes, and those of this one that are linked with them.
    links: BTreeSet<(Pid, Pid)>,
    /// Processes of this node that are watched from elsewhere, by a number of this node's.
    serving: BTreeMap<u64, Served>,
    served: BTreeMap<(Boot, u64), u64>,
    /// Those of them that have ended, with their encoded reasons, until their watchers know.
    ended: BTreeMap<(Boot, u64), (Pid, Bytes)>,
    /// Links of processes of this node that have ended abnormally with those of another, which may
    /// not have heard of the link. By the number of the watch that the link had.
    broken: BTreeMap<(Boot, u64), (Pid, Pid)>,
    /// Why processes of this node have ended that were linked with others: who hears of the link
    /// only then is told that, not that there is no such process.
    left: BTreeMap<Pid, ExitReason>,
    left_order: VecDeque<Pid>,
    /// Processes that have ended, of which is not known yet why, and who is to be told.
    unexplained: BTreeMap<Pid, Vec<u64>>,
    /// What found no room in a queue.
    unsent: BTreeSet<Owed>,
}

impl Books {
    /// How many reasons of linked processes are kept; the oldest goes.
    const LEFT_MAX: usize = 4_096;

    pub(super) fn watch(&mut self, pid: Pid, watcher: Watcher) -> u64 {
        self.next += 1;
        if let Some(process) = watcher.process() {
            self.of_watcher.insert((process, self.next));
        }
        if let Watcher::Link(linked) = watcher {
            self.links.insert((pid, linked));
        }
        self.watching.insert(self.next, (pid, watcher));
        self.next
    }

    pub(super) fn is_linked(&self, pid: Pid, linked: Pid) -> bool {
        self.links.contains(&(pid, linked))
    }

    /// Ends a watch from here.
    pub(super) fn end(&mut self, watch: u64) -> Option<(Pid, Watcher)> {
        let (pid, watcher) = self.watching.remove(&watch)?;
        if let Some(process) = watcher.process() {
            self.of_watcher.remove(&(process, watch));
        }
        if let Watcher::Link(linked) = watcher {
            self.links.remove(&(pid, linked));
        }
        Some((pid, watcher))
    }

    pub(super) fn watched(&self, watch: u64) -> Option<Pid> {
        self.watching.get(&watch).map(|(pid, _)| *pid)
    }

    fn watches_of(&self, process: Pid) -> impl Iterator<Item = u64> {
        let of = self.of_watcher.range((process, 0)..=(process, u64::MAX));
        of.map(|(_, watch)| *watch)
    }

    fn has_links(&self, process: Pid) -> bool {
        self.watches_of(process)
            .any(|watch| matches!(self.watching.get(&watch), Some((_, Watcher::Link(_)))))
    }

    /// A process of this node has ended: gives its watches, and those of others that learn only now
    /// why.
    pub(super) fn watcher_ended(&mut self, pid: Pid, reason: &ExitReason) -> (Vec<u64>, Vec<u64>) {
        if self.has_links(pid) && self.left.insert(pid, reason.clone()).is_none() {
            self.left_order.push_back(pid);
            if self.left_order.len() > Self::LEFT_MAX
                && let Some(oldest) = self.left_order.pop_front()
            {
                self.left.remove(&oldest);
            }
        }
        let unexplained = self.unexplained.remove(&pid).unwrap_or_default();
        let watches: Vec<u64> = self.watches_of(pid).collect();
        for watch in watches.iter().filter(|_| reason.is_abnormal()) {
            if let Some((other, Watcher::Link(_))) = self.watching.get(watch) {
                self.broken.insert((other.boot, *watch), (pid, *other));
            }
        }
        (watches, unexplained)
    }

    pub(super) fn serve(&mut self, boot: Boot, watch: u64, pid: Pid) -> Serve {
        self.heard(boot, pid);
        if self.ended.contains_key(&(boot, watch)) {
            return Serve::Ended;
        }
        if self.served.contains_key(&(boot, watch)) {
            return Serve::Known;
        }
        self.next += 1;
        self.served.insert((boot, watch), self.next);
        self.serving.insert(self.next, Served { boot, watch, monitor: None });
        Serve::Watch(self.next)
    }

    pub(super) fn set_monitor(&mut self, number: u64, monitor: MonitorId) {
        if let Some(served) = self.serving.get_mut(&number) {
            served.monitor = Some(monitor);
        }
    }

    pub(super) fn unserve(&mut self, boot: Boot, watch: u64) -> Option<MonitorId> {
        self.taken(boot, watch);
        let number = self.served.remove(&(boot, watch))?;
        self.serving.remove(&number)?.monitor
    }

    /// A process of this node has ended that is watched from elsewhere: gives what is to be told.
    pub(super) fn served_ended(&mut self, number: u64, down: &Down) -> Option<Owed> {
        let reason = match (&down.reason, self.left.get(&down.pid)) {
            (ExitReason::NoProcess, Some(reason)) => reason.clone(),
            // It has just ended, and the word of why is on its way to `watcher_ended`.
            (ExitReason::NoProcess, None) if self.has_links(down.pid) => {
                self.unexplained.entry(down.pid).or_default().push(number);
                return None;
            }
            (reason, _) => (*reason).clone(),
        };
        let Served { boot, watch, .. } = self.serving.remove(&number)?;
        self.served.remove(&(boot, watch));
        self.ended.insert((boot, watch), (down.pid, encode(&reason)));
        Some(Owed { boot, note: Note::Down, watch })
    }

    /// The watcher's node has taken the end of a process.
    pub(super) fn taken(&mut self, boot: Boot, watch: u64) {
        if let Some((pid, _)) = self.ended.remove(&(boot, watch)) {
            self.heard(boot, pid);
        }
    }

    /// A node asks for the end of a process, or knows of it: it need not be told of its links.
    fn heard(&mut self, boot: Boot, pid: Pid) {
        let of_node = self.broken.range((boot, 0)..=(boot, u64::MAX));
        let heard: Vec<_> = of_node.filter(|(_, (of, _))| *of == pid).map(|(k, _)| *k).collect();
        for key in heard {
            self.broken.remove(&key);
        }
    }

    /// What a node is to be told again once it can be reached: all that it has not said it knows.
    pub(super) fn owed_to(&self, boot: Boot) -> (Vec<Owed>, Vec<Owed>) {
        let watched = self.watching.iter().filter(|(_, (pid, _))| pid.boot == boot);
        let monitors = watched.map(|(watch, _)| Owed { boot, note: Note::Monitor, watch: *watch });
        let downs = self.ended.range((boot, 0)..=(boot, u64::MAX));
        let downs = downs.map(|((_, watch), _)| Owed { boot, note: Note::Down, watch: *watch });
        let broken = self.broken.range((boot, 0)..=(boot, u64::MAX));
        let broken = broken.map(|((_, watch), _)| Owed { boot, note: Note::Broken, watch: *watch });
        (monitors.collect(), downs.chain(broken).collect())
    }

    /// A node is gone: gives what is watched there, and the monitors of its processes.
    pub(super) fn node_down(&mut self, boot: Boot) -> (Vec<u64>, Vec<MonitorId>) {
        let watched = self.watching.iter().filter(|(_, (pid, _))| pid.boot == boot);
        let lost = watched.map(|(watch, _)| *watch).collect();
        let served: Vec<u64> =
            self.served.range((boot, 0)..=(boot, u64::MAX)).map(|((_, watch), _)| *watch).collect();
        let monitors = served.into_iter().filter_map(|watch| self.unserve(boot, watch)).collect();
        let ended: Vec<_> =
            self.ended.range((boot, 0)..=(boot, u64::MAX)).map(|(k, _)| *k).collect();
        for key in ended {
            self.ended.remove(&key);
        }
        self.broken.retain(|(of, _), _| *of != boot);
        self.unsent.retain(|owed| owed.boot != boot);
        (lost, monitors)
    }

    /// The frames that tell it; none where it is not due any more.
    pub(super) fn frames(&self, owed: Owed) -> Vec<Frame> {
        let Owed { boot, note, watch } = owed;
        match note {
            Note::Monitor => {
                let Some((pid, watcher)) = self.watching.get(&watch) else { return Vec::new() };
                let monitor = Frame::Monitor { watch, pid: *pid };
                match watcher {
                    Watcher::Link(linked) => vec![monitor, Frame::Link { pid: *linked, to: *pid }],
                    _ => vec![monitor],
                }
            }
            Note::Demonitor => vec![Frame::Demonitor { watch }],
            Note::Down => {
                let ended = self.ended.get(&(boot, watch)).cloned();
                ended.map(|(_, reason)| Frame::Down { watch, reason }).into_iter().collect()
            }
            Note::Broken => {
                let link = self.broken.get(&(boot, watch));
                link.map(|(pid, to)| Frame::Link { pid: *pid, to: *to }).into_iter().collect()
            }
            Note::Taken => vec![Frame::Taken { watch }],
        }
    }

    /// There was no room for it.
    pub(super) fn keep_unsent(&mut self, owed: Owed) {
        self.unsent.insert(owed);
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// How much is unsent, and how many ends have not been taken.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.unsent.len(), self.ended.len())
    }

    pub(super) fn take_unsent(&mut self) -> BTreeSet<Owed> {
        std::mem::take(&mut self.unsent)
    }
}

/// A reason on the wire. The words of one that is too long to be read there are cut.
fn encode(reason: &ExitReason) -> Bytes {
    let cut = |message: &str| message.chars().take(MESSAGE_MAX).collect::<String>();
    let reason = match reason {
        ExitReason::Panicked { message } if message.len() > MESSAGE_MAX => {
            ExitReason::Panicked { message: cut(message) }
        }
        ExitReason::StartFailed { message } if message.len() > MESSAGE_MAX => {
            ExitReason::StartFailed { message: cut(message) }
        }
        reason => reason.clone(),
    };
    codec::encode(&reason).map(Bytes::from).unwrap_or_default()
}

/// How many characters of a panic go to other nodes: less than a reader takes.
const MESSAGE_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::codec::Limits;

    const A: Boot = Boot { millis: 1, random: 0 };
    const B: Boot = Boot { millis: 2, random: 0 };

    fn pid(boot: Boot, serial: u64) -> Pid {
        Pid::new(boot, serial)
    }

    fn down(pid: Pid, reason: ExitReason) -> Down {
        Down { pid, reason }
    }

    fn panicked() -> ExitReason {
        ExitReason::Panicked { message: "boom".to_owned() }
    }

    /// The reasons that the frames tell, with the watches.
    fn told(frames: &[Frame]) -> Vec<(u64, ExitReason)> {
        let told = frames.iter().filter_map(|frame| match frame {
            Frame::Down { watch, reason } => {
                let reason = codec::decode(reason, Limits::of_bytes(64 * 1024));
                Some((*watch, reason.expect("a reason")))
            }
            _ => None,
        });
        told.collect()
    }

    /// B's books, with a process that A watches under 7.
    fn serving() -> (Books, u64) {
        let mut b = Books::default();
        let Serve::Watch(number) = b.serve(A, 7, pid(B, 1)) else { panic!("it is new") };
        assert_eq!(b.serve(A, 7, pid(B, 1)), Serve::Known);
        (b, number)
    }

    #[test]
    fn an_end_is_told_again_with_its_reason_until_it_is_taken() {
        let (mut b, number) = serving();
        let owed = b.served_ended(number, &down(pid(B, 1), panicked())).expect("A is told");
        assert_eq!(told(&b.frames(owed)), [(7, panicked())]);
        // It was lost with the session: A asks again, or is told on the next one.
        assert_eq!(b.serve(A, 7, pid(B, 1)), Serve::Ended);
        assert_eq!(b.owed_to(A).1, [owed]);
        assert_eq!(b.owed_to(B), (vec![], vec![]));
        assert_eq!(told(&b.frames(owed)), [(7, panicked())]);
        b.taken(A, 7);
        assert_eq!((b.owed_to(A).1, b.frames(owed).len()), (vec![], 0));
        assert!(b.served.is_empty() && b.serving.is_empty() && b.ended.is_empty());
    }

    #[test]
    fn what_found_no_room_is_owed_unless_it_is_over() {
        let mut a = Books::default();
        let watch = a.watch(pid(B, 1), Watcher::Process(pid(A, 1)));
        let owed = Owed { boot: B, note: Note::Monitor, watch };
        a.keep_unsent(owed);
        assert!(a.has_unsent());
        assert_eq!(a.take_unsent(), BTreeSet::from([owed]));
        assert_eq!(a.frames(owed), [Frame::Monitor { watch, pid: pid(B, 1) }]);
        assert_eq!(a.watched(watch), Some(pid(B, 1)));
        assert!(a.end(watch).is_some());
        assert_eq!((a.frames(owed), a.has_unsent()), (vec![], false));
        assert!(a.end(watch).is_none(), "once");
        a.keep_unsent(owed);
        a.node_down(B);
        assert!(!a.has_unsent(), "nobody is there to be told");
    }

    #[test]
    fn nothing_is_left_of_a_node_that_is_gone() {
        let (mut b, number) = serving();
        b.served_ended(number, &down(pid(B, 1), panicked()));
        let Serve::Watch(number) = b.serve(A, 8, pid(B, 1)) else { panic!("it is new") };
        let watch = b.watch(pid(A, 1), Watcher::Link(pid(B, 2)));
        assert!(b.is_linked(pid(A, 1), pid(B, 2)));
        assert_eq!(b.node_down(A).0, [watch]);
        b.end(watch);
        assert!(!b.is_linked(pid(A, 1), pid(B, 2)));
        assert_eq!(b.served_ended(number, &down(pid(B, 1), panicked())), None);
        assert!(b.served.is_empty() && b.serving.is_empty() && b.ended.is_empty());
        assert!(b.of_watcher.is_empty() && b.watching.is_empty() && b.links.is_empty());
    }

    /// A process links with one of another node and ends before that node has heard of it.
    #[test]
    fn who_hears_of_a_link_late_learns_how_the_other_end_ended() {
        let linked = pid(B, 1);
        let gone =
            |number, b: &mut Books| b.served_ended(number, &down(linked, ExitReason::NoProcess));
        for reason in [ExitReason::Stopped, panicked()] {
            // Its end is known here before the question, or after it.
            for is_known in [true, false] {
                let (mut b, number) = serving();
                let watch = b.watch(pid(A, 1), Watcher::Link(linked));
                if is_known {
                    assert_eq!(b.watcher_ended(linked, &reason), (vec![watch], vec![]));
                    b.end(watch);
                } else {
                    assert_eq!(gone(number, &mut b), None, "it will be known");
                    assert_eq!(b.watcher_ended(linked, &reason), (vec![watch], vec![number]));
                    b.end(watch);
                }
                let owed = gone(number, &mut b).expect("A is told");
                assert_eq!(told(&b.frames(owed)), [(7, reason.clone())]);
            }
        }
        let (mut b, number) = serving();
        assert_eq!(b.watcher_ended(linked, &panicked()), (vec![], vec![]), "it had no links");
        let owed = gone(number, &mut b).expect("A is told");
        assert_eq!(told(&b.frames(owed)), [(7, ExitReason::NoProcess)]);
    }

    /// Whom it was linked with is on a node that there is no session with yet.
    #[test]
    fn a_link_that_was_not_heard_of_is_told_of_until_it_is() {
        let (p, q) = (pid(A, 1), pid(B, 1));
        let mut a = Books::default();
        let watch = a.watch(q, Watcher::Link(p));
        assert_eq!(a.watcher_ended(p, &panicked()).0, [watch]);
        a.end(watch);
        let owed = Owed { boot: B, note: Note::Broken, watch };
        assert_eq!(a.owed_to(B), (vec![], vec![owed]));
        assert_eq!(a.frames(owed), [Frame::Link { pid: p, to: q }]);
        let Serve::Watch(number) = a.serve(B, 3, p) else { panic!("it is new") };
        assert_eq!(a.owed_to(B), (vec![], vec![]), "it asks");
        let down = a.served_ended(number, &down(p, ExitReason::NoProcess)).expect("B is told");
        assert_eq!(told(&a.frames(down)), [(3, panicked())]);
        a.taken(B, 3);
        // A normal end is nobody's concern.
        let watch = a.watch(q, Watcher::Link(pid(A, 2)));
        a.watcher_ended(pid(A, 2), &ExitReason::Stopped);
        a.end(watch);
        assert!(a.broken.is_empty());
        // Who watched it before is told by that.
        let Serve::Watch(number) = a.serve(B, 4, pid(A, 3)) else { panic!("it is new") };
        let watch = a.watch(q, Watcher::Link(pid(A, 3)));
        a.served_ended(number, &Down { pid: pid(A, 3), reason: panicked() });
        a.watcher_ended(pid(A, 3), &panicked());
        a.end(watch);
        assert_eq!(a.owed_to(B).1.len(), 2);
        a.taken(B, 4);
        assert_eq!(a.owed_to(B).1, []);
    }

    #[test]
    fn the_reasons_of_linked_processes_are_few() {
        let mut books = Books::default();
        for serial in 0..2 * Books::LEFT_MAX as u64 {
            let watch = books.watch(pid(B, 1), Watcher::Link(pid(A, serial)));
            books.watcher_ended(pid(A, serial), &ExitReason::Stopped);
            books.end(watch);
        }
        assert_eq!((books.left.len(), books.left_order.len()), (Books::LEFT_MAX, Books::LEFT_MAX));
        assert!(!books.left.contains_key(&pid(A, 0)));
    }

    #[test]
    fn a_long_panic_arrives_as_a_panic() {
        let message = "é".repeat(100_000);
        let bytes = encode(&ExitReason::Panicked { message });
        let reason = codec::decode(&bytes, Limits::of_bytes(64 * 1024)).expect("it is read");
        let ExitReason::Panicked { message } = reason else { panic!("{reason:?}") };
        assert_eq!(message.chars().count(), MESSAGE_MAX);
    }
}
