//! How far a client is, for operators: the state of its stream, of each type and of each name.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::TypeId;
use crate::store::{Lookup, View};
use crate::subscription::{Delivery, Tracked};
use crate::watch::{Shortfall, Watch};
use crate::wire::wildcard_name;

/// State of a client, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SyncState {
    /// It rejected the last response.
    Refused,
    /// The store has no entry for a name yet.
    Waiting,
    /// The newest version is not acknowledged.
    Behind,
    /// A name has no resource, or none that the client may see.
    Absent,
    /// None of these.
    InSync,
}

impl SyncState {
    /// Number of states.
    pub const COUNT: usize = 5;
    /// All states, in their order.
    pub const ALL: [SyncState; SyncState::COUNT] =
        [SyncState::Refused, SyncState::Waiting, SyncState::Behind, SyncState::Absent, SyncState::InSync];

    /// The name in views.
    pub const fn name(self) -> &'static str {
        match self {
            SyncState::Refused => "refused",
            SyncState::Waiting => "waiting",
            SyncState::Behind => "behind",
            SyncState::Absent => "absent",
            SyncState::InSync => "in_sync",
        }
    }

    /// Of one type on one stream; `view`: `None` before the stream is classified.
    pub(crate) fn of(watch: &Watch, view: Option<View<'_>>) -> SyncState {
        if watch.nonces.is_refused() {
            return SyncState::Refused;
        }
        let subscription = &watch.subscription;
        let shortfall = view.map(|view| Shortfall::of(watch, view)).unwrap_or_default();
        let is_waiting = match view {
            // Without an audience the stream sees no entry of the store.
            None => !subscription.is_empty(),
            Some(view) => {
                shortfall.unanswered > 0 || (subscription.has_implicit_names() && !view.is_complete())
            }
        };
        let version = |of: Option<(u64, Duration)>| of.map(|(version, _)| version);
        if is_waiting {
            SyncState::Waiting
        } else if version(watch.nonces.last_sent()) != version(watch.nonces.last_acked()) {
            SyncState::Behind
        } else if shortfall.absent > 0 {
            SyncState::Absent
        } else {
            SyncState::InSync
        }
    }

    /// Of one name; `lookup`: `None` when every name of the type has a resource.
    fn of_name(tracked: &Tracked, lookup: Option<Lookup<'_>>, watch: &Watch) -> SyncState {
        match (tracked.delivery, lookup) {
            (Delivery::Nacked, _) => SyncState::Refused,
            (_, Some(Lookup::Unanswered)) => SyncState::Waiting,
            (Delivery::Sent, _) if watch.nonces.is_open(tracked.sent_in) => SyncState::Behind,
            (_, Some(Lookup::Absent(_))) => SyncState::Absent,
            (Delivery::Unsent | Delivery::Sent, Some(Lookup::Present(_)) | None) => SyncState::InSync,
        }
    }
}

/// How far the client of one stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The worst of its types.
    pub state: SyncState,
    /// When the oldest response without an answer was sent.
    pub oldest_unacked: Option<Duration>,
    /// Requested names without a resource.
    pub absent: usize,
    /// Whether the client rejected the last response of a type, by [`TypeId::index`].
    pub refused: [bool; TypeId::COUNT],
}

impl Default for Progress {
    fn default() -> Progress {
        let refused = [false; TypeId::COUNT];
        Progress { state: SyncState::InSync, oldest_unacked: None, absent: 0, refused }
    }
}

impl Progress {
    /// Add one type of the stream.
    pub(super) fn add(&mut self, watch: &Watch, view: Option<View<'_>>) {
        let state = SyncState::of(watch, view);
        self.state = self.state.min(state);
        self.refused[watch.type_id.index()] = state == SyncState::Refused;
        self.absent += view.map_or(0, |view| Shortfall::of(watch, view).absent);
        let oldest = self.oldest_unacked.into_iter().chain(watch.nonces.oldest_open());
        self.oldest_unacked = oldest.min();
    }
}

/// Call `visit` with the state of the wildcard, of each glob collection and of each requested name of one type.
pub(super) fn visit_names(
    watch: &Watch,
    view: View<'_>,
    mut visit: impl FnMut(TypeId, &Arc<str>, SyncState),
) {
    let shortfall = Shortfall::of(watch, view);
    let any_missing = shortfall.unanswered + shortfall.absent > 0;
    let subscription = &watch.subscription;
    let wildcard = subscription.wildcard().then(wildcard_name);
    let implicit = wildcard.into_iter().chain(subscription.collections());
    implicit.for_each(|name| visit(watch.type_id, name, SyncState::of(watch, Some(view))));
    for tracked in subscription.names.iter().filter(|tracked| tracked.requested()) {
        let lookup = any_missing.then(|| view.lookup(&tracked.name));
        visit(watch.type_id, &tracked.name, SyncState::of_name(tracked, lookup, watch));
    }
}
