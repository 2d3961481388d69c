//! The configuration of a server.

use std::time::Duration;

use crate::limits::budget::Budgets;

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT` (port 0 takes a free one) or `unix:/path`, at least one.
    pub listen: Vec<String>,
    /// Further `HOST:PORT`, always without TLS.
    pub plaintext_listen: Vec<String>,
    /// `control_plane.identifier` of every response.
    pub identifier: String,
    /// Shards; 0: one per core.
    pub threads: usize,
    /// Streams per connection.
    pub max_concurrent_streams: u32,
    /// Connections at a time; fewer when the limit of open files is lower.
    pub max_connections: usize,
    /// Connections of one address, or of one user of a Unix socket; 0: no limit.
    pub max_connections_per_address: usize,
    /// Connections with streams of one identity; 0: no limit.
    pub max_connections_per_identity: usize,
    /// New connections per second, with a burst of one second. More are delayed.
    pub max_connections_per_second: u32,
    /// Discovery and load reporting streams at a time.
    pub max_streams: usize,
    /// Bytes that are kept of a Node.
    pub max_node_bytes: usize,
    /// Keys of a Node's metadata that are kept.
    pub node_metadata: Vec<String>,
    /// Bytes of one request.
    pub max_request_bytes: usize,
    /// Requests per second and stream, with a burst of one second. Requests that answer a response are not counted.
    /// More are delayed.
    pub max_requests_per_second: u32,
    /// Time for the handshake (10 s at most), to open a stream, for the first request of a stream, and to complete a
    /// request.
    pub request_timeout: Duration,
    /// Connections of this age, varied by a tenth, are closed; zero: never.
    pub max_connection_age: Duration,
    /// After that age, time until streams without a response are ended.
    pub max_connection_age_grace: Duration,
    /// Silence after which a connection is pinged.
    pub keepalive_interval: Duration,
    /// Time for the answer to a ping.
    pub keepalive_timeout: Duration,
    /// Names that one stream is subscribed to.
    pub max_names_per_stream: usize,
    /// Longest resource name, in bytes.
    pub max_name_bytes: usize,
    /// Memory and CPU time of clients.
    pub budgets: Budgets,
    /// Longest wait of a resource for others of its stream that must be sent first.
    pub make_before_break_timeout: Duration,
    /// Time from the last unsubscription of a name to the withdrawal of its demand.
    pub unsubscribe_grace: Duration,
    /// TCP clients of `listen` must use TLS, with the configuration of [`crate::Server::set_tls`].
    pub tls: bool,
    /// A serialised FileDescriptorSet for reflection.
    pub descriptors: Vec<u8>,
}
