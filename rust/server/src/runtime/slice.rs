//! Long work of a thread, in slices: one slice of one stream at a time, in the order in which they asked. Before the next one
//! all other tasks of the thread have their turn, and what has arrived meanwhile is read.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Names that a slice deals with: some hundred microseconds.
pub(crate) const SLICE: usize = 256;

/// A longer request is a slice of its own.
pub(crate) const LONG_REQUEST: usize = 16 << 10;

/// The slices of one thread.
#[derive(Clone)]
pub(crate) struct Lane(Rc<State>);

struct State {
    permit: Arc<Semaphore>,
    /// A slice has ended, and the next one must not begin yet.
    resting: Cell<bool>,
    ended: Notify,
}

/// The right to do one slice now. The lane rests after it was dropped.
pub(crate) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    lane: Lane,
}

/// The place of one stream among those that wait for their turn.
#[derive(Default)]
pub(crate) struct Place(Option<Pin<Box<dyn Future<Output = Turn>>>>);

impl Lane {
    pub(crate) fn new() -> Lane {
        let permit = Arc::new(Semaphore::new(1));
        Lane(Rc::new(State { permit, resting: Cell::new(false), ended: Notify::new() }))
    }

    async fn turn(self) -> Turn {
        // Fails only when the semaphore is closed, which it never is.
        let permit = Arc::clone(&self.0.permit).acquire_owned().await.ok();
        Turn { permit, lane: self }
    }

    /// Wait for the end of a slice, or for [`Lane::wake`].
    pub(crate) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Have [`Lane::ended`] return.
    pub(crate) fn wake(&self) {
        self.0.ended.notify_one();
    }

    /// Let the next slice begin.
    pub(crate) fn go_on(&self) {
        if self.0.resting.replace(false) {
            self.0.permit.add_permits(1);
        }
    }
}

impl Place {
    /// Ready when it is the stream's turn. Dropping the place gives it up.
    pub(crate) fn poll(&mut self, lane: &Lane, context: &mut Context<'_>) -> Poll<Turn> {
        let waiting = self.0.get_or_insert_with(|| Box::pin(lane.clone().turn()));
        let turn = ready!(waiting.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit.take().into_iter().for_each(OwnedSemaphorePermit::forget);
        self.lane.0.resting.set(true);
        self.lane.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::future::{FutureExt, poll_fn};

    use super::*;

    #[tokio::test]
    async fn one_slice_at_a_time_in_order_and_a_rest_between_two() {
        let lane = Lane::new();
        let [mut first, mut second, mut third] = [0; 3].map(|_| Place::default());
        let now =
            |place: &mut Place| poll_fn(|context| Poll::Ready(place.poll(&lane, context))).now_or_never();
        let is_ready = |place: &mut Place| now(place).is_some_and(|poll| poll.is_ready());
        let Some(Poll::Ready(turn)) = now(&mut first) else { panic!("nobody else waits") };
        assert!(!is_ready(&mut second) && !is_ready(&mut third));
        drop(turn);
        assert!(!is_ready(&mut second), "the others run first");
        pin!(lane.ended()).await;
        lane.go_on();
        lane.go_on();
        assert!(!is_ready(&mut third), "it came later");
        // Its place goes to the next one.
        drop(second);
        assert!(is_ready(&mut third));
    }
}
