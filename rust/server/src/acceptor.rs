//! Takes sockets and hands them to shards. Also keeps the health status and times the withdrawal of demand.

use std::sync::Arc;
use std::sync::mpsc::Sender as Reply;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::sleep;
use tonic_health::server::HealthReporter;

use crate::listener::Listener;
use crate::server::ShardHandle;
use crate::services::set_health;
use crate::shard::Command;
use crate::shared::Shared;

/// Pause after accept failed for want of something (file descriptors, memory) that other connections may give back.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// What the other threads ask of the acceptor.
pub(crate) enum Order {
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
    shards: Vec<ShardHandle>,
    shared: Arc<Shared>,
    health: HealthReporter,
    mut inbox: UnboundedReceiver<Order>,
) {
    let tasks = LocalSet::new();
    let orders = async {
        spawn_local(shared.withdraw_unwanted());
        let accepting: Vec<_> =
            listeners.into_iter().map(|listener| spawn_local(accept(listener, shards.clone()))).collect();
        while let Some(order) = inbox.recv().await {
            match order {
                Order::Health(serving, done) => {
                    set_health(&health, serving).await;
                    // Fails only when nobody waits for it any more.
                    let _ = done.send(());
                }
                Order::Close => accepting.iter().for_each(JoinHandle::abort),
                Order::Stop => break,
            }
        }
    };
    tasks.run_until(orders).await;
}

async fn accept(listener: Listener, shards: Vec<ShardHandle>) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let least = shards.iter().min_by_key(|shard| shard.load());
                if let Some(shard) = least {
                    shard.add_load();
                    shard.send(Command::Connection(socket, peer));
                }
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(_) => sleep(EXHAUSTED_PAUSE).await,
        }
    }
}

/// The connection broke before it was taken.
fn is_of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
