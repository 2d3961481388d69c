//! One key of the demand table.

use std::sync::Arc;
use std::time::Duration;

use super::fair_queue::Flow;
use crate::protocol::TypeId;
use crate::store::Key;

/// The end of a linked list of slots.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// A name ([`crate::WILDCARD`]: all names) that streams of one audience subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DemandKey {
    /// Type of the resource.
    pub type_id: TypeId,
    /// Name of the resource.
    pub name: Arc<str>,
    /// Audience of the streams, exactly.
    pub audience: Arc<str>,
}

/// A change of demand, for the translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemandEvent {
    /// Publish the resource and keep it up to date, or report it as missing ([`super::Demand::mark_missing`]). With the
    /// account that pays.
    Added(DemandKey, u32),
    /// No stream is subscribed.
    Withdrawn(DemandKey),
}

/// What the translation knows of a key.
///
/// ```text
///    New ──DemandEvent::Added──▶ Reported ──mark_missing──▶ Missing
///     ▲                             │                          │
///     │                             └─DemandEvent::Withdrawn   │
///     └───────────── its service or its name changed ──────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Nothing.
    New,
    /// It keeps the resource up to date.
    Reported,
    /// It reported that there is no resource, and forgot the key.
    Missing,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: Arc<str>,
    pub(super) audience: Arc<str>,
    /// The flow that added the key last.
    pub(super) flow: Flow,
    /// Since when no shard is subscribed; `None`: some shard is.
    pub(super) unwanted_since: Option<Duration>,
    /// Missing keys: hash of the service that they wait for (0: none), and the neighbours in the list of that service.
    pub(super) awaited_service: u64,
    pub(super) next: u32,
    pub(super) previous: u32,
    /// Number of shards that are subscribed.
    pub(super) shards: u32,
    /// Reported keys: the account that pays for them.
    pub(super) payer: u32,
    pub(super) type_id: TypeId,
    pub(super) report: Report,
    /// The grace time has passed, and the withdrawal is yet to be reported.
    pub(super) expired: bool,
    /// In the queue of unwanted keys, at most once: a key that is added and removed all the time costs no memory.
    pub(super) listed: bool,
    /// In the queue of events.
    pub(super) queued: bool,
    /// Not free: some shard is subscribed, the grace time runs, or the translation knows it.
    pub(super) used: bool,
}

impl Slot {
    pub(super) fn new(key: &DemandKey, flow: Flow) -> Slot {
        Slot {
            name: Arc::clone(&key.name),
            audience: Arc::clone(&key.audience),
            flow,
            unwanted_since: None,
            awaited_service: 0,
            next: NO_SLOT,
            previous: NO_SLOT,
            shards: 0,
            payer: 0,
            type_id: key.type_id,
            report: Report::New,
            expired: false,
            listed: false,
            queued: false,
            used: true,
        }
    }

    pub(super) fn key(&self) -> DemandKey {
        let (name, audience) = (Arc::clone(&self.name), Arc::clone(&self.audience));
        DemandKey { type_id: self.type_id, name, audience }
    }

    pub(super) fn is(&self, type_id: TypeId, name: &str, audience: &str) -> bool {
        self.type_id == type_id && *self.name == *name && *self.audience == *audience
    }

    /// The key of its entry in the store.
    pub(super) fn entry(&self) -> Key {
        let DemandKey { type_id, name, audience } = self.key();
        Key { type_id, name, audience }
    }
}
