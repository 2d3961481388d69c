//! Counters of all shards: relaxed atomics, read at a scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use steerway_engine::{Commit, Propagation, Protocol, Received, RequestKind, Response, TypeId};

use crate::observe::handshake::HandshakeFailureCounters;
use crate::observe::latency::{ACK_LATENCY_BOUNDS, CHANGE_LATENCY_BOUNDS, ChangeStep, Histogram};
use crate::observe::limit_counters::LimitCounters;
use crate::observe::stats::Stats;

/// One number per type, by [`TypeId::index`].
pub(crate) type PerType = [AtomicU64; TypeId::COUNT];

/// All counters and gauges.
#[derive(Default)]
pub(crate) struct Metrics {
    streams: [AtomicI64; 2],
    subscriptions: [AtomicI64; TypeId::COUNT],
    requests: PerType,
    responses: PerType,
    resources: PerType,
    bytes: AtomicU64,
    acks: PerType,
    nacks: PerType,
    stale: PerType,
    rejected: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) handshakes: HandshakeFailureCounters,
    pub(crate) commits: AtomicU64,
    pub(crate) panics: AtomicU64,
    denied: AtomicU64,
    ack_latency: Histogram<{ ACK_LATENCY_BOUNDS.len() + 1 }>,
    steps: [Histogram<{ CHANGE_LATENCY_BOUNDS.len() + 1 }>; ChangeStep::ALL.len()],
}

impl Metrics {
    pub(crate) fn stream(&self, protocol: Protocol, by: i64) {
        self.streams[protocol as usize].fetch_add(by, Relaxed);
    }

    pub(crate) fn subscription(&self, type_id: TypeId, by: i64) {
        self.subscriptions[type_id.index()].fetch_add(by, Relaxed);
    }

    pub(crate) fn received(&self, received: &Received) {
        let Some(type_id) = received.type_id else { return };
        let index = type_id.index();
        self.requests[index].fetch_add(1, Relaxed);
        match &received.kind {
            RequestKind::Ack { latency, change } => {
                self.acks[index].fetch_add(1, Relaxed);
                self.ack_latency.observe(&ACK_LATENCY_BOUNDS, *latency);
                if let Some(change) = change {
                    self.acknowledged(change);
                }
            }
            RequestKind::Nack(_) => drop(self.nacks[index].fetch_add(1, Relaxed)),
            RequestKind::Stale => drop(self.stale[index].fetch_add(1, Relaxed)),
            RequestKind::Subscribe | RequestKind::UnknownType => {}
        }
    }

    pub(crate) fn sent(&self, response: &Response) {
        let index = response.type_id().index();
        self.responses[index].fetch_add(1, Relaxed);
        self.resources[index].fetch_add(response.resources() as u64, Relaxed);
        self.bytes.fetch_add(response.total_len() as u64, Relaxed);
    }

    pub(crate) fn denied(&self, by: u64) {
        if by > 0 {
            self.denied.fetch_add(by, Relaxed);
        }
    }

    pub(crate) fn rejected(&self, status: &'static str) {
        *self.rejected.lock().entry(status).or_default() += 1;
    }

    /// A commit is published: observe the steps of its changes until then.
    pub(crate) fn published(&self, commit: &Commit) {
        for origin in commit.put.iter().filter_map(|put| put.resource.origin()) {
            if let Some(duration) = origin.event_to_received() {
                self.step(ChangeStep::EventToReceived, duration);
            }
            self.step(ChangeStep::ReceivedToPublished, origin.received_to_published());
        }
    }

    /// A client acknowledged a change.
    fn acknowledged(&self, change: &Propagation) {
        self.step(ChangeStep::PublishedToSent, change.published_to_sent());
        self.step(ChangeStep::SentToAcked, change.sent_to_acked());
        self.step(ChangeStep::ReceivedToAcked, change.received_to_acked());
        if let Some(whole) = change.event_to_acked() {
            self.step(ChangeStep::EventToAcked, whole);
        }
    }

    fn step(&self, step: ChangeStep, duration: Duration) {
        self.steps[step as usize].observe(&CHANGE_LATENCY_BOUNDS, duration);
    }

    /// A copy of all counters. `connections` are open, `resources` in the store.
    pub(crate) fn read(
        &self,
        limits: &LimitCounters,
        connections: usize,
        resources: [u64; TypeId::COUNT],
    ) -> Stats {
        let per_type = |counters: &PerType| std::array::from_fn(|index| counters[index].load(Relaxed));
        let gauge = |gauge: &AtomicI64| gauge.load(Relaxed).max(0) as u64;
        let counts = |delays: bool| {
            let counts = limits.read().filter(|(limit, _)| limit.delays() == delays);
            counts.map(|(limit, count)| (limit.name(), count)).collect()
        };
        Stats {
            connections: connections as u64,
            streams: std::array::from_fn(|index| gauge(&self.streams[index])),
            subscriptions: std::array::from_fn(|index| gauge(&self.subscriptions[index])),
            resources,
            requests: per_type(&self.requests),
            responses: per_type(&self.responses),
            resources_sent: per_type(&self.resources),
            bytes_sent: self.bytes.load(Relaxed),
            acks: per_type(&self.acks),
            nacks: per_type(&self.nacks),
            stale: per_type(&self.stale),
            rejected: self.rejected.lock().clone(),
            handshake_failures: self.handshakes.read(),
            refused: counts(false),
            delayed: counts(true),
            panics: self.panics.load(Relaxed),
            commits: self.commits.load(Relaxed),
            denied: self.denied.load(Relaxed),
            ack_latency: self.ack_latency.read(),
            change_latency: self.steps.iter().map(Histogram::read).collect(),
            ..Stats::default()
        }
    }
}
