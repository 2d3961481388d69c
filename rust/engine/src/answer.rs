//! What a response holds: the one place that decides it, for both protocols.
//!
//! State of the world for full-state types lists the whole set; everything else answers name by name.
//!
//! Not here yet, and where they belong: the order of removals across types in [`crate::Stream::next_response`]
//! (which watch may speak), TTL heartbeats as one more reason for a name to be looked at, globs beside the wildcard.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::names::{Held, Names};
use crate::response::{Identifier, Response, ResponseBuilder};
use crate::stream::Protocol;
use crate::watch::{Listing, View, Warmed, Watch};
use crate::{Lookup, Resource, TypeId};

/// Resources by the index of their name.
type Named<'a> = SmallVec<[(u32, &'a Arc<Resource>); 4]>;

impl Watch {
    /// The response that is due, if any. It counts as sent.
    pub(crate) fn respond(
        &mut self,
        view: View<'_>,
        (identifier, nonce, now): (&Identifier, u64, Duration),
        warmed: &mut Warmed,
    ) -> Option<Response> {
        if !self.may_respond() {
            return None;
        }
        let mut builder = ResponseBuilder::new(self.protocol);
        let due = match self.protocol {
            Protocol::Sotw if self.type_id.is_full_state() => {
                self.list_all(view, nonce, &mut builder, warmed)
            }
            _ => self.answer_names(view, nonce, &mut builder),
        };
        let version = self.subscription.names.version();
        due.then(|| {
            self.exchange.send(nonce, version, now);
            builder.finish(self.type_id, identifier, version, nonce)
        })
    }

    /// State of the world, full-state types: the whole set or nothing.
    fn list_all(
        &mut self,
        view: View<'_>,
        nonce: u64,
        builder: &mut ResponseBuilder,
        warmed: &mut Warmed,
    ) -> bool {
        self.look_again(view);
        if self.subscription.is_empty() {
            (self.owed, self.changed) = (false, false);
        }
        // A set with holes would make the client drop what it has: wait until every name has its answer.
        let wildcard = self.subscription.wildcard();
        let names = &mut self.subscription.names;
        if !(self.owed || self.changed) || names.unanswered() > 0 || (wildcard && !view.is_complete()) {
            return false;
        }
        let Some(named) = named_resources(names, view) else { return false };
        let version = names.version();
        let pass = names.begin_pass();
        let mut include = |names: &mut Names, index, resource: &Arc<Resource>| {
            builder.add(resource);
            let Some(tracked) = names.get_mut(index) else { return };
            tracked.pass = pass;
            let held = Held::Version(resource.fingerprint());
            if tracked.held() != held {
                tracked.sent_in = nonce;
                if self.type_id == TypeId::Cluster {
                    warmed.push(Arc::clone(resource));
                }
                names.set_held(index, held);
            }
        };
        if wildcard {
            for (name, resource) in view.visible() {
                let index = names.track(name, || Arc::clone(name));
                include(names, index, resource);
            }
        } else {
            named.iter().for_each(|(index, resource)| include(names, *index, resource));
        }
        forget_unmet(names, pass);
        self.changed = false;
        std::mem::take(&mut self.owed) || names.version() != version
    }

    /// Full-state types: see what the changed names mean for the set.
    fn look_again(&mut self, view: View<'_>) {
        let changed = &mut self.changed;
        self.subscription.names.drain_dirty(|names, index| {
            let Some(tracked) = names.get(index) else { return };
            let (explicit, held) = (tracked.explicit(), tracked.held());
            let now = match view.lookup(&tracked.name) {
                Lookup::Found(resource) => Held::Version(resource.fingerprint()),
                Lookup::Unanswered if explicit => return names.set_unanswered(index, true),
                Lookup::Absent(_) | Lookup::Unanswered => Held::Nothing,
            };
            names.set_unanswered(index, false);
            *changed |= now != held;
            if now == Held::Nothing && held == Held::Nothing && !explicit {
                names.remove(index);
            }
        });
    }

    /// Answer each name that is due on its own.
    fn answer_names(&mut self, view: View<'_>, nonce: u64, builder: &mut ResponseBuilder) -> bool {
        if std::mem::take(&mut self.asked_again) && std::mem::take(&mut self.warming) {
            force_warming(&mut self.subscription.names);
        }
        if let Some(listing) = self.listing.filter(|_| view.is_complete()) {
            self.listing = None;
            mark_listed(&mut self.subscription.names, view, listing);
            self.owed = true;
        }
        let listed = self.listing.is_none();
        self.subscription.names.drain_dirty(|names, index| {
            let Some(tracked) = names.get_mut(index).filter(|tracked| listed || tracked.explicit()) else {
                return;
            };
            match view.lookup(&tracked.name) {
                Lookup::Found(resource) => {
                    let held = Held::Version(resource.fingerprint());
                    if std::mem::take(&mut tracked.forced) || tracked.held() != held {
                        tracked.warming = false;
                        tracked.sent_in = nonce;
                        names.set_held(index, held);
                        builder.add(resource);
                    }
                }
                // It keeps what it has, and what is owed to it stays owed.
                Lookup::Unanswered if tracked.explicit() => {}
                Lookup::Absent(_) | Lookup::Unanswered => tell_gone(names, index, nonce, builder),
            }
        });
        std::mem::take(&mut self.owed) || !builder.is_empty()
    }
}

/// A name has no resource (any more).
fn tell_gone(names: &mut Names, index: u32, nonce: u64, builder: &mut ResponseBuilder) {
    let Some(tracked) = names.get_mut(index) else { return };
    let explicit = tracked.explicit();
    let forced = std::mem::take(&mut tracked.forced);
    if builder.protocol() == Protocol::Sotw {
        // Cannot be told: "the API provides no mechanism for the server to tell the client". It counts as never
        // sent, so that it is sent when it comes back with the same content.
        return names.set_held(index, Held::Nothing);
    }
    let told = explicit && tracked.held() == Held::Gone;
    if forced || (explicit && !told) || tracked.holds_some() {
        tracked.sent_in = nonce;
        builder.remove(&tracked.name);
    }
    match explicit {
        true => names.set_held(index, Held::Gone),
        false => names.remove(index),
    }
}

/// The resources of all names asked for; `None` when one of them has no answer. The store may be ahead of the
/// changes that were reported, so this looks at all of them.
fn named_resources<'a>(names: &mut Names, view: View<'a>) -> Option<Named<'a>> {
    let mut found = SmallVec::new();
    for index in names.indices() {
        let Some(tracked) = names.get(index).filter(|tracked| tracked.explicit()) else { continue };
        match view.lookup(&tracked.name) {
            Lookup::Found(resource) => found.push((index, resource)),
            Lookup::Absent(_) => {}
            Lookup::Unanswered => {
                names.set_unanswered(index, true);
                return None;
            }
        }
    }
    Some(found)
}

/// The last listing did not meet these names: the client drops them.
fn forget_unmet(names: &mut Names, pass: u32) {
    for index in names.indices() {
        match names.get(index) {
            Some(tracked) if tracked.pass == pass => {}
            Some(tracked) if tracked.explicit() => names.set_held(index, Held::Nothing),
            Some(_) => names.remove(index),
            None => {}
        }
    }
}

fn force_warming(names: &mut Names) {
    for index in names.indices() {
        if let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.warming) {
            tracked.warming = false;
            tracked.forced = true;
            names.mark_dirty(index);
        }
    }
}

/// Have everything looked at that a wildcard covers or covered.
fn mark_listed(names: &mut Names, view: View<'_>, listing: Listing) {
    let pass = names.begin_pass();
    for (name, _) in view.visible() {
        let index = names.track(name, || Arc::clone(name));
        if let Some(tracked) = names.get_mut(index) {
            tracked.pass = pass;
            tracked.forced |= listing == Listing::Everything;
        }
        names.mark_dirty(index);
    }
    for index in names.indices() {
        if names.get(index).is_some_and(|tracked| tracked.pass != pass && !tracked.explicit()) {
            names.mark_dirty(index);
        }
    }
}
