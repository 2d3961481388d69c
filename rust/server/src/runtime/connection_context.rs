//! What the streams of one connection and its task know of for_each_stream other.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::account::{AccountHandle, ClientKey};
use crate::limits::budget::SharedBudget;
use crate::limits::connection_slot::ConnectionSlot;
use crate::limits::control_frames::ControlFrameMeter;
use crate::limits::identity::ConnectionIdentities;
use crate::net::peer::Peer;
use crate::runtime::shard::Shard;
use crate::runtime::shared::Shared;
use crate::xds::stream_handle::StreamHandle;

/// One connection.
pub(crate) struct ConnectionContext {
    pub(crate) id: u32,
    pub(crate) peer: Arc<Peer>,
    /// Of the address, which pays until a client proves an identity.
    pub(crate) account: AccountHandle,
    pub(crate) budget: SharedBudget,
    /// When the client last said something on a stream.
    pub(crate) last_received: Cell<Instant>,
    pub(crate) meter: Rc<ControlFrameMeter>,
    /// The connection is to go: for_each_stream stream ends as soon as it was answered.
    pub(crate) draining: Cell<bool>,
    /// `None` for a request that came without a connection.
    slot: Option<ConnectionSlot>,
    pub(crate) identities: ConnectionIdentities,
    streams: RefCell<Vec<u64>>,
    /// The end of what is no discovery stream; few connections have one.
    ending: OnceCell<CancellationToken>,
}

impl ConnectionContext {
    pub(crate) fn new(
        shared: &Shared,
        peer: Peer,
        meter: Rc<ControlFrameMeter>,
        slot: Option<ConnectionSlot>,
    ) -> Rc<ConnectionContext> {
        Rc::new(ConnectionContext {
            id: shared.next_connection(),
            account: shared.accounts.open(&ClientKey::of(&peer)),
            budget: SharedBudget::new(shared.budgets.connection, shared.now()),
            peer: Arc::new(peer),
            last_received: Cell::new(Instant::now()),
            meter,
            draining: Cell::new(false),
            slot,
            identities: ConnectionIdentities::default(),
            streams: RefCell::default(),
            ending: OnceCell::new(),
        })
    }

    /// A stream was admitted.
    pub(crate) fn admit(&self) {
        self.slot.iter().for_each(ConnectionSlot::admit);
    }

    pub(crate) fn add(&self, stream: u64) {
        self.streams.borrow_mut().push(stream);
    }

    pub(crate) fn remove(&self, stream: u64) {
        let mut streams = self.streams.borrow_mut();
        if let Some(index) = streams.iter().position(|id| *id == stream) {
            streams.swap_remove(index);
        }
    }

    /// Cancelled when all must end: here, or on the whole shard.
    pub(crate) fn ending(&self, shard: &Shard) -> &CancellationToken {
        self.ending.get_or_init(|| shard.ending.child_token())
    }

    /// Have streams end that were answered, and the others when they are.
    pub(crate) fn drain(&self, shard: &Shard) {
        self.draining.set(true);
        self.for_each_stream(shard, StreamHandle::wake);
    }

    /// Have all streams end.
    pub(crate) fn end(&self, shard: &Shard) {
        self.for_each_stream(shard, StreamHandle::end);
        self.ending.get().into_iter().for_each(CancellationToken::cancel);
    }

    fn for_each_stream(&self, shard: &Shard, apply: fn(&StreamHandle)) {
        let streams = shard.streams.borrow();
        self.streams.borrow().iter().filter_map(|id| streams.get(id)).for_each(|stream| apply(stream));
    }
}
