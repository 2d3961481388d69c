//! The handle that Python holds.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rustls::pki_types::UnixTime;
use steerway_engine::{Grant, Identifier, Loads, Store, StreamOptions, SyncState, TypeId};
use tokio::runtime::Runtime;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::grpc::fetch::FetchRequest;
use crate::grpc::routes;
use crate::net::credentials::Credentials;
use crate::net::listener::{Address, Listener};
use crate::observe::event::Event;
use crate::observe::panic;
use crate::observe::propagation::{self, ChangePropagation};
use crate::observe::stats::Stats;
use crate::observe::usage::EngineUsage;
use crate::runtime::options::Options;
use crate::runtime::publication::Publication;
use crate::runtime::shared::Shared;
use crate::server::acceptor::{Acceptor, AcceptorCommand};
use crate::server::error::{OptionsError, StartError};
use crate::server::shard_handle::{Command, ShardHandle};
use crate::server::threads::{self, Threads};
use crate::xds::absence::{self, Absences, Page};
use crate::xds::edge::{self, ChangedEdges, Edge, EdgeFilter, Edges};
use crate::xds::group::{self, Group, Groups, Totals};
use crate::xds::scan::StreamFilter;
use crate::xds::stream_view::StreamView;
use crate::xds::streams::Streams;

enum State {
    New,
    Running(Threads),
    Stopped,
}

/// The xDS server: threads, sockets, the store. Dropping it stops it.
pub struct Server {
    options: Arc<Options>,
    /// Each with whether its TCP clients must use TLS.
    addresses: Vec<(Address, bool)>,
    shared: Arc<Shared>,
    routes: Routes,
    health: HealthReporter,
    serving: AtomicBool,
    state: Mutex<State>,
}

impl Server {
    /// A server that does not listen yet; resources can be published already.
    pub fn new(options: Options) -> Result<Server, OptionsError> {
        let addresses = addresses(&options).map_err(OptionsError::Invalid)?;
        let health = HealthReporter::new();
        let stream_options = StreamOptions {
            identifier: Identifier::new(&options.identifier),
            make_before_break_timeout: options.make_before_break_timeout,
            names_per_stream: options.max_names_per_stream,
            name_bytes: options.max_name_bytes,
            node_metadata: options.node_metadata.iter().map(|key| key.as_str().into()).collect(),
        };
        let shared = Shared::new(&options, stream_options).map_err(OptionsError::Io)?;
        let routes = routes::routes(&health, &options.descriptors, &shared)
            .map_err(|reason| OptionsError::Invalid(format!("descriptors: {reason}")))?;
        panic::install();
        Ok(Server {
            options: Arc::new(options),
            addresses,
            shared,
            routes,
            health,
            serving: AtomicBool::new(false),
            state: Mutex::new(State::New),
        })
    }

    /// Bind and accept; returns the bound addresses, in the order of the options `listen` and `plaintext_listen`.
    pub fn start(&self) -> Result<Vec<String>, StartError> {
        let mut state = self.state.lock();
        if !matches!(*state, State::New) {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "the engine was started before");
            return Err(error.into());
        }
        let runtime = threads::runtime()?;
        let listeners = self.bind(&runtime)?;
        let bound = listeners.iter().map(Listener::address).collect::<io::Result<_>>()?;
        let threads = Threads::start(&self.shared, &self.options, &self.routes, |shards, commands| {
            let acceptor =
                Acceptor::new(self.options.max_connections_per_second, shards, Arc::clone(&self.shared));
            let health = self.health.clone();
            move || runtime.block_on(acceptor.run(listeners, health, commands))
        })?;
        *state = State::Running(threads);
        drop(state);
        self.publish_health();
        Ok(bound)
    }

    fn bind(&self, runtime: &Runtime) -> Result<Vec<Listener>, StartError> {
        let _context = runtime.enter();
        let listeners = self.addresses.iter().map(|(address, tls)| {
            Listener::bind(address, *tls).map_err(|error| StartError { address: address.to_string(), error })
        });
        listeners.collect()
    }

    /// Set the certificates of new handshakes; open connections are kept. Returns when the certificate expires, since
    /// the epoch. An error names what is invalid; the previous certificates stay in use.
    pub fn set_tls(&self, credentials: &Credentials) -> Result<Duration, String> {
        let tls = self.shared.tls.as_ref().ok_or("the engine was made without TLS")?;
        let (config, expiry) = credentials.config(UnixTime::now())?;
        tls.set(config);
        Ok(expiry)
    }

    /// Readable while [`Server::poll`] has events.
    pub fn event_fd(&self) -> RawFd {
        self.shared.events.fd()
    }

    /// All events since the last call, in order, after demand for at most `most` names.
    pub fn poll(&self, most: usize) -> Vec<Event> {
        let (events, overdrawn) = self.shared.poll(most);
        for account in overdrawn {
            self.with_shards(|shards| shards.iter().for_each(|shard| shard.send(Command::Evict(account))));
        }
        events
    }

    /// Charge the time of work for an account ([`Event::Demand`]) to its CPU budget.
    pub fn charge(&self, account: u32, time: Duration) {
        self.shared.charge(account, time);
    }

    /// Set the audience and the grant of opened streams. Streams that have ended are ignored.
    pub fn classify(&self, audiences: Vec<(u64, Arc<str>, Grant)>) {
        self.send_to_shards_of(audiences, |(id, ..)| *id, Command::Classify);
    }

    /// Set the identities that the clients of opened streams proved, before the streams are classified: connections and
    /// budgets count per identity instead of per address. Streams that have ended are ignored.
    pub fn identify(&self, identities: Vec<(u64, Arc<str>)>) {
        self.send_to_shards_of(identities, |(id, _)| *id, Command::Identify);
    }

    /// Set the labels of streams, for operators; a later one replaces the earlier. Streams that have ended are ignored.
    pub fn label(&self, labels: Vec<(u64, Arc<str>)>) {
        self.send_to_shards_of(labels, |(id, _)| *id, Command::Label);
    }

    /// End opened streams without an audience, each with a gRPC status code and a message. Other streams are ignored.
    pub fn reject(&self, rejections: impl IntoIterator<Item = (u64, u32, String)>) {
        let rows = rejections.into_iter();
        let rejections =
            rows.map(|(id, code, message)| (id, Status::new((code as i32).into(), message))).collect();
        self.send_to_shards_of(rejections, |(id, _)| *id, Command::Reject);
    }

    /// Read the load reports of clients.
    pub fn loads<T>(&self, read: impl FnOnce(&Loads) -> T) -> T {
        read(&self.shared.loads.lock())
    }

    /// Send each shard the rows of its streams.
    fn send_to_shards_of<T>(&self, rows: Vec<T>, stream: fn(&T) -> u64, command: fn(Vec<T>) -> Command) {
        self.with_shards(|shards| {
            let mut parts: Vec<Vec<T>> = shards.iter().map(|_| Vec::new()).collect();
            for row in rows {
                parts[(stream(&row) % shards.len() as u64) as usize].push(row);
            }
            for (shard, part) in shards.iter().zip(parts).filter(|(_, part)| !part.is_empty()) {
                shard.send(command(part));
            }
        });
    }

    /// Answer a call ([`Event::Call`]). A call that has ended is ignored.
    pub fn reply(&self, call: u64, message: Bytes) {
        self.shared.calls.complete(call, Ok(message));
    }

    /// End a call with a gRPC status code and a message.
    pub fn refuse(&self, call: u64, code: u32, message: String) {
        self.shared.calls.complete(call, Err(Status::new((code as i32).into(), message)));
    }

    /// Answer one request as a discovery stream would. Blocks; the request counts as a stream.
    pub fn fetch(&self, request: FetchRequest) -> Result<Bytes, (u32, String)> {
        let (reply, answer) = mpsc::channel();
        self.with_shards(|shards| {
            if let Some(shard) = shards.iter().min_by_key(|shard| shard.load()) {
                shard.send(Command::Fetch(request, reply));
            }
        });
        let ended = || Err(Status::unavailable("the server is shutting down; try again"));
        let answer = answer.recv().unwrap_or_else(|_| ended());
        answer.map_err(|status| (status.code() as u32, status.message().to_owned()))
    }

    /// The time since the start of the engine.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// Publish; returns how many entries changed. Each shard is notified once.
    pub fn publish(&self, publication: impl Into<Publication>) -> usize {
        let publication = publication.into();
        let change = publication.change;
        let outcome = self.shared.commit(publication);
        self.notify_changed(outcome.changed, change);
        outcome.count
    }

    /// These services and names changed: what is missing because of them is demanded anew.
    pub fn invalidate_missing(&self, services: &[String], names: &[(TypeId, Arc<str>)]) {
        let names = names.iter().map(|(type_id, name)| (*type_id, &**name)).collect();
        let outcome = self.shared.invalidate_missing(services.iter().map(String::as_str), &names);
        self.notify_changed(outcome.changed, 0);
    }

    fn notify_changed(&self, changed: Vec<(TypeId, Arc<str>)>, change: u64) {
        if !changed.is_empty() {
            let changed: Arc<[_]> = changed.into();
            self.with_shards(|shards| {
                shards.iter().for_each(|shard| shard.send(Command::Changed(Arc::clone(&changed), change)));
            });
        }
    }

    /// Set the health status. Until it is serving for the first time, no stream is answered.
    pub fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Release);
        if serving && self.shared.start_answering() {
            self.with_shards(|shards| shards.iter().for_each(|shard| shard.send(Command::StartAnswering)));
        }
        self.publish_health();
    }

    /// Publish the health status; returns when clients see it.
    fn publish_health(&self) {
        let done = match &*self.state.lock() {
            State::Running(threads) => {
                let (done_sender, done) = mpsc::channel();
                let serving = self.serving.load(Ordering::Acquire);
                threads.send_acceptor(AcceptorCommand::Health(serving, done_sender));
                done
            }
            State::New | State::Stopped => return,
        };
        // Fails only when the acceptor has stopped.
        let _ = done.recv();
    }

    /// The streams that match, by id; with `resources` also their resources. Blocks, as do the following ones, until every
    /// shard has read its streams, some at a time.
    pub fn streams(&self, filter: &StreamFilter, resources: bool) -> Vec<StreamView> {
        let wanted = filter.clone();
        let parts = self.scan(move |streams| streams.views(wanted.clone(), resources));
        filter.page(parts.flatten().collect())
    }

    /// The id and the state of each stream, by id.
    pub fn states(&self) -> Vec<(u64, SyncState)> {
        let mut states: Vec<(u64, SyncState)> = self.scan(group::states).flatten().collect();
        states.sort_unstable_by_key(|(id, _)| *id);
        states
    }

    /// The streams summed up by label, in the order of labels.
    pub fn groups(&self) -> Vec<Group> {
        self.scan(group::groups).fold(Groups::default(), Groups::merge).into_sorted()
    }

    /// The streams summed up by label, type and requested name, in that order.
    pub fn edges(&self, filter: EdgeFilter) -> Vec<Edge> {
        let parts = self.scan(move |streams| edge::edges(streams, filter.clone()));
        parts.fold(Edges::default(), Edges::merge).into_sorted()
    }

    /// The edges of labels whose version is not the one in `known`, and the labels in `known` without edges.
    pub fn changed_edges(&self, known: HashMap<String, u64>) -> ChangedEdges {
        ChangedEdges::new(&self.edges(EdgeFilter::default()), known)
    }

    /// Absent names of clients: their numbers, and rows of `streams` streams with ids above `after`.
    pub fn absences(&self, after: u64, streams: usize) -> Absences {
        let page = Page { after, streams };
        let parts = self.scan(move |streams| absence::collect(streams, page));
        let mut absences = parts.fold(Absences::default(), Absences::merge);
        absences.truncate(page);
        absences
    }

    /// How far these changes have reached the clients, ascending; without those that are unknown or too old.
    pub fn propagations(&self, changes: &[u64]) -> Vec<ChangePropagation> {
        let published = self.shared.changes.lock().read(changes);
        let wanted: Arc<[u64]> = published.keys().copied().collect();
        let parts = self.scan(move |streams| async move { streams.shard.deliveries.borrow().read(&wanted) });
        propagation::propagations(published, parts.flatten())
    }

    /// The current counters.
    pub fn stats(&self) -> Stats {
        let totals = self.scan(group::totals).fold(Totals::default(), Totals::merge);
        let resources = self.shared.store.read().resources();
        let stats = self.shared.metrics.read(&self.shared.limits, self.shared.slots.used(), resources);
        Stats {
            absent: totals.absent,
            oldest_unacked: totals.oldest_unacked.map(|sent| self.now().saturating_sub(sent)),
            refused_now: totals.refused,
            ..stats
        }
    }

    /// Read the store.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.shared.store.read())
    }

    /// The serialised resource of exactly this entry.
    pub fn body(&self, type_id: TypeId, name: &str, audience: &str) -> Option<Bytes> {
        self.shared.store.read().body(type_id, name, audience)
    }

    /// What clients make this server keep: bytes of subscriptions that count, and demanded names. Cheap.
    pub fn kept(&self) -> (usize, usize) {
        self.shared.kept()
    }

    /// What is held for clients, over all shards.
    pub fn usage(&self) -> EngineUsage {
        let (reply, replies) = mpsc::channel();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.send(Command::Usage(reply.clone())));
        });
        drop(reply);
        let shared = &self.shared;
        let start = EngineUsage {
            connections: shared.slots.used(),
            demand: shared.demanded_names(),
            events: shared.events.len(),
            request_buffers: shared.request_buffers.used(),
            subscription_bytes: shared.budget.subscriptions(),
            accounts: shared.accounts.len(),
            ..EngineUsage::default()
        };
        replies.iter().fold(start, |sum, part| EngineUsage {
            tasks: sum.tasks + part.tasks,
            streams: sum.streams + part.streams,
            interest: sum.interest + part.interest,
            ..sum
        })
    }

    /// Stop accepting, set the health to NOT_SERVING, end streams; returns when all clients are gone or the time is up.
    pub fn drain(&self, grace: Duration) {
        self.serving.store(false, Ordering::Release);
        let (done, gone) = mpsc::channel();
        if let State::Running(threads) = &*self.state.lock() {
            threads.send_acceptor(AcceptorCommand::Close);
        }
        self.publish_health();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.send(Command::Drain(grace, done.clone())));
        });
        drop(done);
        // No value is sent: the wait ends when every shard has dropped its sender.
        let _ = gone.recv_timeout(grace);
    }

    /// End at once; wakes a running [`Server::drain`].
    pub fn stop(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Stopped);
        if let State::Running(threads) = state {
            threads.stop();
        }
    }

    /// Read the streams of every shard; one result of each.
    fn scan<T: Send + 'static, F: Future<Output = T> + 'static>(
        &self,
        read: impl FnOnce(Rc<Streams>) -> F + Clone + Send + 'static,
    ) -> impl Iterator<Item = T> {
        let (reply, replies) = mpsc::channel();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.scan(read.clone(), reply.clone()));
        });
        drop(reply);
        replies.into_iter()
    }

    fn with_shards(&self, run: impl FnOnce(&[ShardHandle])) {
        if let State::Running(threads) = &*self.state.lock() {
            run(threads.shards());
        }
    }
}

/// The addresses of the options, each with whether its TCP clients must use TLS.
fn addresses(options: &Options) -> Result<Vec<(Address, bool)>, String> {
    if options.listen.is_empty() {
        return Err("listen: give at least one address".into());
    }
    let listen = options.listen.iter().map(|text| Ok((Address::parse("listen", text)?, options.tls)));
    let plaintext =
        options.plaintext_listen.iter().map(|text| match Address::parse("plaintext_listen", text)? {
            Address::Unix(_) => Err(format!("plaintext_listen: {text:?} is not HOST:PORT")),
            address => Ok((address, false)),
        });
    listen.chain(plaintext).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
