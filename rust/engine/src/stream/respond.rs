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
use crate::watch::{Listing, Outcome, Peers, Retiring, Watch, warming_dependency};

/// Resources by the index of their name.
type Named<'a> = SmallVec<[(u32, &'a Arc<Resource>); 4]>;

/// All that an answer depends on but the subscription itself.
pub(crate) struct ResponseContext<'a> {
    pub(crate) view: View<'a>,
    pub(crate) peers: Peers<'a>,
    pub(crate) options: &'a StreamOptions,
    pub(crate) nonce: u64,
    pub(crate) now: Duration,
}

impl ResponseContext<'_> {
    /// Whether the client keeps for a while what is gone: it may use it. What it may no longer see leaves at once.
    fn is_kept_in_use(&self, name: &str) -> bool {
        !self.view.is_denied(name) && self.peers.is_in_use(self.view.type_id, name)
    }

    pub(crate) fn wait_limit(&self) -> (Duration, Duration) {
        (self.now, self.options.make_before_break_timeout)
    }
}

impl Watch {
    /// The response that is due, if any. It counts as sent.
    pub(crate) fn respond(
        &mut self,
        context: &ResponseContext<'_>,
        outcome: &mut Outcome,
    ) -> Option<Response> {
        if !self.may_respond() {
            return None;
        }
        let mut builder = ResponseBuilder::new(self.protocol, self.supports_ttl);
        let due = match self.protocol {
            Protocol::Sotw if self.type_id.is_full_state() => self.list_all(context, &mut builder, outcome),
            _ => self.answer_names(context, &mut builder, outcome),
        };
        let version = self.subscription.names.version();
        due.then(|| {
            // A set is whole; of names only those may have been answered that are new demand.
            let all = !self.nonces.is_awaiting_ack() || !self.subscription.names.has_dirty();
            self.nonces.send(context.nonce, version, builder.origin(), context.now, all);
            builder.finish(self.type_id, &context.options.identifier, version, context.nonce)
        })
    }

    /// State of the world, full-state types: the whole set or nothing.
    fn list_all<'s>(
        &mut self,
        context: &ResponseContext<'s>,
        builder: &mut ResponseBuilder,
        outcome: &mut Outcome,
    ) -> bool {
        let view = context.view;
        self.refresh_changed(view);
        let awaited = self.nonces.is_awaiting_ack();
        // A heartbeat without the resources would have to bring all others: it brings all.
        self.response_due |= !awaited && std::mem::take(&mut self.heartbeat_due);
        if self.subscription.is_empty() {
            (self.response_due, self.set_changed) = (false, false);
        }
        // A set with holes would make the client drop what it has: wait until every name has its answer.
        let wide = self.subscription.has_implicit_names();
        let idle = !(self.response_due || (self.set_changed && !awaited));
        if idle || self.subscription.names.unanswered() > 0 || (wide && !view.is_complete()) {
            return false;
        }
        let Some(requested) = requested_resources(&mut self.subscription.names, view) else { return false };
        let covered = covered_resources(&self.subscription, view);
        let names = &mut self.subscription.names;
        let version = names.version();
        let pass = names.begin_pass();
        let mut listed = Vec::new();
        let mut include = |names: &mut Names, index, resource: &'s Arc<Resource>| {
            let Some(tracked) = names.get_mut(index) else { return };
            tracked.pass = pass;
            let differs = tracked.held() != Held::Version(resource.fingerprint());
            if differs
                && self.waiting.must_wait_for_dependencies(index, resource, context, &mut outcome.undelivered)
            {
                return tracked.resource.iter().for_each(|present| builder.add(present));
            }
            self.waiting.forget(index);
            builder.add(resource);
            listed.push((index, resource));
            if differs {
                if self.type_id == TypeId::Cluster {
                    outcome.sent.push(Arc::clone(resource));
                }
                builder.note_change(record_sent(names, index, resource, context, &mut self.retiring));
            }
        };
        for (name, resource) in covered {
            let index = names.track(name, || Arc::clone(name));
            include(names, index, resource);
        }
        for (index, resource) in requested {
            if names.get(index).is_some_and(|tracked| tracked.pass != pass) {
                include(names, index, resource);
            }
        }
        let mut left = false;
        for index in names.indices() {
            let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.pass != pass) else { continue };
            let used = || context.is_kept_in_use(&tracked.name);
            if let Some(present) = tracked.resource.as_ref() {
                let waits = self.waiting.must_wait(index, context.wait_limit(), used);
                // A set that answers new demand while another is open withdraws nothing that is in use.
                let kept = !waits && awaited && used();
                if waits || kept {
                    builder.add(present);
                    tracked.pass = pass;
                    left |= kept;
                }
            }
        }
        drop_unlisted(names, pass, context.nonce, &mut self.retiring);
        self.set_changed = left;
        let due = std::mem::take(&mut self.response_due) || names.version() != version;
        if due && self.supports_errors {
            add_missing_errors(names, view, builder);
        }
        if due && self.supports_ttl {
            // What waits is in the list as well, with the time to live that it came with.
            self.heartbeats.take_due(names, context.now, |_, _| {});
            listed
                .into_iter()
                .for_each(|(index, resource)| self.heartbeats.sent(index, resource, context.now));
        }
        due
    }

    /// Full-state types: see what the changed names mean for the set.
    fn refresh_changed(&mut self, view: View<'_>) {
        let (changed, waiting) = (&mut self.set_changed, &mut self.waiting);
        self.subscription.names.drain_dirty(false, |names, index| {
            let Some(tracked) = names.get(index) else { return };
            let (requested, held) = (tracked.requested(), tracked.held());
            let now = match view.lookup(&tracked.name) {
                Lookup::Present(resource) => Held::Version(resource.fingerprint()),
                Lookup::Unanswered if requested => return names.set_unanswered(index, true),
                Lookup::Absent(_) | Lookup::Unanswered => Held::Nothing,
            };
            names.set_unanswered(index, false);
            // That it is gone was told already.
            let held = if held == Held::Gone { Held::Nothing } else { held };
            *changed |= now != held;
            if now == held {
                waiting.forget(index);
                if now == Held::Nothing && !requested {
                    names.remove(index);
                }
            }
        });
    }

    /// Answer each name that is due on its own.
    fn answer_names(
        &mut self,
        context: &ResponseContext<'_>,
        builder: &mut ResponseBuilder,
        outcome: &mut Outcome,
    ) -> bool {
        let (view, awaited) = (context.view, self.nonces.is_awaiting_ack());
        if !awaited && std::mem::take(&mut self.request_repeated) && std::mem::take(&mut self.warming) {
            resend_warming(&mut self.subscription.names);
        }
        if let Some(listing) = self.listing.filter(|_| view.is_complete()) {
            self.listing = None;
            mark_listed(&mut self.subscription, view, listing);
            self.response_due = true;
        }
        let (listed, followed) = (self.listing.is_none(), warming_dependency(self.type_id).is_some());
        self.subscription.names.drain_dirty(awaited, |names, index| {
            let Some(tracked) = names.get_mut(index).filter(|tracked| listed || tracked.requested()) else {
                return;
            };
            match view.lookup(&tracked.name) {
                Lookup::Present(resource) => {
                    let differs = tracked.held() != Held::Version(resource.fingerprint());
                    if differs
                        && self.waiting.must_wait_for_dependencies(
                            index,
                            resource,
                            context,
                            &mut outcome.undelivered,
                        )
                    {
                        return;
                    }
                    self.waiting.forget(index);
                    if std::mem::take(&mut tracked.resend) || differs {
                        tracked.warming = false;
                        builder.note_change(record_sent(names, index, resource, context, &mut self.retiring));
                        if self.supports_ttl {
                            self.heartbeats.sent(index, resource, context.now);
                        }
                        builder.add(resource);
                        if followed {
                            outcome.sent.push(Arc::clone(resource));
                        }
                    } else if tracked.sent_at().is_none() {
                        // A reconnecting client said that it has it, for how long yet only the client knows.
                        tracked.resource = kept_while_held(resource);
                        self.heartbeat_due |=
                            self.supports_ttl && self.heartbeats.track_held(index, resource, context.now);
                    }
                }
                // It keeps what it has, and what is owed to it stays owed.
                Lookup::Unanswered if tracked.requested() => {}
                answer @ (Lookup::Absent(_) | Lookup::Unanswered) => {
                    let used = || tracked.is_held() && context.is_kept_in_use(&tracked.name);
                    if !self.waiting.must_wait(index, context.wait_limit(), used) {
                        let present = tracked.resource.take();
                        // State of the world cannot tell, and so the client will never take it.
                        if self.protocol == Protocol::Delta {
                            self.retiring.add(&tracked.name, present, context.nonce);
                        }
                        let explained = self.supports_errors.then(|| absence_reason(answer, view));
                        record_removed(names, index, context, explained, builder);
                    }
                }
            }
        });
        if !awaited && std::mem::take(&mut self.heartbeat_due) {
            let (names, version) = (&self.subscription.names, self.subscription.names.version());
            self.heartbeats.take_due(names, context.now, |name, timer| match self.protocol {
                Protocol::Sotw => builder.add_heartbeat(name, version, timer.ttl),
                Protocol::Delta => builder.add_heartbeat(name, timer.version, timer.ttl),
            });
        }
        std::mem::take(&mut self.response_due) || !builder.is_empty()
    }
}

/// The client gets a resource: note what it holds from now on. Returns where it comes from if it is a change for the
/// client, and not the first answer of the stream.
fn record_sent(
    names: &mut Names,
    index: u32,
    resource: &Arc<Resource>,
    context: &ResponseContext<'_>,
    retiring: &mut Retiring,
) -> Option<Origin> {
    let (nonce, now) = (context.nonce, context.now);
    let tracked = names.get_mut(index)?;
    let version = Held::Version(resource.fingerprint());
    let changes = ![Held::Nothing, version].contains(&tracked.held()) && tracked.sent_at().is_some();
    // A name that lapsed may be missing from what the client read of earlier responses.
    if std::mem::take(&mut tracked.lacking) || tracked.dropped_by_client || !tracked.is_held() {
        tracked.introduced_in = nonce;
    }
    tracked.mark_sent(nonce, now);
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
fn record_removed(
    names: &mut Names,
    index: u32,
    context: &ResponseContext<'_>,
    explained: Option<&str>,
    builder: &mut ResponseBuilder,
) {
    let Some(tracked) = names.get_mut(index) else { return };
    let requested = tracked.requested();
    let resend = std::mem::take(&mut tracked.resend);
    let reported = requested && tracked.held() == Held::Gone;
    if let Some(reason) = explained.filter(|_| requested && (resend || !reported)) {
        builder.add_error(&tracked.name, reason);
    }
    if builder.protocol() == Protocol::Sotw {
        // "The API provides no mechanism for the server to tell the client", but for those who want errors. It counts
        // as never sent, so that it is sent when it comes back with the same content.
        return names.set_held(index, if explained.is_some() { Held::Gone } else { Held::Nothing });
    }
    if resend || (requested && !reported) || tracked.is_held() {
        tracked.mark_sent(context.nonce, context.now);
        builder.remove(&tracked.name);
    }
    match requested {
        true => names.set_held(index, Held::Gone),
        false => drop(names.remove(index)),
    }
}

/// The resources of all names asked for; `None` when one of them has no answer. The store may be ahead of the
/// changes that were reported, so this looks at all of them.
fn requested_resources<'a>(names: &mut Names, view: View<'a>) -> Option<Named<'a>> {
    let mut found = SmallVec::new();
    for index in names.indices() {
        let Some(tracked) = names.get(index).filter(|tracked| tracked.requested()) else { continue };
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
fn covered_resources<'a>(
    subscription: &Subscription,
    view: View<'a>,
) -> SmallVec<[(&'a Arc<str>, &'a Arc<Resource>); 4]> {
    if !subscription.has_implicit_names() {
        return SmallVec::new();
    }
    view.visible().filter(|(name, _)| subscription.is_covered_by_wildcard(name)).collect()
}

/// Why a resource is not there, as the client may know it.
fn absence_reason<'a>(answer: Lookup<'a>, view: View<'a>) -> &'a str {
    match answer {
        // The one must not be told from the other.
        _ if !view.grant.is_everything() => "there is no such resource, or this client may not see it",
        Lookup::Absent(reason) => &reason.text,
        Lookup::Present(_) | Lookup::Unanswered => "there is no such resource",
    }
}

/// Full-state types: tell once why a name that was asked for is not in the set.
fn add_missing_errors(names: &mut Names, view: View<'_>, builder: &mut ResponseBuilder) {
    for index in names.indices() {
        let Some(tracked) = names.get(index) else { continue };
        let answer = view.lookup(&tracked.name);
        // One that is there waits for others.
        let missing = tracked.requested() && !matches!(answer, Lookup::Present(_));
        if missing && tracked.held() == Held::Nothing {
            builder.add_error(&tracked.name, absence_reason(answer, view));
            names.set_held(index, Held::Gone);
        }
    }
}

/// The last listing did not meet these names: the client drops them.
fn drop_unlisted(names: &mut Names, pass: u32, nonce: u64, retiring: &mut Retiring) {
    for index in names.indices() {
        let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.pass != pass) else { continue };
        retiring.add(&tracked.name, tracked.resource.take(), nonce);
        match tracked.requested() {
            true if tracked.held() == Held::Gone => {}
            true => names.set_held(index, Held::Nothing),
            false => drop(names.remove(index)),
        }
    }
}

fn resend_warming(names: &mut Names) {
    for index in names.indices() {
        if let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.warming) {
            tracked.warming = false;
            tracked.resend = true;
            names.mark_dirty(index);
        }
    }
}

/// Have everything looked at that a wildcard covers or covered.
fn mark_listed(subscription: &mut Subscription, view: View<'_>, listing: Listing) {
    let covered = covered_resources(subscription, view);
    let names = &mut subscription.names;
    let pass = names.begin_pass();
    for (name, _) in covered {
        let index = names.track(name, || Arc::clone(name));
        if let Some(tracked) = names.get_mut(index) {
            tracked.pass = pass;
            tracked.resend |= listing == Listing::Everything;
            if !tracked.is_held() {
                names.mark_urgent(index);
            }
        }
        names.mark_dirty(index);
    }
    for index in names.indices() {
        if names.get(index).is_some_and(|tracked| tracked.pass != pass && !tracked.requested()) {
            names.mark_dirty(index);
        }
    }
}
