//! What clients may use, and what happened to those that wanted more.
//!
//! A limit that an honest client can meet in a busy moment delays it; one that only a broken or hostile client meets
//! refuses. Either is counted per limit and reported to Python at most once in [`REPORT_INTERVAL`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::observe::event::{Event, Events};

/// Between two reports of one limit: a flood must not become a flood of log lines.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Everything that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Calls,
    CallsPerAddress,
    Connections,
    ConnectionsPerAddress,
    ConnectionsPerIdentity,
    ConnectionsPerSecond,
    ControlFrames,
    CpuOfConnection,
    CpuOfPeer,
    CpuOfServer,
    CpuOfStream,
    CpuTime,
    NodeBytes,
    RequestBuffers,
    RequestBytes,
    RequestTimeout,
    RequestsPerSecond,
    Streams,
    Subscription,
    SubscriptionBytesOfConnection,
    SubscriptionBytesOfPeer,
    SubscriptionBytesOfServer,
    SubscriptionBytesOfStream,
    Unread,
}

impl Limit {
    pub(crate) const ALL: [Limit; 24] = [
        Limit::Calls,
        Limit::CallsPerAddress,
        Limit::Connections,
        Limit::ConnectionsPerAddress,
        Limit::ConnectionsPerIdentity,
        Limit::ConnectionsPerSecond,
        Limit::ControlFrames,
        Limit::CpuOfConnection,
        Limit::CpuOfPeer,
        Limit::CpuOfServer,
        Limit::CpuOfStream,
        Limit::CpuTime,
        Limit::NodeBytes,
        Limit::RequestBuffers,
        Limit::RequestBytes,
        Limit::RequestTimeout,
        Limit::RequestsPerSecond,
        Limit::Streams,
        Limit::Subscription,
        Limit::SubscriptionBytesOfConnection,
        Limit::SubscriptionBytesOfPeer,
        Limit::SubscriptionBytesOfServer,
        Limit::SubscriptionBytesOfStream,
        Limit::Unread,
    ];

    /// The name in metrics, log lines and messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Limit::Calls => "calls",
            Limit::CallsPerAddress => "calls_per_address",
            Limit::Connections => "connections",
            Limit::ConnectionsPerAddress => "connections_per_address",
            Limit::ConnectionsPerIdentity => "connections_per_identity",
            Limit::ConnectionsPerSecond => "connections_per_second",
            Limit::ControlFrames => "control_frames",
            Limit::CpuOfConnection => "cpu_per_connection",
            Limit::CpuOfPeer => "cpu_per_peer",
            Limit::CpuOfServer => "cpu",
            Limit::CpuOfStream => "cpu_per_stream",
            Limit::CpuTime => "cpu_time",
            Limit::NodeBytes => "node_bytes",
            Limit::RequestBuffers => "request_buffers",
            Limit::RequestBytes => "request_bytes",
            Limit::RequestTimeout => "request_timeout",
            Limit::RequestsPerSecond => "requests_per_second",
            Limit::Streams => "streams",
            Limit::Subscription => "subscription",
            Limit::SubscriptionBytesOfConnection => "subscription_bytes_per_connection",
            Limit::SubscriptionBytesOfPeer => "subscription_bytes_per_peer",
            Limit::SubscriptionBytesOfServer => "subscription_bytes",
            Limit::SubscriptionBytesOfStream => "subscription_bytes_per_stream",
            Limit::Unread => "unread",
        }
    }

    /// Whether the client has to wait. Otherwise it is refused.
    pub(crate) const fn delays(self) -> bool {
        use Limit::{CpuOfConnection, CpuOfPeer, CpuOfServer, CpuOfStream};
        let cpu = matches!(self, CpuOfConnection | CpuOfPeer | CpuOfServer | CpuOfStream);
        cpu || matches!(self, Limit::ConnectionsPerSecond | Limit::RequestsPerSecond)
    }
}

/// So many of something may be in use at a time, by all threads together.
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

    /// Whether there was room for so many more.
    #[must_use]
    pub(crate) fn take(&self, count: usize) -> bool {
        let before = self.used.fetch_add(count, Relaxed);
        let fits = before.saturating_add(count) <= self.limit;
        if !fits {
            self.give_back(count);
        }
        fits
    }

    /// Take so many, whether there is room or not; returns whether there was.
    pub(crate) fn force_take(&self, count: usize) -> bool {
        self.used.fetch_add(count, Relaxed).saturating_add(count) <= self.limit
    }

    pub(crate) fn give_back(&self, count: usize) {
        self.used.fetch_sub(count, Relaxed);
    }
}

/// How often each limit was limit_counters.
#[derive(Debug, Default)]
pub(crate) struct LimitCounters {
    counts: [AtomicU64; Limit::ALL.len()],
    reports: [Report; Limit::ALL.len()],
}

#[derive(Debug, Default)]
struct Report {
    /// When the next one may be made, in milliseconds.
    due: AtomicU64,
    /// What was counted when the last one was made.
    reported: AtomicU64,
}

impl LimitCounters {
    /// A client limit_counters a limit.
    pub(crate) fn count(&self, limit: Limit, peer: &Arc<str>, now: Duration, events: &Events) {
        let count = self.counts[limit as usize].fetch_add(1, Relaxed) + 1;
        let Report { due, reported } = &self.reports[limit as usize];
        let (now, was_due) = (now.as_millis() as u64, due.load(Relaxed));
        let next = now + REPORT_INTERVAL.as_millis() as u64;
        if was_due <= now && due.compare_exchange(was_due, next, Relaxed, Relaxed).is_ok() {
            let count = count.saturating_sub(reported.swap(count, Relaxed));
            let (limit, delayed) = (limit.name(), limit.delays());
            events.push(Event::Limited { limit, delayed, count, peer: Arc::clone(peer) });
        }
    }

    /// Each limit with its count so far.
    pub(crate) fn read(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().map(|limit| (limit, self.counts[limit as usize].load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_apart_by_their_place() {
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place, "{}", limit.name());
        }
    }

    #[test]
    fn a_quota_is_never_exceeded_and_refusals_take_nothing() {
        let quota = Quota::new(3);
        assert!(quota.take(2));
        assert!(!quota.take(2));
        assert!(quota.take(1));
        quota.give_back(3);
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn each_is_counted_and_few_are_reported() {
        let (limit_counters, events) = (LimitCounters::default(), Events::new().unwrap());
        let report = |seconds| {
            limit_counters.count(Limit::Streams, &"peer".into(), Duration::from_secs(seconds), &events)
        };
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
        assert_eq!(limit_counters.read().map(|(_, count)| count).sum::<u64>(), 7);
    }
}
