//! Sockets: listeners, Unix socket files, peers, TLS.

pub(crate) mod credentials;
pub(crate) mod handshake_failure;
pub(crate) mod listener;
pub(crate) mod peer;
pub(crate) mod socket_file;
pub(crate) mod tls;
