//! What all threads share.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steerway_engine::{Commit, CommitOutcome, Demand, DemandKey, Loads, Store, StreamOptions, WILDCARD};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use crate::call::Calls;
use crate::event::{Event, Events};
use crate::fault::Fault;
use crate::handshake::{Failure, Tls};
use crate::limit::{Limit, Met, Quota};
use crate::metrics::Metrics;
use crate::server::Options;
use crate::sync::{AtomicBool, Mutex, RwLock};

/// Bytes of requests that are not whole, of all streams together; the first part of each is free (see `intake`).
const REQUEST_BUFFERS: usize = 256 << 20;

/// Open files that are kept for everything but connections: the admin server, the sources, the threads.
const OTHER_FILES: usize = 256;

/// How many connections the limit of open files leaves room for.
fn files_for_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| files as usize);
    files.saturating_sub(OTHER_FILES).max(files / 2)
}

/// The store, the demand, and what Python is told. Streams and their index belong to their shards alone.
pub(crate) struct Shared {
    pub(crate) store: RwLock<Store>,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) stream_options: Arc<StreamOptions>,
    /// `None`: TCP is plaintext.
    pub(crate) tls: Option<Tls>,
    pub(crate) connections: Quota,
    pub(crate) streams: Quota,
    /// Bytes of requests that are not whole yet.
    pub(crate) request_buffers: Quota,
    pub(crate) met: Met,
    pub(crate) calls: Calls,
    /// What clients report of their requests.
    pub(crate) loads: Mutex<Loads>,
    answering: AtomicBool,
    demand: Mutex<Demand>,
    unwanted: Notify,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(options: &Options, stream_options: StreamOptions) -> std::io::Result<Arc<Shared>> {
        Ok(Arc::new(Shared {
            store: RwLock::new(Store::new()),
            events: Events::new()?,
            metrics: Metrics::default(),
            stream_options: Arc::new(stream_options),
            tls: options.tls.then(Tls::default),
            connections: Quota::new(options.max_connections.min(files_for_connections())),
            streams: Quota::new(options.max_streams),
            request_buffers: Quota::new(REQUEST_BUFFERS),
            met: Met::default(),
            calls: Calls::default(),
            loads: Mutex::default(),
            answering: AtomicBool::new(false),
            demand: Mutex::new(Demand::new(options.demand_grace)),
            unwanted: Notify::new(),
            started: Instant::now(),
        }))
    }

    /// The time as the core counts it: since the start of the engine.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether streams may be answered: since the first time that the server was serving.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Acquire)
    }

    /// Returns whether that is news.
    pub(crate) fn start_answering(&self) -> bool {
        !self.answering.swap(true, Ordering::AcqRel)
    }

    /// A connection is not served.
    pub(crate) fn handshake_failed(&self, peer: &Arc<str>, failure: Failure) {
        if let Some(told) = self.metrics.handshakes.add(peer, failure) {
            self.events.push(Event::HandshakeFailed(told));
        }
    }

    /// A client met a limit.
    pub(crate) fn limited(&self, limit: Limit, peer: &Arc<str>) {
        self.met.count(limit, peer, self.now(), &self.events);
    }

    /// A client met a limit that refuses: the status to end its stream with.
    pub(crate) fn refuse(&self, limit: Limit, peer: &Arc<str>, text: String) -> Status {
        self.limited(limit, peer);
        Status::resource_exhausted(text)
    }

    /// A stream panicked.
    pub(crate) fn panicked(&self, fault: Fault, peer: &Arc<str>) {
        self.metrics.panics.fetch_add(1, Ordering::Relaxed);
        self.events.push(Event::Panicked { peer: Arc::clone(peer), fault });
    }

    /// Names that are wanted, or were a moment ago.
    pub(crate) fn wanted(&self) -> usize {
        self.demand.lock().len()
    }

    /// Change the store. Afterwards all shards must be told what changed: a stream that subscribes meanwhile sees the new
    /// state, or is told.
    pub(crate) fn commit(&self, commit: Commit) -> CommitOutcome {
        self.metrics.published(&commit);
        let outcome = self.store.write().commit(commit);
        self.metrics.commits.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// A shard wants a name. Its event is queued under the lock, so that demand and withdrawal stand in order.
    pub(crate) fn want(&self, key: DemandKey) {
        let mut demand = self.demand.lock();
        if demand.add(&key) {
            self.events.push(Event::Demand(key));
        }
    }

    /// A shard no longer wants a name.
    pub(crate) fn unwant(&self, key: &DemandKey) {
        self.demand.lock().remove(key, self.now());
        self.unwanted.notify_one();
    }

    /// Withdraw demand when its grace has passed, for ever.
    pub(crate) async fn withdraw_unwanted(self: Arc<Shared>) {
        loop {
            let due = self.demand.lock().next_due();
            match due {
                Some(due) => sleep_until(self.started + due).await,
                None => self.unwanted.notified().await,
            }
            self.withdraw_due();
        }
    }

    pub(crate) fn withdraw_due(&self) {
        let mut demand = self.demand.lock();
        for key in demand.due(self.now()) {
            if &*key.name == WILDCARD {
                self.store.write().reopen(key.type_id, &key.audience);
            }
            self.events.push(Event::Withdrawn(key));
        }
    }
}
