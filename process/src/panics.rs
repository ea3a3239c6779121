//! Panics of user code, turned into values.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// Runs `future`; a panic in it becomes its text. The panic hook is left as it is, so the panic is
/// printed as any other.
///
/// What the future borrows may be half changed after a panic: end its owner, or let it say that it
/// copes.
pub(crate) async fn caught<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
) -> Result<F::Output, String> {
    poll_fn(|cx| {
        // Unwind safe: after a panic nothing of the future is polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(text(&*payload))),
        }
    })
    .await
}

/// Drops `value`; a panic of its destructor stays inside.
pub(crate) fn drop_caught<T>(value: T) -> Result<(), String> {
    contain(|| drop(value))
}

/// Runs `work`; a panic in it becomes its text, at most 1,024 bytes of it. The panic hook is left
/// as it is, so the panic is printed as any other.
///
/// # Errors
///
/// What the panic said. What `work` changes may be half changed then.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| text(&*payload))
}

/// What the panic said, at most [`TEXT_MAX`] bytes of it: it travels to other nodes.
fn text(payload: &(dyn Any + Send)) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "a panic without a text",
    };
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}

const TEXT_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    fn check(payload: &(dyn Any + Send), want: &str) {
        assert_eq!(text(payload), want);
    }

    #[test]
    fn a_panic_is_its_text_and_a_long_one_is_cut_between_characters() {
        check(&"boom", "boom");
        check(&String::from("boom 7"), "boom 7");
        check(&7, "a panic without a text");
        check(&format!("x{}", "é".repeat(1000)), &format!("x{}", "é".repeat(511)));
    }

    #[test]
    fn a_future_that_panics_gives_an_error() {
        let mut panics = pin!(async { panic!("boom") });
        let mut task = pin!(caught(panics.as_mut()));
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::<Result<(), _>>::Ready(Err("boom".into())));
    }
}
