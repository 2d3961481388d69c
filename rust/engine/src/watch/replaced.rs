//! When a client can no longer use a replaced resource: it has accepted all that the replacement names, and all other
//! parts of the configuration that the replacement belongs to.
//!
//! The client may not have subscribed to all of it yet: a proxyless client learns a route from the listener and a
//! cluster from the route. Names that the store has, or for which it has no entry yet, are expected to arrive.
//! [`crate::StreamOptions::make_before_break_timeout`] bounds that wait; a NACK does not end it.
//!
//! A client switches all parts at once (gRFC A74): it uses the replaced assignment of a cluster until it has all that the
//! route to the cluster names.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;

use super::state::{Watch, Watches};
use crate::protocol::TypeId;
use crate::store::{Lookup, Resource, View};

/// Drop the retiring resources that the client can no longer use. `view` is of any type.
pub(crate) fn release_replaced(watches: &mut Watches, view: View<'_>, now: Duration) {
    let accepted: Vec<(TypeId, Arc<str>)> = {
        let replacements = Replacements { watches, view, incomplete: OnceCell::new() };
        let replaced = expirable(watches, |watch| watch.retiring.accepted());
        replaced.filter(|(type_id, name)| replacements.are_accepted(*type_id, name)).collect()
    };
    for (type_id, name) in accepted {
        watches[type_id.index()].iter_mut().for_each(|watch| watch.retiring.release(&name));
    }
    watches.iter_mut().flatten().for_each(|watch| watch.retiring.expire(now));
    let unused: Vec<(TypeId, Arc<str>)> = {
        let named = used_by_retiring(watches);
        let indirect = expirable(watches, |watch| watch.retiring.indirect_names());
        indirect.filter(|(type_id, name)| !named.contains(&(*type_id, &**name))).collect()
    };
    for (type_id, name) in unused {
        watches[type_id.index()].iter_mut().for_each(|watch| watch.retiring.forget_indirect(&name));
    }
}

/// The names that retiring resources use, directly or through resources that are in use as parts of them.
pub(crate) fn used_by_retiring(watches: &Watches) -> HashSet<(TypeId, &str)> {
    let retiring = watches.iter().flatten().flat_map(|watch| watch.retiring.in_use());
    // The resource that the client holds under the name may have replaced retiring ones itself.
    used_by(watches, retiring, |watch, name| {
        watch.held(name).into_iter().chain(watch.retiring.indirect(name))
    })
}

/// The names that `resources` use, directly or through the `versions` of a name.
fn used_by<'a, V: IntoIterator<Item = &'a Resource>>(
    watches: &'a Watches,
    resources: impl Iterator<Item = &'a Resource>,
    versions: impl Fn(&'a Watch, &'a str) -> V,
) -> HashSet<(TypeId, &'a str)> {
    let mut named = HashSet::new();
    let mut pending: Vec<&Resource> = resources.collect();
    while let Some(resource) = pending.pop() {
        for (type_id, name) in resource.refs() {
            if named.insert((*type_id, &**name))
                && let Some(watch) = &watches[type_id.index()]
            {
                pending.extend(versions(watch, name));
            }
        }
    }
    named
}

/// The `names` of each watch that has retiring resources past [`super::retiring::Stage::Unaccepted`].
fn expirable<'a, N: Iterator<Item = &'a Arc<str>>>(
    watches: &'a Watches,
    names: impl Fn(&'a Watch) -> N,
) -> impl Iterator<Item = (TypeId, Arc<str>)> {
    let expirable = watches.iter().flatten().filter(|watch| watch.retiring.is_expirable());
    expirable.flat_map(move |watch| names(watch).map(|name| (watch.type_id, Arc::clone(name))))
}

/// Progress of a client with the resources that replaced others.
struct Replacements<'a> {
    watches: &'a Watches,
    view: View<'a>,
    /// [`Replacements::used_by_incomplete`], which visits all resources: computed when a replacement depends on it.
    incomplete: OnceCell<HashSet<(TypeId, &'a str)>>,
}

impl<'a> Replacements<'a> {
    /// Whether the client has accepted all that its resource of this name uses (routes, their clusters, and the
    /// endpoints of those), and all that the resources use of which it is a part.
    fn are_accepted(&self, type_id: TypeId, name: &str) -> bool {
        let watch = self.watches[type_id.index()].as_ref();
        let accepted = watch.and_then(|watch| watch.accepted(name));
        accepted.is_none_or(|accepted| {
            self.has_accepted_all(accepted, name, &mut HashSet::new())
                && !self.incomplete.get_or_init(|| self.used_by_incomplete()).contains(&(type_id, name))
        })
    }

    /// The names that resources use of which the client has not accepted all parts.
    fn used_by_incomplete(&self) -> HashSet<(TypeId, &'a str)> {
        let accepted = self.watches.iter().flatten().flat_map(|watch| watch.all_accepted());
        let mut complete: Vec<(&str, &Resource)> = accepted.collect();
        let (mut incomplete, mut names) = (Vec::new(), HashSet::new());
        // Each round takes out the resources that name one of the round before.
        loop {
            let lacks_part = |(name, resource): &mut (&str, &Resource)| {
                let mut refs = resource.refs().iter().map(|(type_id, named)| (*type_id, &**named));
                refs.any(|part| names.contains(&part) || self.lacks(part, (name, resource)))
            };
            let round: Vec<(&str, &Resource)> = complete.extract_if(.., lacks_part).collect();
            if round.is_empty() {
                break;
            }
            names.extend(round.iter().map(|(name, resource)| (resource.type_id(), *name)));
            incomplete.extend(round.into_iter().map(|(_, resource)| resource));
        }
        used_by(self.watches, incomplete.into_iter(), |watch, name| watch.accepted(name))
    }

    fn has_accepted_all(
        &self,
        resource: &'a Resource,
        name: &str,
        seen: &mut HashSet<(TypeId, &'a str)>,
    ) -> bool {
        resource.refs().iter().all(|(type_id, named)| {
            if !seen.insert((*type_id, named)) {
                return true;
            }
            match self.watches[type_id.index()].as_ref().filter(|watch| watch.has_accepted(named)) {
                Some(watch) => {
                    let accepted = watch.accepted(named);
                    accepted.is_none_or(|accepted| self.has_accepted_all(accepted, named, seen))
                }
                None => !self.is_expected((*type_id, named), (name, resource)),
            }
        })
    }

    /// Whether the client has yet to accept `part`, which its resource `whole` names.
    fn lacks(&self, part: (TypeId, &str), whole: (&str, &Resource)) -> bool {
        let watch = self.watches[part.0.index()].as_ref();
        !watch.is_some_and(|watch| watch.has_accepted(part.1)) && self.is_expected(part, whole)
    }

    /// Whether `part`, which the client has not accepted, or another `whole` without it may arrive.
    fn is_expected(&self, part: (TypeId, &str), whole: (&str, &Resource)) -> bool {
        // A name without a resource may have been removed together with the resource that names it; the client does not
        // know that yet.
        self.may_arrive(part.0, part.1) || !self.is_current(whole.1, whole.0)
    }

    /// Whether the client, which may not have subscribed to it yet, may receive it.
    fn may_arrive(&self, type_id: TypeId, name: &str) -> bool {
        let View { store, audience, grant, .. } = self.view;
        match store.lookup(type_id, name, audience) {
            Lookup::Present(resource) => grant.admits(resource.scope()),
            Lookup::Absent(_) => false,
            // For a wildcard that was answered it does not exist.
            Lookup::Unanswered => {
                let watch = self.watches[type_id.index()].as_ref();
                !(store.is_complete(type_id, audience)
                    && watch.is_some_and(|watch| watch.subscription.is_covered_by_wildcard(name)))
            }
        }
    }

    fn is_current(&self, resource: &Resource, name: &str) -> bool {
        let View { store, audience, .. } = self.view;
        match store.lookup(resource.type_id(), name, audience) {
            Lookup::Present(current) => current.fingerprint() == resource.fingerprint(),
            Lookup::Absent(_) | Lookup::Unanswered => false,
        }
    }
}
