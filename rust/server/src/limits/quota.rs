//! A counter with an upper bound, shared by all threads.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// At most `limit` units are in use at a time.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: usize,
    used: AtomicUsize,
}

impl Quota {
    pub(crate) fn new(limit: usize) -> Quota {
        Quota { limit, used: AtomicUsize::new(0) }
    }

    /// 0 is no limit.
    pub(crate) fn optional(limit: usize) -> Quota {
        Quota::new(if limit == 0 { usize::MAX } else { limit })
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Take `count` units; `false`, and nothing is taken, when they exceed the limit.
    #[must_use]
    pub(crate) fn take(&self, count: usize) -> bool {
        let before = self.used.fetch_add(count, Relaxed);
        let fits = before.saturating_add(count) <= self.limit;
        if !fits {
            self.release(count);
        }
        fits
    }

    /// Take `count` units even beyond the limit; returns whether they fit.
    pub(crate) fn force_take(&self, count: usize) -> bool {
        self.used.fetch_add(count, Relaxed).saturating_add(count) <= self.limit
    }

    pub(crate) fn release(&self, count: usize) {
        self.used.fetch_sub(count, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_never_exceeded_and_refusals_take_nothing() {
        let quota = Quota::new(3);
        assert!(quota.take(2));
        assert!(!quota.take(2));
        assert!(quota.take(1));
        quota.release(3);
        assert_eq!(quota.used(), 0);
    }
}
