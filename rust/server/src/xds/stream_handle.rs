//! One discovery stream, as its shard and its connection see it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steerway_engine::{
    Effects, Flow, Grant, InterestChange, Protocol, RequestKind, Service, Stream, TypeId, bounded,
};
use tonic::Status;

use crate::limits::client_key::ClientKey;
use crate::limits::identity::CountedConnection;
use crate::limits::limit::Limit;
use crate::net::peer::Token;
use crate::observe::event::Event;
use crate::observe::nack::NackReport;
use crate::observe::panic::{PanicReport, catch};
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::shard::Shard;
use crate::runtime::shared::Shared;
use crate::runtime::slice::SLICE;
use crate::xds::stream_budget::StreamBudget;
use crate::xds::stream_view::StreamView;

/// The state of a stream that its task shares with its shard and its connection.
pub(crate) struct StreamHandle {
    pub(crate) id: u64,
    pub(crate) connection: Rc<ConnectionContext>,
    token: Cell<Token>,
    method: &'static str,
    pub(crate) opened: Duration,
    /// Set by Python; "": none.
    pub(crate) label: RefCell<Arc<str>>,
    pub(crate) core: RefCell<Stream>,
    pub(crate) budget: StreamBudget,
    /// Counts its connection for the identity that its client proved.
    identity: RefCell<Option<Rc<CountedConnection>>>,
    subscribed: Cell<[usize; TypeId::COUNT]>,
    /// Changes of subscriptions that are not in the index yet.
    pending_interest: RefCell<VecDeque<InterestChange>>,
    waker: RefCell<Option<Waker>>,
    /// It panicked: its state is invalid, and it ends.
    has_panicked: Cell<bool>,
    /// Whether it was reported to Python.
    reported: Cell<bool>,
    pub(crate) responded: Cell<bool>,
    pub(crate) ending: RefCell<Option<Status>>,
    /// The next deadline of the core.
    deadline: Cell<Option<Duration>>,
}

impl StreamHandle {
    /// A stream that `method` opened.
    pub(crate) fn new(
        shard: &Shard,
        connection: &Rc<ConnectionContext>,
        token: Token,
        (method, protocol, service): (&'static str, Protocol, Service),
    ) -> StreamHandle {
        StreamHandle {
            id: shard.next_stream_id(),
            connection: Rc::clone(connection),
            token: Cell::new(token),
            method,
            opened: shard.shared.now(),
            label: RefCell::default(),
            core: RefCell::new(Stream::new(protocol, service, &shard.shared.stream_options)),
            budget: StreamBudget::new(connection, &shard.shared),
            identity: RefCell::default(),
            subscribed: Cell::default(),
            pending_interest: RefCell::default(),
            waker: RefCell::default(),
            has_panicked: Cell::new(false),
            reported: Cell::new(false),
            responded: Cell::new(false),
            ending: RefCell::new(shard.ending.is_cancelled().then(|| Status::ok(""))),
            deadline: Cell::new(None),
        }
    }

    /// Have the task poll the stream.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn watch(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Access the stream outside of its task. A panic ends it, as in its task.
    pub(crate) fn catch_panic<T>(&self, shard: &Shard, run: impl FnOnce(&StreamHandle) -> T) -> Option<T> {
        if self.has_panicked.get() {
            return None;
        }
        match catch(|| run(self)) {
            Ok(result) => Some(result),
            Err(fault) => {
                self.end_with(self.panicked(shard, fault));
                None
            }
        }
    }

    /// Report a panic; returns the status to end the stream with.
    pub(crate) fn panicked(&self, shard: &Shard, fault: PanicReport) -> Status {
        self.has_panicked.set(true);
        shard.shared.panicked(fault, &self.connection.peer.address);
        Status::internal("internal error; see the server's log")
    }

    /// A resource of a subscribed name changed.
    pub(crate) fn mark_changed(&self, type_id: TypeId, name: &Arc<str>, change: u64) {
        #[cfg(test)]
        crate::failpoint::change(name);
        self.core.borrow_mut().mark_changed(type_id, name, change);
        self.wake();
    }

    /// Set the audience and the grant, unless the stream was rejected before.
    pub(crate) fn classify(&self, shard: &Shard, audience: Arc<str>, grant: Grant) {
        if self.ending.borrow().is_some() {
            return;
        }
        let mut effects = Effects::default();
        self.core.borrow_mut().classify(audience, grant, &mut effects);
        self.connection.admit();
        self.apply(shard, &mut effects);
        self.wake();
    }

    /// The client proved its identity. The stream ends if that identity has reached a limit.
    pub(crate) fn identify(&self, shard: &Shard, identity: &Arc<str>) {
        let identities = &shard.shared.identities;
        let counted = self.connection.identities.add(identities, identity);
        if let (None, Some(limit)) = (&counted, identities.limit()) {
            let text =
                format!("connection limit of {identity} reached ({limit}, max_connections_per_identity)");
            self.end_with(shard.shared.limits.refuse(
                Limit::ConnectionsPerIdentity,
                &self.connection.peer.address,
                text,
            ));
        } else if let Err(status) = self.budget.identify(identity) {
            self.end_with(status);
        }
        *self.identity.borrow_mut() = counted;
    }

    /// An error when too much is kept of the Node of a first request.
    pub(crate) fn check_node(&self, shard: &Shard, effects: &Effects) -> Result<(), Status> {
        let (limit, shared) = (shard.options.max_node_bytes, &shard.shared);
        match effects.opened.as_ref().map(|node| node.bytes.len()) {
            Some(bytes) if bytes > limit => {
                let text = format!(
                    "the node has {bytes} bytes in its id, cluster, locality, client features and those metadata keys \
                     that are read, and may have {limit} (max_node_bytes)"
                );
                Err(shared.limits.refuse(Limit::NodeBytes, &self.connection.peer.address, text))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// An account has exceeded its memory budget.
    pub(crate) fn evict(&self, account: u32) {
        if self.ending.borrow().is_none()
            && let Some(status) = self.budget.evict(account)
        {
            self.end_with(status);
        }
    }

    /// The deadline of the core has passed.
    pub(crate) fn on_deadline(&self, now: Duration) {
        self.deadline.set(None);
        self.core.borrow_mut().on_deadline(now);
        self.wake();
    }

    pub(crate) fn set_deadline(&self, shard: &Shard, deadline: Option<Duration>) {
        shard.deadlines.replace(self.id, self.deadline.replace(deadline), deadline);
    }

    /// End the stream with OK, so that the client reconnects elsewhere.
    pub(crate) fn end(&self) {
        self.end_with(Status::ok(""));
    }

    /// End the stream if it was not classified.
    pub(crate) fn reject(&self, status: Status) {
        if self.core.borrow().audience().is_none() {
            self.end_with(status);
        }
    }

    /// The first reason counts.
    fn end_with(&self, status: Status) {
        self.ending.borrow_mut().get_or_insert(status);
        self.wake();
    }

    /// Whether a response was sent.
    pub(crate) fn has_responded(&self) -> bool {
        self.responded.get()
    }

    pub(crate) fn view(&self, shard: &Shard, resources: bool) -> Option<StreamView> {
        let core = self.core.borrow();
        let node = core.node()?;
        let now = shard.shared.now();
        // One guard: a second one would wait for a writer that waits for the first.
        let store = shard.shared.store.read();
        Some(StreamView {
            id: self.id,
            node_id: Arc::clone(&node.id),
            node: node.bytes.clone(),
            peer: Arc::clone(&self.connection.peer.address),
            audience: core.audience().cloned().unwrap_or_default(),
            method: self.method,
            protocol: core.protocol(),
            age: now.saturating_sub(self.opened),
            label: Arc::clone(&self.label.borrow()),
            state: core.progress(&store).state,
            subscriptions: core.snapshot(&store, now, resources),
        })
    }

    /// Charge the subscriptions. An error ends the stream.
    pub(crate) fn charge(&self) -> Result<(), Status> {
        let core = self.core.borrow();
        self.budget.subscribe(core.subscribed().iter().sum(), core.subscribed_bytes())
    }

    /// For the fair order of its demand.
    pub(crate) fn flow(&self) -> Flow {
        Flow { account: self.budget.account(), connection: self.connection.id }
    }

    /// The client, for fair shares.
    fn client_key(&self, shared: &Shared) -> ClientKey {
        let account = shared.accounts.find(self.budget.account());
        account.map_or_else(|| ClientKey::of(&self.connection.peer), |account| account.client_key.clone())
    }

    /// Apply the effects that the core requests.
    pub(crate) fn apply(&self, shard: &Shard, effects: &mut Effects) {
        let shared = &shard.shared;
        if let Some(node) = effects.opened.take() {
            self.reported.set(true);
            shared.events.push(Event::Opened {
                stream: self.id,
                peer: Arc::clone(&self.connection.peer),
                token: self.token.take(),
                node: node.bytes,
            });
        }
        let core = self.core.borrow();
        if !effects.interest.is_empty() {
            self.pending_interest.borrow_mut().extend(effects.interest.drain(..));
            if self.pending_interest.borrow().len() <= SLICE {
                self.register_pending(shard);
            }
        }
        if let Some(received) = effects.received.take() {
            shared.metrics.received(&received);
            if let (Some(type_id), RequestKind::Nack(nack)) = (received.type_id, received.kind) {
                let node_id = core.node().map(|node| bounded(&node.id).into()).unwrap_or_default();
                let peer = Arc::clone(&self.connection.peer.address);
                let report = NackReport { stream: self.id, peer, node_id, type_id, nack, suppressed: 0 };
                shared.events.push_nack(self.client_key(shared), report);
            }
        }
    }

    /// Number of subscribed names in the index.
    pub(crate) fn subscribed(&self) -> usize {
        self.subscribed.get().iter().sum()
    }

    /// Whether some changes of subscriptions are not in the index yet. Until then the stream must not read the store:
    /// it would miss later changes.
    pub(crate) fn has_pending_interest(&self) -> bool {
        !self.pending_interest.borrow().is_empty()
    }

    /// Add some of these changes to the index.
    pub(crate) fn register_pending(&self, shard: &Shard) {
        let core = self.core.borrow();
        let Some(audience) = core.audience() else { return };
        let mut pending_interest = self.pending_interest.borrow_mut();
        let count = pending_interest.len().min(SLICE);
        shard.change_interest(self.id, self.flow(), audience, pending_interest.drain(..count));
        if pending_interest.is_empty() {
            *pending_interest = VecDeque::new();
            core.note_indexed();
            self.count_subscriptions(shard, core.subscribed());
        }
    }

    fn count_subscriptions(&self, shard: &Shard, subscribed: [usize; TypeId::COUNT]) {
        let before = self.subscribed.replace(subscribed);
        for type_id in TypeId::ALL {
            let (before, after) = (before[type_id.index()], subscribed[type_id.index()]);
            if before != after {
                shard.shared.metrics.subscription(type_id, after as i64 - before as i64);
            }
        }
    }

    /// Count what became of changes on the stream.
    pub(crate) fn count_deliveries(&self, shard: &Shard, now: Duration) {
        let mut core = self.core.borrow_mut();
        core.take_deliveries().for_each(|update| shard.deliveries.borrow_mut().count(update, now));
    }

    /// Remove the stream from the gauges, and one slice of its names from the index; returns whether there are more.
    pub(crate) fn deregister(&self, shard: &Shard) -> bool {
        self.set_deadline(shard, None);
        self.count_subscriptions(shard, [0; TypeId::COUNT]);
        shard.shared.metrics.stream(self.core.borrow().protocol(), -1);
        if self.reported.get() {
            shard.shared.events.push(Event::Closed { stream: self.id });
        }
        self.core.borrow_mut().end_deliveries();
        self.count_deliveries(shard, shard.shared.now());
        // Subscriptions that are not in the index yet need no removal; those in the core are removed by `clean_up`.
        self.pending_interest.borrow_mut().retain(|change| matches!(change, InterestChange::Unsubscribe(..)));
        self.clean_up(shard)
    }

    /// Remove one slice of an ended stream's names from the index; returns whether there are more. The time is charged
    /// to its budget, and its memory until the end.
    pub(crate) fn clean_up(&self, shard: &Shard) -> bool {
        let begin = shard.shared.now();
        let mut core = self.core.borrow_mut();
        let Some(audience) = core.audience().cloned() else { return false };
        let mut pending_interest = self.pending_interest.borrow_mut();
        let count = pending_interest.len().min(SLICE);
        let names = core.take_interests(SLICE - count);
        let more = names.len() + count == SLICE;
        let gone = names.into_iter().map(|(type_id, name)| InterestChange::Unsubscribe(type_id, name));
        shard.change_interest(self.id, self.flow(), &audience, pending_interest.drain(..count).chain(gone));
        self.budget.spend(shard.shared.now() - begin);
        more
    }
}
