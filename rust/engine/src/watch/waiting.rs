//! Names that wait for other types of their stream.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::protocol::TypeId;
use crate::store::Resource;
use crate::stream::ResponseContext;
use crate::subscription::Names;

/// Names of one type that wait for others, by their index, each with the time when it waits no longer.
#[derive(Debug, Default)]
pub(crate) struct Waiting(HashMap<u32, Duration>);

impl Waiting {
    /// Whether the name waits (on): `must` says if there is anything to wait for.
    pub(crate) fn must_wait(
        &mut self,
        index: u32,
        (now, timeout): (Duration, Duration),
        must: impl FnOnce() -> bool,
    ) -> bool {
        let until = self.0.get(&index).copied().unwrap_or(now + timeout);
        if until <= now || !must() {
            self.0.remove(&index);
            return false;
        }
        self.0.insert(index, until);
        true
    }

    /// Whether a resource waits (on) for what it names. Time ends that only once all of it was sent: a route to a cluster
    /// that the client does not have makes every call fail.
    pub(crate) fn must_wait_for_dependencies(
        &mut self,
        index: u32,
        resource: &Resource,
        context: &ResponseContext<'_>,
        undelivered: &mut SmallVec<[(TypeId, Arc<str>); 2]>,
    ) -> bool {
        let until = self.0.get(&index).copied();
        if self.must_wait(index, context.wait_limit(), || context.peers.is_blocked(resource, context.view)) {
            return true;
        }
        // It was held before, so its time is up, or there is nothing left to wait for.
        let Some(until) = until else { return false };
        let before = undelivered.len();
        undelivered.extend(context.peers.undelivered(resource, context.view).cloned());
        let is_undelivered = undelivered.len() > before;
        if is_undelivered {
            self.0.insert(index, until);
        }
        is_undelivered
    }

    /// Whether some wait was as long as it may be.
    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        self.deadlines().any(|due| due <= now)
    }

    /// Names that are no longer tracked wait for nothing; others may get their indices.
    pub(crate) fn retain_tracked(&mut self, names: &Names) {
        self.0.retain(|index, _| names.get(*index).is_some());
    }

    pub(crate) fn forget(&mut self, index: u32) {
        self.0.remove(&index);
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.keys().copied()
    }

    /// When each waits no longer.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Duration> + '_ {
        self.0.values().copied()
    }
}
