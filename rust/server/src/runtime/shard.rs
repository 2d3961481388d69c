//! A thread with its connections, its streams and its index: nothing in here is shared, nothing is locked.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::Sender as Reply;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{FutureExt, pending, select};
use smallvec::SmallVec;
use steerway_engine::{
    DemandKey, Grant, Interest, InterestChange, Protocol, SubscriptionView, Transition, TypeId,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;

use crate::grpc::fetch::{FetchRequest, fetch};
use crate::http2::connection;
use crate::limits::connection_slot::SlotGrant;
use crate::net::listener::Socket;
use crate::net::peer::Peer;
use crate::observe::metrics::EngineUsage;
use crate::observe::panic::catch;
use crate::runtime::deadlines::Deadlines;
use crate::runtime::shared::Shared;
use crate::runtime::slice::SliceQueue;
use crate::server::handle::Options;
use crate::xds::absence::{self, Absences, Page};
use crate::xds::stream_handle::StreamHandle;

/// What the other threads ask of a shard.
pub(crate) enum Command {
    /// Serve a new connection.
    Connection(Socket, Peer, SlotGrant),
    /// These names changed in the store.
    Changed(Arc<[(TypeId, Arc<str>)]>),
    /// These streams got their audience and what of it they may see.
    Classify(Vec<(u64, Arc<str>, Grant)>),
    /// These streams belong to clients that proved an identity.
    Identify(Vec<(u64, Arc<str>)>),
    /// An account has used up its memory: its large streams end.
    Evict(u32),
    /// These streams get no audience and end, each with a status.
    Reject(Vec<(u64, Status)>),
    /// Streams may be answered from now on.
    Answer,
    /// Answer one request that came another way than by HTTP/2.
    Fetch(FetchRequest, Reply<Result<Bytes, Status>>),
    /// Tell what the streams look like, with each resource or without.
    Inspect(bool, Reply<Vec<StreamView>>),
    /// Tell which names are absent.
    Absent(Page, Reply<Absences>),
    /// Tell what is held for clients.
    Count(Reply<EngineUsage>),
    /// Send the clients away within this time; the sender is dropped when all are gone.
    Drain(Duration, Reply<Infallible>),
    /// Drop everything and end the thread.
    Stop,
}

/// One stream as an operator sees it.
#[derive(Clone, Debug)]
pub struct StreamView {
    /// Identity of the stream.
    pub id: u64,
    /// The client's `node.id`.
    pub node_id: Arc<str>,
    /// The serialised Node of the first request.
    pub node: Bytes,
    /// Address of the client.
    pub peer: Arc<str>,
    /// Whose view it sees; "" until it is classified.
    pub audience: Arc<str>,
    /// Path of the gRPC method.
    pub method: &'static str,
    /// State of the world or delta.
    pub protocol: Protocol,
    /// Time since the stream was opened.
    pub age: Duration,
    /// Each type that was asked for.
    pub subscriptions: Vec<SubscriptionView>,
}

/// The state of one shard.
pub(crate) struct Shard {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Arc<Options>,
    pub(crate) routes: Routes,
    pub(crate) streams: RefCell<HashMap<u64, Rc<StreamHandle>>>,
    pub(crate) interest: RefCell<Interest<u64>>,
    pub(crate) deadlines: Deadlines,
    pub(crate) slices: SliceQueue,
    /// Streams that have ended and whose names are to be forgotten.
    cleanup_queue: RefCell<VecDeque<Rc<StreamHandle>>>,
    /// Connections are told to go.
    pub(crate) draining: CancellationToken,
    /// What is still there ends now.
    pub(crate) ending: CancellationToken,
    last_stream_id: Cell<u64>,
    stride: u64,
    tasks: Cell<usize>,
    load: Arc<AtomicUsize>,
    emptied: Notify,
}

/// A connection that counts, from the moment it was given to the shard.
struct ConnectionGuard(Rc<Shard>);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.tasks.set(self.0.tasks.get() - 1);
        if self.0.load.fetch_sub(1, Relaxed) == 1 {
            self.0.emptied.notify_one();
        }
    }
}

impl Shard {
    /// Shard number `index` of `count`. IdentityConnections of streams tell their shard: `id % count`.
    pub(crate) fn new(
        (index, count): (usize, usize),
        shared: Arc<Shared>,
        options: Arc<Options>,
        routes: Routes,
        load: Arc<AtomicUsize>,
    ) -> Rc<Shard> {
        Rc::new(Shard {
            shared,
            options,
            routes,
            streams: RefCell::default(),
            interest: RefCell::default(),
            deadlines: Deadlines::default(),
            slices: SliceQueue::new(),
            cleanup_queue: RefCell::default(),
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
            last_stream_id: Cell::new(index as u64),
            stride: count as u64,
            tasks: Cell::new(0),
            load,
            emptied: Notify::new(),
        })
    }

    /// Do what the inbox says until it says stop.
    pub(crate) async fn run(self: Rc<Shard>, mut inbox: UnboundedReceiver<Command>) {
        let tasks = LocalSet::new();
        let commands = async {
            spawn_local(Rc::clone(&self).run_timers());
            spawn_local(Rc::clone(&self).run_slices());
            while let Some(command) = inbox.recv().await {
                match command {
                    Command::Stop => break,
                    command => self.handle(command),
                }
            }
        };
        tasks.run_until(commands).await;
    }

    fn handle(self: &Rc<Shard>, command: Command) {
        match command {
            Command::Connection(socket, peer, slot) => {
                let guard = ConnectionGuard(Rc::clone(self));
                self.tasks.set(self.tasks.get() + 1);
                spawn_local(async move {
                    connection::serve(Rc::clone(&guard.0), socket, peer, slot).await;
                });
            }
            Command::Changed(names) => self.mark_changed(&names),
            Command::Classify(audiences) => {
                for (id, audience, grant) in audiences {
                    let stream = self.streams.borrow().get(&id).cloned();
                    if let Some(stream) = stream {
                        stream.catch_panic(self, |stream| stream.classify(self, audience, grant));
                    }
                }
            }
            Command::Identify(identities) => {
                for (id, identity) in identities {
                    if let Some(stream) = self.streams.borrow().get(&id) {
                        stream.identify(self, &identity);
                    }
                }
            }
            Command::Evict(account) => {
                self.streams.borrow().values().for_each(|stream| stream.evict(account));
            }
            Command::Reject(rejections) => {
                for (id, status) in rejections {
                    if let Some(stream) = self.streams.borrow().get(&id) {
                        stream.reject(status);
                    }
                }
            }
            Command::Answer => self.streams.borrow().values().for_each(|stream| stream.wake()),
            Command::Fetch(request, reply) => drop(spawn_local(fetch(Rc::clone(self), request, reply))),
            Command::Inspect(resources, reply) => {
                let streams = self.streams.borrow();
                let view = |stream: &Rc<StreamHandle>| {
                    stream.catch_panic(self, |stream| stream.view(self, resources)).flatten()
                };
                let views = streams.values().filter_map(view).collect();
                // Fails only when nobody waits for it any more.
                let _ = reply.send(views);
            }
            Command::Absent(page, reply) => drop(spawn_local(absence::collect(Rc::clone(self), page, reply))),
            Command::Count(reply) => {
                let _ = reply.send(EngineUsage {
                    tasks: self.tasks.get(),
                    streams: self.streams.borrow().len(),
                    interest: self.interest.borrow().len(),
                    ..EngineUsage::default()
                });
            }
            Command::Drain(grace, done) => {
                let shard = Rc::clone(self);
                spawn_local(async move {
                    shard.drain(grace).await;
                    drop(done);
                });
            }
            Command::Stop => {}
        }
    }

    /// Tell streams of their deadlines, for ever.
    async fn run_timers(self: Rc<Shard>) {
        loop {
            let due = match self.deadlines.next() {
                Some(due) => sleep(due.saturating_sub(self.shared.now())).left_future(),
                None => pending().right_future(),
            };
            select(pin!(due), pin!(self.deadlines.sooner())).await;
            let now = self.shared.now();
            for id in self.deadlines.take(now) {
                if let Some(stream) = self.streams.borrow().get(&id) {
                    stream.catch_panic(&self, |stream| stream.on_deadline(now));
                }
            }
        }
    }

    fn mark_changed(&self, names: &[(TypeId, Arc<str>)]) {
        let (interest, streams) = (self.interest.borrow(), self.streams.borrow());
        for (type_id, name) in names {
            for id in interest.subscribers(*type_id, name) {
                if let Some(stream) = streams.get(&id) {
                    stream.catch_panic(self, |stream| stream.mark_changed(*type_id, name));
                }
            }
        }
    }

    /// Clients that were answered move over the first half of the time, one after the other: their new streams must
    /// not arrive at the other replicas all at once. The others would see a failure in an end without an answer
    /// (gRFC A57), so they are given longer.
    async fn drain(&self, grace: Duration) {
        let start = Instant::now();
        self.draining.cancel();
        let answered = |stream: &Rc<StreamHandle>| stream.has_responded();
        let mut streams: Vec<_> = self.streams.borrow().values().filter(|s| answered(s)).cloned().collect();
        let count = streams.len() as u32;
        for (place, stream) in streams.drain(..).enumerate() {
            sleep_until(start + grace / 2 * place as u32 / count).await;
            stream.end();
        }
        if self.load.load(Relaxed) > 0 && !self.streams.borrow().is_empty() {
            sleep_until(start + grace / 4 * 3).await;
        }
        self.streams.borrow().values().for_each(|stream| stream.end());
        self.ending.cancel();
        while self.load.load(Relaxed) > 0 {
            self.emptied.notified().await;
        }
    }

    pub(crate) fn next_stream_id(&self) -> u64 {
        self.last_stream_id.set(self.last_stream_id.get() + self.stride);
        self.last_stream_id.get()
    }

    /// What a stream wants to hear of changes.
    pub(crate) fn change_interest(
        &self,
        stream: &StreamHandle,
        audience: &Arc<str>,
        changes: impl Iterator<Item = InterestChange>,
    ) {
        let mut interest = self.interest.borrow_mut();
        let moves = changes.filter_map(|change| {
            let (transition, type_id, name) = match change {
                InterestChange::Subscribe(type_id, name) => {
                    (interest.subscribe(stream.id, audience, type_id, &name), type_id, name)
                }
                InterestChange::Unsubscribe(type_id, name) => {
                    (interest.unsubscribe(stream.id, audience, type_id, &name), type_id, name)
                }
            };
            let key = || DemandKey { type_id, name, audience: Arc::clone(audience) };
            (transition != Transition::None).then(|| (transition, key()))
        });
        let moves: SmallVec<[_; 2]> = moves.collect();
        self.shared.update_demand(&moves, stream.flow());
    }

    /// Do long work in slices, for ever.
    async fn run_slices(self: Rc<Shard>) {
        loop {
            self.slices.ended().await;
            loop {
                // The other tasks run, and what has arrived is read.
                yield_now().await;
                let more = self.clean_up_some();
                self.slices.resume();
                if !more {
                    break;
                }
            }
        }
    }

    /// A large stream has ended.
    pub(crate) fn clean_up_later(&self, stream: &Rc<StreamHandle>) {
        self.cleanup_queue.borrow_mut().push_back(Rc::clone(stream));
        self.slices.wake();
    }

    /// Returns whether there is more to forget.
    fn clean_up_some(&self) -> bool {
        let Some(stream) = self.cleanup_queue.borrow_mut().pop_front() else { return false };
        match catch(|| stream.clean_up(self)) {
            Ok(true) => self.cleanup_queue.borrow_mut().push_back(stream),
            Ok(false) => {}
            Err(fault) => drop(stream.panicked(self, fault)),
        }
        !self.cleanup_queue.borrow().is_empty()
    }
}
