//! The server: its handle, the acceptor.

pub(crate) mod acceptor;
pub(crate) mod handle;
