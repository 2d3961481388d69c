//! Responses and what the client said to them, for one type on one stream: nonces, ACK and NACK.

use std::time::Duration;

use smallvec::SmallVec;

use crate::store::{Origin, Propagation};

/// How a request's nonce stands to what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceKind {
    /// It answers a response that is open.
    Open {
        /// The response is the last one.
        last: bool,
    },
    /// It repeats the nonce of the last response, which was answered before.
    Repeated,
    /// It carries none, or one that this stream cannot know.
    Missing,
    /// It carries one that is neither open nor the last.
    Stale,
}

/// What a client said to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) version: u64,
    pub(crate) nonce: u64,
    pub(crate) latency: Duration,
    /// The change that the response brought, if it brought one.
    pub(crate) change: Option<Propagation>,
}

/// The last response that the client refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastNack {
    pub(crate) nonce: u64,
    pub(crate) version: u64,
    pub(crate) message: String,
    /// A later response was taken.
    pub(crate) superseded: bool,
    pub(crate) at: Duration,
}

/// Open responses of one type on one stream at most: a client that asks for ever more and answers nothing holds no more
/// memory than that.
const MAX_OPEN: usize = 1024;

/// A response that the client has not answered.
#[derive(Clone, Copy, Debug)]
struct OpenResponse {
    nonce: u64,
    version: u64,
    sent_at: Duration,
    /// The change that it brings.
    origin: Option<Origin>,
}

/// Responses that are open, oldest first; the last one, the last ACK and the last NACK are remembered.
#[derive(Debug, Default)]
pub(crate) struct NonceTracker {
    /// Nonce, version and time of the last response.
    sent: Option<(u64, u64, Duration)>,
    open: SmallVec<[OpenResponse; 1]>,
    /// The response whose answer further changes of content wait for.
    awaited: Option<u64>,
    /// The last change that the client took.
    last_change: Option<Box<Propagation>>,
    acked: Option<(u64, Duration)>,
    last_nack: Option<Box<LastNack>>,
}

impl NonceTracker {
    /// Whether changes of content wait for an answer of the client. New demand never does.
    pub(crate) fn is_awaiting_ack(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whether as many responses are open as may be.
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

    /// The last change that the client took.
    pub(crate) fn last_change(&self) -> Option<&Propagation> {
        self.last_change.as_deref()
    }

    /// A response goes out. `all`: it leaves no change behind. A change that was left waits for no later response than
    /// it did before: demand that never ends must not hold it up.
    pub(crate) fn send(
        &mut self,
        nonce: u64,
        version: u64,
        origin: Option<Origin>,
        now: Duration,
        all: bool,
    ) {
        self.sent = Some((nonce, version, now));
        self.open.push(OpenResponse { nonce, version, sent_at: now, origin });
        self.awaited = self.awaited.filter(|_| !all).or(Some(nonce));
    }

    /// `nonce` is `None` for a text that this server never gives out.
    pub(crate) fn kind(&self, empty: bool, nonce: Option<u64>) -> NonceKind {
        // Nothing was sent that it could be older than: it belongs to an earlier stream.
        let Some((last, ..)) = self.sent.filter(|_| !empty) else { return NonceKind::Missing };
        match nonce {
            Some(nonce) if self.is_open(nonce) => NonceKind::Open { last: nonce == last },
            Some(nonce) if nonce == last => NonceKind::Repeated,
            _ => NonceKind::Stale,
        }
    }

    /// The client took this open response; `None` when it is none.
    pub(crate) fn ack(&mut self, nonce: u64, now: Duration) -> Option<Resolved> {
        let resolved = self.resolve(nonce, now)?;
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

    /// The client refused this open response; `None` when it is none.
    pub(crate) fn nack(&mut self, nonce: u64, message: &str, now: Duration) -> Option<Resolved> {
        let resolved = self.resolve(nonce, now)?;
        let Resolved { nonce, version, .. } = resolved;
        let message = message.to_owned();
        self.last_nack = Some(Box::new(LastNack { nonce, version, message, superseded: false, at: now }));
        Some(resolved)
    }

    /// Responses are read in order: an answer to one also answers those before it.
    fn resolve(&mut self, nonce: u64, now: Duration) -> Option<Resolved> {
        let position = self.open.binary_search_by_key(&nonce, |open| open.nonce).ok()?;
        let OpenResponse { version, sent_at, origin, .. } = self.open.drain(..=position).next_back()?;
        self.awaited = self.awaited.filter(|awaited| *awaited > nonce);
        Some(Resolved {
            version,
            nonce,
            latency: now.saturating_sub(sent_at),
            change: origin.map(|origin| Propagation { origin, sent: sent_at, acked: now }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    fn send(nonces: &mut NonceTracker, nonce: u64, at: u64) {
        nonces.send(nonce, 10 * nonce, None, AT(at), true);
    }

    #[test]
    fn a_response_is_answered_once() {
        let mut nonces = NonceTracker::default();
        assert_eq!((nonces.kind(true, None), nonces.ack(1, AT(0))), (NonceKind::Missing, None));
        assert_eq!(nonces.kind(false, Some(9)), NonceKind::Missing, "of an earlier stream");
        send(&mut nonces, 3, 2);
        assert_eq!(nonces.kind(false, Some(1)), NonceKind::Stale);
        assert_eq!(nonces.kind(false, None), NonceKind::Stale, "a nonce of another server");
        assert_eq!(nonces.kind(false, Some(3)), NonceKind::Open { last: true });
        assert_eq!(
            nonces.ack(3, AT(5)),
            Some(Resolved { version: 30, nonce: 3, latency: AT(3), change: None })
        );
        assert_eq!((nonces.kind(false, Some(3)), nonces.ack(3, AT(6))), (NonceKind::Repeated, None));
        assert_eq!(nonces.last_acked(), Some((30, AT(5))));
    }

    #[test]
    fn each_open_response_has_its_answer_and_a_later_one_answers_those_before() {
        let mut nonces = NonceTracker::default();
        (1..=4).for_each(|nonce| send(&mut nonces, nonce, nonce));
        assert_eq!(nonces.kind(false, Some(1)), NonceKind::Open { last: false });
        assert_eq!(nonces.nack(1, "bad", AT(5)).map(|resolved| resolved.version), Some(10));
        assert_eq!(nonces.ack(3, AT(6)).map(|resolved| resolved.latency), Some(AT(3)));
        assert_eq!([1, 2, 3, 4].map(|nonce| nonces.is_open(nonce)), [false, false, false, true]);
        assert_eq!((nonces.kind(false, Some(2)), nonces.ack(2, AT(7))), (NonceKind::Stale, None));
        assert_eq!((nonces.last_open(), nonces.last_acked()), (Some(4), Some((30, AT(6)))));
    }

    #[test]
    fn a_change_that_was_left_waits_for_no_later_response() {
        let mut nonces = NonceTracker::default();
        nonces.send(1, 10, None, AT(1), true);
        nonces.send(2, 20, None, AT(2), false);
        nonces.ack(1, AT(3));
        assert!(!nonces.is_awaiting_ack(), "the change came before the second response");
        nonces.send(3, 30, None, AT(4), true);
        nonces.ack(2, AT(5));
        assert!(nonces.is_awaiting_ack());
        nonces.ack(3, AT(6));
        assert!(!nonces.is_awaiting_ack());
    }

    #[test]
    fn there_is_an_end_to_open_responses() {
        let mut nonces = NonceTracker::default();
        (1..=MAX_OPEN as u64).for_each(|nonce| send(&mut nonces, nonce, nonce));
        assert!(nonces.is_full());
        nonces.ack(1, AT(2000));
        assert!(!nonces.is_full());
    }

    #[test]
    fn a_refusal_is_past_with_the_next_ack() {
        let mut nonces = NonceTracker::default();
        send(&mut nonces, 1, 1);
        nonces.nack(1, "bad", AT(2));
        let last_nack =
            LastNack { nonce: 1, version: 10, message: "bad".into(), superseded: false, at: AT(2) };
        assert_eq!(nonces.last_nack(), Some(&last_nack));
        assert_eq!(nonces.last_acked(), None);
        send(&mut nonces, 2, 3);
        nonces.ack(2, AT(4));
        assert_eq!(nonces.last_nack(), Some(&LastNack { superseded: true, ..last_nack }));
    }
}
