//! What Python publishes at once.

use std::sync::Arc;

use steerway_engine::{Commit, Demand, DemandKey, Key, Reason};

/// A demanded name that nothing exists for, and that Python does not keep.
#[derive(Clone, Debug)]
pub struct Missing {
    /// What was demanded.
    pub key: DemandKey,
    /// Why there is nothing, for operators and clients that want to know.
    pub reason: Arc<str>,
    /// The service whose change may make a difference; "": only a change of the name itself does.
    pub service: String,
}

/// Changes of the store that become visible together.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// The changes.
    pub commit: Commit,
    /// Demanded names that nothing exists for.
    pub missing: Vec<Missing>,
}

impl From<Commit> for Publication {
    fn from(commit: Commit) -> Publication {
        Publication { commit, ..Publication::default() }
    }
}

impl Publication {
    /// Bring the demand up to date; returns what is to be done to the store.
    pub(crate) fn into_commit(self, demand: &mut Demand) -> Commit {
        let Publication { mut commit, missing } = self;
        commit.absent.extend(missing.into_iter().filter_map(|Missing { key, reason, service }| {
            let name = demand.mark_missing(&key, &service)?;
            let reason = Reason { text: reason, denied: false };
            Some((Key { type_id: key.type_id, name, audience: key.audience }, reason))
        }));
        commit
    }
}
