//! What the engine holds for its clients.

/// What is held for clients at one moment; nothing once the grace time after the last client has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineUsage {
    /// Connections.
    pub connections: usize,
    /// Tasks that serve connections.
    pub tasks: usize,
    /// Discovery streams.
    pub streams: usize,
    /// Names in the indices of the shards.
    pub interest: usize,
    /// Names with demand.
    pub demand: usize,
    /// Events that Python has not polled.
    pub events: usize,
    /// Bytes of incomplete requests that count.
    pub request_buffers: usize,
    /// Bytes of subscriptions beyond the uncounted part of each stream.
    pub subscription_bytes: usize,
    /// Identities and addresses that use something, or whose CPU budget has not recovered.
    pub accounts: usize,
}
