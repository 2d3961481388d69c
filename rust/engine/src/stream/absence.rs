//! Requested names without a resource. They are looked up in the store when an operator asks: no state is kept.

use std::sync::Arc;

use crate::protocol::TypeId;
use crate::store::{Lookup, View};
use crate::subscription::Tracked;
use crate::watch::Watch;

/// A requested name without a resource. Names for which the store has no entry yet are not absent.
#[derive(Clone, Copy, Debug)]
pub struct Absence<'a> {
    /// Type of the subscription.
    pub type_id: TypeId,
    /// The name.
    pub name: &'a Arc<str>,
    /// Why there is none, for operators.
    pub reason: &'a Arc<str>,
    /// Whether the client held a resource of the name before on this stream.
    pub removed: bool,
}

impl<'a> Absence<'a> {
    /// The absences of one type on one stream, in no particular order. Looks up each name, unless none can be absent.
    pub(crate) fn all(watch: &'a Watch, view: View<'a>) -> impl Iterator<Item = Absence<'a>> {
        let possible = !view.grant.is_everything() || view.store.absent(view.type_id) > 0;
        let names = possible.then(|| watch.subscription.names.iter()).into_iter().flatten();
        names.filter_map(move |tracked| Absence::of(tracked, view))
    }

    fn of(tracked: &'a Tracked, view: View<'a>) -> Option<Absence<'a>> {
        if !tracked.requested() {
            return None;
        }
        let Lookup::Absent(reason) = view.lookup(&tracked.name) else { return None };
        let removed = tracked.introduced_in > 0 || tracked.is_held();
        Some(Absence { type_id: view.type_id, name: &tracked.name, reason: &reason.text, removed })
    }
}
