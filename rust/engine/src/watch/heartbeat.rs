//! Heartbeats of resources with a time to live.
//!
//! "xDS REST and gRPC protocol", TTL: the client drops such a resource when the time has passed without a response that
//! names it, with or without the resource in it.

use std::time::Duration;

use hashbrown::HashMap;

use crate::store::Resource;
use crate::subscription::{Held, Names};

/// Two heartbeats may be late before the client drops the resource.
const HEARTBEATS_PER_TTL: u32 = 3;

/// The next heartbeat of one resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeartbeatTimer {
    pub(crate) ttl: Duration,
    pub(crate) version: u64,
    held: Held,
    due: Duration,
}

/// The timers of the resources with a time to live that the client holds, by the index of the name.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats(HashMap<u32, HeartbeatTimer>);

impl Heartbeats {
    /// A response carries the whole resource.
    pub(crate) fn sent(&mut self, index: u32, resource: &Resource, now: Duration) {
        match resource.ttl() {
            Some(ttl) => self.insert(index, resource, ttl, now + ttl / HEARTBEATS_PER_TTL),
            None if self.0.is_empty() => {}
            None => drop(self.0.remove(&index)),
        }
    }

    /// The client holds a resource that this stream did not send. Returns whether a heartbeat is due now: only the
    /// client knows how much of the time to live is left.
    pub(crate) fn track_held(&mut self, index: u32, resource: &Resource, now: Duration) -> bool {
        let Some(ttl) = resource.ttl() else { return false };
        if self.0.contains_key(&index) {
            return false;
        }
        self.insert(index, resource, ttl, now);
        true
    }

    fn insert(&mut self, index: u32, resource: &Resource, ttl: Duration, due: Duration) {
        let held = Held::Version(resource.fingerprint());
        self.0.insert(index, HeartbeatTimer { ttl, version: resource.version(), held, due });
    }

    /// When each heartbeat is due.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Duration> + '_ {
        self.0.values().map(|timer| timer.due)
    }

    /// Drop the timers of resources that the client no longer holds.
    pub(crate) fn retain_held(&mut self, names: &Names) {
        self.0.retain(|index, timer| names.get(*index).is_some_and(|tracked| tracked.held() == timer.held));
    }

    /// Call `send` with the name and timer of each heartbeat that is due, and start the next interval.
    pub(crate) fn take_due(
        &mut self,
        names: &Names,
        now: Duration,
        mut send: impl FnMut(&str, HeartbeatTimer),
    ) {
        self.retain_held(names);
        for (index, timer) in self.0.iter_mut().filter(|(_, timer)| timer.due <= now) {
            if let Some(tracked) = names.get(*index) {
                send(&tracked.name, *timer);
                timer.due = now + timer.ttl / HEARTBEATS_PER_TTL;
            }
        }
    }
}
