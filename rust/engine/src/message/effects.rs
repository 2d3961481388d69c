//! Effects of a request that the transport must apply.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Node, TypeId};
use crate::store::Propagation;
use crate::subscription::{Change, WildcardChange};
use crate::wire::wildcard_name;

/// A change of the subscriptions of a stream, for [`crate::Interest`]. The name of a wildcard is [`crate::WILDCARD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterestChange {
    /// Notify the stream when this name changes.
    Subscribe(TypeId, Arc<str>),
    /// No longer notify the stream.
    Unsubscribe(TypeId, Arc<str>),
}

/// A response that the client rejected. It keeps at most [`crate::MAX_TEXT`] bytes of text and as many of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// The first names that the rejected response added, changed or removed.
    pub resources: Vec<Arc<str>>,
    /// Number of all names that the rejected response added, changed or removed.
    pub refused: usize,
    /// `version_info` (delta: `system_version_info`) of the rejected response.
    pub version: String,
    /// `error_detail.code`.
    pub code: i32,
    /// `error_detail.message`, truncated.
    pub message: String,
    /// Id of the newest change that the rejected response delivered; 0: none.
    pub change: u64,
}

/// Kind of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A new or changed subscription.
    Subscribe,
    /// The client acknowledged the response that was sent `latency` ago.
    Ack {
        /// Time since the response was sent.
        latency: Duration,
        /// The oldest change in the response of a resource that the client held before.
        change: Option<Propagation>,
    },
    /// The client rejected the response.
    Nack(Box<Nack>),
    /// The nonce was stale.
    Stale,
    /// The type is unknown; the request was ignored.
    UnknownType,
}

/// A received request, for counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `None`: an unknown type.
    pub type_id: Option<TypeId>,
    /// Kind of the request.
    pub kind: RequestKind,
}

/// Effects of a message that the transport must apply. To be reused per connection: [`Effects::clear`] keeps the
/// memory.
#[derive(Debug, Default)]
pub struct Effects {
    /// Once per stream, after its first valid request: the stream is to be reported and classified.
    pub opened: Option<Node>,
    /// Changes for the index, in order. Empty until the stream is classified.
    pub interest: Vec<InterestChange>,
    /// Kind of the request.
    pub received: Option<Received>,
}

impl Effects {
    /// Remove all effects.
    pub fn clear(&mut self) {
        self.opened = None;
        self.interest.clear();
        self.received = None;
    }

    /// Add the interest that a request changed in the subscription to a type.
    pub(crate) fn add_interest(&mut self, type_id: TypeId, change: Change) {
        let wildcard = match change.wildcard {
            WildcardChange::Added => Some((true, Arc::clone(wildcard_name()))),
            WildcardChange::Removed => Some((false, Arc::clone(wildcard_name()))),
            WildcardChange::None => None,
        };
        self.interest.extend(change.interest.into_iter().chain(wildcard).map(
            |(wanted, name)| match wanted {
                true => InterestChange::Subscribe(type_id, name),
                false => InterestChange::Unsubscribe(type_id, name),
            },
        ));
    }
}
