//! The counters at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use steerway_engine::TypeId;

use crate::observe::latency::Observed;

/// A copy of the counters. Arrays are indexed by [`TypeId::index`].
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
    /// Subscriptions to names without a resource now, summed over streams.
    pub absent: u64,
    /// Age of the oldest response without an answer.
    pub oldest_unacked: Option<Duration>,
    /// Streams whose last answer of the type was a refusal.
    pub refused_now: [u64; TypeId::COUNT],
    /// Requests received.
    pub requests: [u64; TypeId::COUNT],
    /// Responses sent.
    pub responses: [u64; TypeId::COUNT],
    /// Resources in all responses.
    pub resources_sent: [u64; TypeId::COUNT],
    /// Bytes of all responses.
    pub bytes_sent: u64,
    /// Responses that were accepted.
    pub acks: [u64; TypeId::COUNT],
    /// Responses that were refused.
    pub nacks: [u64; TypeId::COUNT],
    /// Requests that carried an old nonce.
    pub stale: [u64; TypeId::COUNT],
    /// Streams that the server ended with an error, by gRPC status.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Failed handshakes, by reason.
    pub handshake_failures: BTreeMap<&'static str, u64>,
    /// Clients that were refused, by limit.
    pub refused: BTreeMap<&'static str, u64>,
    /// Clients that were delayed, by limit.
    pub delayed: BTreeMap<&'static str, u64>,
    /// Streams that ended by a panic.
    pub panics: u64,
    /// Commits.
    pub commits: u64,
    /// Responses withheld because the client may not see the resource.
    pub denied: u64,
    /// Buckets by [`crate::ACK_LATENCY_BOUNDS`].
    pub ack_latency: Observed,
    /// Buckets by [`crate::CHANGE_LATENCY_BOUNDS`], by [`crate::ChangeStep::ALL`]; the steps before the publication
    /// once per resource of a commit, those after it once per ACK.
    pub change_latency: Vec<Observed>,
}
