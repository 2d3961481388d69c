//! What both kinds of responses have in common: covered resources, records of what was sent, reasons of absences.

use std::sync::Arc;

use smallvec::SmallVec;

use super::context::ResponseContext;
use crate::store::{Lookup, Origin, Resource, View};
use crate::subscription::{ClientCopy, Held, Names, Subscription, Tracked};
use crate::watch::Retiring;

/// Resources by name.
pub(super) type ByName<'a> = SmallVec<[(&'a Arc<str>, &'a Arc<Resource>); 4]>;

/// The resources that the wildcard and the glob collections cover, in no particular order.
pub(super) fn covered_resources<'a>(subscription: &Subscription, view: View<'a>) -> ByName<'a> {
    if !subscription.has_implicit_names() {
        return SmallVec::new();
    }
    view.visible().filter(|(name, _)| subscription.is_covered_by_wildcard(name)).collect()
}

/// What a response changes for the client.
#[derive(Clone, Copy, Default)]
pub(super) struct SentChange {
    /// Its times, for a resource that is not the first response to its name on this stream.
    pub(super) origin: Option<Origin>,
    /// The id of the change that is delivered; 0: none.
    pub(super) id: u64,
}

/// Record that the client receives a resource.
pub(super) fn record_sent(
    names: &mut Names,
    index: u32,
    resource: &Arc<Resource>,
    context: &ResponseContext<'_>,
    retiring: &mut Retiring,
) -> SentChange {
    let noted = names.take_change(index);
    let Some(tracked) = names.get_mut(index) else { return SentChange::default() };
    let version = Held::Version(resource.fingerprint());
    let (held, was_sent) = (tracked.held(), tracked.sent_at().is_some());
    let changes = ![Held::Nothing, version].contains(&held) && was_sent;
    let id = match held {
        _ if held == version => 0,
        // It may have changed again, and that is not reported yet.
        _ if changes => noted.max(resource.change()),
        // Not sent before: a change only if it was published after the client subscribed.
        _ if noted == 0 => 0,
        Held::Nothing => resource.change(),
        Held::Removed | Held::Other | Held::Version(_) => noted.max(resource.change()),
    };
    // A client that dropped the name may lack it although an earlier response carried it.
    if tracked.copy != ClientCopy::Kept || !tracked.is_held() {
        tracked.introduced_in = context.nonce;
    }
    tracked.copy = ClientCopy::Kept;
    tracked.mark_sent(context.nonce, context.now);
    retiring.add(&tracked.name, tracked.resource.take(), context.nonce);
    tracked.resource = kept_while_held(resource);
    names.set_held(index, version);
    SentChange { origin: resource.origin().filter(|_| changes), id }
}

/// The id of the change that removes a resource from the client; 0: none, or the client holds none. To be called before
/// the removal is recorded.
pub(super) fn removing_change(names: &mut Names, index: u32) -> u64 {
    let change = names.take_change(index);
    if names.get(index).is_some_and(Tracked::is_held) { change } else { 0 }
}

/// The resource, if the stream needs it as long as the client holds it. Endpoints, which are most, have no references.
pub(super) fn kept_while_held(resource: &Arc<Resource>) -> Option<Arc<Resource>> {
    let needed = resource.type_id().is_full_state() || !resource.refs().is_empty();
    needed.then(|| Arc::clone(resource))
}

/// Why a resource does not exist, as the client may know it.
pub(super) fn absence_reason<'a>(lookup: Lookup<'a>, view: View<'a>) -> &'a str {
    match lookup {
        // A client with a limited grant must not be able to distinguish a denied resource from a missing one.
        _ if !view.grant.is_everything() => "resource not found, or not visible to this client",
        Lookup::Absent(reason) => &reason.text,
        Lookup::Present(_) | Lookup::Unanswered => "resource not found",
    }
}
