//! What Python publishes at once.

use std::sync::Arc;

use steerway_engine::{Commit, Demand, DemandKey, Key, Reason};

/// A demanded name without a resource, which Python does not keep.
#[derive(Clone, Debug)]
pub struct Missing {
    /// What was demanded.
    pub key: DemandKey,
    /// Why there is no resource, for operators and clients.
    pub reason: Arc<str>,
    /// The service whose change may add one; "": only a change of the name itself may.
    pub service: String,
}

/// Changes of the store that become visible together.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// The changes.
    pub commit: Commit,
    /// Demanded names without a resource.
    pub missing: Vec<Missing>,
    /// The id of the change that causes it, by which [`crate::Server::propagations`] counts; 0: it is not counted.
    pub change: u64,
}

impl From<Commit> for Publication {
    fn from(commit: Commit) -> Publication {
        Publication { commit, ..Publication::default() }
    }
}

impl Publication {
    /// Mark the missing names in the demand; returns the commit for the store.
    pub(crate) fn into_commit(self, demand: &mut Demand) -> Commit {
        let Publication { mut commit, missing, .. } = self;
        commit.absent.extend(missing.into_iter().filter_map(|Missing { key, reason, service }| {
            let name = demand.mark_missing(&key, &service)?;
            let reason = Reason { text: reason, denied: false };
            Some((Key { type_id: key.type_id, name, audience: key.audience }, reason))
        }));
        commit
    }
}
