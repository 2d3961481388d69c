//! What the streams of one connection and its task know of each other.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::account::{Holding, Party};
use crate::limits::budget::Purse;
use crate::limits::connection_slot::Slot;
use crate::limits::control_frames::Meter;
use crate::limits::identity::OfConnection;
use crate::net::peer::Peer;
use crate::runtime::shard::Shard;
use crate::runtime::shared::Shared;
use crate::xds::stream_handle::Discovery;

/// One connection.
pub(crate) struct Link {
    pub(crate) id: u32,
    pub(crate) peer: Arc<Peer>,
    /// Of the address, which pays until a client proves an identity.
    pub(crate) account: Holding,
    pub(crate) purse: Purse,
    /// When the client last said something on a stream.
    pub(crate) heard: Cell<Instant>,
    pub(crate) meter: Rc<Meter>,
    /// The connection is to go: each stream ends as soon as it was answered.
    pub(crate) leaving: Cell<bool>,
    /// `None` for a request that came without a connection.
    slot: Option<Slot>,
    pub(crate) identities: OfConnection,
    streams: RefCell<Vec<u64>>,
    /// The end of what is no discovery stream; few connections have one.
    ending: OnceCell<CancellationToken>,
}

impl Link {
    pub(crate) fn new(shared: &Shared, peer: Peer, meter: Rc<Meter>, slot: Option<Slot>) -> Rc<Link> {
        Rc::new(Link {
            id: shared.next_connection(),
            account: shared.accounts.open(&Party::of(&peer)),
            purse: Purse::new(shared.budgets.connection, shared.now()),
            peer: Arc::new(peer),
            heard: Cell::new(Instant::now()),
            meter,
            leaving: Cell::new(false),
            slot,
            identities: OfConnection::default(),
            streams: RefCell::default(),
            ending: OnceCell::new(),
        })
    }

    /// A stream was admitted.
    pub(crate) fn settle(&self) {
        self.slot.iter().for_each(Slot::settle);
    }

    pub(crate) fn add(&self, stream: u64) {
        self.streams.borrow_mut().push(stream);
    }

    pub(crate) fn remove(&self, stream: u64) {
        let mut streams = self.streams.borrow_mut();
        if let Some(place) = streams.iter().position(|id| *id == stream) {
            streams.swap_remove(place);
        }
    }

    /// Cancelled when all must end: here, or on the whole shard.
    pub(crate) fn ending(&self, shard: &Shard) -> &CancellationToken {
        self.ending.get_or_init(|| shard.ending.child_token())
    }

    /// Have streams end that were answered, and the others when they are.
    pub(crate) fn leave(&self, shard: &Shard) {
        self.leaving.set(true);
        self.each(shard, Discovery::wake);
    }

    /// Have all streams end.
    pub(crate) fn end(&self, shard: &Shard) {
        self.each(shard, Discovery::end);
        self.ending.get().into_iter().for_each(CancellationToken::cancel);
    }

    fn each(&self, shard: &Shard, tell: fn(&Discovery)) {
        let streams = shard.streams.borrow();
        self.streams.borrow().iter().filter_map(|id| streams.get(id)).for_each(|stream| tell(stream));
    }
}
