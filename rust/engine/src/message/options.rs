//! Options of the streams of one replica.

use std::sync::Arc;
use std::time::Duration;

use super::response::Identifier;

/// Options of all streams of one replica.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// `control_plane.identifier` of the replica.
    pub identifier: Identifier,
    /// Maximum wait of a resource for others: of a route for its clusters, of a removed cluster for its replacement.
    pub make_before_break_timeout: Duration,
    /// Maximum of subscribed names of one stream, over all types; a wildcard or glob collection counts as one.
    pub names_per_stream: usize,
    /// Maximum length of a resource name, in bytes.
    pub name_bytes: usize,
    /// Metadata keys of a Node that are kept.
    pub node_metadata: Arc<[Box<str>]>,
}
