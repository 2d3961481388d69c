//! Which names somebody wants, over all shards, with a grace time.

use std::sync::Arc;
use std::time::Duration;

use crate::TypeId;

/// What is wanted: a name ([`crate::WILDCARD`]: all of them) in an audience.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DemandKey {
    /// Type of the resource.
    pub type_id: TypeId,
    /// Name of the resource.
    pub name: Arc<str>,
    /// Audience of the streams that want it, exactly.
    pub audience: Arc<str>,
}

/// The table of demand. Every shard adds and removes each key at most once at a time ([`crate::Transition`]).
///
/// The transport puts a lock around it.
#[derive(Debug)]
pub struct Demand {}

impl Demand {
    /// An empty table; a demand is withdrawn when nobody wanted it for `grace`.
    pub fn new(_grace: Duration) -> Demand {
        todo!()
    }

    /// A shard wants the key. `true`: report a demand (also for names that have an entry); `false`: known already.
    #[must_use]
    pub fn add(&mut self, _key: &DemandKey) -> bool {
        todo!()
    }

    /// A shard no longer wants the key.
    pub fn remove(&mut self, _key: &DemandKey, _now: Duration) {
        todo!()
    }

    /// Keys whose grace has passed: report each as withdrawn. They are gone from the table.
    pub fn due(&mut self, _now: Duration) -> Vec<DemandKey> {
        todo!()
    }

    /// When to call [`Demand::due`] next; `None`: not before something is removed.
    pub fn next_due(&self) -> Option<Duration> {
        todo!()
    }
}
