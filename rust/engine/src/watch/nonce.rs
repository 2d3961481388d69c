//! Responses and what the client said to them, for one type on one stream: nonces, ACK and NACK.

use std::time::Duration;

use smallvec::SmallVec;

use crate::store::{Origin, Propagation};

/// How a request's nonce stands to what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceKind {
    /// It answers a response that is open.
    Answer {
        /// The response is the last one.
        last: bool,
    },
    /// It repeats the nonce of the last response, which was answered before.
    Repeat,
    /// It carries none, or one that this stream cannot know.
    Empty,
    /// It carries one that is neither open nor the last.
    Old,
}

/// What a client said to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) version: u64,
    pub(crate) nonce: u64,
    pub(crate) latency: Duration,
    /// The change that the response brought, if it brought one.
    pub(crate) change: Option<Propagation>,
}

/// The last response that the client refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) nonce: u64,
    pub(crate) version: u64,
    pub(crate) message: String,
    /// A later response was taken.
    pub(crate) past: bool,
    pub(crate) at: Duration,
}

/// Open responses of one type on one stream at most: a client that asks for ever more and answers nothing holds no more
/// memory than that.
const MAX_OPEN: usize = 1024;

/// A response that the client has not answered.
#[derive(Clone, Copy, Debug)]
struct Open {
    nonce: u64,
    version: u64,
    sent_at: Duration,
    /// The change that it brings.
    origin: Option<Origin>,
}

/// Responses that are open, oldest first; the last one, the last ACK and the last NACK are remembered.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Nonce, version and time of the last response.
    sent: Option<(u64, u64, Duration)>,
    open: SmallVec<[Open; 1]>,
    /// The response whose answer further changes of content wait for.
    awaited: Option<u64>,
    /// The last change that the client took.
    taken: Option<Box<Propagation>>,
    acked: Option<(u64, Duration)>,
    refusal: Option<Box<Refusal>>,
}

impl Exchange {
    /// Whether changes of content wait for an answer of the client. New demand never does.
    pub(crate) fn is_awaited(&self) -> bool {
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
    pub(crate) fn sent(&self) -> Option<(u64, Duration)> {
        self.sent.map(|(_, version, at)| (version, at))
    }

    /// Version and time of the last ACK.
    pub(crate) fn acked(&self) -> Option<(u64, Duration)> {
        self.acked
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// The last change that the client took.
    pub(crate) fn taken(&self) -> Option<&Propagation> {
        self.taken.as_deref()
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
        self.open.push(Open { nonce, version, sent_at: now, origin });
        self.awaited = self.awaited.filter(|_| !all).or(Some(nonce));
    }

    /// `nonce` is `None` for a text that this server never gives out.
    pub(crate) fn kind(&self, empty: bool, nonce: Option<u64>) -> NonceKind {
        // Nothing was sent that it could be older than: it belongs to an earlier stream.
        let Some((last, ..)) = self.sent.filter(|_| !empty) else { return NonceKind::Empty };
        match nonce {
            Some(nonce) if self.is_open(nonce) => NonceKind::Answer { last: nonce == last },
            Some(nonce) if nonce == last => NonceKind::Repeat,
            _ => NonceKind::Old,
        }
    }

    /// The client took this open response; `None` when it is none.
    pub(crate) fn ack(&mut self, nonce: u64, now: Duration) -> Option<Answered> {
        let answered = self.answer(nonce, now)?;
        self.acked = Some((answered.version, now));
        if let Some(change) = answered.change {
            match &mut self.taken {
                Some(taken) => **taken = change,
                None => self.taken = Some(change.into()),
            }
        }
        if let Some(refusal) = &mut self.refusal {
            refusal.past = true;
        }
        Some(answered)
    }

    /// The client refused this open response; `None` when it is none.
    pub(crate) fn nack(&mut self, nonce: u64, message: &str, now: Duration) -> Option<Answered> {
        let answered = self.answer(nonce, now)?;
        let Answered { nonce, version, .. } = answered;
        let message = message.to_owned();
        self.refusal = Some(Box::new(Refusal { nonce, version, message, past: false, at: now }));
        Some(answered)
    }

    /// Responses are read in order: an answer to one also answers those before it.
    fn answer(&mut self, nonce: u64, now: Duration) -> Option<Answered> {
        let place = self.open.binary_search_by_key(&nonce, |open| open.nonce).ok()?;
        let Open { version, sent_at, origin, .. } = self.open.drain(..=place).next_back()?;
        self.awaited = self.awaited.filter(|awaited| *awaited > nonce);
        Some(Answered {
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

    fn send(exchange: &mut Exchange, nonce: u64, at: u64) {
        exchange.send(nonce, 10 * nonce, None, AT(at), true);
    }

    #[test]
    fn a_response_is_answered_once() {
        let mut exchange = Exchange::default();
        assert_eq!((exchange.kind(true, None), exchange.ack(1, AT(0))), (NonceKind::Empty, None));
        assert_eq!(exchange.kind(false, Some(9)), NonceKind::Empty, "of an earlier stream");
        send(&mut exchange, 3, 2);
        assert_eq!(exchange.kind(false, Some(1)), NonceKind::Old);
        assert_eq!(exchange.kind(false, None), NonceKind::Old, "a nonce of another server");
        assert_eq!(exchange.kind(false, Some(3)), NonceKind::Answer { last: true });
        assert_eq!(
            exchange.ack(3, AT(5)),
            Some(Answered { version: 30, nonce: 3, latency: AT(3), change: None })
        );
        assert_eq!((exchange.kind(false, Some(3)), exchange.ack(3, AT(6))), (NonceKind::Repeat, None));
        assert_eq!(exchange.acked(), Some((30, AT(5))));
    }

    #[test]
    fn each_open_response_has_its_answer_and_a_later_one_answers_those_before() {
        let mut exchange = Exchange::default();
        (1..=4).for_each(|nonce| send(&mut exchange, nonce, nonce));
        assert_eq!(exchange.kind(false, Some(1)), NonceKind::Answer { last: false });
        assert_eq!(exchange.nack(1, "bad", AT(5)).map(|answered| answered.version), Some(10));
        assert_eq!(exchange.ack(3, AT(6)).map(|answered| answered.latency), Some(AT(3)));
        assert_eq!([1, 2, 3, 4].map(|nonce| exchange.is_open(nonce)), [false, false, false, true]);
        assert_eq!((exchange.kind(false, Some(2)), exchange.ack(2, AT(7))), (NonceKind::Old, None));
        assert_eq!((exchange.last_open(), exchange.acked()), (Some(4), Some((30, AT(6)))));
    }

    #[test]
    fn a_change_that_was_left_waits_for_no_later_response() {
        let mut exchange = Exchange::default();
        exchange.send(1, 10, None, AT(1), true);
        exchange.send(2, 20, None, AT(2), false);
        exchange.ack(1, AT(3));
        assert!(!exchange.is_awaited(), "the change came before the second response");
        exchange.send(3, 30, None, AT(4), true);
        exchange.ack(2, AT(5));
        assert!(exchange.is_awaited());
        exchange.ack(3, AT(6));
        assert!(!exchange.is_awaited());
    }

    #[test]
    fn there_is_an_end_to_open_responses() {
        let mut exchange = Exchange::default();
        (1..=MAX_OPEN as u64).for_each(|nonce| send(&mut exchange, nonce, nonce));
        assert!(exchange.is_full());
        exchange.ack(1, AT(2000));
        assert!(!exchange.is_full());
    }

    #[test]
    fn a_refusal_is_past_with_the_next_ack() {
        let mut exchange = Exchange::default();
        send(&mut exchange, 1, 1);
        exchange.nack(1, "bad", AT(2));
        let refusal = Refusal { nonce: 1, version: 10, message: "bad".into(), past: false, at: AT(2) };
        assert_eq!(exchange.refusal(), Some(&refusal));
        assert_eq!(exchange.acked(), None);
        send(&mut exchange, 2, 3);
        exchange.ack(2, AT(4));
        assert_eq!(exchange.refusal(), Some(&Refusal { past: true, ..refusal }));
    }
}
