//! The loop of a shard's thread: its commands, its timers, its long work.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::{FutureExt, pending, select};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use crate::grpc::fetch::fetch;
use crate::http2::handshake;
use crate::observe::usage::EngineUsage;
use crate::runtime::shard::Shard;
use crate::server::shard_handle::Command;
use crate::xds::streams::Streams;

/// The thread of one shard.
pub(crate) struct ShardLoop {
    shard: Rc<Shard>,
    streams: Rc<Streams>,
    /// Connections whose task runs.
    tasks: Cell<usize>,
    /// Connections that were assigned to the shard.
    load: Arc<AtomicUsize>,
    emptied: Notify,
}

/// Counts a connection until its task ends.
struct ActiveConnection(Rc<ShardLoop>);

impl ActiveConnection {
    fn new(shard_loop: &Rc<ShardLoop>) -> ActiveConnection {
        shard_loop.tasks.set(shard_loop.tasks.get() + 1);
        ActiveConnection(Rc::clone(shard_loop))
    }
}

impl Drop for ActiveConnection {
    fn drop(&mut self) {
        self.0.tasks.set(self.0.tasks.get() - 1);
        if self.0.load.fetch_sub(1, Relaxed) == 1 {
            self.0.emptied.notify_one();
        }
    }
}

impl ShardLoop {
    pub(crate) fn new(shard: Rc<Shard>, load: Arc<AtomicUsize>) -> Rc<ShardLoop> {
        let streams = Streams::new(Rc::clone(&shard));
        Rc::new(ShardLoop { shard, streams, tasks: Cell::new(0), load, emptied: Notify::new() })
    }

    /// Execute commands until [`Command::Stop`].
    pub(crate) async fn run(self: Rc<ShardLoop>, mut inbox: UnboundedReceiver<Command>) {
        let tasks = LocalSet::new();
        let commands = async {
            spawn_local(run_timers(Rc::clone(&self.streams)));
            spawn_local(run_slices(Rc::clone(&self.streams)));
            while let Some(command) = inbox.recv().await {
                match command {
                    Command::Stop => break,
                    command => self.execute(command),
                }
            }
        };
        tasks.run_until(commands).await;
    }

    fn execute(self: &Rc<ShardLoop>, command: Command) {
        let (shard, streams) = (&self.shard, &self.streams);
        match command {
            Command::Connection(socket, peer, slot) => {
                let active = ActiveConnection::new(self);
                spawn_local(async move {
                    handshake::serve(Rc::clone(&active.0.streams), socket, peer, slot).await;
                });
            }
            Command::Changed(names, change) => streams.mark_changed(&names, change),
            Command::Classify(audiences) => {
                for (id, audience, grant) in audiences {
                    if let Some(stream) = streams.get(id) {
                        stream.catch_panic(shard, |stream| stream.classify(shard, audience, grant));
                    }
                }
            }
            Command::Identify(identities) => {
                for (id, identity) in identities {
                    if let Some(stream) = streams.get(id) {
                        stream.identify(shard, &identity);
                    }
                }
            }
            Command::Evict(account) => streams.for_each(|stream| stream.evict(account)),
            Command::Reject(rejections) => {
                for (id, status) in rejections {
                    if let Some(stream) = streams.get(id) {
                        stream.reject(status);
                    }
                }
            }
            Command::StartAnswering => streams.for_each(|stream| stream.wake()),
            Command::Fetch(request, reply) => drop(spawn_local(fetch(Rc::clone(streams), request, reply))),
            Command::Label(labels) => {
                for (id, label) in labels {
                    if let Some(stream) = streams.get(id) {
                        stream.label.replace(label);
                    }
                }
            }
            Command::Scan(scan) => drop(spawn_local(scan(Rc::clone(streams)))),
            // Replies fail only when the caller no longer waits.
            Command::Usage(reply) => drop(reply.send(self.usage())),
            Command::Drain(grace, done) => {
                let shard_loop = Rc::clone(self);
                spawn_local(async move {
                    shard_loop.drain(grace).await;
                    drop(done);
                });
            }
            Command::Stop => {}
        }
    }

    fn usage(&self) -> EngineUsage {
        EngineUsage {
            tasks: self.tasks.get(),
            streams: self.streams.len(),
            interest: self.shard.interest.borrow().len(),
            ..EngineUsage::default()
        }
    }

    /// End the streams that have sent a response one after the other over the first half of `grace`: their clients must
    /// not all reconnect to the other replicas at once. Clients of the others would see a failure in an end without a
    /// response (gRFC A57): they have until three quarters of it.
    async fn drain(&self, grace: Duration) {
        let start = Instant::now();
        self.shard.draining.cancel();
        let responded = self.streams.responded();
        let count = responded.len() as u32;
        for (index, stream) in responded.into_iter().enumerate() {
            sleep_until(start + grace / 2 * index as u32 / count).await;
            stream.end();
        }
        if self.load.load(Relaxed) > 0 && self.streams.len() > 0 {
            sleep_until(start + grace / 4 * 3).await;
        }
        self.streams.for_each(|stream| stream.end());
        self.shard.ending.cancel();
        while self.load.load(Relaxed) > 0 {
            self.emptied.notified().await;
        }
    }
}

/// Run the deadlines of the streams; never returns.
async fn run_timers(streams: Rc<Streams>) {
    let Shard { deadlines, shared, .. } = &*streams.shard;
    loop {
        let due = match deadlines.next() {
            Some(due) => sleep(due.saturating_sub(shared.now())).left_future(),
            None => pending().right_future(),
        };
        select(pin!(due), pin!(deadlines.sooner())).await;
        let now = shared.now();
        for id in deadlines.take(now) {
            if let Some(stream) = streams.get(id) {
                stream.catch_panic(&streams.shard, |stream| stream.on_deadline(now));
            }
        }
    }
}

/// Run long work in slices; never returns.
async fn run_slices(streams: Rc<Streams>) {
    let slices = &streams.shard.slices;
    loop {
        slices.ended().await;
        loop {
            // Other tasks run, and what has arrived is read.
            yield_now().await;
            let more = streams.clean_up_slice();
            slices.resume();
            if !more {
                break;
            }
        }
    }
}
