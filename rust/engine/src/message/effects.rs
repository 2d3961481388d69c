//! What the transport must do after a message, and what it may count.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Node, TypeId};
use crate::store::Propagation;
use crate::subscription::{Change, WildcardChange};
use crate::wire::wildcard_name;

/// A change of what the stream is interested in, for [`crate::Interest`]. Wildcards go by [`crate::WILDCARD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterestChange {
    /// Tell the stream when this name changes.
    Subscribe(TypeId, Arc<str>),
    /// No longer.
    Unsubscribe(TypeId, Arc<str>),
}

/// A response that the client refused. It holds no more than [`crate::MAX_TEXT`] bytes of text and as many of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// Names that the refused response brought anew, changed or removed: the first of them.
    pub resources: Vec<Arc<str>>,
    /// How many of these names there are.
    pub refused: usize,
    /// `version_info` (delta: `system_version_info`) of the refused response.
    pub version: String,
    /// `error_detail.code`.
    pub code: i32,
    /// `error_detail.message`, cut.
    pub message: String,
}

/// What a request was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A subscription, or a change of one.
    Subscribe,
    /// The client took the response sent `latency` ago.
    Ack {
        /// Time since the response was handed out.
        latency: Duration,
        /// The change of something it held before that the response brought, the one that waited longest.
        change: Option<Propagation>,
    },
    /// The client refused the response.
    Nack(Box<Nack>),
    /// It carried an old nonce.
    Stale,
    /// Its type is not served; it was ignored.
    UnknownType,
}

/// What was received, for counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `None`: a type that is not served.
    pub type_id: Option<TypeId>,
    /// What the request was.
    pub kind: RequestKind,
}

/// What the transport must do after a message. Reuse one per connection: [`Effects::clear`] keeps the memory.
#[derive(Debug, Default)]
pub struct Effects {
    /// Once per stream, after its first good request: report the stream and have it classified.
    pub opened: Option<Node>,
    /// Changes for the index, in order. Empty until the stream is classified.
    pub interest: Vec<InterestChange>,
    /// What the request was.
    pub received: Option<Received>,
}

impl Effects {
    /// Forget everything.
    pub fn clear(&mut self) {
        self.opened = None;
        self.interest.clear();
        self.received = None;
    }

    /// What a request changed in the subscription to a type, the wildcard by its name.
    pub(crate) fn note(&mut self, type_id: TypeId, change: Change) {
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
