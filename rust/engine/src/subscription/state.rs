//! What a client subscribes to: the rules of names and wildcards, for one type on one stream.
//!
//! A pure value: requests go in, what changed comes out. It does not know what is served or when answers go out.
//! "xDS REST and gRPC protocol": How the client specifies what resources to return; Unsubscribing from resources.
//! A glob collection (xRFC TP1) is a wildcard over some names: it stands beside the wildcard proper.

use std::sync::Arc;

use smallvec::SmallVec;

use super::names::{Names, Tracked};
use crate::store::Resource;
use crate::wire::{Malformed, WILDCARD, canonical_name, collection_of, is_collection, text, wildcard_name};

/// How a request moved the wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum WildcardChange {
    #[default]
    None,
    Added,
    Removed,
}

/// What a request changed.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) wildcard: WildcardChange,
    /// Names to answer, as indices: newly asked for or, in delta, asked for once more.
    pub(crate) to_answer: SmallVec<[u32; 4]>,
    /// A glob collection came.
    pub(crate) collection_added: bool,
    /// The wildcard or a glob collection stands already and was asked for once more by name (delta): all is to be sent
    /// again.
    pub(crate) resend_all: bool,
    /// Interest in names and glob collections that came (`true`) or went, in order. The wildcard is not among them.
    pub(crate) interest: SmallVec<[(bool, Arc<str>); 2]>,
    /// Names that are no longer tracked, with what was kept of them.
    pub(crate) dropped: Vec<(Arc<str>, Option<Arc<Resource>>)>,
}

impl Change {
    /// Whether it covers names that were not asked for one by one and were not covered before.
    pub(crate) fn adds_implicit_names(&self) -> bool {
        self.collection_added || self.wildcard == WildcardChange::Added
    }
}

/// A subscription and the names it tracks.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    /// Whether the type may have a wildcard at all.
    wildcard_allowed: bool,
    started: bool,
    wildcard: bool,
    /// The wildcard stands because nothing was ever asked for by name.
    legacy: bool,
    /// Glob collections, of which there are few, with the last pass that met each.
    collections: Vec<(Arc<str>, u32)>,
    pub(crate) names: Names,
}

impl Subscription {
    pub(crate) fn new(wildcard_allowed: bool) -> Subscription {
        Subscription { wildcard_allowed, ..Subscription::default() }
    }

    /// Whether no request was applied yet.
    pub(crate) fn is_new(&self) -> bool {
        !self.started
    }

    pub(crate) fn wildcard(&self) -> bool {
        self.wildcard
    }

    /// Whether it covers names that were not asked for one by one.
    pub(crate) fn has_implicit_names(&self) -> bool {
        self.wildcard || !self.collections.is_empty()
    }

    /// Whether the wildcard or a glob collection covers a name.
    pub(crate) fn is_covered_by_wildcard(&self, name: &str) -> bool {
        self.wildcard || self.is_in_collection(name)
    }

    fn is_in_collection(&self, name: &str) -> bool {
        let in_collections = |of: String| self.collections.iter().any(|(known, _)| **known == *of);
        !self.collections.is_empty() && collection_of(name).is_some_and(in_collections)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.has_implicit_names() && self.names.requested() == 0
    }

    /// How many names and collections were asked for; the wildcard is one.
    pub(crate) fn len(&self) -> usize {
        self.names.requested() + self.collections.len() + usize::from(self.wildcard)
    }

    /// Bytes of the names and collections that were asked for.
    pub(crate) fn bytes(&self) -> usize {
        self.names.requested_bytes() + self.collections.iter().map(|(name, _)| name.len()).sum::<usize>()
    }

    /// Everything of interest but the wildcard.
    pub(crate) fn interests(&self) -> impl Iterator<Item = &Arc<str>> {
        let names = self.names.iter().filter(|tracked| tracked.requested()).map(|tracked| &tracked.name);
        names.chain(self.collections.iter().map(|(name, _)| name))
    }

    /// Take out any interest, the wildcard included, when the stream ends: nothing else may be done with what is left.
    pub(crate) fn pop_interest(&mut self) -> Option<Arc<str>> {
        if std::mem::take(&mut self.wildcard) {
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

    /// State of the world: the request lists all that is wanted.
    pub(crate) fn apply_sotw<'a>(
        &mut self,
        listed: impl Iterator<Item = Result<&'a [u8], Malformed>>,
    ) -> Result<Change, Malformed> {
        let mut change = Change::default();
        let first = !std::mem::replace(&mut self.started, true);
        let pass = self.names.begin_pass();
        let (mut lists_any, mut lists_wildcard, mut seen) = (false, false, 0);
        for name in listed {
            let name = &*canonical_name(text(name?)?);
            lists_any = true;
            if name == WILDCARD {
                lists_wildcard = true;
                continue;
            }
            if is_collection(name) {
                self.add_collection(name, pass, &mut change);
                continue;
            }
            let (index, new) = self.subscribe(name, &mut change);
            let Some(tracked) = self.names.get_mut(index).filter(|tracked| tracked.pass != pass) else {
                continue;
            };
            tracked.pass = pass;
            seen += 1;
            let dropped_by_client = std::mem::take(&mut tracked.dropped_by_client);
            tracked.lacking |= dropped_by_client;
            if dropped_by_client || new {
                tracked.resend = true;
                change.to_answer.push(index);
            }
        }
        // "all requests on the stream for that resource type have had an empty resource_names": still the wildcard
        // that it was. Once anything is named, an empty list means nothing.
        self.legacy = self.wildcard_allowed && !lists_any && (first || self.legacy);
        self.set_wildcard((lists_wildcard && self.wildcard_allowed) || self.legacy, &mut change);
        let unseen = |(_, seen): &mut (Arc<str>, u32)| *seen != pass;
        let left: Vec<_> = self.collections.extract_if(.., unseen).map(|(name, _)| name).collect();
        self.remove_collections(left, &mut change);
        if seen < self.names.requested() {
            for index in self.names.indices() {
                if self.names.get(index).is_some_and(|tracked| tracked.requested() && tracked.pass != pass) {
                    self.unsubscribe(index, &mut change);
                }
            }
        }
        Ok(change)
    }

    /// State of the world: a request with an old `nonce` changes nothing. But a name that it lacks and that a later one
    /// lists was dropped by the client in between, and is wanted again, unless a later response brings it anyway.
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
        for index in self.names.indices() {
            if let Some(tracked) = self.names.get_mut(index) {
                tracked.dropped_by_client |= tracked.pass != pass && tracked.sent_in <= nonce;
            }
        }
        Ok(())
    }

    /// Delta: the request lists what comes and what goes. A name in both lists goes: discovery.proto names the adding
    /// first.
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
            } else if name != WILDCARD {
                // "the server must respond with all resources listed in resource_names_subscribe, even if it
                // believes the client has the most recent version of them"
                let (index, _) = self.subscribe(name, &mut change);
                change.to_answer.push(index);
            } else if self.wildcard && !self.legacy {
                change.resend_all = true;
            } else if self.wildcard_allowed {
                self.set_wildcard(true, &mut change);
                self.legacy = false;
            }
        }
        for name in unsubscribe {
            let name = &*canonical_name(text(name?)?);
            unsubscribes = true;
            if name == WILDCARD {
                self.set_wildcard(false, &mut change);
            } else if let Some(position) = self.collections.iter().position(|(known, _)| **known == *name) {
                let (left, _) = self.collections.swap_remove(position);
                self.remove_collections(vec![left], &mut change);
            } else if let Some(index) = self.names.find(name) {
                // "the server must send a response that includes the specific resource in either the
                // removed_resources field or in the resources field": the client cannot know if the wildcard has it.
                if self.unsubscribe(index, &mut change) && self.is_covered_by_wildcard(name) {
                    change.to_answer.push(index);
                }
            }
        }
        if first && self.wildcard_allowed && !subscribes && !unsubscribes {
            self.set_wildcard(true, &mut change);
            self.legacy = true;
        }
        self.legacy &= self.wildcard && !subscribes;
        Ok(change)
    }

    /// Returns the index of the name and whether it was not asked for before.
    fn subscribe(&mut self, name: &str, change: &mut Change) -> (u32, bool) {
        let index = self.names.track(name, || name.into());
        match self.names.get(index).filter(|tracked| !tracked.requested()) {
            Some(tracked) => {
                change.interest.push((true, Arc::clone(&tracked.name)));
                self.names.set_requested(index, true);
                (index, true)
            }
            None => (index, false),
        }
    }

    /// Returns whether the name had been asked for.
    fn unsubscribe(&mut self, index: u32, change: &mut Change) -> bool {
        let Some(tracked) = self.names.get(index).filter(|tracked| tracked.requested()) else { return false };
        let name = Arc::clone(&tracked.name);
        change.interest.push((false, Arc::clone(&name)));
        self.names.set_requested(index, false);
        self.names.set_unanswered(index, false);
        if self.is_covered_by_wildcard(&name) {
            // What has no answer was kept for who asked for it by name, and is not part of the wildcard.
            self.names.mark_dirty(index);
        } else {
            change.dropped.extend(self.names.remove(index));
        }
        true
    }

    /// A glob collection is asked for; `pass` marks it as met.
    fn add_collection(&mut self, name: &str, pass: u32, change: &mut Change) {
        if let Some((_, seen)) = self.collections.iter_mut().find(|(known, _)| **known == *name) {
            *seen = pass;
            change.resend_all = true;
            return;
        }
        let name: Arc<str> = name.into();
        change.interest.push((true, Arc::clone(&name)));
        change.collection_added = true;
        self.collections.push((name, pass));
    }

    /// These collections, taken out already, are no longer wanted, nor what only they covered.
    fn remove_collections(&mut self, collections: Vec<Arc<str>>, change: &mut Change) {
        if !collections.is_empty() {
            change.interest.extend(collections.into_iter().map(|name| (false, name)));
            self.drop_uncovered(change);
        }
    }

    fn set_wildcard(&mut self, wildcard: bool, change: &mut Change) {
        if self.wildcard == wildcard {
            return;
        }
        self.wildcard = wildcard;
        if wildcard {
            change.wildcard = WildcardChange::Added;
            return;
        }
        change.wildcard = WildcardChange::Removed;
        self.drop_uncovered(change);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<'a>(names: &'a [&'a str]) -> impl Iterator<Item = Result<&'a [u8], Malformed>> {
        names.iter().map(|name| Ok(name.as_bytes()))
    }

    /// Wildcard or not, and the names, after a request.
    fn state(subscription: &Subscription) -> (bool, Vec<String>) {
        let mut names: Vec<String> = subscription.interests().map(|name| name.to_string()).collect();
        names.sort_unstable();
        (subscription.wildcard(), names)
    }

    fn to_answer(subscription: &Subscription, change: &Change) -> Vec<String> {
        let tracked = |&index| subscription.names.get(index).expect("a name that is tracked");
        change.to_answer.iter().map(|index| tracked(index).name.to_string()).collect()
    }

    type SotwStep<'a> = (&'a [&'a str], bool, &'a [&'a str], WildcardChange, &'a [&'a str]);

    /// Each step: names in the request; then wildcard, names, how the wildcard moved, what is to be answered.
    #[test]
    fn sotw_requests_step_by_step() {
        use WildcardChange::{Added, None, Removed};
        let table: [(&str, bool, &[SotwStep<'_>]); 5] = [
            (
                "the specification's example",
                true,
                &[
                    (&[], true, &[], Added, &[]),
                    (&[], true, &[], None, &[]),
                    (&["*", "A"], true, &["A"], None, &["A"]),
                    (&["A"], false, &["A"], Removed, &[]),
                    (&[], false, &[], None, &[]),
                    (&[], false, &[], None, &[]),
                ],
            ),
            (
                "names, then none, then names",
                true,
                &[
                    (&["A", "B"], false, &["A", "B"], None, &["A", "B"]),
                    (&["B", "C"], false, &["B", "C"], None, &["C"]),
                    (&[], false, &[], None, &[]),
                    (&["B"], false, &["B"], None, &["B"]),
                ],
            ),
            (
                "the star comes, goes and comes",
                true,
                &[
                    (&["*"], true, &[], Added, &[]),
                    (&[], false, &[], Removed, &[]),
                    (&["*"], true, &[], Added, &[]),
                ],
            ),
            (
                "from legacy to names alone",
                true,
                &[(&[], true, &[], Added, &[]), (&["A"], false, &["A"], Removed, &["A"])],
            ),
            (
                "a type without wildcard",
                false,
                &[
                    (&[], false, &[], None, &[]),
                    (&["*"], false, &[], None, &[]),
                    (&["*", "A"], false, &["A"], None, &["A"]),
                ],
            ),
        ];
        for (title, wildcard_allowed, steps) in table {
            let mut subscription = Subscription::new(wildcard_allowed);
            for (names, wildcard, requested, moved, answered) in steps {
                let change = subscription.apply_sotw(bytes(names)).unwrap();
                assert_eq!(
                    state(&subscription),
                    (*wildcard, requested.iter().map(|n| n.to_string()).collect()),
                    "{title}: {names:?}"
                );
                assert_eq!(change.wildcard, *moved, "{title}: {names:?}");
                assert_eq!(to_answer(&subscription, &change), *answered, "{title}: {names:?}");
            }
        }
    }

    /// How a request moved the wildcard, or that all of it is to be sent again.
    #[derive(Debug, PartialEq)]
    enum Moved {
        None,
        Added,
        Again,
        Removed,
    }

    impl Moved {
        fn of(change: &Change) -> Moved {
            match change.wildcard {
                WildcardChange::None if change.resend_all => Moved::Again,
                WildcardChange::None => Moved::None,
                WildcardChange::Added => Moved::Added,
                WildcardChange::Removed => Moved::Removed,
            }
        }
    }

    type DeltaStep<'a> = (&'a [&'a str], &'a [&'a str], bool, &'a [&'a str], Moved, &'a [&'a str]);

    /// Each step: names that come and go; then wildcard, names, how the wildcard moved, what is to be answered.
    #[test]
    fn delta_requests_step_by_step() {
        use Moved::{Added, Again, None, Removed};
        let table: [(&str, bool, &[DeltaStep<'_>]); 10] = [
            ("the star twice at once", true, &[(&["*", "*"], &[], true, &[], Added, &[])]),
            (
                "the specification's example",
                true,
                &[
                    (&[], &[], true, &[], Added, &[]),
                    (&["A"], &[], true, &["A"], None, &["A"]),
                    (&[], &["*"], false, &["A"], Removed, &[]),
                    (&[], &["A"], false, &[], None, &[]),
                    (&[], &[], false, &[], None, &[]),
                ],
            ),
            (
                "the star by name",
                true,
                &[
                    (&["*"], &[], true, &[], Added, &[]),
                    (&["*"], &[], true, &[], Again, &[]),
                    (&[], &["*"], false, &[], Removed, &[]),
                    (&[], &["*"], false, &[], None, &[]),
                ],
            ),
            (
                "legacy, then the star by name: it goes on",
                true,
                &[
                    (&[], &[], true, &[], Added, &[]),
                    (&["*", "A"], &[], true, &["A"], None, &["A"]),
                    (&["*"], &[], true, &["A"], Again, &[]),
                ],
            ),
            (
                "legacy, then a name, then the star by name: it is asked for once more",
                true,
                &[
                    (&[], &[], true, &[], Added, &[]),
                    (&["A"], &[], true, &["A"], None, &["A"]),
                    (&["*"], &[], true, &["A"], Again, &[]),
                ],
            ),
            (
                "legacy, then the star twice at once: once it goes on, once it is asked for",
                true,
                &[(&[], &[], true, &[], Added, &[]), (&["*", "*"], &[], true, &[], Again, &[])],
            ),
            (
                "legacy, then a name leaves that never came",
                true,
                &[
                    (&[], &[], true, &[], Added, &[]),
                    (&[], &["A"], true, &[], None, &[]),
                    (&["*"], &[], true, &[], None, &[]),
                    (&["*"], &[], true, &[], Again, &[]),
                ],
            ),
            (
                "a name left to the wildcard is answered",
                true,
                &[
                    (&["*", "A"], &[], true, &["A"], Added, &["A"]),
                    (&["B"], &["A", "phantom"], true, &["B"], None, &["B", "A"]),
                ],
            ),
            (
                "unsubscribing first is no wildcard",
                true,
                &[(&[], &["A"], false, &[], None, &[]), (&[], &[], false, &[], None, &[])],
            ),
            (
                "a type without wildcard",
                false,
                &[
                    (&[], &[], false, &[], None, &[]),
                    (&["*", "A"], &[], false, &["A"], None, &["A"]),
                    (&["A"], &[], false, &["A"], None, &["A"]),
                    (&["B"], &["A"], false, &["B"], None, &["B"]),
                ],
            ),
        ];
        for (title, wildcard_allowed, steps) in table {
            let mut subscription = Subscription::new(wildcard_allowed);
            for (subscribe, unsubscribe, wildcard, requested, moved, answered) in steps {
                let step = format!("{title}: {subscribe:?} {unsubscribe:?}");
                let change = subscription.apply_delta(bytes(subscribe), bytes(unsubscribe)).unwrap();
                assert_eq!(
                    state(&subscription),
                    (*wildcard, requested.iter().map(|n| n.to_string()).collect()),
                    "{step}"
                );
                assert_eq!(Moved::of(&change), *moved, "{step}");
                assert_eq!(to_answer(&subscription, &change), *answered, "{step}");
            }
        }
    }

    #[test]
    fn interest_changes_come_in_order() {
        let mut subscription = Subscription::new(true);
        let change = subscription.apply_delta(bytes(&["A", "A", "B"]), bytes(&["A"])).unwrap();
        let told: Vec<(bool, &str)> = change.interest.iter().map(|(came, name)| (*came, &**name)).collect();
        assert_eq!(told, [(true, "A"), (true, "B"), (false, "A")]);
    }

    #[test]
    fn names_must_be_text() {
        let broken = || std::iter::once(Ok([0xff].as_slice()));
        assert_eq!(Subscription::new(true).apply_sotw(broken()).unwrap_err(), Malformed);
        assert_eq!(Subscription::new(true).apply_delta(broken(), bytes(&[])).unwrap_err(), Malformed);
    }
}
