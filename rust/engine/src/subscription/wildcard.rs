//! The wildcard of one subscription.

use super::WildcardChange;

/// State of the wildcard. "xDS REST and gRPC protocol": How the client specifies what resources to return.
///
/// ```text
///                 first request without names
///          ┌────────────────────────────────────────▶ Legacy
///          │                                            │ subscribes to `*`, or (delta) to any name
///        None ◀── request that lists other names alone ─┤
///        │  ▲                                           │
///    `*` │  │ `*` unsubscribed, or no longer listed     │
///        ▼  │                                           │
///      Explicit ◀───────────────────────────────────────┘
///
///      NotAllowed: the type has no wildcard; never left
/// ```
///
/// State of the world: a legacy wildcard ends when a request lists any name. Delta: it becomes explicit then, because
/// only `resource_names_unsubscribe` ends a delta subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Wildcard {
    /// The type has no wildcard subscriptions ([`crate::TypeId::allows_wildcard`]).
    #[default]
    NotAllowed,
    /// Only listed names and glob collections.
    None,
    /// No request has listed a name yet: everything.
    Legacy,
    /// `*` was listed: everything.
    Explicit,
}

impl Wildcard {
    /// Before the first request.
    pub(super) fn new(allowed: bool) -> Wildcard {
        if allowed { Wildcard::None } else { Wildcard::NotAllowed }
    }

    /// Whether every resource of the type is subscribed.
    pub(super) fn is_set(self) -> bool {
        matches!(self, Wildcard::Legacy | Wildcard::Explicit)
    }

    /// State of the world: the wildcard after a request with or without names, `*` among them or not.
    pub(super) fn after_sotw_request(self, first: bool, lists_names: bool, lists_wildcard: bool) -> Wildcard {
        match self {
            Wildcard::NotAllowed => Wildcard::NotAllowed,
            _ if lists_wildcard => Wildcard::Explicit,
            // "all requests on the stream for that resource type have had an empty resource_names"
            Wildcard::Legacy if !lists_names => Wildcard::Legacy,
            Wildcard::None if first && !lists_names => Wildcard::Legacy,
            _ => Wildcard::None,
        }
    }

    /// How a wildcard changed that was `self` and is `next`.
    pub(super) fn change_to(self, next: Wildcard) -> WildcardChange {
        match (self.is_set(), next.is_set()) {
            (false, true) => WildcardChange::Added,
            (true, false) => WildcardChange::Removed,
            _ => WildcardChange::None,
        }
    }
}
