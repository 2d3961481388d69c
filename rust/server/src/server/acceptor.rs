//! Accepts connections and assigns them to shards. Also sets the health status and times the withdrawal of demand.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender as Reply;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::sleep;
use tonic_health::server::HealthReporter;

use crate::grpc::health::set_health;
use crate::limits::connection_slot::ClosedConnection;
use crate::limits::limit::Limit;
use crate::limits::rate::TokenBucket;
use crate::net::listener::{Listener, Socket};
use crate::net::peer::{Peer, PeerKey};
use crate::runtime::shared::Shared;
use crate::server::shard_handle::{Command, ShardHandle};

/// Pause after accept failed for want of a resource (file descriptors, memory) that other connections may free.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A command of another thread to the acceptor.
pub(crate) enum AcceptorCommand {
    /// Set the health status; answered when all clients that ask see it.
    Health(bool, Reply<()>),
    /// Accept no more connections.
    Close,
    /// End the thread.
    Stop,
}

/// Accepts connections of all listeners.
pub(crate) struct Acceptor {
    rate: RefCell<TokenBucket>,
    shards: Vec<ShardHandle>,
    shared: Arc<Shared>,
}

impl Acceptor {
    pub(crate) fn new(per_second: u32, shards: Vec<ShardHandle>, shared: Arc<Shared>) -> Acceptor {
        let rate = f64::from(per_second);
        Acceptor { rate: RefCell::new(TokenBucket::new(rate, rate, shared.now())), shards, shared }
    }

    /// Execute commands until [`AcceptorCommand::Stop`].
    pub(crate) async fn run(
        self,
        listeners: Vec<Listener>,
        health: HealthReporter,
        mut inbox: UnboundedReceiver<AcceptorCommand>,
    ) {
        let tasks = LocalSet::new();
        let commands = async {
            spawn_local(Arc::clone(&self.shared).run_withdrawals());
            let acceptor = Rc::new(self);
            let accepting: Vec<_> = listeners
                .into_iter()
                .map(|listener| spawn_local(Rc::clone(&acceptor).accept(listener)))
                .collect();
            while let Some(command) = inbox.recv().await {
                match command {
                    AcceptorCommand::Health(serving, done) => {
                        set_health(&health, serving).await;
                        // Fails only when the caller no longer waits.
                        let _ = done.send(());
                    }
                    AcceptorCommand::Close => accepting.iter().for_each(JoinHandle::abort),
                    AcceptorCommand::Stop => break,
                }
            }
        };
        tasks.run_until(commands).await;
    }

    async fn accept(self: Rc<Acceptor>, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok((socket, peer, key)) => self.assign(socket, peer, key).await,
                Err(error) if is_peer_error(&error) => {}
                Err(_) => sleep(EXHAUSTED_PAUSE).await,
            }
        }
    }

    /// Give the connection to the shard with the fewest. Above the rate connections wait, this one here and the others
    /// in the backlog: a fleet that reconnects after a restart is to be served without delaying connected clients.
    /// Above the limits of all or of its address it is closed, so that the client tries another replica.
    async fn assign(&self, socket: Socket, peer: Peer, key: PeerKey) {
        if let Some(wait) = self.wait() {
            self.shared.limits.count(Limit::ConnectionsPerSecond, &peer.address);
            sleep(wait).await;
            while let Some(wait) = self.wait() {
                sleep(wait).await;
            }
        }
        self.rate.borrow_mut().spend(1.0);
        let (slot, closed) = self.shared.slots.take(key, &peer.address);
        if let Some(ClosedConnection { limit, address }) = closed {
            self.shared.limits.count(limit, &address);
        }
        let Some(slot) = slot else { return };
        if let Some(shard) = self.shards.iter().min_by_key(|shard| shard.load()) {
            shard.add_load();
            shard.send(Command::Connection(socket, peer, slot));
        }
    }

    fn wait(&self) -> Option<Duration> {
        self.rate.borrow_mut().wait(|| self.shared.now())
    }
}

/// The connection broke before it was accepted.
fn is_peer_error(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
