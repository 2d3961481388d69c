//! The state of one thread that its streams use. Nothing in here is shared between threads, nothing is locked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;
use steerway_engine::{DemandKey, Flow, Interest, InterestChange, Transition};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::observe::propagation::DeliveryTable;
use crate::runtime::deadlines::Deadlines;
use crate::runtime::options::Options;
use crate::runtime::shared::Shared;
use crate::runtime::slice::SliceQueue;

/// One shard: a thread, the index of its subscriptions, its timers.
pub(crate) struct Shard {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Arc<Options>,
    pub(crate) routes: Routes,
    pub(crate) interest: RefCell<Interest<u64>>,
    /// What became of changes on the streams of this shard.
    pub(crate) deliveries: RefCell<DeliveryTable>,
    pub(crate) deadlines: Deadlines,
    pub(crate) slices: SliceQueue,
    /// Cancelled when clients are asked to disconnect.
    pub(crate) draining: CancellationToken,
    /// Cancelled when everything ends at once.
    pub(crate) ending: CancellationToken,
    last_stream_id: Cell<u64>,
    stride: u64,
}

impl Shard {
    /// Shard number `index` of `count`. The id of a stream gives its shard: `id % count`.
    pub(crate) fn new(
        (index, count): (usize, usize),
        shared: Arc<Shared>,
        options: Arc<Options>,
        routes: Routes,
    ) -> Rc<Shard> {
        Rc::new(Shard {
            shared,
            options,
            routes,
            interest: RefCell::default(),
            deliveries: RefCell::default(),
            deadlines: Deadlines::default(),
            slices: SliceQueue::new(),
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
            last_stream_id: Cell::new(index as u64),
            stride: count as u64,
        })
    }

    pub(crate) fn next_stream_id(&self) -> u64 {
        self.last_stream_id.set(self.last_stream_id.get() + self.stride);
        self.last_stream_id.get()
    }

    /// Apply changes of a stream's subscriptions to the index, and to the demand.
    pub(crate) fn change_interest(
        &self,
        stream: u64,
        flow: Flow,
        audience: &Arc<str>,
        changes: impl Iterator<Item = InterestChange>,
    ) {
        let mut interest = self.interest.borrow_mut();
        let moves = changes.filter_map(|change| {
            let (transition, type_id, name) = match change {
                InterestChange::Subscribe(type_id, name) => {
                    (interest.subscribe(stream, audience, type_id, &name), type_id, name)
                }
                InterestChange::Unsubscribe(type_id, name) => {
                    (interest.unsubscribe(stream, audience, type_id, &name), type_id, name)
                }
            };
            let key = || DemandKey { type_id, name, audience: Arc::clone(audience) };
            (transition != Transition::None).then(|| (transition, key()))
        });
        let moves: SmallVec<[_; 2]> = moves.collect();
        self.shared.update_demand(&moves, flow);
    }
}
