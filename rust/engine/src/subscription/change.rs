//! The effect of one request on a subscription.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::store::Resource;

/// Change of the wildcard subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum WildcardChange {
    #[default]
    None,
    Added,
    Removed,
}

/// The effect of one request on a subscription.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) wildcard: WildcardChange,
    /// Indices of names that need a response: new in the subscription or, over delta, subscribed again.
    pub(crate) to_answer: SmallVec<[u32; 4]>,
    /// A glob collection was added.
    pub(crate) collection_added: bool,
    /// The wildcard or a glob collection was subscribed again by name (delta): resend all that it covers.
    pub(crate) resend_all: bool,
    /// Names and glob collections that were added (`true`) or removed, in order. Without the wildcard.
    pub(crate) interest: SmallVec<[(bool, Arc<str>); 2]>,
    /// Names that are no longer tracked, each with the resource that was kept for it.
    pub(crate) dropped: Vec<(Arc<str>, Option<Arc<Resource>>)>,
}

impl Change {
    /// Whether the subscription now covers more names that it does not list.
    pub(crate) fn adds_implicit_names(&self) -> bool {
        self.collection_added || self.wildcard == WildcardChange::Added
    }
}
