//! How other threads reach a shard.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::Sender as Reply;
use std::time::Duration;

use bytes::Bytes;
use steerway_engine::{Grant, TypeId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::Status;

use crate::grpc::fetch::FetchRequest;
use crate::limits::connection_slot::SlotGrant;
use crate::net::listener::Socket;
use crate::net::peer::Peer;
use crate::observe::usage::EngineUsage;
use crate::xds::streams::Streams;

/// Reads the streams of a shard, on its thread.
pub(crate) type Scan = Box<dyn FnOnce(Rc<Streams>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A command of another thread to a shard.
pub(crate) enum Command {
    /// Serve a new connection.
    Connection(Socket, Peer, SlotGrant),
    /// These names changed in the store, by the change with this id (0: none).
    Changed(Arc<[(TypeId, Arc<str>)]>, u64),
    /// Set the audience and the grant of these streams.
    Classify(Vec<(u64, Arc<str>, Grant)>),
    /// Set the identities that the clients of these streams proved.
    Identify(Vec<(u64, Arc<str>)>),
    /// An account has exceeded its memory budget: end its large streams.
    Evict(u32),
    /// End these streams without an audience, each with its status.
    Reject(Vec<(u64, Status)>),
    /// Streams may be answered from now on.
    StartAnswering,
    /// Answer one request that did not come over HTTP/2.
    Fetch(FetchRequest, Reply<Result<Bytes, Status>>),
    /// Set the labels of these streams.
    Label(Vec<(u64, Arc<str>)>),
    /// Read the streams.
    Scan(Scan),
    /// Report what is held for clients.
    Usage(Reply<EngineUsage>),
    /// Disconnect the clients within this time; the sender is dropped when all are gone.
    Drain(Duration, Reply<Infallible>),
    /// Drop everything and end the thread.
    Stop,
}

/// A shard as other threads see it.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    inbox: UnboundedSender<Command>,
    load: Arc<AtomicUsize>,
}

impl ShardHandle {
    /// Also returns what the shard's thread needs: its inbox, and the number of its connections.
    pub(crate) fn new() -> (ShardHandle, UnboundedReceiver<Command>, Arc<AtomicUsize>) {
        let (inbox, commands) = unbounded_channel();
        let load = Arc::default();
        (ShardHandle { inbox, load: Arc::clone(&load) }, commands, load)
    }

    /// Connections of the shard.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Relaxed)
    }

    pub(crate) fn add_load(&self) {
        self.load.fetch_add(1, Relaxed);
    }

    /// Have the shard read its streams; the reply gets the result.
    pub(crate) fn scan<T: Send + 'static, F: Future<Output = T> + 'static>(
        &self,
        read: impl FnOnce(Rc<Streams>) -> F + Send + 'static,
        reply: Reply<T>,
    ) {
        self.send(Command::Scan(Box::new(move |streams| {
            let result = read(streams);
            // Replies fail only when the caller no longer waits.
            Box::pin(async move { drop(reply.send(result.await)) })
        })));
    }

    /// A shard that has stopped ignores commands: it has nothing left that they could concern.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.inbox.send(command);
    }
}
