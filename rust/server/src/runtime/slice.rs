//! Long work of a thread, in slices: one slice of one stream at a time, in the order of the requests. Between two
//! slices the other tasks of the thread run, and what has arrived is read.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Names per slice: some hundred microseconds of work.
pub(crate) const SLICE: usize = 256;

/// A longer request is a slice of its own.
pub(crate) const LONG_REQUEST: usize = 16 << 10;

/// The slices of one thread.
#[derive(Clone)]
pub(crate) struct SliceQueue(Rc<State>);

struct State {
    permit: Arc<Semaphore>,
    /// A slice has ended, and the next one must not begin yet.
    paused: Cell<bool>,
    ended: Notify,
}

/// The permission for one slice. The queue pauses after it was dropped.
pub(crate) struct SlicePermit {
    permit: Option<OwnedSemaphorePermit>,
    slices: SliceQueue,
}

/// The position of one stream in the queue.
#[derive(Default)]
pub(crate) struct SliceWaiter(Option<Pin<Box<dyn Future<Output = SlicePermit>>>>);

impl SliceQueue {
    pub(crate) fn new() -> SliceQueue {
        let permit = Arc::new(Semaphore::new(1));
        SliceQueue(Rc::new(State { permit, paused: Cell::new(false), ended: Notify::new() }))
    }

    async fn acquire(self) -> SlicePermit {
        // Fails only when the semaphore is closed, which it never is.
        let permit = Arc::clone(&self.0.permit).acquire_owned().await.ok();
        SlicePermit { permit, slices: self }
    }

    /// Wait for the end of a slice, or for [`SliceQueue::wake`].
    pub(crate) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Make [`SliceQueue::ended`] return.
    pub(crate) fn wake(&self) {
        self.0.ended.notify_one();
    }

    /// Allow the next slice.
    pub(crate) fn resume(&self) {
        if self.0.paused.replace(false) {
            self.0.permit.add_permits(1);
        }
    }
}

impl SliceWaiter {
    /// Ready when it is the stream's turn. Dropping the waiter leaves the queue.
    pub(crate) fn poll(&mut self, slices: &SliceQueue, context: &mut Context<'_>) -> Poll<SlicePermit> {
        let waiting = self.0.get_or_insert_with(|| Box::pin(slices.clone().acquire()));
        let permit = ready!(waiting.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(permit)
    }
}

impl Drop for SlicePermit {
    fn drop(&mut self) {
        self.permit.take().into_iter().for_each(OwnedSemaphorePermit::forget);
        self.slices.0.paused.set(true);
        self.slices.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::future::{FutureExt, poll_fn};

    use super::*;

    #[tokio::test]
    async fn one_slice_at_a_time_in_order_and_a_rest_between_two() {
        let slices = SliceQueue::new();
        let [mut first, mut second, mut third] = [0; 3].map(|_| SliceWaiter::default());
        let now = |waiter: &mut SliceWaiter| {
            poll_fn(|context| Poll::Ready(waiter.poll(&slices, context))).now_or_never()
        };
        let is_ready = |waiter: &mut SliceWaiter| now(waiter).is_some_and(|poll| poll.is_ready());
        let Some(Poll::Ready(permit)) = now(&mut first) else { panic!("the queue is empty") };
        assert!(!is_ready(&mut second) && !is_ready(&mut third));
        drop(permit);
        assert!(!is_ready(&mut second), "the others run first");
        pin!(slices.ended()).await;
        slices.resume();
        slices.resume();
        assert!(!is_ready(&mut third), "it came later");
        // Its position goes to the next one.
        drop(second);
        assert!(is_ready(&mut third));
    }
}
