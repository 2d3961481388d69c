//! Requested names without a resource: counted when an operator asks, and not again until one of them changes.

use super::state::Watch;
use crate::store::{Lookup, View};

/// Numbers of requested names without a resource, of one type on one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// The store has no entry for them yet.
    pub(crate) unanswered: usize,
    /// There is no resource, or none that the client may see.
    pub(crate) absent: usize,
}

impl Shortfall {
    /// The present numbers. Looks up each requested name, if one of them changed since the last call.
    pub(crate) fn of(watch: &Watch, view: View<'_>) -> Shortfall {
        if let Some(shortfall) = watch.shortfall.get() {
            return shortfall;
        }
        let names = &watch.subscription.names;
        let requested = names.iter().filter(|tracked| tracked.requested()).take(names.requested());
        let shortfall = requested.fold(Shortfall::default(), |mut sum, tracked| {
            match view.lookup(&tracked.name) {
                Lookup::Present(_) => {}
                Lookup::Absent(_) => sum.absent += 1,
                Lookup::Unanswered => sum.unanswered += 1,
            }
            sum
        });
        watch.shortfall.set(Some(shortfall));
        shortfall
    }
}
