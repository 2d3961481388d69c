//! Responses that carry single names: delta, and state of the world for types that are not full-state.

use std::sync::Arc;

use super::context::{Outcome, ResponseContext};
use super::delivery::{absence_reason, covered_resources, kept_while_held, record_sent, removing_change};
use crate::message::ResponseBuilder;
use crate::protocol::Protocol;
use crate::store::{Lookup, Resource, View};
use crate::subscription::{Held, Names, Resend, Subscription};
use crate::watch::{Due, Heartbeats, Listing, Retiring, Waiting, Warming, Watch};

/// Write the names that are due. Returns whether a response is due.
pub(super) fn write(
    watch: &mut Watch,
    context: &ResponseContext<'_>,
    builder: &mut ResponseBuilder,
    outcome: &mut Outcome,
) -> bool {
    let (view, awaiting_ack) = (context.view, watch.nonces.is_awaiting_ack());
    if !awaiting_ack && watch.warming == Warming::Repeated {
        watch.warming = Warming::Idle;
        resend_warming(&mut watch.subscription.names);
    }
    if let Some(listing) = watch.listing.filter(|_| view.is_complete()) {
        watch.listing = None;
        mark_listed(&mut watch.subscription, view, listing);
        watch.due = Due::Response;
    }
    let is_listed = watch.listing.is_none();
    let mut writer = Writer {
        protocol: watch.protocol,
        is_warming: watch.type_id.warming_dependency().is_some(),
        supports_ttl: watch.supports_ttl,
        supports_errors: watch.supports_errors,
        waiting: &mut watch.waiting,
        retiring: &mut watch.retiring,
        heartbeats: &mut watch.heartbeats,
        heartbeat_due: &mut watch.heartbeat_due,
        context,
        builder,
        outcome,
    };
    watch.subscription.names.drain_dirty(awaiting_ack, |names, index| {
        let tracked = names.get(index).filter(|tracked| is_listed || tracked.requested());
        let Some(tracked) = tracked else { return };
        let requested = tracked.requested();
        match view.lookup(&tracked.name) {
            Lookup::Present(resource) => writer.present(names, index, resource),
            // The client keeps what it holds, and a response that is due stays due.
            Lookup::Unanswered if requested => drop(names.take_change(index)),
            lookup @ (Lookup::Absent(_) | Lookup::Unanswered) => writer.absent(names, index, lookup),
        }
    });
    if !awaiting_ack && std::mem::take(&mut watch.heartbeat_due) {
        let (names, version) = (&watch.subscription.names, watch.subscription.names.version());
        watch.heartbeats.take_due(names, context.now, |name, timer| match watch.protocol {
            Protocol::Sotw => builder.add_heartbeat(name, version, timer.ttl),
            Protocol::Delta => builder.add_heartbeat(name, timer.version, timer.ttl),
        });
    }
    std::mem::take(&mut watch.due) == Due::Response || !builder.is_empty()
}

/// Writes single names of one response.
struct Writer<'w, 'c> {
    protocol: Protocol,
    is_warming: bool,
    supports_ttl: bool,
    supports_errors: bool,
    waiting: &'w mut Waiting,
    retiring: &'w mut Retiring,
    heartbeats: &'w mut Heartbeats,
    heartbeat_due: &'w mut bool,
    context: &'w ResponseContext<'c>,
    builder: &'w mut ResponseBuilder,
    outcome: &'w mut Outcome,
}

impl Writer<'_, '_> {
    /// The store has a resource for the name.
    fn present(&mut self, names: &mut Names, index: u32, resource: &Arc<Resource>) {
        let Some(tracked) = names.get_mut(index) else { return };
        let context = self.context;
        let differs = tracked.held() != Held::Version(resource.fingerprint());
        if differs && context.must_wait(self.waiting, index, resource, &mut self.outcome.undelivered) {
            return;
        }
        self.waiting.forget(index);
        if differs || tracked.resend == Resend::Now {
            tracked.resend = Resend::No;
            let change = record_sent(names, index, resource, context, self.retiring);
            self.builder.note_origin(change.origin);
            self.builder.note_change(change.id);
            if self.supports_ttl {
                self.heartbeats.sent(index, resource, context.now);
            }
            self.builder.add(resource);
            if self.is_warming {
                self.outcome.sent.push(Arc::clone(resource));
            }
            return;
        }
        if tracked.sent_at().is_none() {
            // A reconnecting client holds it already.
            tracked.resource = kept_while_held(resource);
            *self.heartbeat_due |=
                self.supports_ttl && self.heartbeats.track_held(index, resource, context.now);
        }
        names.take_change(index);
    }

    /// The store has no resource for the name.
    fn absent(&mut self, names: &mut Names, index: u32, lookup: Lookup<'_>) {
        let Some(tracked) = names.get_mut(index) else { return };
        let context = self.context;
        let used = || tracked.is_held() && context.is_kept_in_use(&tracked.name);
        if self.waiting.must_wait(index, context.wait_limit(), used) {
            return;
        }
        let held = tracked.resource.take();
        // State of the world does not report removals, so the client accepts none.
        if self.protocol == Protocol::Delta {
            self.retiring.add(&tracked.name, held, context.nonce);
        }
        let reason = self.supports_errors.then(|| absence_reason(lookup, context.view));
        self.remove(names, index, reason);
    }

    /// Report that a name has no resource, or no longer one; `reason`: for clients that receive `resource_errors`.
    fn remove(&mut self, names: &mut Names, index: u32, reason: Option<&str>) {
        let change = removing_change(names, index);
        let Some(tracked) = names.get_mut(index) else { return };
        let requested = tracked.requested();
        let resend = tracked.take_resend();
        let reported = requested && tracked.held() == Held::Removed;
        if let Some(reason) = reason.filter(|_| requested && (resend || !reported)) {
            self.builder.add_error(&tracked.name, reason);
            self.builder.note_change(change);
        }
        if self.protocol == Protocol::Sotw {
            // "The API provides no mechanism for the server to tell the client", except by `resource_errors`. The name
            // counts as never sent, so that it is sent when it is created again with the same content.
            return names.set_held(index, if reason.is_some() { Held::Removed } else { Held::Nothing });
        }
        if resend || (requested && !reported) || tracked.is_held() {
            tracked.mark_sent(self.context.nonce, self.context.now);
            self.builder.remove(&tracked.name);
            self.builder.note_change(change);
        }
        match requested {
            true => names.set_held(index, Held::Removed),
            false => drop(names.remove(index)),
        }
    }
}

/// The client repeated its request: resend the names that it waits for.
fn resend_warming(names: &mut Names) {
    for index in names.indices() {
        if let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.resend == Resend::WhenRepeated) {
            tracked.resend = Resend::Now;
            names.mark_dirty(index);
        }
    }
}

/// Check every name that the wildcard and the glob collections cover or covered.
fn mark_listed(subscription: &mut Subscription, view: View<'_>, listing: Listing) {
    let covered = covered_resources(subscription, view);
    let names = &mut subscription.names;
    let pass = names.begin_pass();
    for (name, _) in covered {
        let index = names.track(name, || Arc::clone(name));
        if let Some(tracked) = names.get_mut(index) {
            tracked.pass = pass;
            if listing == Listing::Everything {
                tracked.resend = Resend::Now;
            }
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
