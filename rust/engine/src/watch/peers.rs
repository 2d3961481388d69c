//! Make before break: the order among the resources of one stream.
//!
//! "xDS REST and gRPC protocol", Eventual consistency considerations: a resource is sent before those that name it, and
//! removed after them. References decide: a route waits for the clusters that the client is about to receive; a cluster
//! is removed when the client has accepted a route without it and all that this route names. Every wait has a deadline,
//! and no new resource waits for one that the client did not subscribe to.

use std::cell::OnceCell;
use std::sync::Arc;

use hashbrown::HashSet;

use super::replaced::used_by_retiring;
use super::state::Watches;
use crate::protocol::TypeId;
use crate::store::{Resource, View};

/// The other types of a stream, as one type depends on them.
pub(crate) struct Peers<'a> {
    watches: &'a Watches,
    used: OnceCell<HashSet<(TypeId, &'a str)>>,
}

impl<'a> Peers<'a> {
    pub(crate) fn new(watches: &'a Watches) -> Peers<'a> {
        Peers { watches, used: OnceCell::new() }
    }

    /// Whether the client is about to receive a resource that `resource` names and that is sent before it. `view` is of
    /// the type of `resource`.
    pub(crate) fn is_blocked(&self, resource: &Resource, view: View<'_>) -> bool {
        let mut before = resource.refs().iter().filter(|(type_id, _)| *type_id < view.type_id);
        before.any(|(type_id, name)| self.is_pending(*type_id, name, view))
    }

    /// Whether the client is subscribed to the name (or may be), the resource exists and the client has not answered
    /// it; for a cluster, also its endpoints.
    fn is_pending(&self, type_id: TypeId, name: &str, view: View<'_>) -> bool {
        let Some(watch) = &self.watches[type_id.index()] else { return false };
        let wanted = watch.covers(name) || watch.stale_request_pending;
        let Some(resource) = view.for_type(type_id).peek(name).filter(|_| wanted) else { return false };
        let mut endpoints = resource.refs().iter().filter(|(named, _)| *named == TypeId::Endpoint);
        !watch.has_received(name) || endpoints.any(|(named, name)| self.is_pending(*named, name, view))
    }

    /// The resources that `resource` names, that are sent before it and that the client subscribed to and was never
    /// sent. `view` is of the type of `resource`.
    pub(crate) fn undelivered<'r>(
        &self,
        resource: &'r Resource,
        view: View<'_>,
    ) -> impl Iterator<Item = &'r (TypeId, Arc<str>)> {
        let before = resource.refs().iter().filter(move |(type_id, _)| *type_id < view.type_id);
        before.filter(move |(type_id, name)| {
            let watch = self.watches[type_id.index()].as_ref();
            watch.is_some_and(|watch| watch.covers(name) && !watch.holds(name))
                && view.for_type(*type_id).peek(name).is_some()
        })
    }

    /// Whether the client may still use a resource that names it.
    pub(crate) fn is_in_use(&self, type_id: TypeId, name: &str) -> bool {
        let used = || {
            let mut used = used_by_retiring(self.watches);
            used.extend(self.watches.iter().flatten().flat_map(|watch| watch.named()));
            used
        };
        self.used.get_or_init(used).contains(&(type_id, name))
    }
}
