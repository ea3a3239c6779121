//! One writer, many bounded readers: each learns how much it missed.

use std::collections::VecDeque;
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

#[derive(Debug)]
struct Inbox<T> {
    state: Mutex<State<T>>,
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

    /// A reader of what is published from now on.
    pub(crate) fn subscribe(&self) -> Reader<T> {
        self.subscribe_after(Vec::new())
    }

    /// A reader of `first`, then of what is published from now on.
    pub(crate) fn subscribe_after(&self, first: impl IntoIterator<Item = T>) -> Reader<T> {
        let waiting = first.into_iter().collect();
        let mut readers = lock(&self.readers);
        // Of a hub that is closed already a reader gets `first`, and its end.
        let state = State { waiting, missed: 0, is_closed: readers.is_closed, waker: None };
        let inbox = Arc::new(Inbox { state: Mutex::new(state) });
        if !readers.is_closed {
            readers.inboxes.push(Arc::downgrade(&inbox));
        }
        Reader(inbox)
    }

    /// Hands `item` to every reader. Never waits.
    pub(crate) fn publish(&self, item: &T) {
        lock(&self.readers).inboxes.retain(|reader| {
            let Some(reader) = reader.upgrade() else { return false };
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
        let (mut slow, mut quick) = (hub.subscribe(), hub.subscribe_after([0]));
        for item in 1..=3 {
            hub.publish(&item);
            if item == 1 {
                assert_eq!(next(&mut quick), Poll::Ready(Next::Item(0)));
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
    fn a_reader_that_comes_after_the_end_ends_at_once() {
        let hub = Hub::new(2);
        hub.close();
        let mut late = hub.subscribe_after([1]);
        assert_eq!(next(&mut late), Poll::Ready(Next::Item(1)));
        assert_eq!(next(&mut late), Poll::Ready(Next::Closed));
    }
}
