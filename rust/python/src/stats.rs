//! Counters as Python objects.

use std::collections::HashMap;

use pyo3::prelude::*;
use steerway_engine::TypeId;
use steerway_server::{
    ACK_LATENCY_BOUNDS, CHANGE_LATENCY_BOUNDS, ChangeStep, EngineUsage as Usage, Stats as Counters,
};

type PerType = HashMap<&'static str, u64>;

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Stats {
    connections: u64,
    streams: HashMap<&'static str, u64>,
    subscriptions: PerType,
    resources: PerType,
    absent: u64,
    oldest_unacked_seconds: Option<f64>,
    refused_now: PerType,
    requests: PerType,
    responses: PerType,
    resources_sent: PerType,
    bytes_sent: u64,
    acks: PerType,
    nacks: PerType,
    stale: PerType,
    rejected: HashMap<&'static str, u64>,
    handshake_failures: HashMap<&'static str, u64>,
    refused: HashMap<&'static str, u64>,
    delayed: HashMap<&'static str, u64>,
    panics: u64,
    commits: u64,
    denied: u64,
    ack_latency_bounds: Vec<f64>,
    ack_latency_counts: Vec<u64>,
    ack_latency_sum: f64,
    change_latency_bounds: Vec<f64>,
    change_latency: Vec<(&'static str, Vec<u64>, f64)>,
}

impl From<Counters> for Stats {
    fn from(counters: Counters) -> Stats {
        let per_type = |values: [u64; TypeId::COUNT]| {
            TypeId::ALL.into_iter().map(|type_id| (type_id.url(), values[type_id.index()])).collect()
        };
        let [sotw, delta] = counters.streams;
        Stats {
            connections: counters.connections,
            streams: HashMap::from([("sotw", sotw), ("delta", delta)]),
            subscriptions: per_type(counters.subscriptions),
            resources: per_type(counters.resources),
            absent: counters.absent,
            oldest_unacked_seconds: counters.oldest_unacked.map(|age| age.as_secs_f64()),
            refused_now: per_type(counters.refused_now),
            requests: per_type(counters.requests),
            responses: per_type(counters.responses),
            resources_sent: per_type(counters.resources_sent),
            bytes_sent: counters.bytes_sent,
            acks: per_type(counters.acks),
            nacks: per_type(counters.nacks),
            stale: per_type(counters.stale),
            rejected: counters.rejected.into_iter().collect(),
            handshake_failures: counters.handshake_failures.into_iter().collect(),
            refused: counters.refused.into_iter().collect(),
            delayed: counters.delayed.into_iter().collect(),
            panics: counters.panics,
            commits: counters.commits,
            denied: counters.denied,
            ack_latency_bounds: ACK_LATENCY_BOUNDS.to_vec(),
            ack_latency_counts: counters.ack_latency.counts,
            ack_latency_sum: counters.ack_latency.sum,
            change_latency_bounds: CHANGE_LATENCY_BOUNDS.to_vec(),
            change_latency: ChangeStep::ALL
                .into_iter()
                .zip(counters.change_latency)
                .map(|(step, observed)| (step.name(), observed.counts, observed.sum))
                .collect(),
        }
    }
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct EngineUsage {
    connections: usize,
    tasks: usize,
    streams: usize,
    interest: usize,
    demand: usize,
    events: usize,
    request_buffers: usize,
    subscription_bytes: usize,
    accounts: usize,
}

impl From<Usage> for EngineUsage {
    fn from(usage: Usage) -> EngineUsage {
        let Usage { connections, tasks, streams, interest, demand, events, .. } = usage;
        let Usage { request_buffers, subscription_bytes, accounts, .. } = usage;
        EngineUsage {
            connections,
            tasks,
            streams,
            interest,
            demand,
            events,
            request_buffers,
            subscription_bytes,
            accounts,
        }
    }
}
