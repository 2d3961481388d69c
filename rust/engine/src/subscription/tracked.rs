//! One tracked name and its state.

use std::sync::Arc;
use std::time::Duration;

use crate::store::Resource;

/// Why a name is tracked.
///
/// ```text
///                 subscribe                no resource, no "not found" in the store
///    Covered ───────────────────▶ Requested ──────────────────────────────────────▶ Unanswered
///       ▲     unsubscribe, still      │   ◀──────────────────────────────────────     │
///       └───── covered ───────────────┴───────────── published ──────────────────────┘
/// ```
///
/// A name that is neither requested nor covered is no longer tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Coverage {
    /// Covered by the wildcard or a glob collection only.
    #[default]
    Covered,
    /// Subscribed by name.
    Requested,
    /// Subscribed by name, and the store has no entry for it yet (full-state types: the set waits for it).
    Unanswered,
}

/// State of the last response with a change of the name.
///
/// ```text
///    Unsent ──response──▶ Sent ──NACK──▶ Nacked
///                          ▲                │
///                          └────response────┘    and an ACK of a later full-state response
/// ```
///
/// `Sent` counts as acknowledged when the response is no longer open ([`Tracked::sent_in`]): an ACK has no cost per
/// name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Delivery {
    /// None on this stream.
    #[default]
    Unsent,
    /// Sent, and not rejected.
    Sent,
    /// The client rejected it.
    Nacked,
}

/// Whether the client has what [`Held`] names.
///
/// ```text
///            stale request without the name          the next request lists it again: resend
///    Kept ──────────────────────────────▶ Dropped ───────────────────────────────────────────▶ Lacking
///     ▲ ▲                                    │                                                    ▲ │
///     │ └──────────── response ──────────────┘      NACK of the response that introduced it ──────┘ │
///     └──────────────────────────────────────── response ───────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum ClientCopy {
    /// It has the resource, or will once it has read the responses that are open.
    #[default]
    Kept,
    /// The name is missing from a request with a stale nonce: the client may have dropped it.
    Dropped,
    /// It has none although one was sent: it rejected the first version, or dropped the name for a moment, and has
    /// accepted none since.
    Lacking,
}

/// Whether the name is sent although the client holds the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Resend {
    #[default]
    No,
    /// Its cluster was sent again: a repeated request means that the client waits for its endpoints.
    WhenRepeated,
    /// With the next response.
    Now,
}

/// Whether the name is in a list of names to check against the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Recheck {
    #[default]
    None,
    /// As soon as no response is open.
    Queued,
    /// Also while a response is open.
    Urgent,
}

/// The version that the client has of a name, as far as this stream knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Held {
    /// None, and no response reported that.
    #[default]
    Nothing,
    /// None: the last response reported it as removed or not found.
    Removed,
    /// A version of another server or of another time (delta, `initial_resource_versions`).
    Other,
    /// The version with this fingerprint.
    Version(u64),
}

/// One tracked name. There are millions of these: 72 bytes each.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) name: Arc<str>,
    pub(super) held: Held,
    /// The held resource, for types of which references or bytes are needed as long as the client holds it.
    pub(crate) resource: Option<Arc<Resource>>,
    /// Nonce of the last response with a change of the name.
    pub(crate) sent_in: u64,
    /// Nonce of the last response that brought the name to a client that held nothing of it, or will when it is read.
    pub(crate) introduced_in: u64,
    /// When the response `sent_in` was sent, in whole seconds of the stream's clock.
    sent_at: u32,
    /// The last pass over the names that saw this one ([`super::Names::begin_pass`]).
    pub(crate) pass: u32,
    pub(super) coverage: Coverage,
    pub(super) recheck: Recheck,
    pub(crate) delivery: Delivery,
    pub(crate) copy: ClientCopy,
    pub(crate) resend: Resend,
}

impl Tracked {
    /// A name that no request listed and no response carried yet.
    pub(super) fn new(name: Arc<str>) -> Tracked {
        Tracked {
            name,
            held: Held::Nothing,
            resource: None,
            sent_in: 0,
            introduced_in: 0,
            sent_at: 0,
            pass: 0,
            coverage: Coverage::Covered,
            recheck: Recheck::None,
            delivery: Delivery::Unsent,
            copy: ClientCopy::Kept,
            resend: Resend::No,
        }
    }

    pub(crate) fn held(&self) -> Held {
        self.held
    }

    /// Whether the client subscribed to it by name.
    pub(crate) fn requested(&self) -> bool {
        self.coverage != Coverage::Covered
    }

    /// Whether the client holds a resource of this name.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.held, Held::Version(_) | Held::Other)
    }

    /// A response carries a change of the name.
    pub(crate) fn mark_sent(&mut self, nonce: u64, now: Duration) {
        (self.sent_in, self.sent_at) = (nonce, now.as_secs() as u32);
        self.delivery = Delivery::Sent;
        if self.copy == ClientCopy::Dropped {
            self.copy = ClientCopy::Kept;
        }
    }

    /// The client dropped the name before it read the responses after `nonce`. If one of these carries the name, the
    /// client lacks it until it has answered that response.
    pub(super) fn note_dropped(&mut self, nonce: u64) {
        if self.sent_in <= nonce {
            self.copy = ClientCopy::Dropped;
        } else if self.is_held() {
            self.introduced_in = self.sent_in;
        }
    }

    /// When it was last sent, to a second; `None`: never.
    pub(crate) fn sent_at(&self) -> Option<Duration> {
        (self.delivery != Delivery::Unsent).then(|| Duration::from_secs(self.sent_at.into()))
    }

    /// The client rejected the response with this nonce.
    pub(crate) fn mark_nacked(&mut self, nonce: u64) {
        if self.introduced_in == nonce {
            if self.copy != ClientCopy::Dropped {
                // A version that it may accept was sent later, or is yet to be sent.
                let is_last = self.sent_in == nonce;
                self.copy = if is_last { ClientCopy::Lacking } else { ClientCopy::Kept };
            }
            self.introduced_in = self.sent_in;
        }
        if self.sent_in == nonce {
            self.delivery = Delivery::Nacked;
        }
    }

    /// The client accepted a response that carries this name again.
    pub(crate) fn mark_accepted(&mut self) {
        if self.delivery == Delivery::Nacked {
            self.delivery = Delivery::Sent;
        }
        self.copy = ClientCopy::Kept;
    }

    /// The client's own cluster or listener that names it was sent again.
    pub(crate) fn mark_warming(&mut self) {
        if self.resend == Resend::No {
            self.resend = Resend::WhenRepeated;
        }
    }

    /// Whether it must be sent now; afterwards it need not.
    pub(crate) fn take_resend(&mut self) -> bool {
        let now = self.resend == Resend::Now;
        if now {
            self.resend = Resend::No;
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracked_name_is_small() {
        assert_eq!((size_of::<Tracked>(), size_of::<Option<Tracked>>()), (72, 72));
    }
}
