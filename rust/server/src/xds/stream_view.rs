//! One stream as an operator sees it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use steerway_engine::{Protocol, SubscriptionView, SyncState};

/// One stream as an operator sees it.
#[derive(Clone, Debug)]
pub struct StreamView {
    /// Id of the stream.
    pub id: u64,
    /// The client's `node.id`.
    pub node_id: Arc<str>,
    /// The serialised Node of the first request.
    pub node: Bytes,
    /// Address of the client.
    pub peer: Arc<str>,
    /// Its audience; "" until it is classified.
    pub audience: Arc<str>,
    /// Path of the gRPC method.
    pub method: &'static str,
    /// State of the world or delta.
    pub protocol: Protocol,
    /// Time since the stream was opened.
    pub age: Duration,
    /// What Python called the stream; "": nothing.
    pub label: Arc<str>,
    /// How far the client is.
    pub state: SyncState,
    /// Each subscribed type.
    pub subscriptions: Vec<SubscriptionView>,
}
