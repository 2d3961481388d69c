//! What all streams of one replica have in common.

use std::sync::Arc;
use std::time::Duration;

use super::response::Identifier;

/// How streams are answered: the same for all of a replica.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Names the replica.
    pub identifier: Identifier,
    /// How long a resource waits at most for others that go before it: a route for its clusters, a withdrawn cluster
    /// for the client to have what replaced it.
    pub make_before_break_timeout: Duration,
    /// Names that one stream may be subscribed to, over all types; a wildcard or glob collection counts as one.
    pub names_per_stream: usize,
    /// Longest name that may be asked for, in bytes.
    pub name_bytes: usize,
    /// Keys of a Node's metadata that are read; nothing else of its metadata is kept.
    pub node_metadata: Arc<[Box<str>]>,
}
