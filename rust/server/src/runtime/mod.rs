//! What the threads share, and the state of one thread.

pub(crate) mod connection_context;
pub(crate) mod deadlines;
pub(crate) mod options;
pub(crate) mod pending_calls;
pub(crate) mod publication;
pub(crate) mod shard;
pub(crate) mod shared;
pub(crate) mod slice;
pub(crate) mod wakeup;
