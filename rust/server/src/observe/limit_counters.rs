//! How often clients reached each limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use crate::limits::limit::Limit;
use crate::observe::event::{Event, Events};

/// At most one report per limit in this interval, to bound the log.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Counts per limit, and reports them as [`Event::Limited`].
pub(crate) struct LimitCounters {
    counts: [AtomicU64; Limit::ALL.len()],
    reports: [Report; Limit::ALL.len()],
    events: Arc<Events>,
    started: Instant,
}

#[derive(Debug, Default)]
struct Report {
    /// Milliseconds since the start at which the next report is allowed.
    due: AtomicU64,
    /// The count at the last report.
    reported: AtomicU64,
}

impl LimitCounters {
    pub(crate) fn new(events: Arc<Events>, started: Instant) -> LimitCounters {
        LimitCounters {
            counts: [const { AtomicU64::new(0) }; Limit::ALL.len()],
            reports: std::array::from_fn(|_| Report::default()),
            events,
            started,
        }
    }

    /// The client at `peer` reached a limit.
    pub(crate) fn count(&self, limit: Limit, peer: &Arc<str>) {
        self.count_at(limit, peer, self.started.elapsed());
    }

    fn count_at(&self, limit: Limit, peer: &Arc<str>, now: Duration) {
        let count = self.counts[limit as usize].fetch_add(1, Relaxed) + 1;
        let Report { due, reported } = &self.reports[limit as usize];
        let (now, was_due) = (now.as_millis() as u64, due.load(Relaxed));
        let next = now + REPORT_INTERVAL.as_millis() as u64;
        if was_due <= now && due.compare_exchange(was_due, next, Relaxed, Relaxed).is_ok() {
            let count = count.saturating_sub(reported.swap(count, Relaxed));
            let (limit, delayed) = (limit.name(), limit.delays());
            self.events.push(Event::Limited { limit, delayed, count, peer: Arc::clone(peer) });
        }
    }

    /// Count a limit that refuses; returns the status to end the stream with.
    pub(crate) fn refuse(&self, limit: Limit, peer: &Arc<str>, text: String) -> Status {
        self.count(limit, peer);
        Status::resource_exhausted(text)
    }

    /// The total per limit.
    pub(crate) fn read(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().map(|limit| (limit, self.counts[limit as usize].load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_counted_and_one_per_interval_reported() {
        let events = Arc::new(Events::new().unwrap());
        let counters = LimitCounters::new(Arc::clone(&events), Instant::now());
        let report =
            |seconds| counters.count_at(Limit::Streams, &"peer".into(), Duration::from_secs(seconds));
        let counts = || {
            let counts = events.poll(false).into_iter().map(|event| match event {
                Event::Limited { count, .. } => count,
                other => panic!("{other:?}"),
            });
            counts.collect::<Vec<_>>()
        };
        for _ in 0..5 {
            report(1);
        }
        assert_eq!(counts(), [1]);
        report(10);
        assert_eq!(counts(), []);
        report(11);
        assert_eq!(counts(), [6], "those since the last report");
        assert_eq!(counters.read().map(|(_, count)| count).sum::<u64>(), 7);
    }
}
