//! State of one type on one stream, for operators.

use std::sync::Arc;
use std::time::Duration;

use super::absence::Absence;
use super::progress::SyncState;
use crate::protocol::TypeId;
use crate::store::{Lookup, Propagation, View};
use crate::subscription::{Delivery, Held, Tracked};
use crate::watch::Watch;
use crate::wire::{is_collection, version_of, version_text, wildcard_name};

/// Maximum of names that a view lists as absent; it counts all of them.
pub const MAX_ABSENT_SHOWN: usize = 100;

/// State of one type on one stream, for operators. Ages count from the `now` of the snapshot; `None`: never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Type of the subscription.
    pub type_id: TypeId,
    /// How far the client is.
    pub state: SyncState,
    /// Whether the wildcard is subscribed (beside names).
    pub wildcard: bool,
    /// Requested names and glob collections, sorted.
    pub names: Vec<Arc<str>>,
    /// Those of them (and `*`) for which the store has no entry yet, sorted.
    pub waiting: Vec<Arc<str>>,
    /// Those of them without a resource, sorted, [`MAX_ABSENT_SHOWN`] at most.
    pub absent: Vec<AbsentView>,
    /// Number of all requested names without a resource.
    pub absent_count: usize,
    /// Version of the last response; "" when there was none.
    pub version_sent: String,
    /// Version of the last response that was ACKed; "" when there was none.
    pub version_acked: String,
    /// Time since the last response.
    pub sent_age: Option<Duration>,
    /// Time since the last ACK.
    pub acked_age: Option<Duration>,
    /// The last acknowledged change of a resource that the client held before.
    pub change: Option<Propagation>,
    /// Version of the last response that was NACKed; "" when there was none.
    pub nack_version: String,
    /// Text of the last NACK; "" once a later response was ACKed.
    pub nack_message: String,
    /// Time since the last NACK.
    pub nack_age: Option<Duration>,
    /// Every name that was requested or sent, sorted; empty unless the caller wants resources.
    pub resources: Vec<ResourceView>,
}

/// A requested name without a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentView {
    /// The name.
    pub name: Arc<str>,
    /// Why there is none, for operators.
    pub reason: Arc<str>,
    /// Whether the client held a resource of the name before on this stream.
    pub removed: bool,
}

impl From<Absence<'_>> for AbsentView {
    fn from(absence: Absence<'_>) -> AbsentView {
        let Absence { name, reason, removed, .. } = absence;
        AbsentView { name: Arc::clone(name), reason: Arc::clone(reason), removed }
    }
}

/// State of one resource on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceStatus {
    /// Not sent: the store has no entry yet, or the resource waits for others.
    Requested,
    /// Sent, and not answered so far.
    Sent,
    /// The client acknowledged the last version.
    Acked,
    /// The client rejected the last version.
    Nacked,
    /// There is no resource, or none that the client may see.
    DoesNotExist,
}

impl ResourceStatus {
    /// The name in views.
    pub const fn name(self) -> &'static str {
        match self {
            ResourceStatus::Requested => "requested",
            ResourceStatus::Sent => "sent",
            ResourceStatus::Acked => "acked",
            ResourceStatus::Nacked => "nacked",
            ResourceStatus::DoesNotExist => "does_not_exist",
        }
    }
}

/// One name on one stream, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceView {
    /// The name.
    pub name: Arc<str>,
    /// The version that was sent last or that the client announced; "": none.
    pub version: String,
    /// State of the resource.
    pub status: ResourceStatus,
    /// Message of the NACK; "" when there was none, or a later response of the type was NACKed.
    pub error: String,
    /// Time since it was last sent, to a second; `None`: never on this stream.
    pub sent_age: Option<Duration>,
}

impl ResourceView {
    /// The requested and the held names, sorted.
    fn all(watch: &Watch, view: Option<View<'_>>, now: Duration) -> Vec<ResourceView> {
        let tracked = watch.subscription.names.iter();
        let shown = tracked.filter(|tracked| tracked.requested() || tracked.is_held());
        let mut all: Vec<_> = shown.map(|tracked| ResourceView::new(tracked, watch, view, now)).collect();
        all.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        all
    }

    fn new(tracked: &Tracked, watch: &Watch, view: Option<View<'_>>, now: Duration) -> ResourceView {
        let absent = || view.is_some_and(|view| matches!(view.lookup(&tracked.name), Lookup::Absent(_)));
        let status = match tracked.held() {
            Held::Removed => ResourceStatus::DoesNotExist,
            Held::Nothing if absent() => ResourceStatus::DoesNotExist,
            Held::Nothing => ResourceStatus::Requested,
            Held::Other | Held::Version(_) if tracked.delivery == Delivery::Nacked => ResourceStatus::Nacked,
            Held::Version(_) if watch.nonces.is_open(tracked.sent_in) => ResourceStatus::Sent,
            Held::Other | Held::Version(_) => ResourceStatus::Acked,
        };
        let is_nacked = tracked.delivery == Delivery::Nacked;
        let last_nack = watch.nonces.last_nack().filter(|nack| is_nacked && nack.nonce == tracked.sent_in);
        ResourceView {
            name: Arc::clone(&tracked.name),
            version: match tracked.held() {
                Held::Version(fingerprint) => version_text(version_of(&tracked.name, fingerprint)),
                Held::Nothing | Held::Removed | Held::Other => String::new(),
            },
            status,
            error: last_nack.map_or(String::new(), |last_nack| last_nack.message.clone()),
            sent_age: tracked.sent_at().map(|at| now.saturating_sub(at)),
        }
    }
}

impl SubscriptionView {
    pub(crate) fn new(
        watch: &Watch,
        view: Option<View<'_>>,
        type_id: TypeId,
        now: Duration,
        resources: bool,
    ) -> SubscriptionView {
        let subscription = &watch.subscription;
        let mut names: Vec<Arc<str>> = subscription.interests().cloned().collect();
        names.sort_unstable();
        // Without an audience the stream sees no entry of the store.
        let unanswered = |name: &str| {
            view.is_none_or(|view| match is_collection(name) {
                true => !view.is_complete(),
                false => matches!(view.lookup(name), Lookup::Unanswered),
            })
        };
        let mut waiting: Vec<Arc<str>> = names.iter().filter(|name| unanswered(name)).cloned().collect();
        if subscription.wildcard() && view.is_none_or(|view| !view.is_complete()) {
            waiting.insert(0, Arc::clone(wildcard_name()));
        }
        let absences = view.into_iter().flat_map(|view| Absence::all(watch, view));
        let mut absent: Vec<AbsentView> = absences.map(AbsentView::from).collect();
        let absent_count = absent.len();
        absent.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        absent.truncate(MAX_ABSENT_SHOWN);
        let nonces = &watch.nonces;
        let version =
            |of: Option<(u64, Duration)>| of.map_or(String::new(), |(version, _)| version_text(version));
        let age = |of: Option<(u64, Duration)>| of.map(|(_, at)| now.saturating_sub(at));
        let last_nack = nonces.last_nack();
        SubscriptionView {
            type_id,
            state: SyncState::of(watch, view),
            wildcard: subscription.wildcard(),
            names,
            waiting,
            absent,
            absent_count,
            version_sent: version(nonces.last_sent()),
            version_acked: version(nonces.last_acked()),
            sent_age: age(nonces.last_sent()),
            acked_age: age(nonces.last_acked()),
            change: nonces.last_change().copied(),
            nack_version: version(last_nack.map(|last_nack| (last_nack.version, last_nack.at))),
            nack_message: last_nack
                .filter(|last_nack| !last_nack.superseded)
                .map_or(String::new(), |last_nack| last_nack.message.clone()),
            nack_age: age(last_nack.map(|last_nack| (last_nack.version, last_nack.at))),
            resources: if resources { ResourceView::all(watch, view, now) } else { Vec::new() },
        }
    }
}
