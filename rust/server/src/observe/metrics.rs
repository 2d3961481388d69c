//! Counters of all shards: relaxed atomics, read when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use steerway_engine::{Commit, Propagation, Protocol, Received, RequestKind, Response, TypeId};

use crate::net::tls::HandshakeFailureCounters;
use crate::observe::latency::{ACK_LATENCY_BOUNDS, CHANGE_LATENCY_BOUNDS, ChangeStep, Histogram, Observed};
use crate::runtime::shared::Shared;

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

/// A copy of the counters at one moment. Arrays go by [`TypeId::index`].
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Open connections.
    pub connections: u64,
    /// Open discovery streams: state of the world, delta.
    pub streams: [u64; 2],
    /// Names subscribed now, summed over streams.
    pub subscriptions: [u64; TypeId::COUNT],
    /// Resources in the store.
    pub resources: [u64; TypeId::COUNT],
    /// Requests received.
    pub requests: [u64; TypeId::COUNT],
    /// Responses sent.
    pub responses: [u64; TypeId::COUNT],
    /// Resources in them.
    pub resources_sent: [u64; TypeId::COUNT],
    /// Bytes of all responses.
    pub bytes_sent: u64,
    /// Responses that were accepted.
    pub acks: [u64; TypeId::COUNT],
    /// Responses that were refused.
    pub nacks: [u64; TypeId::COUNT],
    /// Requests that carried an old nonce.
    pub stale: [u64; TypeId::COUNT],
    /// Streams that the server ended for a fault, by gRPC status.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Connections that were not served, by reason.
    pub handshake_failures: BTreeMap<&'static str, u64>,
    /// How often a client was refused by each limit.
    pub refused: BTreeMap<&'static str, u64>,
    /// How often a client had to wait for each of the others.
    pub delayed: BTreeMap<&'static str, u64>,
    /// Streams that ended by a fault of ours.
    pub panics: u64,
    /// Commits.
    pub commits: u64,
    /// Answers withheld because the client may not see the resource.
    pub denied: u64,
    /// Buckets by [`ACK_LATENCY_BOUNDS`].
    pub ack_latency: Observed,
    /// Buckets by [`CHANGE_LATENCY_BOUNDS`], by [`ChangeStep::ALL`]; the steps before the publication once for each resource
    /// of a commit, those after it once for each ACK.
    pub change_latency: Vec<Observed>,
}

/// What is held for clients at one moment; when all clients are gone for the grace of demand, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineUsage {
    /// Connections.
    pub connections: usize,
    /// Tasks that serve connections.
    pub tasks: usize,
    /// StreamHandle streams.
    pub streams: usize,
    /// Names in the indices of the shards.
    pub interest: usize,
    /// Names with demand.
    pub demand: usize,
    /// Events that Python has not polled.
    pub events: usize,
    /// Bytes of requests that are not whole yet and count.
    pub request_buffers: usize,
    /// Bytes of subscriptions beyond the small part of each stream.
    pub subscription_bytes: usize,
    /// IdentityConnections and addresses that use something, or did so a moment ago.
    pub accounts: usize,
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
                    self.taken(change);
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

    /// A commit is published: how long its changes took to come that far.
    pub(crate) fn published(&self, commit: &Commit) {
        for origin in commit.put.iter().filter_map(|put| put.resource.origin()) {
            if let Some(heard) = origin.event_to_received() {
                self.step(ChangeStep::EventToReceived, heard);
            }
            self.step(ChangeStep::ReceivedToPublished, origin.received_to_published());
        }
    }

    /// A client took a change.
    fn taken(&self, change: &Propagation) {
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

    /// `resources` are those of the store now.
    pub(crate) fn read(&self, shared: &Shared, resources: [u64; TypeId::COUNT]) -> Stats {
        let per_type = |counters: &PerType| std::array::from_fn(|index| counters[index].load(Relaxed));
        let gauge = |gauge: &AtomicI64| gauge.load(Relaxed).max(0) as u64;
        let counts = |delays: bool| {
            let counts = shared.limit_counters.read().filter(|(limit, _)| limit.delays() == delays);
            counts.map(|(limit, count)| (limit.name(), count)).collect()
        };
        Stats {
            connections: shared.slots.used() as u64,
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
        }
    }
}
