//! A panic in one stream is a fault of ours that ends that stream and nothing else. Its text and place go to Python's log
//! instead of stderr.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::task::Poll;

use futures_util::future::{LocalBoxFuture, poll_fn};

/// What a panic said, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its text.
    pub message: String,
    /// `file:line:column` in the engine's source.
    pub location: String,
}

thread_local! {
    /// Whether a panic on this thread is contained.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// Keep contained panics out of stderr; all others are told as before. Done once per process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            if CONTAINED.get() {
                LAST.set(Some(Fault::of(info)));
            } else {
                others(info);
            }
        }));
    });
}

impl Fault {
    fn of(info: &PanicHookInfo<'_>) -> Fault {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a panic without a text").to_owned();
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        Fault { message, location }
    }
}

/// Run something whose panic must not spread. What it was working on is not to be used any further.
pub(crate) fn contain<T>(run: impl FnOnce() -> T) -> Result<T, Fault> {
    let outer = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CONTAINED.set(outer);
    result.map_err(|_| {
        let unknown = || Fault { message: "a panic without a text".into(), location: String::new() };
        LAST.take().unwrap_or_else(unknown)
    })
}

/// [`contain`] for a task, its drop included.
pub(crate) async fn contain_task(mut task: LocalBoxFuture<'static, ()>) -> Result<(), Fault> {
    let outcome = poll_fn(|context| match contain(|| task.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(fault) => Poll::Ready(Err(fault)),
    });
    let outcome = outcome.await;
    contain(|| drop(task)).and(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_text_and_place() {
        install();
        let fault = contain(|| panic!("number {}", 7)).unwrap_err();
        assert_eq!(fault.message, "number 7");
        assert!(fault.location.contains("panic.rs:"), "{}", fault.location);
        assert_eq!(contain(|| 1), Ok(1));
    }

    #[test]
    fn a_panic_within_a_contained_part_leaves_the_rest_contained() {
        install();
        let outer = contain(|| {
            let inner = contain(|| panic!("inner")).unwrap_err();
            assert_eq!(inner.message, "inner");
            panic!("outer");
        });
        assert_eq!(outer.unwrap_err().message, "outer");
        assert!(!CONTAINED.get());
    }
}
