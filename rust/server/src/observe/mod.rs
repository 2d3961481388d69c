//! Events for Python, counters, latencies, contained panics.

pub(crate) mod event;
pub(crate) mod latency;
pub(crate) mod metrics;
pub(crate) mod nack;
pub(crate) mod panic;
