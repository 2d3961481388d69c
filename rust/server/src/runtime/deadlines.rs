//! The deadlines of a shard's streams.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::Notify;

/// At most one deadline per stream. Not shared, no locks.
#[derive(Default)]
pub(crate) struct Deadlines {
    due: RefCell<BTreeSet<(Duration, u64)>>,
    sooner: Notify,
}

impl Deadlines {
    /// Replace the deadline of a stream.
    pub(crate) fn replace(&self, stream: u64, old: Option<Duration>, new: Option<Duration>) {
        if old == new {
            return;
        }
        let mut due = self.due.borrow_mut();
        if let Some(old) = old {
            due.remove(&(old, stream));
        }
        if let Some(new) = new {
            due.insert((new, stream));
            if due.first() == Some(&(new, stream)) {
                self.sooner.notify_one();
            }
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.borrow().first().map(|(due, _)| *due)
    }

    /// Ready when a deadline earlier than the first one was set.
    pub(crate) async fn sooner(&self) {
        self.sooner.notified().await;
    }

    /// Remove and return the streams whose deadline has passed.
    pub(crate) fn take(&self, now: Duration) -> Vec<u64> {
        let mut due = self.due.borrow_mut();
        let later = due.split_off(&(now, u64::MAX));
        std::mem::replace(&mut *due, later).into_iter().map(|(_, stream)| stream).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Option<Duration> = |seconds| Some(Duration::from_secs(seconds));

    #[test]
    fn a_stream_has_one_deadline() {
        let deadlines = Deadlines::default();
        deadlines.replace(1, None, AT(5));
        deadlines.replace(2, None, AT(3));
        deadlines.replace(1, AT(5), AT(2));
        assert_eq!(deadlines.next(), AT(2));
        deadlines.replace(2, AT(3), None);
        assert_eq!((deadlines.take(Duration::from_secs(1)), deadlines.next()), (vec![], AT(2)));
        assert_eq!((deadlines.take(Duration::from_secs(2)), deadlines.next()), (vec![1], None));
    }
}
