//! What a response holds: the one place that decides it, for both protocols.
//!
//! State of the world for full-state types lists the whole set; everything else answers name by name.
//!
//! What waits for other types of the stream is decided in `order`.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::message::{Response, ResponseBuilder, StreamOptions};
use crate::protocol::{Protocol, TypeId};
use crate::store::{Lookup, Origin, Resource, View};
use crate::subscription::{Held, Names, Subscription};
use crate::watch::{Listing, Outcome, Peers, Retiring, Watch, follower};

/// Resources by the index of their name.
type Named<'a> = SmallVec<[(u32, &'a Arc<Resource>); 4]>;

/// All that an answer depends on but the subscription itself.
pub(crate) struct Turn<'a> {
    pub(crate) view: View<'a>,
    pub(crate) peers: Peers<'a>,
    pub(crate) options: &'a StreamOptions,
    pub(crate) nonce: u64,
    pub(crate) now: Duration,
}

impl Turn<'_> {
    /// Whether the client keeps for a while what is gone: it may use it. What it may no longer see leaves at once.
    fn keeps(&self, name: &str) -> bool {
        !self.view.withholds(name) && self.peers.use_it(self.view.type_id, name)
    }

    pub(crate) fn patience(&self) -> (Duration, Duration) {
        (self.now, self.options.make_before_break_timeout)
    }
}

impl Watch {
    /// The response that is due, if any. It counts as sent.
    pub(crate) fn respond(&mut self, turn: &Turn<'_>, outcome: &mut Outcome) -> Option<Response> {
        if !self.may_respond() {
            return None;
        }
        let mut builder = ResponseBuilder::new(self.protocol, self.expires);
        let due = match self.protocol {
            Protocol::Sotw if self.type_id.is_full_state() => self.list_all(turn, &mut builder, outcome),
            _ => self.answer_names(turn, &mut builder, outcome),
        };
        let version = self.subscription.names.version();
        due.then(|| {
            // A set is whole; of names only those may have been answered that are new demand.
            let all = !self.exchange.is_awaited() || !self.subscription.names.has_dirty();
            self.exchange.send(turn.nonce, version, builder.origin(), turn.now, all);
            builder.finish(self.type_id, &turn.options.identifier, version, turn.nonce)
        })
    }

    /// State of the world, full-state types: the whole set or nothing.
    fn list_all<'s>(
        &mut self,
        turn: &Turn<'s>,
        builder: &mut ResponseBuilder,
        outcome: &mut Outcome,
    ) -> bool {
        let view = turn.view;
        self.look_again(view);
        let awaited = self.exchange.is_awaited();
        // A heartbeat without the resources would have to bring all others: it brings all.
        self.owed |= !awaited && std::mem::take(&mut self.beat);
        if self.subscription.is_empty() {
            (self.owed, self.changed) = (false, false);
        }
        // A set with holes would make the client drop what it has: wait until every name has its answer.
        let wide = self.subscription.is_wide();
        let idle = !(self.owed || (self.changed && !awaited));
        if idle || self.subscription.names.unanswered() > 0 || (wide && !view.is_complete()) {
            return false;
        }
        let Some(named) = named_resources(&mut self.subscription.names, view) else { return false };
        let swept = swept_resources(&self.subscription, view);
        let names = &mut self.subscription.names;
        let version = names.version();
        let pass = names.begin_pass();
        let mut listed = Vec::new();
        let mut include = |names: &mut Names, index, resource: &'s Arc<Resource>| {
            let Some(tracked) = names.get_mut(index) else { return };
            tracked.pass = pass;
            let differs = tracked.held() != Held::Version(resource.fingerprint());
            if differs && self.waiting.holds_back(index, resource, turn, &mut outcome.lacking) {
                return tracked.resource.iter().for_each(|present| builder.add(present));
            }
            self.waiting.forget(index);
            builder.add(resource);
            listed.push((index, resource));
            if differs {
                if self.type_id == TypeId::Cluster {
                    outcome.sent.push(Arc::clone(resource));
                }
                builder.brings(hand_over(names, index, resource, turn, &mut self.retiring));
            }
        };
        for (name, resource) in swept {
            let index = names.track(name, || Arc::clone(name));
            include(names, index, resource);
        }
        for (index, resource) in named {
            if names.get(index).is_some_and(|tracked| tracked.pass != pass) {
                include(names, index, resource);
            }
        }
        let mut left = false;
        for index in names.indices() {
            let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.pass != pass) else { continue };
            let used = || turn.keeps(&tracked.name);
            if let Some(present) = tracked.resource.as_ref() {
                let waits = self.waiting.holds(index, turn.patience(), used);
                // A set that answers new demand while another is open withdraws nothing that is in use.
                let kept = !waits && awaited && used();
                if waits || kept {
                    builder.add(present);
                    tracked.pass = pass;
                    left |= kept;
                }
            }
        }
        forget_unmet(names, pass, turn.nonce, &mut self.retiring);
        self.changed = left;
        let due = std::mem::take(&mut self.owed) || names.version() != version;
        if due && self.wants_errors {
            explain_missing(names, view, builder);
        }
        if due && self.expires {
            // What waits is in the list as well, with the time to live that it came with.
            self.heartbeats.take_due(names, turn.now, |_, _| {});
            listed.into_iter().for_each(|(index, resource)| self.heartbeats.sent(index, resource, turn.now));
        }
        due
    }

    /// Full-state types: see what the changed names mean for the set.
    fn look_again(&mut self, view: View<'_>) {
        let (changed, waiting) = (&mut self.changed, &mut self.waiting);
        self.subscription.names.drain_dirty(false, |names, index| {
            let Some(tracked) = names.get(index) else { return };
            let (explicit, held) = (tracked.explicit(), tracked.held());
            let now = match view.lookup(&tracked.name) {
                Lookup::Present(resource) => Held::Version(resource.fingerprint()),
                Lookup::Unanswered if explicit => return names.set_unanswered(index, true),
                Lookup::Absent(_) | Lookup::Unanswered => Held::Nothing,
            };
            names.set_unanswered(index, false);
            // That it is gone was told already.
            let held = if held == Held::Gone { Held::Nothing } else { held };
            *changed |= now != held;
            if now == held {
                waiting.forget(index);
                if now == Held::Nothing && !explicit {
                    names.remove(index);
                }
            }
        });
    }

    /// Answer each name that is due on its own.
    fn answer_names(
        &mut self,
        turn: &Turn<'_>,
        builder: &mut ResponseBuilder,
        outcome: &mut Outcome,
    ) -> bool {
        let (view, awaited) = (turn.view, self.exchange.is_awaited());
        if !awaited && std::mem::take(&mut self.asked_again) && std::mem::take(&mut self.warming) {
            force_warming(&mut self.subscription.names);
        }
        if let Some(listing) = self.listing.filter(|_| view.is_complete()) {
            self.listing = None;
            mark_listed(&mut self.subscription, view, listing);
            self.owed = true;
        }
        let (listed, followed) = (self.listing.is_none(), follower(self.type_id).is_some());
        self.subscription.names.drain_dirty(awaited, |names, index| {
            let Some(tracked) = names.get_mut(index).filter(|tracked| listed || tracked.explicit()) else {
                return;
            };
            match view.lookup(&tracked.name) {
                Lookup::Present(resource) => {
                    let differs = tracked.held() != Held::Version(resource.fingerprint());
                    if differs && self.waiting.holds_back(index, resource, turn, &mut outcome.lacking) {
                        return;
                    }
                    self.waiting.forget(index);
                    if std::mem::take(&mut tracked.forced) || differs {
                        tracked.warming = false;
                        builder.brings(hand_over(names, index, resource, turn, &mut self.retiring));
                        if self.expires {
                            self.heartbeats.sent(index, resource, turn.now);
                        }
                        builder.add(resource);
                        if followed {
                            outcome.sent.push(Arc::clone(resource));
                        }
                    } else if tracked.sent_at().is_none() {
                        // A reconnecting client said that it has it, for how long yet only the client knows.
                        tracked.resource = kept_while_held(resource);
                        self.beat |= self.expires && self.heartbeats.adopt(index, resource, turn.now);
                    }
                }
                // It keeps what it has, and what is owed to it stays owed.
                Lookup::Unanswered if tracked.explicit() => {}
                answer @ (Lookup::Absent(_) | Lookup::Unanswered) => {
                    let used = || tracked.holds_some() && turn.keeps(&tracked.name);
                    if !self.waiting.holds(index, turn.patience(), used) {
                        let present = tracked.resource.take();
                        // State of the world cannot tell, and so the client will never take it.
                        if self.protocol == Protocol::Delta {
                            self.retiring.add(&tracked.name, present, turn.nonce);
                        }
                        let explained = self.wants_errors.then(|| reason(answer, view));
                        tell_gone(names, index, turn, explained, builder);
                    }
                }
            }
        });
        if !awaited && std::mem::take(&mut self.beat) {
            let (names, version) = (&self.subscription.names, self.subscription.names.version());
            self.heartbeats.take_due(names, turn.now, |name, pulse| match self.protocol {
                Protocol::Sotw => builder.keep(name, version, pulse.ttl),
                Protocol::Delta => builder.keep(name, pulse.version, pulse.ttl),
            });
        }
        std::mem::take(&mut self.owed) || !builder.is_empty()
    }
}

/// The client gets a resource: note what it holds from now on. Returns where it comes from if it is a change for the
/// client, and not the first answer of the stream.
fn hand_over(
    names: &mut Names,
    index: u32,
    resource: &Arc<Resource>,
    turn: &Turn<'_>,
    retiring: &mut Retiring,
) -> Option<Origin> {
    let (nonce, now) = (turn.nonce, turn.now);
    let tracked = names.get_mut(index)?;
    let version = Held::Version(resource.fingerprint());
    let changes = ![Held::Nothing, version].contains(&tracked.held()) && tracked.sent_at().is_some();
    // A name that lapsed may be missing from what the client read of earlier responses.
    if std::mem::take(&mut tracked.lacking) || tracked.lapsed || !tracked.holds_some() {
        tracked.introduced_in = nonce;
    }
    tracked.sent(nonce, now);
    retiring.add(&tracked.name, tracked.resource.take(), nonce);
    tracked.resource = kept_while_held(resource);
    names.set_held(index, version);
    resource.origin().filter(|_| changes)
}

/// What the stream needs of a resource that the client holds. Of endpoints, which are most, nothing: they name nothing.
fn kept_while_held(resource: &Arc<Resource>) -> Option<Arc<Resource>> {
    let needed = resource.type_id().is_full_state() || !resource.refs().is_empty();
    needed.then(|| Arc::clone(resource))
}

/// A name has no resource (any more).
fn tell_gone(
    names: &mut Names,
    index: u32,
    turn: &Turn<'_>,
    explained: Option<&str>,
    builder: &mut ResponseBuilder,
) {
    let Some(tracked) = names.get_mut(index) else { return };
    let explicit = tracked.explicit();
    let forced = std::mem::take(&mut tracked.forced);
    let told = explicit && tracked.held() == Held::Gone;
    if let Some(reason) = explained.filter(|_| explicit && (forced || !told)) {
        builder.explain(&tracked.name, reason);
    }
    if builder.protocol() == Protocol::Sotw {
        // "The API provides no mechanism for the server to tell the client", but for those who want errors. It counts
        // as never sent, so that it is sent when it comes back with the same content.
        return names.set_held(index, if explained.is_some() { Held::Gone } else { Held::Nothing });
    }
    if forced || (explicit && !told) || tracked.holds_some() {
        tracked.sent(turn.nonce, turn.now);
        builder.remove(&tracked.name);
    }
    match explicit {
        true => names.set_held(index, Held::Gone),
        false => drop(names.remove(index)),
    }
}

/// The resources of all names asked for; `None` when one of them has no answer. The store may be ahead of the
/// changes that were reported, so this looks at all of them.
fn named_resources<'a>(names: &mut Names, view: View<'a>) -> Option<Named<'a>> {
    let mut found = SmallVec::new();
    for index in names.indices() {
        let Some(tracked) = names.get(index).filter(|tracked| tracked.explicit()) else { continue };
        match view.lookup(&tracked.name) {
            Lookup::Present(resource) => found.push((index, resource)),
            Lookup::Absent(_) => {}
            Lookup::Unanswered => {
                names.set_unanswered(index, true);
                return None;
            }
        }
    }
    Some(found)
}

/// What the wildcard and the glob collections cover, in no particular order.
fn swept_resources<'a>(
    subscription: &Subscription,
    view: View<'a>,
) -> SmallVec<[(&'a Arc<str>, &'a Arc<Resource>); 4]> {
    if !subscription.is_wide() {
        return SmallVec::new();
    }
    view.visible().filter(|(name, _)| subscription.is_swept(name)).collect()
}

/// Why a resource is not there, as the client may know it.
fn reason<'a>(answer: Lookup<'a>, view: View<'a>) -> &'a str {
    match answer {
        // The one must not be told from the other.
        _ if !view.grant.is_everything() => "there is no such resource, or this client may not see it",
        Lookup::Absent(reason) => &reason.text,
        Lookup::Present(_) | Lookup::Unanswered => "there is no such resource",
    }
}

/// Full-state types: tell once why a name that was asked for is not in the set.
fn explain_missing(names: &mut Names, view: View<'_>, builder: &mut ResponseBuilder) {
    for index in names.indices() {
        let Some(tracked) = names.get(index) else { continue };
        let answer = view.lookup(&tracked.name);
        // One that is there waits for others.
        let missing = tracked.explicit() && !matches!(answer, Lookup::Present(_));
        if missing && tracked.held() == Held::Nothing {
            builder.explain(&tracked.name, reason(answer, view));
            names.set_held(index, Held::Gone);
        }
    }
}

/// The last listing did not meet these names: the client drops them.
fn forget_unmet(names: &mut Names, pass: u32, nonce: u64, retiring: &mut Retiring) {
    for index in names.indices() {
        let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.pass != pass) else { continue };
        retiring.add(&tracked.name, tracked.resource.take(), nonce);
        match tracked.explicit() {
            true if tracked.held() == Held::Gone => {}
            true => names.set_held(index, Held::Nothing),
            false => drop(names.remove(index)),
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
fn mark_listed(subscription: &mut Subscription, view: View<'_>, listing: Listing) {
    let swept = swept_resources(subscription, view);
    let names = &mut subscription.names;
    let pass = names.begin_pass();
    for (name, _) in swept {
        let index = names.track(name, || Arc::clone(name));
        if let Some(tracked) = names.get_mut(index) {
            tracked.pass = pass;
            tracked.forced |= listing == Listing::Everything;
            if !tracked.holds_some() {
                names.mark_pressing(index);
            }
        }
        names.mark_dirty(index);
    }
    for index in names.indices() {
        if names.get(index).is_some_and(|tracked| tracked.pass != pass && !tracked.explicit()) {
            names.mark_dirty(index);
        }
    }
}
