//! One writer, many bounded readers: each learns how much it missed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// Hands a copy of everything to every reader.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    readers: Mutex<Readers<T>>,
    capacity: usize,
}

#[derive(Debug)]
struct Readers<T> {
    inboxes: Vec<Weak<Inbox<T>>>,
    is_closed: bool,
}

struct Inbox<T> {
    wanted: Wanted<T>,
    state: Mutex<State<T>>,
}

/// Which items a reader gets.
type Wanted<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

impl<T: fmt::Debug> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inbox").field(&self.state).finish()
    }
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    missed: u64,
    is_closed: bool,
    waker: Option<Waker>,
}

/// One reader.
#[derive(Debug)]
pub(crate) struct Reader<T>(Arc<Inbox<T>>);

/// What a reader gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    Item(T),
    /// So many items were dropped, the oldest first, since the reader was too slow.
    Missed(u64),
    Closed,
}

impl<T: Clone> Hub<T> {
    /// A hub whose readers each hold at most `capacity` items.
    pub(crate) const fn new(capacity: usize) -> Self {
        let readers = Readers { inboxes: Vec::new(), is_closed: false };
        Self { readers: Mutex::new(readers), capacity }
    }

    /// A reader of what is published from now on and is `wanted`.
    pub(crate) fn subscribe_to(
        &self,
        wanted: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Reader<T> {
        let mut readers = lock(&self.readers);
        let is_closed = readers.is_closed;
        let state = State { waiting: VecDeque::new(), missed: 0, is_closed, waker: None };
        let inbox = Arc::new(Inbox { wanted: Box::new(wanted), state: Mutex::new(state) });
        if !readers.is_closed {
            readers.inboxes.push(Arc::downgrade(&inbox));
        }
        Reader(inbox)
    }

    /// Whether anybody reads. Who subscribes meanwhile has to look at what there is already.
    pub(crate) fn is_read(&self) -> bool {
        !lock(&self.readers).inboxes.is_empty()
    }

    /// Hands `item` to every reader. Never waits.
    pub(crate) fn publish(&self, item: &T) {
        lock(&self.readers).inboxes.retain(|reader| {
            let Some(reader) = reader.upgrade() else { return false };
            if !(reader.wanted)(item) {
                return true;
            }
            let mut state = lock(&reader.state);
            if state.waiting.len() >= self.capacity {
                state.waiting.pop_front();
                state.missed += 1;
            }
            state.waiting.push_back(item.clone());
            wake(state);
            true
        });
    }

    /// Ends all readers, once they have read what waits for them.
    pub(crate) fn close(&self) {
        let mut readers = lock(&self.readers);
        readers.is_closed = true;
        for reader in readers.inboxes.drain(..).filter_map(|reader| reader.upgrade()) {
            let mut state = lock(&reader.state);
            state.is_closed = true;
            wake(state);
        }
    }
}

impl<T> Reader<T> {
    /// Passes over what waits; returns how much that was.
    pub(crate) fn skip(&mut self) -> u64 {
        let mut state = lock(&self.0.state);
        let skipped = state.waiting.len() as u64;
        state.waiting.clear();
        skipped
    }

    /// The next item.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next<T>> {
        let mut state = lock(&self.0.state);
        if state.missed > 0 {
            return Poll::Ready(Next::Missed(std::mem::take(&mut state.missed)));
        }
        match state.waiting.pop_front() {
            Some(item) => Poll::Ready(Next::Item(item)),
            None if state.is_closed => Poll::Ready(Next::Closed),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next<T>(reader: &mut Reader<T>) -> Poll<Next<T>> {
        reader.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_slow_reader_learns_what_it_missed_and_a_quick_one_misses_nothing() {
        let hub = Hub::new(2);
        let (mut slow, mut quick) = (hub.subscribe_to(|_| true), hub.subscribe_to(|_| true));
        for item in 1..=3 {
            hub.publish(&item);
            if item == 1 {
                assert_eq!(next(&mut quick), Poll::Ready(Next::Item(1)));
            }
        }
        assert_eq!(next(&mut slow), Poll::Ready(Next::Missed(1)));
        for reader in [&mut slow, &mut quick] {
            assert_eq!(next(reader), Poll::Ready(Next::Item(2)));
            assert_eq!(next(reader), Poll::Ready(Next::Item(3)));
            assert_eq!(next(reader), Poll::Pending);
        }
        hub.close();
        assert_eq!(next(&mut slow), Poll::Ready(Next::Closed));
    }

    #[test]
    fn a_reader_gets_what_it_wants_and_can_pass_over_the_rest() {
        let hub = Hub::new(4);
        let mut even = hub.subscribe_to(|item| item % 2 == 0);
        (0..12).for_each(|item| hub.publish(&item));
        assert_eq!(next(&mut even), Poll::Ready(Next::Missed(2)));
        assert_eq!(next(&mut even), Poll::Ready(Next::Item(4)));
        assert_eq!(even.skip(), 3);
        hub.publish(&12);
        assert_eq!(next(&mut even), Poll::Ready(Next::Item(12)));
        assert_eq!(next(&mut even), Poll::Pending);
    }

    #[test]
    fn a_reader_that_comes_after_the_end_ends_at_once() {
        let hub = Hub::<u8>::new(2);
        hub.close();
        let mut late = hub.subscribe_to(|_| true);
        assert_eq!(next(&mut late), Poll::Ready(Next::Closed));
    }
}
