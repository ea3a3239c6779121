//! When the workers of this process did something first and last, by the time of day.

use crate::bench::figures::wall_ns;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a worker did.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// It was started, perhaps as one that waits for its state.
    Started,
    /// It was asked for its state.
    Asked,
    /// It was given its state.
    Resumed,
    /// It was dropped.
    Ended,
}

/// One thing that workers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bench) struct Span {
    pub(super) count: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
}

/// All that they did since the marks were cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bench) struct Marks {
    pub(super) started: Span,
    pub(super) asked: Span,
    pub(super) resumed: Span,
    pub(super) ended: Span,
}

static MARKS: Mutex<Marks> = Mutex::new(Marks {
    started: Span::NEVER,
    asked: Span::NEVER,
    resumed: Span::NEVER,
    ended: Span::NEVER,
});

impl Span {
    const NEVER: Self = Self { count: 0, first_ns: 0, last_ns: 0 };

    fn add(&mut self, now_ns: u64) {
        if self.count == 0 {
            self.first_ns = now_ns;
        }
        self.count += 1;
        self.last_ns = now_ns;
    }
}

/// It does so now.
pub(super) fn set(mark: Mark) {
    let (now_ns, mut marks) = (wall_ns(), marks_now());
    let span = match mark {
        Mark::Started => &mut marks.started,
        Mark::Asked => &mut marks.asked,
        Mark::Resumed => &mut marks.resumed,
        Mark::Ended => &mut marks.ended,
    };
    span.add(now_ns);
}

pub(super) fn all() -> Marks {
    *marks_now()
}

/// What was done until now is forgotten.
pub(super) fn clear() {
    *marks_now() = Marks::default();
}

fn marks_now() -> MutexGuard<'static, Marks> {
    MARKS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_ends() {
        let mut span = Span::NEVER;
        [5, 7, 9].into_iter().for_each(|at| span.add(at));
        assert_eq!(span, Span { count: 3, first_ns: 5, last_ns: 9 });
    }
}
