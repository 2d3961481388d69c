//! When a change happened, and how long it took to a client: the Kubernetes network-programming latency, in steps.

use std::time::Duration;

/// Where a resource of a commit comes from. Instants are durations since the start of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When the cluster says that it happened; `None`: it does not say, or that was before the engine started.
    pub event: Option<Duration>,
    /// When the control plane heard of it.
    pub received: Duration,
    /// When it was published.
    pub published: Duration,
}

impl Origin {
    /// From the event until it was heard of.
    pub fn event_to_received(&self) -> Option<Duration> {
        self.event.map(|event| self.received.saturating_sub(event))
    }

    /// From there until it was published.
    pub fn received_to_published(&self) -> Duration {
        self.published.saturating_sub(self.received)
    }

    /// Of what one response brings, the change that waited longest tells: of two, the one that was heard of first.
    pub(crate) fn older(one: Option<Origin>, other: Option<Origin>) -> Option<Origin> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.received < one.received { other } else { one }),
            (one, other) => one.or(other),
        }
    }
}

/// A change on its way to one client, which has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Where it came from.
    pub origin: Origin,
    /// When the response with it was handed out.
    pub sent: Duration,
    /// When the client had taken it.
    pub acked: Duration,
}

impl Propagation {
    /// From the event to the ACK.
    pub fn event_to_acked(&self) -> Option<Duration> {
        self.origin.event.map(|event| self.acked.saturating_sub(event))
    }

    /// From hearing of it to the ACK.
    pub fn received_to_acked(&self) -> Duration {
        self.acked.saturating_sub(self.origin.received)
    }

    /// From its publication until it was handed out: what a response in flight, the order of types or a slow client cost.
    pub fn published_to_sent(&self) -> Duration {
        self.sent.saturating_sub(self.origin.published)
    }

    /// From handing it out to the ACK.
    pub fn sent_to_acked(&self) -> Duration {
        self.acked.saturating_sub(self.sent)
    }
}
