//! Responses and what the client said to them, for one type on one stream: nonces, ACK and NACK.

use std::time::Duration;

use crate::timing::{Origin, Propagation};

/// How a request's nonce stands to what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceKind {
    /// The client answers the response in flight.
    Answer,
    /// It repeats the nonce of a response that it answered before.
    Repeat,
    /// It carries none, or one that this stream cannot know.
    Empty,
    /// It carries one that is not the last.
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

/// One response in flight at most; the last one, the last ACK and the last NACK are remembered.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Nonce, version and time of the last response.
    sent: Option<(u64, u64, Duration)>,
    in_flight: bool,
    /// The change that the response in flight brings.
    origin: Option<Origin>,
    /// The last change that the client took.
    taken: Option<Box<Propagation>>,
    acked: Option<(u64, Duration)>,
    refusal: Option<Box<Refusal>>,
}

impl Exchange {
    pub(crate) fn in_flight(&self) -> bool {
        self.in_flight
    }

    /// Nonce of the response in flight.
    pub(crate) fn nonce_in_flight(&self) -> Option<u64> {
        self.sent.filter(|_| self.in_flight).map(|(nonce, ..)| nonce)
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

    pub(crate) fn send(&mut self, nonce: u64, version: u64, origin: Option<Origin>, now: Duration) {
        self.sent = Some((nonce, version, now));
        self.origin = origin;
        self.in_flight = true;
    }

    /// `nonce` is `None` for a text that this server never gives out.
    pub(crate) fn kind(&self, empty: bool, nonce: Option<u64>) -> NonceKind {
        match self.sent {
            Some(_) if empty => NonceKind::Empty,
            Some((last, ..)) if nonce == Some(last) && self.in_flight => NonceKind::Answer,
            Some((last, ..)) if nonce == Some(last) => NonceKind::Repeat,
            Some(_) => NonceKind::Old,
            // Nothing was sent that it could be older than: it belongs to an earlier stream.
            None => NonceKind::Empty,
        }
    }

    /// The client took the response in flight; `None` when there was none.
    pub(crate) fn ack(&mut self, now: Duration) -> Option<Answered> {
        let answered = self.answer(now)?;
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

    /// The client refused the response in flight; `None` when there was none.
    pub(crate) fn nack(&mut self, message: &str, now: Duration) -> Option<Answered> {
        let answered = self.answer(now)?;
        let Answered { nonce, version, .. } = answered;
        let message = message.to_owned();
        self.refusal = Some(Box::new(Refusal { nonce, version, message, past: false, at: now }));
        Some(answered)
    }

    fn answer(&mut self, now: Duration) -> Option<Answered> {
        let (nonce, version, sent_at) = self.sent?;
        std::mem::take(&mut self.in_flight).then(|| Answered {
            version,
            nonce,
            latency: now.saturating_sub(sent_at),
            change: self.origin.take().map(|origin| Propagation { origin, sent: sent_at, acked: now }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn only_the_response_in_flight_is_answered_and_once() {
        let mut exchange = Exchange::default();
        assert_eq!((exchange.kind(true, None), exchange.ack(AT(0))), (NonceKind::Empty, None));
        assert_eq!(exchange.kind(false, Some(9)), NonceKind::Empty, "of an earlier stream");
        exchange.send(1, 10, None, AT(1));
        exchange.send(3, 30, None, AT(2));
        assert_eq!(exchange.kind(false, Some(1)), NonceKind::Old);
        assert_eq!(exchange.kind(false, None), NonceKind::Old, "a nonce of somebody else");
        assert_eq!(exchange.kind(false, Some(3)), NonceKind::Answer);
        assert_eq!(
            exchange.ack(AT(5)),
            Some(Answered { version: 30, nonce: 3, latency: AT(3), change: None })
        );
        assert_eq!((exchange.kind(false, Some(3)), exchange.ack(AT(6))), (NonceKind::Repeat, None));
        assert_eq!(exchange.acked(), Some((30, AT(5))));
    }

    #[test]
    fn a_refusal_is_past_with_the_next_ack() {
        let mut exchange = Exchange::default();
        exchange.send(1, 10, None, AT(1));
        exchange.nack("bad", AT(2));
        let refusal = Refusal { nonce: 1, version: 10, message: "bad".into(), past: false, at: AT(2) };
        assert_eq!(exchange.refusal(), Some(&refusal));
        assert_eq!(exchange.acked(), None);
        exchange.send(2, 20, None, AT(3));
        exchange.ack(AT(4));
        assert_eq!(exchange.refusal(), Some(&Refusal { past: true, ..refusal }));
    }
}
