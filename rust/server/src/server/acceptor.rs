//! Takes sockets and hands them to shards. Also keeps the health status and times the withdrawal of demand.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender as Reply;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::sleep;
use tonic_health::server::HealthReporter;

use crate::grpc::routes::set_health;
use crate::limits::connection_slot::{ClosedConnection, PeerKey};
use crate::limits::limit::Limit;
use crate::limits::rate::TokenBucket;
use crate::net::listener::{Listener, Socket};
use crate::net::peer::Peer;
use crate::runtime::shard::Command;
use crate::runtime::shared::Shared;
use crate::server::handle::ShardHandle;

/// Pause after accept failed for want of something (file descriptors, memory) that other connections may give back.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// What the other threads ask of the acceptor.
pub(crate) enum AcceptorCommand {
    /// The health that is told; answered when everybody can see it.
    Health(bool, Reply<()>),
    /// Take no more connections.
    Close,
    /// End the thread.
    Stop,
}

/// Do what the inbox says until it says stop.
pub(crate) async fn run(
    listeners: Vec<Listener>,
    per_second: u32,
    shards: Vec<ShardHandle>,
    shared: Arc<Shared>,
    health: HealthReporter,
    mut inbox: UnboundedReceiver<AcceptorCommand>,
) {
    let tasks = LocalSet::new();
    let commands = async {
        spawn_local(Arc::clone(&shared).run_withdrawals());
        let acceptor = Rc::new(Acceptor::new(per_second, shards, shared));
        let accepting: Vec<_> = listeners
            .into_iter()
            .map(|listener| spawn_local(Rc::clone(&acceptor).accept(listener)))
            .collect();
        while let Some(command) = inbox.recv().await {
            match command {
                AcceptorCommand::Health(serving, done) => {
                    set_health(&health, serving).await;
                    // Fails only when nobody waits for it any more.
                    let _ = done.send(());
                }
                AcceptorCommand::Close => accepting.iter().for_each(JoinHandle::abort),
                AcceptorCommand::Stop => break,
            }
        }
    };
    tasks.run_until(commands).await;
}

/// Lets connections in, from all listeners.
struct Acceptor {
    rate: RefCell<TokenBucket>,
    shards: Vec<ShardHandle>,
    shared: Arc<Shared>,
}

impl Acceptor {
    fn new(per_second: u32, shards: Vec<ShardHandle>, shared: Arc<Shared>) -> Acceptor {
        let rate = f64::from(per_second);
        Acceptor { rate: RefCell::new(TokenBucket::new(rate, rate, shared.now())), shards, shared }
    }

    async fn accept(self: Rc<Acceptor>, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok((socket, peer, key)) => self.hand_over(socket, peer, key).await,
                Err(error) if is_peer_error(&error) => {}
                Err(_) => sleep(EXHAUSTED_PAUSE).await,
            }
        }
    }

    /// Those that are too many in a second wait, this one here and the others in the backlog: a fleet that comes back
    /// after a restart is to be served, only not at the cost of those who are. Those that are too many altogether,
    /// or for their address, are closed, so that they try another replica.
    async fn hand_over(&self, socket: Socket, peer: Peer, key: PeerKey) {
        if let Some(wait) = self.wait() {
            self.shared.limited(Limit::ConnectionsPerSecond, &peer.address);
            sleep(wait).await;
            while let Some(wait) = self.wait() {
                sleep(wait).await;
            }
        }
        self.rate.borrow_mut().spend(1.0);
        let (slot, closed) = self.shared.slots.take(key, &peer.address);
        if let Some(ClosedConnection { limit, address }) = closed {
            self.shared.limited(limit, &address);
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

/// The connection broke before it was taken.
fn is_peer_error(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
