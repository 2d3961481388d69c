//! The server: its handle, the acceptor, the threads.

pub(crate) mod acceptor;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod shard_handle;
pub(crate) mod shard_loop;
pub(crate) mod threads;
