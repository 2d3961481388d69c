//! Names that wait for other types of their stream.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::protocol::TypeId;
use crate::store::Resource;
use crate::stream::Turn;
use crate::subscription::Names;

/// Names of one type that wait for others, by their index, each with the time when it waits no longer.
#[derive(Debug, Default)]
pub(crate) struct Waiting(HashMap<u32, Duration>);

impl Waiting {
    /// Whether the name waits (on): `must` says if there is anything to wait for.
    pub(crate) fn holds(
        &mut self,
        index: u32,
        (now, patience): (Duration, Duration),
        must: impl FnOnce() -> bool,
    ) -> bool {
        let until = self.0.get(&index).copied().unwrap_or(now + patience);
        if until <= now || !must() {
            self.0.remove(&index);
            return false;
        }
        self.0.insert(index, until);
        true
    }

    /// Whether a resource waits (on) for what it names. Time ends that only once all of it was sent: a route to a cluster
    /// that the client does not have makes every call fail.
    pub(crate) fn holds_back(
        &mut self,
        index: u32,
        resource: &Resource,
        turn: &Turn<'_>,
        lacking: &mut SmallVec<[(TypeId, Arc<str>); 2]>,
    ) -> bool {
        let until = self.0.get(&index).copied();
        if self.holds(index, turn.patience(), || turn.peers.are_awaited(resource, turn.view)) {
            return true;
        }
        // It was held before, so its time is up, or there is nothing left to wait for.
        let Some(until) = until else { return false };
        let before = lacking.len();
        lacking.extend(turn.peers.lacking(resource, turn.view).cloned());
        let lacks = lacking.len() > before;
        if lacks {
            self.0.insert(index, until);
        }
        lacks
    }

    /// Whether some wait was as long as it may be.
    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        self.deadlines().any(|due| due <= now)
    }

    /// Names that are no longer tracked wait for nothing; others may get their indices.
    pub(crate) fn forget_lost(&mut self, names: &Names) {
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
