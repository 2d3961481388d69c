//! The state that all threads share.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{FutureExt, pending, select};
use steerway_engine::{
    Commit, CommitOutcome, Demand, DemandEvent, DemandKey, Flow, Loads, Store, StreamOptions, Transition,
    TypeId, WILDCARD,
};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use crate::limits::account::Accounts;
use crate::limits::budget::{Budgets, SharedBudget};
use crate::limits::connection_slot::ConnectionSlots;
use crate::limits::identity::IdentityConnections;
use crate::limits::limit::Limit;
use crate::limits::open_files::connections_within_process_limit;
use crate::limits::quota::Quota;
use crate::net::handshake_failure::HandshakeFailure;
use crate::net::peer::Peer;
use crate::net::tls::Tls;
use crate::observe::event::{Event, Events};
use crate::observe::limit_counters::LimitCounters;
use crate::observe::metrics::Metrics;
use crate::observe::panic::PanicReport;
use crate::observe::propagation::PublishedChanges;
use crate::runtime::options::Options;
use crate::runtime::pending_calls::PendingCalls;
use crate::runtime::publication::Publication;
use crate::sync::{AtomicBool, Mutex, RwLock};

/// Bytes of incomplete requests of all streams; the first part of each is not counted (see `request_reader`).
const REQUEST_BUFFERS: usize = 256 << 20;

/// The store, the demand, the events and the limits. Streams and their index belong to their shards.
pub(crate) struct Shared {
    pub(crate) store: RwLock<Store>,
    pub(crate) events: Arc<Events>,
    pub(crate) metrics: Metrics,
    pub(crate) stream_options: Arc<StreamOptions>,
    /// `None`: TCP is plaintext.
    pub(crate) tls: Option<Tls>,
    pub(crate) slots: Arc<ConnectionSlots>,
    pub(crate) identities: Arc<IdentityConnections>,
    streams: Quota,
    /// Bytes of incomplete requests.
    pub(crate) request_buffers: Quota,
    pub(crate) limits: Arc<LimitCounters>,
    pub(crate) budgets: Budgets,
    pub(crate) accounts: Arc<Accounts>,
    /// The budget of all streams together.
    pub(crate) budget: SharedBudget,
    pub(crate) calls: PendingCalls,
    /// When the last changes were published.
    pub(crate) changes: Mutex<PublishedChanges>,
    /// Load reports of clients.
    pub(crate) loads: Mutex<Loads>,
    answering: AtomicBool,
    demand: Mutex<Demand>,
    withdrawal_changed: Notify,
    last_connection: AtomicU32,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(options: &Options, stream_options: StreamOptions) -> std::io::Result<Arc<Shared>> {
        let started = Instant::now();
        let events = Arc::new(Events::new()?);
        let limits = Arc::new(LimitCounters::new(Arc::clone(&events), started));
        Ok(Arc::new(Shared {
            store: RwLock::new(Store::new()),
            metrics: Metrics::default(),
            stream_options: Arc::new(stream_options),
            tls: options.tls.then(Tls::default),
            slots: ConnectionSlots::new(
                options.max_connections.min(connections_within_process_limit()),
                options.max_connections_per_address,
            ),
            identities: IdentityConnections::new(options.max_connections_per_identity),
            streams: Quota::new(options.max_streams),
            request_buffers: Quota::new(REQUEST_BUFFERS),
            budgets: options.budgets,
            accounts: Accounts::new(options.budgets.peer, started),
            budget: SharedBudget::new(options.budgets.server, Duration::ZERO),
            calls: PendingCalls::new(Arc::clone(&events), Arc::clone(&limits)),
            events,
            limits,
            changes: Mutex::default(),
            loads: Mutex::default(),
            answering: AtomicBool::new(false),
            demand: Mutex::new(Demand::new(options.unsubscribe_grace)),
            withdrawal_changed: Notify::new(),
            last_connection: AtomicU32::new(0),
            started,
        }))
    }

    /// The time of the core: since the start of the engine.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A new id of a connection.
    pub(crate) fn next_connection(&self) -> u32 {
        self.last_connection.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether streams may be answered: since the server was serving for the first time.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Acquire)
    }

    /// Returns whether that is a change.
    pub(crate) fn start_answering(&self) -> bool {
        !self.answering.swap(true, Ordering::AcqRel)
    }

    /// A handshake failed.
    pub(crate) fn handshake_failed(&self, peer: &Arc<str>, failure: HandshakeFailure) {
        if let Some(failed) = self.metrics.handshakes.add(peer, failure) {
            self.events.push(Event::HandshakeFailed(failed));
        }
    }

    /// Count a new stream; the status to refuse it with when the limit is reached.
    pub(crate) fn open_stream(&self, peer: &Peer) -> Result<(), Status> {
        if self.streams.take(1) {
            return Ok(());
        }
        let text = format!("stream limit reached ({}, max_streams)", self.streams.limit());
        Err(self.limits.refuse(Limit::Streams, &peer.address, text))
    }

    pub(crate) fn close_stream(&self) {
        self.streams.release(1);
    }

    /// A stream panicked.
    pub(crate) fn panicked(&self, fault: PanicReport, peer: &Arc<str>) {
        self.metrics.panics.fetch_add(1, Ordering::Relaxed);
        self.events.push(Event::Panicked { peer: Arc::clone(peer), fault });
    }

    /// What clients make the server keep: bytes of subscriptions, and demanded names.
    pub(crate) fn kept(&self) -> (usize, usize) {
        (self.budget.subscriptions(), self.demanded_names())
    }

    /// Names that are demanded, or were within the grace time.
    pub(crate) fn demanded_names(&self) -> usize {
        self.demand.lock().len()
    }

    /// Change the store. Afterwards all shards must be notified: a stream that subscribes meanwhile sees the new state
    /// or gets the notification.
    pub(crate) fn commit(&self, publication: Publication) -> CommitOutcome {
        self.metrics.published(&publication.commit);
        if publication.change > 0 {
            self.changes.lock().insert(publication.change, self.now());
        }
        let outcome = if publication.missing.is_empty() {
            self.store.write().commit(publication.commit)
        } else {
            // Both change together: a demand that is withdrawn meanwhile gets no answer.
            let mut demand = self.demand.lock();
            let commit = publication.into_commit(&mut demand);
            self.release(demand.take_released());
            self.store.write().commit(commit)
        };
        self.metrics.commits.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// These services and names changed: remove what is missing because of them, and demand it anew.
    pub(crate) fn invalidate_missing<'a>(
        &self,
        services: impl Iterator<Item = &'a str>,
        names: &HashSet<(TypeId, &str)>,
    ) -> CommitOutcome {
        let mut demand = self.demand.lock();
        let forget = demand.changed(services, names);
        if forget.is_empty() {
            return CommitOutcome::default();
        }
        let outcome = self.store.write().commit(Commit { forget, ..Commit::default() });
        self.events.set_demand_pending(demand.has_events());
        outcome
    }

    /// The interest of a shard in these names changed, caused by `flow`.
    pub(crate) fn update_demand(&self, moves: &[(Transition, DemandKey)], flow: Flow) {
        if moves.is_empty() {
            return;
        }
        let now = self.now();
        let mut demand = self.demand.lock();
        let due = demand.next_due();
        for (transition, key) in moves {
            match transition {
                Transition::First => demand.add(key, flow),
                Transition::Last => demand.remove(key, now),
                Transition::None => {}
            }
        }
        self.events.set_demand_pending(demand.has_events());
        let is_sooner = demand.next_due().is_some_and(|next| due.is_none_or(|due| next < due));
        drop(demand);
        if is_sooner {
            self.withdrawal_changed.notify_one();
        }
    }

    /// Events for Python: demand for at most `most` names, all others at once. The lock of the demand keeps demand and
    /// its withdrawal in order.
    ///
    /// Also returns the accounts that have exceeded their memory budget: their large streams must end.
    pub(crate) fn poll(&self, most: usize) -> (Vec<Event>, BTreeSet<u32>) {
        let mut demand = self.demand.lock();
        let events = demand.take_events(most);
        let mut overdrawn = BTreeSet::new();
        for event in &events {
            match event {
                DemandEvent::Added(_, account) if !self.keep(*account) => drop(overdrawn.insert(*account)),
                DemandEvent::Withdrawn(key) if &*key.name == WILDCARD => {
                    self.store.write().reopen(key.type_id, &key.audience);
                }
                DemandEvent::Added(..) | DemandEvent::Withdrawn(_) => {}
            }
        }
        self.release(demand.take_released());
        let others = self.events.poll(demand.has_events());
        drop(demand);
        (events.into_iter().map(Event::from).chain(others).collect(), overdrawn)
    }

    /// Charge an account for a name that Python keeps; returns whether it fits.
    fn keep(&self, account: u32) -> bool {
        self.budget.add_kept();
        self.accounts.find(account).is_none_or(|account| account.budget.add_kept())
    }

    fn release(&self, accounts: Vec<u32>) {
        for id in accounts {
            self.budget.remove_kept();
            if let Some(account) = self.accounts.find(id) {
                account.budget.remove_kept();
                self.accounts.remove_if_unused(id);
            }
        }
    }

    /// Charge the time that Python took for the demand of an account.
    pub(crate) fn charge(&self, account: u32, time: Duration) {
        let account = self.accounts.find(account);
        account.iter().for_each(|account| account.budget.spend(time, self.now()));
        self.budget.spend(time, self.now());
    }

    /// Withdraw demand after its grace time; never returns.
    pub(crate) async fn run_withdrawals(self: Arc<Shared>) {
        loop {
            let due = self.demand.lock().next_due();
            let due =
                due.map_or(pending().right_future(), |due| sleep_until(self.started + due).left_future());
            // Earlier when there are too many.
            select(pin!(due), pin!(self.withdrawal_changed.notified())).await;
            self.withdraw_due();
            // Of many names only some were withdrawn.
            yield_now().await;
        }
    }

    pub(crate) fn withdraw_due(&self) {
        let mut demand = self.demand.lock();
        let forget = demand.expire(self.now());
        if !forget.is_empty() {
            // They have no subscriber: no shard is concerned.
            self.store.write().commit(Commit { forget, ..Commit::default() });
        }
        self.events.set_demand_pending(demand.has_events());
    }
}

#[cfg(test)]
mod tests {
    use steerway_engine::Identifier;
    use tokio::task::{LocalSet, spawn_local};

    use super::*;
    use crate::failpoint::options;

    /// Twenty of them exceed what is kept of names without a subscriber.
    const LONG_NAME: usize = 1 << 20;

    fn shared(unsubscribe_grace: Duration) -> Arc<Shared> {
        let stream_options = StreamOptions {
            identifier: Identifier::new("test"),
            make_before_break_timeout: Duration::ZERO,
            names_per_stream: 100,
            name_bytes: 2 * LONG_NAME,
            node_metadata: Arc::default(),
        };
        Shared::new(&Options { unsubscribe_grace, ..options() }, stream_options).unwrap()
    }

    #[tokio::test]
    async fn too_many_names_without_a_subscriber_are_withdrawn_early() {
        let shared = shared(Duration::from_secs(3600));
        let subscribe_and_unsubscribe = |number: usize| {
            let name = format!("{number} {}", "x".repeat(LONG_NAME)).into();
            let key = DemandKey { type_id: TypeId::Cluster, name, audience: "".into() };
            for transition in [Transition::First, Transition::Last] {
                shared.update_demand(&[(transition, key.clone())], Flow::default());
            }
        };
        let tasks = LocalSet::new();
        let test = async {
            spawn_local(Arc::clone(&shared).run_withdrawals());
            subscribe_and_unsubscribe(0);
            // It waits for the end of the grace time now.
            yield_now().await;
            (1..20).for_each(subscribe_and_unsubscribe);
            for _ in 0..100 {
                yield_now().await;
            }
        };
        tasks.run_until(test).await;
        assert!((10..20).contains(&shared.demanded_names()), "{}", shared.demanded_names());
    }
}
