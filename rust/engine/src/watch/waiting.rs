//! Names of one type that wait for other types of their stream.

use std::time::Duration;

use hashbrown::HashMap;

use crate::subscription::Names;

/// Indices of waiting names, each with the deadline of its wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting(HashMap<u32, Duration>);

impl Waiting {
    /// Whether the name waits, or goes on waiting; `is_blocked`: there is something to wait for. A wait that begins
    /// `now` ends after `timeout`.
    pub(crate) fn must_wait(
        &mut self,
        index: u32,
        (now, timeout): (Duration, Duration),
        is_blocked: impl FnOnce() -> bool,
    ) -> bool {
        let until = self.0.get(&index).copied().unwrap_or(now + timeout);
        if until <= now || !is_blocked() {
            self.0.remove(&index);
            return false;
        }
        self.0.insert(index, until);
        true
    }

    /// Whether a resource waits for the resources that it names. After the deadline it waits only for those that were
    /// never sent (`lacks_any`): a route to a cluster that the client does not have makes every call fail.
    pub(crate) fn must_wait_for_dependencies(
        &mut self,
        index: u32,
        limit: (Duration, Duration),
        is_blocked: impl FnOnce() -> bool,
        lacks_any: impl FnOnce() -> bool,
    ) -> bool {
        let until = self.0.get(&index).copied();
        if self.must_wait(index, limit, is_blocked) {
            return true;
        }
        // It waited before: its deadline has passed, or nothing is left to wait for.
        let Some(until) = until else { return false };
        let lacks_any = lacks_any();
        if lacks_any {
            self.0.insert(index, until);
        }
        lacks_any
    }

    /// Whether some wait has reached its deadline.
    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        self.deadlines().any(|due| due <= now)
    }

    /// Forget names that are no longer tracked: other names may get their indices.
    pub(crate) fn retain_tracked(&mut self, names: &Names) {
        self.0.retain(|index, _| names.get(*index).is_some());
    }

    pub(crate) fn forget(&mut self, index: u32) {
        self.0.remove(&index);
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.keys().copied()
    }

    /// The deadline of each wait.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Duration> + '_ {
        self.0.values().copied()
    }
}
