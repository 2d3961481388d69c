//! Times of a change from the cluster to the client: the Kubernetes network-programming latency, in steps.

use std::time::Duration;

/// Times of a resource until its commit, as durations since the start of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Time of the event in the cluster; `None`: unknown, or before the start of the engine.
    pub event: Option<Duration>,
    /// When the control plane received it.
    pub received: Duration,
    /// When it was published.
    pub published: Duration,
}

impl Origin {
    /// From the event until it was received.
    pub fn event_to_received(&self) -> Option<Duration> {
        self.event.map(|event| self.received.saturating_sub(event))
    }

    /// From then until it was published.
    pub fn received_to_published(&self) -> Duration {
        self.published.saturating_sub(self.received)
    }

    /// The one that was received first: a response counts as the change in it that waited longest.
    pub(crate) fn older(left: Option<Origin>, right: Option<Origin>) -> Option<Origin> {
        match (left, right) {
            (Some(left), Some(right)) => Some(if right.received < left.received { right } else { left }),
            (left, right) => left.or(right),
        }
    }
}

/// Times of a change until one client acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Times until its commit.
    pub origin: Origin,
    /// When the response with it was sent.
    pub sent: Duration,
    /// When the client acknowledged it.
    pub acked: Duration,
}

impl Propagation {
    /// From the event to the ACK.
    pub fn event_to_acked(&self) -> Option<Duration> {
        self.origin.event.map(|event| self.acked.saturating_sub(event))
    }

    /// From receiving it to the ACK.
    pub fn received_to_acked(&self) -> Duration {
        self.acked.saturating_sub(self.origin.received)
    }

    /// From its publication until it was sent: delays by an open response, the order of types or a slow client.
    pub fn published_to_sent(&self) -> Duration {
        self.sent.saturating_sub(self.origin.published)
    }

    /// From sending it to the ACK.
    pub fn sent_to_acked(&self) -> Duration {
        self.acked.saturating_sub(self.sent)
    }
}
