//! The rules of names and wildcards. "xDS REST and gRPC protocol": How the client specifies what resources to return;
//! Unsubscribing from resources.
//!
//! A glob collection (xRFC TP1) is a wildcard over some names, independent of the wildcard `*`.

use std::sync::Arc;

use super::change::{Change, WildcardChange};
use super::names::Names;
use super::tracked::{ClientCopy, Resend, Tracked};
use super::wildcard::Wildcard;
use crate::wire::{Malformed, WILDCARD, canonical_name, collection_of, is_collection, text, wildcard_name};

/// A subscription and the names that it tracks.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    started: bool,
    wildcard: Wildcard,
    /// Glob collections (there are few), each with the last pass that saw it.
    collections: Vec<(Arc<str>, u32)>,
    pub(crate) names: Names,
}

impl Subscription {
    pub(crate) fn new(wildcard_allowed: bool) -> Subscription {
        Subscription { wildcard: Wildcard::new(wildcard_allowed), ..Subscription::default() }
    }

    /// Whether no request was applied yet.
    pub(crate) fn is_new(&self) -> bool {
        !self.started
    }

    pub(crate) fn wildcard(&self) -> bool {
        self.wildcard.is_set()
    }

    /// Whether it covers names that it does not list: by the wildcard or a glob collection.
    pub(crate) fn has_implicit_names(&self) -> bool {
        self.wildcard() || !self.collections.is_empty()
    }

    /// Whether the wildcard or a glob collection covers a name.
    pub(crate) fn is_covered_by_wildcard(&self, name: &str) -> bool {
        self.wildcard() || self.is_in_collection(name)
    }

    fn is_in_collection(&self, name: &str) -> bool {
        let is_subscribed = |collection: String| self.collections.iter().any(|(own, _)| **own == *collection);
        !self.collections.is_empty() && collection_of(name).is_some_and(is_subscribed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.has_implicit_names() && self.names.requested() == 0
    }

    /// Number of requested names and collections; the wildcard counts as one.
    pub(crate) fn len(&self) -> usize {
        self.names.requested() + self.collections.len() + usize::from(self.wildcard())
    }

    /// Bytes of the requested names and collections.
    pub(crate) fn bytes(&self) -> usize {
        self.names.requested_bytes() + self.collections.iter().map(|(name, _)| name.len()).sum::<usize>()
    }

    /// The requested names and collections, without the wildcard.
    pub(crate) fn interests(&self) -> impl Iterator<Item = &Arc<str>> {
        let names = self.names.iter().filter(|tracked| tracked.requested()).map(|tracked| &tracked.name);
        names.chain(self.collections())
    }

    /// The glob collections.
    pub(crate) fn collections(&self) -> impl Iterator<Item = &Arc<str>> {
        self.collections.iter().map(|(name, _)| name)
    }

    /// Take any interest, the wildcard included, out of a subscription that has ended. No other method may be called
    /// afterwards.
    pub(crate) fn pop_interest(&mut self) -> Option<Arc<str>> {
        if self.wildcard() {
            self.wildcard = Wildcard::None;
            return Some(Arc::clone(wildcard_name()));
        }
        if let Some((name, _)) = self.collections.pop() {
            return Some(name);
        }
        while let Some(tracked) = self.names.pop() {
            if tracked.requested() {
                return Some(tracked.name);
            }
        }
        None
    }

    /// State of the world: the request lists all names of the subscription.
    pub(crate) fn apply_sotw<'a>(
        &mut self,
        listed: impl Iterator<Item = Result<&'a [u8], Malformed>>,
    ) -> Result<Change, Malformed> {
        let mut change = Change::default();
        let first = !std::mem::replace(&mut self.started, true);
        let pass = self.names.begin_pass();
        let (mut lists_names, mut lists_wildcard, mut seen) = (false, false, 0);
        for name in listed {
            let name = &*canonical_name(text(name?)?);
            lists_names = true;
            if name == WILDCARD {
                lists_wildcard = true;
            } else if is_collection(name) {
                self.add_collection(name, pass, &mut change);
            } else if self.list_name(name, pass, &mut change) {
                seen += 1;
            }
        }
        let wildcard = self.wildcard.after_sotw_request(first, lists_names, lists_wildcard);
        self.set_wildcard(wildcard, &mut change);
        let unseen = |(_, seen): &mut (Arc<str>, u32)| *seen != pass;
        let removed: Vec<_> = self.collections.extract_if(.., unseen).map(|(name, _)| name).collect();
        self.remove_collections(removed, &mut change);
        if seen < self.names.requested() {
            for index in self.names.indices() {
                if self.names.get(index).is_some_and(|tracked| tracked.requested() && tracked.pass != pass) {
                    self.unsubscribe(index, &mut change);
                }
            }
        }
        Ok(change)
    }

    /// State of the world: a request lists a name. Returns whether the pass sees it for the first time.
    fn list_name(&mut self, name: &str, pass: u32, change: &mut Change) -> bool {
        let (index, new) = self.subscribe(name, change);
        let Some(tracked) = self.names.get_mut(index).filter(|tracked| tracked.pass != pass) else {
            return false;
        };
        tracked.pass = pass;
        let dropped = tracked.copy == ClientCopy::Dropped;
        if dropped {
            tracked.copy = ClientCopy::Lacking;
        }
        if dropped || new {
            tracked.resend = Resend::Now;
            change.to_answer.push(index);
        }
        true
    }

    /// State of the world: a request with a stale `nonce` changes nothing. But the client dropped a name that is
    /// missing from it, and lacks the resource until a later response brings it. Without such a response it must be
    /// sent again when a later request lists it.
    pub(crate) fn note_stale_request<'a>(
        &mut self,
        listed: impl Iterator<Item = Result<&'a [u8], Malformed>>,
        nonce: u64,
    ) -> Result<(), Malformed> {
        let pass = self.names.begin_pass();
        for name in listed {
            let index = self.names.find(&canonical_name(text(name?)?));
            if let Some(tracked) = index.and_then(|index| self.names.get_mut(index)) {
                tracked.pass = pass;
            }
        }
        for tracked in self.names.iter_mut().filter(|tracked| tracked.requested() && tracked.pass != pass) {
            tracked.note_dropped(nonce);
        }
        Ok(())
    }

    /// Delta: the request lists names to add and to remove. A name in both lists is removed: discovery.proto names
    /// `resource_names_subscribe` first.
    pub(crate) fn apply_delta<'a>(
        &mut self,
        subscribe: impl Iterator<Item = Result<&'a [u8], Malformed>>,
        unsubscribe: impl Iterator<Item = Result<&'a [u8], Malformed>>,
    ) -> Result<Change, Malformed> {
        let mut change = Change::default();
        let first = !std::mem::replace(&mut self.started, true);
        let (mut subscribes, mut unsubscribes) = (false, false);
        for name in subscribe {
            let name = &*canonical_name(text(name?)?);
            subscribes = true;
            if is_collection(name) {
                self.add_collection(name, 0, &mut change);
            } else if name == WILDCARD {
                self.subscribe_wildcard(&mut change);
            } else {
                // "the server must respond with all resources listed in resource_names_subscribe, even if it
                // believes the client has the most recent version of them"
                let (index, _) = self.subscribe(name, &mut change);
                change.to_answer.push(index);
            }
        }
        for name in unsubscribe {
            let name = &*canonical_name(text(name?)?);
            unsubscribes = true;
            self.unsubscribe_name(name, &mut change);
        }
        match self.wildcard {
            Wildcard::None if first && !subscribes && !unsubscribes => {
                self.set_wildcard(Wildcard::Legacy, &mut change);
            }
            Wildcard::Legacy if subscribes => self.wildcard = Wildcard::Explicit,
            _ => {}
        }
        Ok(change)
    }

    /// Delta: a request subscribes to `*`.
    fn subscribe_wildcard(&mut self, change: &mut Change) {
        match self.wildcard {
            Wildcard::NotAllowed => {}
            Wildcard::Explicit => change.resend_all = true,
            Wildcard::None | Wildcard::Legacy => self.set_wildcard(Wildcard::Explicit, change),
        }
    }

    /// Delta: a request unsubscribes from a name, a glob collection or `*`.
    fn unsubscribe_name(&mut self, name: &str, change: &mut Change) {
        if name == WILDCARD {
            if self.wildcard() {
                self.set_wildcard(Wildcard::None, change);
            }
        } else if let Some(position) = self.collections.iter().position(|(own, _)| **own == *name) {
            let (removed, _) = self.collections.swap_remove(position);
            self.remove_collections(vec![removed], change);
        } else if let Some(index) = self.names.find(name) {
            // "the server must send a response that includes the specific resource in either the
            // removed_resources field or in the resources field": the client cannot know if the wildcard has it.
            if self.unsubscribe(index, change) && self.is_covered_by_wildcard(name) {
                change.to_answer.push(index);
            }
        }
    }

    /// Returns the index of the name and whether it was not requested before.
    fn subscribe(&mut self, name: &str, change: &mut Change) -> (u32, bool) {
        let index = self.names.track(name, || name.into());
        match self.names.get(index).filter(|tracked| !tracked.requested()) {
            Some(tracked) => {
                change.interest.push((true, Arc::clone(&tracked.name)));
                self.names.request(index);
                (index, true)
            }
            None => (index, false),
        }
    }

    /// Returns whether the name was requested.
    fn unsubscribe(&mut self, index: u32, change: &mut Change) -> bool {
        let Some(tracked) = self.names.get(index).filter(|tracked| tracked.requested()) else { return false };
        let name = Arc::clone(&tracked.name);
        change.interest.push((false, Arc::clone(&name)));
        self.names.release(index);
        if self.is_covered_by_wildcard(&name) {
            // A requested name keeps a resource without an entry in the store; the wildcard does not.
            self.names.mark_dirty(index);
        } else {
            change.dropped.extend(self.names.remove(index));
        }
        true
    }

    /// A request lists a glob collection; `pass` marks it as seen.
    fn add_collection(&mut self, name: &str, pass: u32, change: &mut Change) {
        if let Some((_, seen)) = self.collections.iter_mut().find(|(own, _)| **own == *name) {
            *seen = pass;
            change.resend_all = true;
            return;
        }
        let name: Arc<str> = name.into();
        change.interest.push((true, Arc::clone(&name)));
        change.collection_added = true;
        self.collections.push((name, pass));
    }

    /// Report collections as removed that were taken out already, and drop the names that only they covered.
    fn remove_collections(&mut self, removed: Vec<Arc<str>>, change: &mut Change) {
        if !removed.is_empty() {
            change.interest.extend(removed.into_iter().map(|name| (false, name)));
            self.drop_uncovered(change);
        }
    }

    fn set_wildcard(&mut self, next: Wildcard, change: &mut Change) {
        let wildcard_change = self.wildcard.change_to(next);
        self.wildcard = next;
        if wildcard_change != WildcardChange::None {
            change.wildcard = wildcard_change;
        }
        if wildcard_change == WildcardChange::Removed {
            self.drop_uncovered(change);
        }
    }

    fn drop_uncovered(&mut self, change: &mut Change) {
        for index in self.names.indices() {
            let covered =
                |tracked: &Tracked| tracked.requested() || self.is_covered_by_wildcard(&tracked.name);
            if self.names.get(index).is_some_and(|tracked| !covered(tracked)) {
                change.dropped.extend(self.names.remove(index));
            }
        }
    }
}
