//! Histograms of durations: relaxed atomics, read at a scrape.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the ACK latency buckets, in seconds.
pub const ACK_LATENCY_BOUNDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Upper bounds of the buckets of changes, in seconds: from a local client's ACK to a rollout that waits for a
/// scheduler.
pub const CHANGE_LATENCY_BOUNDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Counts of durations; the last bucket has no bound.
pub(crate) struct Histogram<const BUCKETS: usize> {
    counts: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Histogram { counts: std::array::from_fn(|_| AtomicU64::default()), micros: AtomicU64::default() }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// `bounds` has one element less than there are buckets.
    pub(crate) fn observe(&self, bounds: &[f64], duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.counts[bounds.partition_point(|bound| *bound < seconds)].fetch_add(1, Relaxed);
        self.micros.fetch_add(duration.as_micros() as u64, Relaxed);
    }

    /// The current counts and sum.
    pub(crate) fn read(&self) -> Observed {
        let counts = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        Observed { counts, sum: self.micros.load(Relaxed) as f64 / 1e6 }
    }
}

/// A step of a change on its way from the cluster to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeStep {
    /// From the event in the cluster until the control plane received it.
    EventToReceived,
    /// From receiving to publishing it.
    ReceivedToPublished,
    /// From publishing until it was sent to a client.
    PublishedToSent,
    /// From sending until the client acknowledged it.
    SentToAcked,
    /// From receiving until the client acknowledged it.
    ReceivedToAcked,
    /// From the event until the client acknowledged it.
    EventToAcked,
}

impl ChangeStep {
    /// All steps, in the order of [`crate::Stats::change_latency`].
    pub const ALL: [ChangeStep; 6] = [
        ChangeStep::EventToReceived,
        ChangeStep::ReceivedToPublished,
        ChangeStep::PublishedToSent,
        ChangeStep::SentToAcked,
        ChangeStep::ReceivedToAcked,
        ChangeStep::EventToAcked,
    ];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            ChangeStep::EventToReceived => "event_to_received",
            ChangeStep::ReceivedToPublished => "received_to_published",
            ChangeStep::PublishedToSent => "published_to_sent",
            ChangeStep::SentToAcked => "sent_to_acked",
            ChangeStep::ReceivedToAcked => "received_to_acked",
            ChangeStep::EventToAcked => "event_to_acked",
        }
    }
}

/// A copy of a histogram.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Observations per bucket, not cumulative; the last bucket has no bound.
    pub counts: Vec<u64>,
    /// Sum of all observations, in seconds.
    pub sum: f64,
}
