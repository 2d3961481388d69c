//! A panic in one stream ends that stream and nothing else. It is reported to Python instead of written to stderr.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::task::Poll;

use futures_util::future::{LocalBoxFuture, poll_fn};

/// Message and location of a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicReport {
    /// The message.
    pub message: String,
    /// `file:line:column` in the engine's source.
    pub location: String,
}

thread_local! {
    /// Whether a panic on this thread is caught.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

/// Keep caught panics out of stderr; others are handled as before. Done once per process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            if CAUGHT.get() {
                LAST.set(Some(PanicReport::of(info)));
            } else {
                others(info);
            }
        }));
    });
}

impl PanicReport {
    fn of(info: &PanicHookInfo<'_>) -> PanicReport {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a panic without a message").to_owned();
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        PanicReport { message, location }
    }
}

/// Run something and catch its panic. What it was changing must not be used afterwards.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, PanicReport> {
    let outer = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CAUGHT.set(outer);
    result.map_err(|_| {
        let unknown = || PanicReport { message: "a panic without a message".into(), location: String::new() };
        LAST.take().unwrap_or_else(unknown)
    })
}

/// [`catch`] for a task, including its drop.
pub(crate) async fn catch_task(mut task: LocalBoxFuture<'static, ()>) -> Result<(), PanicReport> {
    let outcome = poll_fn(|context| match catch(|| task.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(fault) => Poll::Ready(Err(fault)),
    });
    let outcome = outcome.await;
    catch(|| drop(task)).and(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_message_and_location() {
        install();
        let fault = catch(|| panic!("number {}", 7)).unwrap_err();
        assert_eq!(fault.message, "number 7");
        assert!(fault.location.contains("panic.rs:"), "{}", fault.location);
        assert_eq!(catch(|| 1), Ok(1));
    }

    #[test]
    fn a_nested_panic_leaves_the_outer_part_caught() {
        install();
        let outer = catch(|| {
            let inner = catch(|| panic!("inner")).unwrap_err();
            assert_eq!(inner.message, "inner");
            panic!("outer");
        });
        assert_eq!(outer.unwrap_err().message, "outer");
        assert!(!CAUGHT.get());
    }
}
