//! How a server is set up.

use std::time::Duration;

use crate::limits::budget::Budgets;

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT` (port 0 takes a free one) or `unix:/path`, at least one.
    pub listen: Vec<String>,
    /// `control_plane.identifier` of every response.
    pub identifier: String,
    /// Shards; 0: one per core.
    pub threads: usize,
    /// Streams that one connection may hold open.
    pub max_concurrent_streams: u32,
    /// Connections at a time; fewer when the limit of open files is lower.
    pub max_connections: usize,
    /// Connections of one address, or of one user of a Unix socket; 0: any number.
    pub max_connections_per_address: usize,
    /// Connections with streams of one identity; 0: any number.
    pub max_connections_per_identity: usize,
    /// New connections in a second, and at once after a quiet one. More have to wait.
    pub max_connections_per_second: u32,
    /// StreamHandle streams at a time.
    pub max_streams: usize,
    /// Bytes of a Node that are kept of it.
    pub max_node_bytes: usize,
    /// Keys of a Node's metadata that are kept.
    pub node_metadata: Vec<String>,
    /// Bytes of one request.
    pub max_request_bytes: usize,
    /// Requests in a second that a stream may make besides those that answer a response, and at once after a quiet
    /// one. More have to wait.
    pub max_requests_per_second: u32,
    /// A client has so long for its handshake (10 s at most), to open a stream, for the first request of a stream, and to complete
    /// each request.
    pub request_timeout: Duration,
    /// A connection of this age, give or take a tenth, is closed; zero: never.
    pub max_connection_age: Duration,
    /// Streams that were not answered by then are ended all the same.
    pub max_connection_age_grace: Duration,
    /// A connection that was quiet so long is pinged.
    pub keepalive_interval: Duration,
    /// A client that did not answer the ping by then is gone.
    pub keepalive_timeout: Duration,
    /// Names that one stream may be subscribed to.
    pub max_names_per_stream: usize,
    /// Longest resource name that may be asked for, in bytes.
    pub max_name_bytes: usize,
    /// Memory and CPU time that clients may use.
    pub budgets: Budgets,
    /// How long a resource waits at most for others of its stream that go first.
    pub make_before_break_timeout: Duration,
    /// How long a demand outlives the last subscription.
    pub unsubscribe_grace: Duration,
    /// TCP clients must speak TLS, with what [`crate::Server::set_tls`] says.
    pub tls: bool,
    /// A serialised FileDescriptorSet for reflection.
    pub descriptors: Vec<u8>,
}
