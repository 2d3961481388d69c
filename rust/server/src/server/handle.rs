//! The handle that Python holds.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use parking_lot::Mutex;
use rustls::pki_types::UnixTime;
use steerway_engine::{Grant, Identifier, Loads, Store, StreamOptions, TypeId};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tonic::Status;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::grpc::fetch::FetchRequest;
use crate::grpc::routes;
use crate::limits::budget::Budgets;
use crate::net::credentials::Credentials;
use crate::net::listener::{Address, Listener};
use crate::observe::event::Event;
use crate::observe::metrics::{EngineUsage, Stats};
use crate::observe::panic;
use crate::runtime::publication::Publication;
use crate::runtime::shard::{Command, Shard, StreamView};
use crate::runtime::shared::Shared;
use crate::server::acceptor::{self, AcceptorCommand};
use crate::xds::absence::{Absences, Page};

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT` (port 0 takes a free one) or `unix:/path`, at least one.
    pub listen: Vec<String>,
    /// `control_plane.identifier` of every response.
    pub identifier: String,
    /// Shards; 0: one per core.
    pub threads: usize,
    /// Streams that one connection may hold open.
    pub max_concurrent_streams: u32,
    /// Connections at a time; fewer when the limit of open files is lower.
    pub max_connections: usize,
    /// Connections of one address, or of one user of a Unix socket; 0: any number.
    pub max_connections_per_address: usize,
    /// Connections with streams of one identity; 0: any number.
    pub max_connections_per_identity: usize,
    /// New connections in a second, and at once after a quiet one. More have to wait.
    pub max_connections_per_second: u32,
    /// StreamHandle streams at a time.
    pub max_streams: usize,
    /// Bytes of a Node that are kept of it.
    pub max_node_bytes: usize,
    /// Keys of a Node's metadata that are kept.
    pub node_metadata: Vec<String>,
    /// Bytes of one request.
    pub max_request_bytes: usize,
    /// Requests in a second that a stream may make besides those that answer a response, and at once after a quiet
    /// one. More have to wait.
    pub max_requests_per_second: u32,
    /// A client has so long for its handshake (10 s at most), to open a stream, for the first request of a stream, and to complete
    /// each request.
    pub request_timeout: Duration,
    /// A connection of this age, give or take a tenth, is closed; zero: never.
    pub max_connection_age: Duration,
    /// Streams that were not answered by then are ended all the same.
    pub max_connection_age_grace: Duration,
    /// A connection that was quiet so long is pinged.
    pub keepalive_interval: Duration,
    /// A client that did not answer the ping by then is gone.
    pub keepalive_timeout: Duration,
    /// Names that one stream may be subscribed to.
    pub max_names_per_stream: usize,
    /// Longest resource name that may be asked for, in bytes.
    pub max_name_bytes: usize,
    /// Memory and CPU time that clients may use.
    pub budgets: Budgets,
    /// How long a resource waits at most for others of its stream that go first.
    pub order_timeout: Duration,
    /// How long a demand outlives the last subscription.
    pub demand_grace: Duration,
    /// TCP clients must speak TLS, with what [`Server::set_tls`] says.
    pub tls: bool,
    /// A serialised FileDescriptorSet for reflection.
    pub descriptors: Vec<u8>,
}

/// Why a server cannot be made.
#[derive(Debug)]
pub enum OptionsError {
    /// An option makes no sense; the text names it.
    Invalid(String),
    /// The system refused a resource.
    Io(io::Error),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionsError::Invalid(reason) => f.write_str(reason),
            OptionsError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OptionsError {}

/// Why a server does not start.
#[derive(Debug)]
pub struct StartError {
    /// The address that cannot be listened on; "" when it is not about one.
    pub address: String,
    /// What the system says.
    pub error: io::Error,
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError { address: String::new(), error }
    }
}

/// A shard as other threads know it.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    inbox: UnboundedSender<Command>,
    load: Arc<AtomicUsize>,
}

impl ShardHandle {
    /// Connections that it holds.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(crate) fn add_load(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    /// A shard that has stopped takes no commands: there is nothing left that they could be about.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.inbox.send(command);
    }
}

/// Threads that run, and how to reach them.
struct Running {
    shards: Vec<ShardHandle>,
    acceptor: UnboundedSender<AcceptorCommand>,
    threads: Vec<JoinHandle<()>>,
}

enum State {
    New,
    Running(Running),
    Stopped,
}

/// The xDS server: threads, sockets, the store. Dropping it stops it.
pub struct Server {
    options: Arc<Options>,
    addresses: Vec<Address>,
    shared: Arc<Shared>,
    routes: Routes,
    health: HealthReporter,
    serving: AtomicBool,
    state: Mutex<State>,
}

impl Server {
    /// A server that does not listen yet; resources can be published already.
    pub fn new(options: Options) -> Result<Server, OptionsError> {
        let addresses = options.listen.iter().map(|address| Address::parse(address));
        let addresses = addresses.collect::<Result<Vec<_>, _>>().map_err(OptionsError::Invalid)?;
        if addresses.is_empty() {
            return Err(OptionsError::Invalid("listen: at least one address is needed".into()));
        }
        let health = HealthReporter::new();
        let stream_options = StreamOptions {
            identifier: Identifier::new(&options.identifier),
            make_before_break_timeout: options.order_timeout,
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

    /// Bind and accept; returns the bound addresses, in the order of the options.
    pub fn start(&self) -> Result<Vec<String>, StartError> {
        let mut state = self.state.lock();
        if !matches!(*state, State::New) {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "the engine was started before");
            return Err(error.into());
        }
        let runtime = runtime()?;
        let listeners = self.bind(&runtime)?;
        let bound = listeners.iter().map(Listener::address).collect::<io::Result<_>>()?;
        let mut running =
            Running { shards: Vec::new(), acceptor: unbounded_channel().0, threads: Vec::new() };
        match self.spawn(&mut running, runtime, listeners) {
            Ok(()) => {
                *state = State::Running(running);
                drop(state);
                self.publish_health();
                Ok(bound)
            }
            Err(error) => {
                running.stop();
                Err(error.into())
            }
        }
    }

    fn bind(&self, runtime: &Runtime) -> Result<Vec<Listener>, StartError> {
        let _context = runtime.enter();
        let listeners = self.addresses.iter().map(|address| {
            Listener::bind(address).map_err(|error| StartError { address: address.to_string(), error })
        });
        listeners.collect()
    }

    fn spawn(&self, running: &mut Running, runtime: Runtime, listeners: Vec<Listener>) -> io::Result<()> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if self.options.threads == 0 { cores() } else { self.options.threads };
        for index in 0..count {
            let (inbox, commands) = unbounded_channel();
            let handle = ShardHandle { inbox, load: Arc::default() };
            let (shared, options) = (Arc::clone(&self.shared), Arc::clone(&self.options));
            let (routes, load) = (self.routes.clone(), Arc::clone(&handle.load));
            let runtime = self::runtime()?;
            let thread = spawn_thread(format!("steerway-{index}"), move || {
                runtime.block_on(Shard::new((index, count), shared, options, routes, load).run(commands));
            })?;
            running.threads.push(thread);
            running.shards.push(handle);
        }
        let (acceptor, commands) = unbounded_channel();
        let (shards, shared) = (running.shards.clone(), Arc::clone(&self.shared));
        let (health, per_second) = (self.health.clone(), self.options.max_connections_per_second);
        let thread = spawn_thread("steerway-accept".into(), move || {
            runtime.block_on(acceptor::run(listeners, per_second, shards, shared, health, commands));
        })?;
        running.threads.push(thread);
        running.acceptor = acceptor;
        Ok(())
    }

    /// Have new handshakes use these; connections that are there stay. Returns when the certificate expires, since the
    /// epoch. An error says what is wrong with them, and what was set before stays in use.
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

    /// All events since the last call, in order; of the demand no more than concerns `most` names, and first.
    pub fn poll(&self, most: usize) -> Vec<Event> {
        let (events, overdrawn) = self.shared.poll(most);
        for account in overdrawn {
            self.with_shards(|shards| shards.iter().for_each(|shard| shard.send(Command::Evict(account))));
        }
        events
    }

    /// What was done for an account ([`Event::Demand`]) took so long: its CPU budget pays.
    pub fn charge(&self, account: u32, time: Duration) {
        self.shared.charge(account, time);
    }

    /// Give opened streams their audience and what of it they may see. Streams that are gone are ignored.
    pub fn classify(&self, audiences: Vec<(u64, Arc<str>, Grant)>) {
        self.send_to_shards_of(audiences, |(id, ..)| *id, Command::Classify);
    }

    /// Say which identities the clients of opened streams proved, before the streams are classified: their connections
    /// count for these, and their budgets pay. Streams that are gone are ignored.
    pub fn identify(&self, identities: Vec<(u64, Arc<str>)>) {
        self.send_to_shards_of(identities, |(id, _)| *id, Command::Identify);
    }

    /// End opened streams that wait for their audience, each with a gRPC status code and a message. Other streams and
    /// those that are gone are ignored.
    pub fn reject(&self, rejections: impl IntoIterator<Item = (u64, u32, String)>) {
        let rows = rejections.into_iter();
        let rejections =
            rows.map(|(id, code, message)| (id, Status::new((code as i32).into(), message))).collect();
        self.send_to_shards_of(rejections, |(id, _)| *id, Command::Reject);
    }

    /// Read what clients report of their requests.
    pub fn loads<T>(&self, read: impl FnOnce(&Loads) -> T) -> T {
        read(&self.shared.loads.lock())
    }

    /// Tell each shard the rows that are about its streams.
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

    /// Answer a call that was done_sender with [`Event::Call`]. One that is gone is ignored.
    pub fn reply(&self, call: u64, message: Bytes) {
        self.shared.calls.complete(call, Ok(message));
    }

    /// End such a call with a gRPC status code and a message.
    pub fn refuse(&self, call: u64, code: u32, message: String) {
        self.shared.calls.complete(call, Err(Status::new((code as i32).into(), message)));
    }

    /// Answer one request as a discovery stream would; waits for the answer. It counts as a stream meanwhile.
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

    /// The time as the engine counts it: since its start.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// Publish; returns how many entries changed. Each shard is done_sender once.
    pub fn publish(&self, publication: impl Into<Publication>) -> usize {
        let outcome = self.shared.commit(publication.into());
        self.notify_changed(outcome.changed);
        outcome.count
    }

    /// These services and names changed: what was published as missing because of them is demanded anew.
    pub fn invalidate_missing(&self, services: &[String], names: &[(TypeId, Arc<str>)]) {
        let names = names.iter().map(|(type_id, name)| (*type_id, &**name)).collect();
        let outcome = self.shared.invalidate_missing(services.iter().map(String::as_str), &names);
        self.notify_changed(outcome.changed);
    }

    fn notify_changed(&self, changed: Vec<(TypeId, Arc<str>)>) {
        if !changed.is_empty() {
            let changed: Arc<[_]> = changed.into();
            self.with_shards(|shards| {
                shards.iter().for_each(|shard| shard.send(Command::Changed(Arc::clone(&changed))));
            });
        }
    }

    /// The health that is done_sender. While it was never serving, no stream is answered.
    pub fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Release);
        if serving && self.shared.start_answering() {
            self.with_shards(|shards| shards.iter().for_each(|shard| shard.send(Command::Answer)));
        }
        self.publish_health();
    }

    /// Wait until everybody who asks for the health sees it.
    fn publish_health(&self) {
        let done = match &*self.state.lock() {
            State::Running(running) => {
                let (done_sender, done) = mpsc::channel();
                let _ = running
                    .acceptor
                    .send(AcceptorCommand::Health(self.serving.load(Ordering::Acquire), done_sender));
                done
            }
            State::New | State::Stopped => return,
        };
        // Fails only when the acceptor has stopped meanwhile.
        let _ = done.recv();
    }

    /// All open streams, by identity; with `resources` also each name of theirs.
    pub fn streams(&self, resources: bool) -> Vec<StreamView> {
        let (reply, replies) = mpsc::channel();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.send(Command::Inspect(resources, reply.clone())));
        });
        drop(reply);
        let mut views: Vec<StreamView> = replies.iter().flatten().collect();
        views.sort_unstable_by_key(|view| view.id);
        views
    }

    /// What clients ask for and there is nothing for: how many names, and some of them, of `streams` streams after the
    /// one of identity `after`.
    pub fn absences(&self, after: u64, streams: usize) -> Absences {
        let page = Page { after, streams };
        let (reply, replies) = mpsc::channel();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.send(Command::Absent(page, reply.clone())));
        });
        drop(reply);
        let mut absences = replies.iter().fold(Absences::default(), Absences::merge);
        absences.truncate(page);
        absences
    }

    /// Read the store.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.shared.store.read())
    }

    /// The serialised resource of exactly this entry.
    pub fn body(&self, type_id: TypeId, name: &str, audience: &str) -> Option<Bytes> {
        self.shared.store.read().body(type_id, name, audience)
    }

    /// All counters as they are now.
    pub fn stats(&self) -> Stats {
        let resources = self.shared.store.read().resources();
        self.shared.metrics.read(&self.shared, resources)
    }

    /// What clients make this server keep: bytes of subscriptions that count, and demanded names. Cheap.
    pub fn kept(&self) -> (usize, usize) {
        self.shared.kept()
    }

    /// What is held for clients now, of all shards.
    pub fn usage(&self) -> EngineUsage {
        let (reply, replies) = mpsc::channel();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.send(Command::Count(reply.clone())));
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

    /// Stop accepting, run health and clients, end streams; returns when all are gone or the time is up.
    pub fn drain(&self, grace: Duration) {
        self.serving.store(false, Ordering::Release);
        let (done, gone) = mpsc::channel();
        if let State::Running(running) = &*self.state.lock() {
            let _ = running.acceptor.send(AcceptorCommand::Close);
        }
        self.publish_health();
        self.with_shards(|shards| {
            shards.iter().for_each(|shard| shard.send(Command::Drain(grace, done.clone())));
        });
        drop(done);
        // Nobody ever sends: it ends when every shard has dropped its sender.
        let _ = gone.recv_timeout(grace);
    }

    /// End at once; wakes a running [`Server::drain`].
    pub fn stop(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Stopped);
        if let State::Running(running) = state {
            running.stop();
        }
    }

    fn with_shards(&self, run: impl FnOnce(&[ShardHandle])) {
        if let State::Running(running) = &*self.state.lock() {
            run(&running.shards);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn stop(self) {
        let _ = self.acceptor.send(AcceptorCommand::Stop);
        self.shards.iter().for_each(|shard| shard.send(Command::Stop));
        for thread in self.threads {
            // A thread that panicked has taken the process with it.
            let _ = thread.join();
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

/// A thread of the server. Streams are guarded one by one; a fault outside of them leaves a server that would hold
/// connections and never answer, so the process ends and is started anew.
fn spawn_thread(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let guarded = move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
            std::process::abort();
        }
    };
    std::thread::Builder::new().name(name).spawn(guarded)
}
