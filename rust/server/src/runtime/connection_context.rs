//! What the task of a connection and its streams share.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::account::AccountHandle;
use crate::limits::budget::SharedBudget;
use crate::limits::client_key::ClientKey;
use crate::limits::connection_slot::ConnectionSlot;
use crate::limits::control_frames::ControlFrameMeter;
use crate::limits::identity::ConnectionIdentities;
use crate::net::peer::Peer;
use crate::runtime::shared::Shared;

/// One connection.
pub(crate) struct ConnectionContext {
    pub(crate) id: u32,
    pub(crate) peer: Arc<Peer>,
    /// The account of the address: it is charged until a client proves an identity.
    pub(crate) account: AccountHandle,
    pub(crate) budget: SharedBudget,
    /// When the client last sent data on a stream.
    pub(crate) last_received: Cell<Instant>,
    pub(crate) meter: Rc<ControlFrameMeter>,
    /// The connection closes: each stream ends after its next response.
    pub(crate) draining: Cell<bool>,
    /// `None` for a request without a connection (REST).
    slot: Option<ConnectionSlot>,
    pub(crate) identities: ConnectionIdentities,
    streams: RefCell<Vec<u64>>,
    /// Ends what is not a discovery stream; few connections need it.
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

    /// Cancelled when everything on the connection ends; `shard_ending` is the token of its shard.
    pub(crate) fn ending(&self, shard_ending: &CancellationToken) -> &CancellationToken {
        self.ending.get_or_init(|| shard_ending.child_token())
    }

    /// End what is not a discovery stream.
    pub(crate) fn end_calls(&self) {
        self.ending.get().into_iter().for_each(CancellationToken::cancel);
    }

    /// The ids of its discovery streams.
    pub(crate) fn streams(&self) -> Ref<'_, [u64]> {
        Ref::map(self.streams.borrow(), Vec::as_slice)
    }
}
