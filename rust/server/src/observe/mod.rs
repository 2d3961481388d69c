//! Events for Python, counters, latencies, contained panics.

pub(crate) mod call;
pub(crate) mod event;
pub(crate) mod handshake;
pub(crate) mod latency;
pub(crate) mod limit_counters;
pub(crate) mod metrics;
pub(crate) mod nack;
pub(crate) mod panic;
pub(crate) mod propagation;
pub(crate) mod stats;
pub(crate) mod usage;
