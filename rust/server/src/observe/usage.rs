//! What the engine holds for its clients.

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
