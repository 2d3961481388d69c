//! The store as one stream sees it.

use std::cell::Cell;
use std::sync::Arc;

use super::grant::{Grant, withheld};
use super::resource::Resource;
use super::table::{Lookup, Store};
use crate::protocol::TypeId;

/// The store as one stream sees it, for one type.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) store: &'a Store,
    pub(crate) audience: &'a str,
    pub(crate) grant: &'a Grant,
    /// Counts lookups of resources that the grant does not admit.
    pub(crate) denied: &'a Cell<u64>,
    pub(crate) type_id: TypeId,
}

impl<'a> View<'a> {
    pub(crate) fn lookup(self, name: &str) -> Lookup<'a> {
        match self.store.lookup(self.type_id, name, self.audience) {
            Lookup::Present(resource) if !self.grant.admits(resource.scope()) => {
                self.denied.set(self.denied.get() + 1);
                Lookup::Absent(withheld())
            }
            other => other,
        }
    }

    /// Every resource of the type that the stream sees, in no particular order.
    pub(crate) fn visible(self) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<Resource>)> {
        let all = self.store.visible(self.type_id, self.audience);
        all.filter(move |(_, resource)| self.grant.admits(resource.scope()))
    }

    /// Whether there is a resource that the client may not see. Not counted as denied.
    pub(crate) fn is_denied(self, name: &str) -> bool {
        match self.store.lookup(self.type_id, name, self.audience) {
            Lookup::Present(resource) => !self.grant.admits(resource.scope()),
            Lookup::Absent(reason) => reason.denied,
            Lookup::Unanswered => false,
        }
    }

    pub(crate) fn is_complete(self) -> bool {
        self.store.is_complete(self.type_id, self.audience)
    }

    pub(crate) fn for_type(self, type_id: TypeId) -> View<'a> {
        View { type_id, ..self }
    }

    /// The resource. Not counted as denied when the grant does not admit it.
    pub(crate) fn peek(self, name: &str) -> Option<&'a Resource> {
        match self.store.lookup(self.type_id, name, self.audience) {
            Lookup::Present(resource) => {
                Some(&**resource).filter(|resource| self.grant.admits(resource.scope()))
            }
            Lookup::Absent(_) | Lookup::Unanswered => None,
        }
    }
}
