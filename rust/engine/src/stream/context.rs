//! What a response depends on beside the subscription, and its effect on other types.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::message::StreamOptions;
use crate::protocol::TypeId;
use crate::store::{Changes, Resource, View};
use crate::watch::{Peers, Waiting};

/// What a response depends on beside the subscription.
pub(super) struct ResponseContext<'a> {
    pub(super) view: View<'a>,
    pub(super) peers: Peers<'a>,
    pub(super) options: &'a StreamOptions,
    pub(super) nonce: u64,
    pub(super) now: Duration,
}

impl ResponseContext<'_> {
    /// Whether a removed resource stays for a while because the client may use it. A resource that the client may no
    /// longer see is removed at once.
    pub(super) fn is_kept_in_use(&self, name: &str) -> bool {
        !self.view.is_denied(name) && self.peers.is_in_use(self.view.type_id, name)
    }

    /// When a wait begins, and its timeout.
    pub(super) fn wait_limit(&self) -> (Duration, Duration) {
        (self.now, self.options.make_before_break_timeout)
    }

    /// Whether a resource waits for the resources that it names. Those that the client was never sent are added to
    /// `undelivered` when the deadline of the wait has passed.
    pub(super) fn must_wait(
        &self,
        waiting: &mut Waiting,
        index: u32,
        resource: &Resource,
        undelivered: &mut SmallVec<[(TypeId, Arc<str>); 2]>,
    ) -> bool {
        let is_blocked = || self.peers.is_blocked(resource, self.view);
        let lacks_any = || {
            let before = undelivered.len();
            undelivered.extend(self.peers.undelivered(resource, self.view).cloned());
            undelivered.len() > before
        };
        waiting.must_wait_for_dependencies(index, self.wait_limit(), is_blocked, lacks_any)
    }
}

/// Effect of a response on the other types of its stream.
#[derive(Default)]
pub(super) struct Outcome {
    /// Resources in it that have a [`TypeId::warming_dependency`].
    pub(super) sent: SmallVec<[Arc<Resource>; 2]>,
    /// The changes that the response delivers.
    pub(super) changes: Changes,
    /// Resources that the client was never sent although others waited for them until the deadline.
    pub(super) undelivered: SmallVec<[(TypeId, Arc<str>); 2]>,
}
