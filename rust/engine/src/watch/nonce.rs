//! Nonces, ACKs and NACKs of one type on one stream.

use std::time::Duration;

use smallvec::SmallVec;

use super::deliveries::Deliveries;
use crate::store::{Changes, Origin, Propagation};

/// The nonce of a request, compared with the responses that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceKind {
    /// That of a response without an answer so far.
    Open {
        /// It is the last response.
        last: bool,
    },
    /// That of the last response, which was answered before.
    Repeated,
    /// None, or that of an earlier stream.
    Missing,
    /// Any other.
    Stale,
}

/// A response that was acknowledged or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) version: u64,
    pub(crate) nonce: u64,
    pub(crate) latency: Duration,
    /// The change that the response carried, if any.
    pub(crate) change: Option<Propagation>,
    /// The id of the newest change that it delivered; 0: none.
    pub(crate) newest_change: u64,
}

/// The last response that the client rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastNack {
    pub(crate) nonce: u64,
    pub(crate) version: u64,
    pub(crate) message: String,
    /// A later response was acknowledged.
    pub(crate) superseded: bool,
    pub(crate) at: Duration,
}

/// Maximum of open responses of one type on one stream: it bounds the memory of a client that requests without
/// answering.
const MAX_OPEN: usize = 1024;

/// A response that the client has not answered.
#[derive(Clone, Debug)]
struct OpenResponse {
    nonce: u64,
    version: u64,
    sent_at: Duration,
    /// The oldest change that it carries.
    origin: Option<Origin>,
    /// The changes that it delivers.
    changes: Changes,
}

/// The open responses, oldest first, and the last response, ACK and NACK.
///
/// ```text
///    send(nonce) ──▶ open ──request with the nonce──▶ ACK, or NACK with error_detail
///                     └── request with a later open nonce: counts as answered, in order ──▶ closed
/// ```
#[derive(Debug, Default)]
pub(crate) struct NonceTracker {
    /// Nonce, version and time of the last response.
    sent: Option<(u64, u64, Duration)>,
    open: SmallVec<[OpenResponse; 1]>,
    /// The response that must be answered before changed content is sent.
    awaited: Option<u64>,
    /// The last change that the client acknowledged.
    last_change: Option<Box<Propagation>>,
    acked: Option<(u64, Duration)>,
    last_nack: Option<Box<LastNack>>,
}

impl NonceTracker {
    /// Whether changed content waits for an answer of the client. New subscriptions never wait.
    pub(crate) fn is_awaiting_ack(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whether the maximum of open responses is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= MAX_OPEN
    }

    /// Whether the response with this nonce is open.
    pub(crate) fn is_open(&self, nonce: u64) -> bool {
        self.open.binary_search_by_key(&nonce, |open| open.nonce).is_ok()
    }

    /// Nonce of the last response, if it is open.
    pub(crate) fn last_open(&self) -> Option<u64> {
        self.open.last().map(|open| open.nonce)
    }

    /// When the oldest open response was sent.
    pub(crate) fn oldest_open(&self) -> Option<Duration> {
        self.open.first().map(|open| open.sent_at)
    }

    /// Whether the client rejected the last response that it answered.
    pub(crate) fn is_refused(&self) -> bool {
        self.last_nack.as_ref().is_some_and(|nack| !nack.superseded)
    }

    /// Version and time of the last response.
    pub(crate) fn last_sent(&self) -> Option<(u64, Duration)> {
        self.sent.map(|(_, version, at)| (version, at))
    }

    /// Version and time of the last ACK.
    pub(crate) fn last_acked(&self) -> Option<(u64, Duration)> {
        self.acked
    }

    pub(crate) fn last_nack(&self) -> Option<&LastNack> {
        self.last_nack.as_deref()
    }

    /// The last change that the client acknowledged.
    pub(crate) fn last_change(&self) -> Option<&Propagation> {
        self.last_change.as_deref()
    }

    /// A response is sent with changes, the oldest of which has times; `all`: it carries every change so far. A change that it leaves out waits for the same
    /// response as before: a client that goes on subscribing must not delay it without end.
    pub(crate) fn send(
        &mut self,
        nonce: u64,
        version: u64,
        (origin, changes): (Option<Origin>, Changes),
        now: Duration,
        all: bool,
    ) {
        self.sent = Some((nonce, version, now));
        self.open.push(OpenResponse { nonce, version, sent_at: now, origin, changes });
        self.awaited = self.awaited.filter(|_| !all).or(Some(nonce));
    }

    /// `nonce` is `None` for a text that this server never sends.
    pub(crate) fn kind(&self, empty: bool, nonce: Option<u64>) -> NonceKind {
        // Without a response on this stream, a nonce belongs to an earlier stream.
        let Some((last, ..)) = self.sent.filter(|_| !empty) else { return NonceKind::Missing };
        match nonce {
            Some(nonce) if self.is_open(nonce) => NonceKind::Open { last: nonce == last },
            Some(nonce) if nonce == last => NonceKind::Repeated,
            _ => NonceKind::Stale,
        }
    }

    /// The client acknowledged this response; `None` when it is not open.
    pub(crate) fn ack(&mut self, nonce: u64, now: Duration, deliveries: &mut Deliveries) -> Option<Resolved> {
        let resolved = self.resolve(nonce, now, deliveries, false)?;
        self.acked = Some((resolved.version, now));
        if let Some(change) = resolved.change {
            match &mut self.last_change {
                Some(last_change) => **last_change = change,
                None => self.last_change = Some(change.into()),
            }
        }
        if let Some(last_nack) = &mut self.last_nack {
            last_nack.superseded = true;
        }
        Some(resolved)
    }

    /// The client rejected this response; `None` when it is not open.
    pub(crate) fn nack(
        &mut self,
        nonce: u64,
        message: &str,
        now: Duration,
        deliveries: &mut Deliveries,
    ) -> Option<Resolved> {
        let resolved = self.resolve(nonce, now, deliveries, true)?;
        let Resolved { nonce, version, .. } = resolved;
        let message = message.to_owned();
        self.last_nack = Some(Box::new(LastNack { nonce, version, message, superseded: false, at: now }));
        Some(resolved)
    }

    /// Close a response and those before it, which count as accepted: the client reads responses in order.
    fn resolve(
        &mut self,
        nonce: u64,
        now: Duration,
        deliveries: &mut Deliveries,
        rejected: bool,
    ) -> Option<Resolved> {
        let position = self.open.binary_search_by_key(&nonce, |open| open.nonce).ok()?;
        let OpenResponse { version, sent_at, origin, changes, .. } = {
            let mut closed = self.open.drain(..=position);
            let last = closed.next_back()?;
            closed.for_each(|earlier| deliveries.answered(&earlier.changes, false));
            last
        };
        deliveries.answered(&changes, rejected);
        self.awaited = self.awaited.filter(|awaited| *awaited > nonce);
        Some(Resolved {
            version,
            nonce,
            latency: now.saturating_sub(sent_at),
            change: origin.map(|origin| Propagation { origin, sent: sent_at, acked: now }),
            newest_change: changes.newest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    fn send(nonces: &mut NonceTracker, nonce: u64, at: u64) {
        nonces.send(nonce, 10 * nonce, Default::default(), AT(at), true);
    }

    fn ack(nonces: &mut NonceTracker, nonce: u64, at: Duration) -> Option<Resolved> {
        nonces.ack(nonce, at, &mut Deliveries::default())
    }

    #[test]
    fn a_response_is_answered_once() {
        let mut nonces = NonceTracker::default();
        assert_eq!((nonces.kind(true, None), ack(&mut nonces, 1, AT(0))), (NonceKind::Missing, None));
        assert_eq!(nonces.kind(false, Some(9)), NonceKind::Missing, "of an earlier stream");
        send(&mut nonces, 3, 2);
        assert_eq!(nonces.kind(false, Some(1)), NonceKind::Stale);
        assert_eq!(nonces.kind(false, None), NonceKind::Stale, "a nonce of another server");
        assert_eq!(nonces.kind(false, Some(3)), NonceKind::Open { last: true });
        assert_eq!(
            ack(&mut nonces, 3, AT(5)),
            Some(Resolved { version: 30, nonce: 3, latency: AT(3), change: None, newest_change: 0 })
        );
        assert_eq!((nonces.kind(false, Some(3)), ack(&mut nonces, 3, AT(6))), (NonceKind::Repeated, None));
        assert_eq!(nonces.last_acked(), Some((30, AT(5))));
    }

    #[test]
    fn an_answer_closes_its_response_and_the_earlier_ones() {
        let mut nonces = NonceTracker::default();
        (1..=4).for_each(|nonce| send(&mut nonces, nonce, nonce));
        assert_eq!(nonces.kind(false, Some(1)), NonceKind::Open { last: false });
        assert_eq!(
            nonces.nack(1, "bad", AT(5), &mut Deliveries::default()).map(|resolved| resolved.version),
            Some(10)
        );
        assert_eq!(ack(&mut nonces, 3, AT(6)).map(|resolved| resolved.latency), Some(AT(3)));
        assert_eq!([1, 2, 3, 4].map(|nonce| nonces.is_open(nonce)), [false, false, false, true]);
        assert_eq!((nonces.kind(false, Some(2)), ack(&mut nonces, 2, AT(7))), (NonceKind::Stale, None));
        assert_eq!((nonces.last_open(), nonces.last_acked()), (Some(4), Some((30, AT(6)))));
    }

    #[test]
    fn a_change_left_out_waits_for_the_same_response_as_before() {
        let mut nonces = NonceTracker::default();
        nonces.send(1, 10, Default::default(), AT(1), true);
        nonces.send(2, 20, Default::default(), AT(2), false);
        ack(&mut nonces, 1, AT(3));
        assert!(!nonces.is_awaiting_ack(), "the change came before the second response");
        nonces.send(3, 30, Default::default(), AT(4), true);
        ack(&mut nonces, 2, AT(5));
        assert!(nonces.is_awaiting_ack());
        ack(&mut nonces, 3, AT(6));
        assert!(!nonces.is_awaiting_ack());
    }

    #[test]
    fn open_responses_have_a_maximum() {
        let mut nonces = NonceTracker::default();
        (1..=MAX_OPEN as u64).for_each(|nonce| send(&mut nonces, nonce, nonce));
        assert!(nonces.is_full());
        ack(&mut nonces, 1, AT(2000));
        assert!(!nonces.is_full());
    }

    #[test]
    fn the_next_ack_supersedes_a_nack() {
        let mut nonces = NonceTracker::default();
        send(&mut nonces, 1, 1);
        nonces.nack(1, "bad", AT(2), &mut Deliveries::default());
        let last_nack =
            LastNack { nonce: 1, version: 10, message: "bad".into(), superseded: false, at: AT(2) };
        assert_eq!(nonces.last_nack(), Some(&last_nack));
        assert_eq!(nonces.last_acked(), None);
        send(&mut nonces, 2, 3);
        ack(&mut nonces, 2, AT(4));
        assert_eq!(nonces.last_nack(), Some(&LastNack { superseded: true, ..last_nack }));
    }
}
