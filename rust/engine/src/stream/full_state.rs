//! State-of-the-world responses for full-state types: the whole set.
//!
//! "xDS REST and gRPC protocol", Grouping Resources into Responses: a client drops what a response lacks.

use std::sync::Arc;

use smallvec::SmallVec;

use super::context::{Outcome, ResponseContext};
use super::delivery::{absence_reason, covered_resources, record_sent, removing_change};
use crate::message::ResponseBuilder;
use crate::protocol::TypeId;
use crate::store::{Lookup, Resource, View};
use crate::subscription::{Held, Names};
use crate::watch::{Due, Retiring, Watch};

/// Resources by the index of their name.
type ByIndex<'a> = SmallVec<[(u32, &'a Arc<Resource>); 4]>;

/// Write the whole set. Returns whether a response is due.
pub(super) fn write(
    watch: &mut Watch,
    context: &ResponseContext<'_>,
    builder: &mut ResponseBuilder,
    outcome: &mut Outcome,
) -> bool {
    let view = context.view;
    check_changed(watch, view);
    let awaiting_ack = watch.nonces.is_awaiting_ack();
    // The set cannot leave resources out for a heartbeat: it carries all.
    if !awaiting_ack && std::mem::take(&mut watch.heartbeat_due) {
        watch.due = Due::Response;
    }
    if watch.subscription.is_empty() {
        watch.due = Due::Nothing;
    }
    let idle = match watch.due {
        Due::Nothing => true,
        Due::IfChanged => awaiting_ack,
        Due::Response => false,
    };
    // An incomplete set would make the client drop resources: every name needs an entry in the store.
    let wide = watch.subscription.has_implicit_names();
    if idle || watch.subscription.names.unanswered() > 0 || (wide && !view.is_complete()) {
        return false;
    }
    let Some(requested) = requested_resources(&mut watch.subscription.names, view) else { return false };
    let version = watch.subscription.names.version();
    let pass = watch.subscription.names.begin_pass();
    let listed = list(watch, requested, pass, context, builder, outcome);
    let left_out = keep_in_use(watch, pass, awaiting_ack, context, builder);
    let names = &mut watch.subscription.names;
    drop_unlisted(names, pass, context.nonce, &mut watch.retiring, builder);
    let due = watch.due == Due::Response || names.version() != version;
    watch.due = if left_out { Due::IfChanged } else { Due::Nothing };
    if due && watch.supports_errors {
        add_missing_errors(names, view, builder);
    }
    if due && watch.supports_ttl {
        // The set carries waiting resources, too, with the time to live that they were sent with.
        watch.heartbeats.take_due(names, context.now, |_, _| {});
        listed.into_iter().for_each(|(index, resource)| watch.heartbeats.sent(index, resource, context.now));
    }
    due
}

/// Check the changed names: whether the set differs from the one that was sent, and whether all names have an entry.
fn check_changed(watch: &mut Watch, view: View<'_>) {
    let (due, waiting) = (&mut watch.due, &mut watch.waiting);
    watch.subscription.names.drain_dirty(false, |names, index| {
        let Some(tracked) = names.get(index) else { return };
        let (requested, held) = (tracked.requested(), tracked.held());
        let current = match view.lookup(&tracked.name) {
            Lookup::Present(resource) => Held::Version(resource.fingerprint()),
            Lookup::Unanswered if requested => {
                names.take_change(index);
                return names.set_unanswered(index, true);
            }
            Lookup::Absent(_) | Lookup::Unanswered => Held::Nothing,
        };
        names.set_unanswered(index, false);
        // A removal that was reported is no difference.
        let held = if held == Held::Removed { Held::Nothing } else { held };
        if current != held {
            due.note_change();
            return;
        }
        waiting.forget(index);
        names.take_change(index);
        if current == Held::Nothing && !requested {
            names.remove(index);
        }
    });
}

/// The resources of all requested names; `None` when one of them has no entry. The store may be ahead of the reported
/// changes: all names are looked up.
fn requested_resources<'a>(names: &mut Names, view: View<'a>) -> Option<ByIndex<'a>> {
    let mut resources = SmallVec::new();
    for index in names.indices() {
        let Some(tracked) = names.get(index).filter(|tracked| tracked.requested()) else { continue };
        match view.lookup(&tracked.name) {
            Lookup::Present(resource) => resources.push((index, resource)),
            Lookup::Absent(_) => {}
            Lookup::Unanswered => {
                names.set_unanswered(index, true);
                return None;
            }
        }
    }
    Some(resources)
}

/// Add the covered and the requested resources. Returns those that do not wait for others.
fn list<'a>(
    watch: &mut Watch,
    requested: ByIndex<'a>,
    pass: u32,
    context: &ResponseContext<'a>,
    builder: &mut ResponseBuilder,
    outcome: &mut Outcome,
) -> Vec<(u32, &'a Arc<Resource>)> {
    let covered = covered_resources(&watch.subscription, context.view);
    let (names, waiting, retiring) = (&mut watch.subscription.names, &mut watch.waiting, &mut watch.retiring);
    let is_warming = watch.type_id == TypeId::Cluster;
    let mut listed = Vec::new();
    let mut include = |names: &mut Names, index, resource: &'a Arc<Resource>| {
        let Some(tracked) = names.get_mut(index) else { return };
        tracked.pass = pass;
        let differs = tracked.held() != Held::Version(resource.fingerprint());
        if differs && context.must_wait(waiting, index, resource, &mut outcome.undelivered) {
            return tracked.resource.iter().for_each(|held| builder.add(held));
        }
        waiting.forget(index);
        builder.add(resource);
        listed.push((index, resource));
        if differs {
            if is_warming {
                outcome.sent.push(Arc::clone(resource));
            }
            let change = record_sent(names, index, resource, context, retiring);
            builder.note_origin(change.origin);
            builder.note_change(change.id);
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
    listed
}

/// Add the removed resources that the client may still use. Returns whether some of them must be checked again with the
/// next response.
fn keep_in_use(
    watch: &mut Watch,
    pass: u32,
    awaiting_ack: bool,
    context: &ResponseContext<'_>,
    builder: &mut ResponseBuilder,
) -> bool {
    let names = &mut watch.subscription.names;
    let mut left_out = false;
    for index in names.indices() {
        let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.pass != pass) else { continue };
        let used = || context.is_kept_in_use(&tracked.name);
        if let Some(held) = tracked.resource.as_ref() {
            let waits = watch.waiting.must_wait(index, context.wait_limit(), used);
            // A response to a new subscription, sent while another one is open, removes nothing that is in use.
            let kept = !waits && awaiting_ack && used();
            if waits || kept {
                builder.add(held);
                tracked.pass = pass;
                left_out |= kept;
            }
        }
    }
    left_out
}

/// The client drops the names that the pass over the set did not see.
fn drop_unlisted(
    names: &mut Names,
    pass: u32,
    nonce: u64,
    retiring: &mut Retiring,
    builder: &mut ResponseBuilder,
) {
    for index in names.indices() {
        if names.get(index).is_none_or(|tracked| tracked.pass == pass) {
            continue;
        }
        builder.note_change(removing_change(names, index));
        let Some(tracked) = names.get_mut(index) else { continue };
        retiring.add(&tracked.name, tracked.resource.take(), nonce);
        match tracked.requested() {
            true if tracked.held() == Held::Removed => {}
            true => names.set_held(index, Held::Nothing),
            false => drop(names.remove(index)),
        }
    }
}

/// Report once why a requested name is not in the set.
fn add_missing_errors(names: &mut Names, view: View<'_>, builder: &mut ResponseBuilder) {
    for index in names.indices() {
        let Some(tracked) = names.get(index) else { continue };
        let lookup = view.lookup(&tracked.name);
        // A resource that exists waits for others.
        let missing = tracked.requested() && !matches!(lookup, Lookup::Present(_));
        if missing && tracked.held() == Held::Nothing {
            builder.add_error(&tracked.name, absence_reason(lookup, view));
            names.set_held(index, Held::Removed);
        }
    }
}
