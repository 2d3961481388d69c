//! Make before break: which resources of one stream wait for others of it.
//!
//! "xDS REST and gRPC protocol", Eventual consistency considerations: what is named comes before what names it, and leaves
//! after it. References say which: a route waits for the clusters that the client is about to get; a cluster leaves when
//! the client has accepted a route without it, and all that this route names. Nothing waits for ever, and nothing that is
//! added waits for what the client did not ask for.

use std::cell::OnceCell;
use std::sync::Arc;

use hashbrown::HashSet;
use smallvec::SmallVec;

use super::replaced::used_by_retiring;
use super::state::Watch;
use crate::protocol::TypeId;
use crate::store::{Resource, View};

/// The subscriptions of a stream (without the one that is being answered), by [`TypeId::index`].
pub(crate) type Watches = [Option<Box<Watch>>; TypeId::COUNT];

/// What a client asks for because a resource of this type names it. Over delta it does not ask again when that resource
/// comes again, though it may wait for it then: Envoy warms a changed cluster until its endpoints come.
pub(crate) fn warming_dependency(type_id: TypeId) -> Option<TypeId> {
    match type_id {
        TypeId::Cluster => Some(TypeId::Endpoint),
        TypeId::Listener => Some(TypeId::Route),
        _ => None,
    }
}

/// What an answer to one type means for the other types of its stream.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What it brings that has a [`warming_dependency`].
    pub(crate) sent: SmallVec<[Arc<Resource>; 2]>,
    /// What the client was never sent, though something waited for it as long as it may.
    pub(crate) undelivered: SmallVec<[(TypeId, Arc<str>); 2]>,
}

/// What the other types of a stream mean for one of them.
pub(crate) struct Peers<'a> {
    watches: &'a Watches,
    used: OnceCell<HashSet<(TypeId, &'a str)>>,
}

impl<'a> Peers<'a> {
    pub(crate) fn new(watches: &'a Watches) -> Peers<'a> {
        Peers { watches, used: OnceCell::new() }
    }

    /// Whether the client is about to get something that `resource` names and that goes before it. `view` is of the
    /// type of the resource.
    pub(crate) fn is_blocked(&self, resource: &Resource, view: View<'_>) -> bool {
        let before = resource.refs().iter().filter(|(type_id, _)| *type_id < view.type_id);
        before.into_iter().any(|(type_id, name)| self.is_pending(*type_id, name, view))
    }

    /// The client asked for it, or may have, it is there, and the client has not taken it yet; for a cluster, also its
    /// endpoints.
    fn is_pending(&self, type_id: TypeId, name: &str, view: View<'_>) -> bool {
        let Some(watch) = &self.watches[type_id.index()] else { return false };
        let wanted = watch.covers(name) || watch.stale_request_pending;
        let Some(resource) = view.for_type(type_id).peek(name).filter(|_| wanted) else { return false };
        let mut endpoints = resource.refs().iter().filter(|(named, _)| *named == TypeId::Endpoint);
        !watch.has_received(name) || endpoints.any(|(named, name)| self.is_pending(*named, name, view))
    }

    /// What `resource` names, goes before it and was never sent to the client, which asked for it. `view` is of the type
    /// of the resource.
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

    /// Whether the client may still use something that names it.
    pub(crate) fn is_in_use(&self, type_id: TypeId, name: &str) -> bool {
        let used = || {
            let mut used = used_by_retiring(self.watches);
            used.extend(self.watches.iter().flatten().flat_map(|watch| watch.named()));
            used
        };
        self.used.get_or_init(used).contains(&(type_id, name))
    }
}
