//! Make before break: which resources of one stream wait for others of it.
//!
//! "xDS REST and gRPC protocol", Eventual consistency considerations: what is named comes before what names it, and leaves
//! after it. References say which: a route waits for the clusters that the client is about to get; a cluster leaves when
//! the client has accepted a route without it, and all that this route names. Nothing waits for ever, and nothing that is
//! added waits for what the client did not ask for.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::answer::Turn;
use crate::names::Names;
use crate::settle::named_by_retiring;
use crate::watch::{View, Watch};
use crate::{Lookup, Resource, TypeId};

/// The subscriptions of a stream (without the one that is being answered), by [`TypeId::index`].
pub(crate) type Watches = [Option<Box<Watch>>; TypeId::COUNT];

/// What a client asks for because a resource of this type names it. Over delta it does not ask again when that resource
/// comes again, though it may wait for it then: Envoy warms a changed cluster until its endpoints come.
pub(crate) fn follower(type_id: TypeId) -> Option<TypeId> {
    match type_id {
        TypeId::Cluster => Some(TypeId::Endpoint),
        TypeId::Listener => Some(TypeId::Route),
        _ => None,
    }
}

/// What an answer to one type means for the other types of its stream.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What it brings that has a [`follower`].
    pub(crate) sent: SmallVec<[Arc<Resource>; 2]>,
    /// What the client was never sent, though something waited for it as long as it may.
    pub(crate) lacking: SmallVec<[(TypeId, Arc<str>); 2]>,
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
    pub(crate) fn are_awaited(&self, resource: &Resource, view: View<'_>) -> bool {
        let before = resource.refs().iter().filter(|(type_id, _)| *type_id < view.type_id);
        before.into_iter().any(|(type_id, name)| self.is_coming(*type_id, name, view))
    }

    /// The client asked for it, or may have, it is there, and the client has not taken it yet; for a cluster, also its
    /// endpoints.
    fn is_coming(&self, type_id: TypeId, name: &str, view: View<'_>) -> bool {
        let Some(watch) = &self.watches[type_id.index()] else { return false };
        let wanted = watch.covers(name) || watch.unheard;
        let Some(resource) = view.of(type_id).peek(name).filter(|_| wanted) else { return false };
        let mut endpoints = resource.refs().iter().filter(|(named, _)| *named == TypeId::Endpoint);
        !watch.has_taken(name) || endpoints.any(|(named, name)| self.is_coming(*named, name, view))
    }

    /// What `resource` names, goes before it and was never sent to the client, which asked for it. `view` is of the type
    /// of the resource.
    fn lacking<'r>(
        &self,
        resource: &'r Resource,
        view: View<'_>,
    ) -> impl Iterator<Item = &'r (TypeId, Arc<str>)> {
        let before = resource.refs().iter().filter(move |(type_id, _)| *type_id < view.type_id);
        before.filter(move |(type_id, name)| {
            let watch = self.watches[type_id.index()].as_ref();
            watch.is_some_and(|watch| watch.covers(name) && !watch.holds(name))
                && view.of(*type_id).peek(name).is_some()
        })
    }

    /// Whether the client may still use something that names it.
    pub(crate) fn use_it(&self, type_id: TypeId, name: &str) -> bool {
        let used = || {
            let mut used = named_by_retiring(self.watches);
            used.extend(self.watches.iter().flatten().flat_map(|watch| watch.named()));
            used
        };
        self.used.get_or_init(used).contains(&(type_id, name))
    }
}

impl<'a> View<'a> {
    fn of(self, type_id: TypeId) -> View<'a> {
        View { type_id, ..self }
    }

    /// The resource, without counting it as withheld when it is.
    fn peek(self, name: &str) -> Option<&'a Resource> {
        match self.store.lookup(self.type_id, name, self.audience) {
            Lookup::Found(resource) => {
                Some(&**resource).filter(|resource| self.grant.admits(resource.scope()))
            }
            Lookup::Absent(_) | Lookup::Unanswered => None,
        }
    }
}

/// Names of one type that wait for others, by their index, each with the time when it waits no longer.
#[derive(Debug, Default)]
pub(crate) struct Waiting(HashMap<u32, Duration>);

impl Waiting {
    /// Whether the name waits (on): `must` says if there is anything to wait for.
    pub(crate) fn holds(
        &mut self,
        index: u32,
        (now, patience): (Duration, Duration),
        must: impl FnOnce() -> bool,
    ) -> bool {
        let until = self.0.get(&index).copied().unwrap_or(now + patience);
        if until <= now || !must() {
            self.0.remove(&index);
            return false;
        }
        self.0.insert(index, until);
        true
    }

    /// Whether a resource waits (on) for what it names. Time ends that only once all of it was sent: a route to a cluster
    /// that the client does not have makes every call fail.
    pub(crate) fn holds_back(
        &mut self,
        index: u32,
        resource: &Resource,
        turn: &Turn<'_>,
        lacking: &mut SmallVec<[(TypeId, Arc<str>); 2]>,
    ) -> bool {
        let until = self.0.get(&index).copied();
        if self.holds(index, turn.patience(), || turn.peers.are_awaited(resource, turn.view)) {
            return true;
        }
        // It was held before, so its time is up, or there is nothing left to wait for.
        let Some(until) = until else { return false };
        let before = lacking.len();
        lacking.extend(turn.peers.lacking(resource, turn.view).cloned());
        let lacks = lacking.len() > before;
        if lacks {
            self.0.insert(index, until);
        }
        lacks
    }

    /// Whether some wait was as long as it may be.
    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        self.deadlines().any(|due| due <= now)
    }

    /// Names that are no longer tracked wait for nothing; others may get their indices.
    pub(crate) fn forget_lost(&mut self, names: &Names) {
        self.0.retain(|index, _| names.get(*index).is_some());
    }

    pub(crate) fn forget(&mut self, index: u32) {
        self.0.remove(&index);
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.keys().copied()
    }

    /// When each waits no longer.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Duration> + '_ {
        self.0.values().copied()
    }
}
