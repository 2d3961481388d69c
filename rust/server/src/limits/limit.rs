//! The limits on clients, by name.
//!
//! A limit that a correct client can reach under load delays it; one that only a broken or hostile client reaches
//! refuses it.

/// All limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Calls,
    CallsPerAddress,
    Connections,
    ConnectionsPerAddress,
    ConnectionsPerIdentity,
    ConnectionsPerSecond,
    ControlFrames,
    CpuOfConnection,
    CpuOfPeer,
    CpuOfServer,
    CpuOfStream,
    CpuTime,
    NodeBytes,
    RequestBuffers,
    RequestBytes,
    RequestTimeout,
    RequestsPerSecond,
    Streams,
    Subscription,
    SubscriptionBytesOfConnection,
    SubscriptionBytesOfPeer,
    SubscriptionBytesOfServer,
    SubscriptionBytesOfStream,
    Unread,
}

impl Limit {
    pub(crate) const ALL: [Limit; 24] = [
        Limit::Calls,
        Limit::CallsPerAddress,
        Limit::Connections,
        Limit::ConnectionsPerAddress,
        Limit::ConnectionsPerIdentity,
        Limit::ConnectionsPerSecond,
        Limit::ControlFrames,
        Limit::CpuOfConnection,
        Limit::CpuOfPeer,
        Limit::CpuOfServer,
        Limit::CpuOfStream,
        Limit::CpuTime,
        Limit::NodeBytes,
        Limit::RequestBuffers,
        Limit::RequestBytes,
        Limit::RequestTimeout,
        Limit::RequestsPerSecond,
        Limit::Streams,
        Limit::Subscription,
        Limit::SubscriptionBytesOfConnection,
        Limit::SubscriptionBytesOfPeer,
        Limit::SubscriptionBytesOfServer,
        Limit::SubscriptionBytesOfStream,
        Limit::Unread,
    ];

    /// The name in metrics, log lines and messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Limit::Calls => "calls",
            Limit::CallsPerAddress => "calls_per_address",
            Limit::Connections => "connections",
            Limit::ConnectionsPerAddress => "connections_per_address",
            Limit::ConnectionsPerIdentity => "connections_per_identity",
            Limit::ConnectionsPerSecond => "connections_per_second",
            Limit::ControlFrames => "control_frames",
            Limit::CpuOfConnection => "cpu_per_connection",
            Limit::CpuOfPeer => "cpu_per_peer",
            Limit::CpuOfServer => "cpu",
            Limit::CpuOfStream => "cpu_per_stream",
            Limit::CpuTime => "cpu_time",
            Limit::NodeBytes => "node_bytes",
            Limit::RequestBuffers => "request_buffers",
            Limit::RequestBytes => "request_bytes",
            Limit::RequestTimeout => "request_timeout",
            Limit::RequestsPerSecond => "requests_per_second",
            Limit::Streams => "streams",
            Limit::Subscription => "subscription",
            Limit::SubscriptionBytesOfConnection => "subscription_bytes_per_connection",
            Limit::SubscriptionBytesOfPeer => "subscription_bytes_per_peer",
            Limit::SubscriptionBytesOfServer => "subscription_bytes",
            Limit::SubscriptionBytesOfStream => "subscription_bytes_per_stream",
            Limit::Unread => "unread",
        }
    }

    /// Whether the limit delays the client; otherwise it refuses it.
    pub(crate) const fn delays(self) -> bool {
        use Limit::{CpuOfConnection, CpuOfPeer, CpuOfServer, CpuOfStream};
        let cpu = matches!(self, CpuOfConnection | CpuOfPeer | CpuOfServer | CpuOfStream);
        cpu || matches!(self, Limit::ConnectionsPerSecond | Limit::RequestsPerSecond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_at_its_index() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index, "{}", limit.name());
        }
    }
}
