//! One waker per part of a task.
//!
//! A task that drives several parts has one waker: every wake-up polls all parts, and a part that wakes another one
//! during a poll causes another poll of all. Here each part has a waker of its own. Parts that were not woken are not
//! polled, and a wake-up during a poll is handled before the task rests.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::task::{Context, Poll, Wake, Waker};

/// Set while the task runs.
const RUNNING: u8 = 1 << 7;

/// Rounds until other tasks of the thread run. Two suffice to read a message, respond and write.
const MAX_ROUNDS: usize = 4;

/// The parts of one task, by number: at most 7.
pub(crate) struct Wakeups<const PARTS: usize> {
    shared: Arc<WakeState>,
    wakers: [Waker; PARTS],
}

struct WakeState {
    /// One bit per part; and [`RUNNING`].
    woken: AtomicU8,
    task: Waker,
}

struct Part {
    bit: u8,
    shared: Arc<WakeState>,
}

impl Wake for Part {
    fn wake(self: Arc<Part>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Part>) {
        // Otherwise the task runs and will see the bit, or was woken before.
        if self.shared.woken.fetch_or(self.bit, AcqRel) == 0 {
            self.shared.task.wake_by_ref();
        }
    }
}

impl<const PARTS: usize> Wakeups<PARTS> {
    fn new(task: &Waker) -> Wakeups<PARTS> {
        const { assert!(PARTS <= RUNNING.trailing_zeros() as usize) };
        let shared = Arc::new(WakeState { woken: AtomicU8::new((1 << PARTS) - 1), task: task.clone() });
        let part = |number: usize| Arc::new(Part { bit: 1u8 << number, shared: Arc::clone(&shared) });
        let wakers = std::array::from_fn(|number| part(number).into());
        Wakeups { shared, wakers }
    }

    /// The context to poll a part with, if it was woken since the last call. Initially all parts are.
    pub(crate) fn take(&self, part: usize) -> Option<Context<'_>> {
        let bit = 1 << part;
        let woken = self.shared.woken.fetch_and(!bit, AcqRel) & bit != 0;
        woken.then(|| Context::from_waker(&self.wakers[part]))
    }

    /// Wake a part that was changed by other means than its waker.
    pub(crate) fn wake(&self, part: usize) {
        self.wakers[part].wake_by_ref();
    }
}

/// Call `poll_parts` whenever a part was woken, until it is ready. The future must stay on the task that polled it
/// first.
pub(crate) async fn drive<const PARTS: usize, T>(
    mut poll_parts: impl FnMut(&Wakeups<PARTS>) -> Poll<T>,
) -> T {
    let wakeups = poll_fn(|context| Poll::Ready(Wakeups::new(context.waker()))).await;
    let WakeState { woken, task } = &*wakeups.shared;
    poll_fn(|_| {
        woken.fetch_or(RUNNING, AcqRel);
        for _ in 0..MAX_ROUNDS {
            if let Poll::Ready(done) = poll_parts(&wakeups) {
                return Poll::Ready(done);
            }
            if woken.compare_exchange(RUNNING, 0, AcqRel, Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        woken.fetch_and(!RUNNING, AcqRel);
        task.wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn woken(wakeups: &Wakeups<2>) -> Vec<usize> {
        (0..2).filter(|part| wakeups.take(*part).is_some()).collect()
    }

    #[test]
    fn only_the_part_that_was_woken_is_polled() {
        let (count, seen, waker) = (Arc::new(Count::default()), RefCell::default(), RefCell::default());
        let task = Waker::from(Arc::clone(&count));
        let mut driven = pin!(drive::<2, ()>(|wakeups| {
            waker.replace(Some(wakeups.wakers[1].clone()));
            seen.replace(woken(wakeups));
            Poll::Pending
        }));
        assert!(driven.as_mut().poll(&mut Context::from_waker(&task)).is_pending());
        assert_eq!((seen.take(), count.0.load(Relaxed)), (vec![0, 1], 0));
        let part = waker.take().unwrap();
        part.wake_by_ref();
        part.wake_by_ref();
        assert_eq!(count.0.load(Relaxed), 1, "it is woken once");
        assert!(driven.poll(&mut Context::from_waker(&task)).is_pending());
        assert_eq!((seen.take(), count.0.load(Relaxed)), (vec![1], 1));
    }

    #[test]
    fn a_part_woken_during_a_round_is_polled_in_the_next_for_a_bounded_number_of_rounds() {
        for (repeats, expected) in [(1, (2, 0)), (usize::MAX, (MAX_ROUNDS, 1))] {
            let (count, rounds) = (Arc::new(Count::default()), Cell::new(0));
            let task = Waker::from(Arc::clone(&count));
            let driven = pin!(drive::<2, ()>(|wakeups| {
                assert_eq!(woken(wakeups), if rounds.get() == 0 { vec![0, 1] } else { vec![0] });
                rounds.set(rounds.get() + 1);
                if rounds.get() <= repeats {
                    wakeups.wake(0);
                }
                Poll::Pending
            }));
            assert!(driven.poll(&mut Context::from_waker(&task)).is_pending());
            assert_eq!((rounds.get(), count.0.load(Relaxed)), expected);
        }
    }
}
