//! The options of an engine, read from the attributes of a Python object.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use steerway_server::{Budget, Budgets, Options};

use crate::number::{Int, seconds, share_of_cores};

/// A shard costs a thread and its file descriptors.
const MAX_THREADS: u32 = 1024;

/// One address or several.
#[derive(FromPyObject)]
enum Listen {
    One(String),
    Several(Vec<String>),
}

impl From<Listen> for Vec<String> {
    fn from(listen: Listen) -> Vec<String> {
        match listen {
            Listen::One(address) => vec![address],
            Listen::Several(addresses) => addresses,
        }
    }
}

/// The attributes; `steerway.engine.options.EngineOptions` declares and documents them.
#[derive(FromPyObject)]
pub(crate) struct EngineOptions {
    listen: Listen,
    plaintext_listen: Vec<String>,
    identifier: String,
    threads: Int,
    max_connections: Int,
    max_connections_per_address: Int,
    max_connections_per_identity: Int,
    max_connections_per_second: Int,
    max_streams: Int,
    max_concurrent_streams: Int,
    max_node_bytes: Int,
    max_request_bytes: Int,
    max_requests_per_second: Int,
    request_timeout_seconds: f64,
    max_connection_age_seconds: f64,
    max_connection_age_grace_seconds: f64,
    max_names_per_stream: Int,
    max_name_bytes: Int,
    max_subscription_bytes_per_stream: Int,
    max_subscription_bytes_per_connection: Int,
    max_subscription_bytes_per_peer: Int,
    max_subscription_bytes: Int,
    max_cpu_per_stream: f64,
    max_cpu_per_connection: f64,
    max_cpu_per_peer: f64,
    max_cpu: f64,
    keepalive_interval_seconds: f64,
    keepalive_timeout_seconds: f64,
    make_before_break_timeout_seconds: f64,
    unsubscribe_grace_seconds: f64,
    tls: bool,
    node_metadata: Vec<String>,
    descriptors: PyBackedBytes,
}

/// A number of at least 1.
macro_rules! count {
    ($options:ident.$name:ident) => {
        $options.$name.within(stringify!($name), 1..=u32::MAX)?
    };
}

/// A number; 0 is no limit.
macro_rules! optional {
    ($options:ident.$name:ident) => {
        $options.$name.within(stringify!($name), 0..=u32::MAX)? as usize
    };
}

/// A time span of at least `$least`.
macro_rules! span {
    ($options:ident.$name:ident, $least:expr) => {
        seconds(stringify!($name), $options.$name, $least)?
    };
}

/// The budgets of one level; 0 is no limit.
macro_rules! budget {
    ($options:ident.$bytes:ident, $cpu:ident) => {
        Budget {
            subscription_bytes: optional!($options.$bytes),
            cpu: share_of_cores(stringify!($cpu), $options.$cpu)?,
        }
    };
}

impl EngineOptions {
    /// ValueError for a number out of range.
    pub(crate) fn into_options(self) -> PyResult<Options> {
        // Below a millisecond a connection would do nothing but ping, and a client could not complete anything.
        const SHORTEST: Duration = Duration::from_millis(1);
        Ok(Options {
            threads: self.threads.within("threads", 0..=MAX_THREADS)? as usize,
            max_connections: count!(self.max_connections) as usize,
            max_connections_per_address: optional!(self.max_connections_per_address),
            max_connections_per_identity: optional!(self.max_connections_per_identity),
            max_connections_per_second: count!(self.max_connections_per_second),
            max_streams: count!(self.max_streams) as usize,
            max_concurrent_streams: count!(self.max_concurrent_streams),
            max_node_bytes: count!(self.max_node_bytes) as usize,
            max_request_bytes: count!(self.max_request_bytes) as usize,
            max_requests_per_second: count!(self.max_requests_per_second),
            request_timeout: span!(self.request_timeout_seconds, SHORTEST),
            max_connection_age: span!(self.max_connection_age_seconds, Duration::ZERO),
            max_connection_age_grace: span!(self.max_connection_age_grace_seconds, Duration::ZERO),
            keepalive_interval: span!(self.keepalive_interval_seconds, SHORTEST),
            keepalive_timeout: span!(self.keepalive_timeout_seconds, SHORTEST),
            make_before_break_timeout: span!(self.make_before_break_timeout_seconds, Duration::ZERO),
            unsubscribe_grace: span!(self.unsubscribe_grace_seconds, Duration::ZERO),
            max_names_per_stream: count!(self.max_names_per_stream) as usize,
            max_name_bytes: count!(self.max_name_bytes) as usize,
            budgets: Budgets {
                stream: budget!(self.max_subscription_bytes_per_stream, max_cpu_per_stream),
                connection: budget!(self.max_subscription_bytes_per_connection, max_cpu_per_connection),
                peer: budget!(self.max_subscription_bytes_per_peer, max_cpu_per_peer),
                server: budget!(self.max_subscription_bytes, max_cpu),
            },
            listen: self.listen.into(),
            plaintext_listen: self.plaintext_listen,
            identifier: self.identifier,
            node_metadata: self.node_metadata,
            tls: self.tls,
            descriptors: self.descriptors.to_vec(),
        })
    }
}
