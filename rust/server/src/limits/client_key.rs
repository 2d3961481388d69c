//! The key by which the resources of clients are counted.

use std::fmt;
use std::sync::Arc;

use crate::net::peer::{Peer, Transport};

/// A client: by its identity once that is proved, by its address until then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ClientKey {
    /// The host of an unauthenticated TCP client, or the user of a Unix socket.
    Address(Arc<str>),
    /// The identity that a client proved.
    Identity(Arc<str>),
}

impl ClientKey {
    /// The key of a client that has not proved an identity.
    ///
    /// An IPv6 address counts whole: in Kubernetes the pods of a node share a prefix.
    pub(crate) fn of(peer: &Peer) -> ClientKey {
        let address = &*peer.address;
        if peer.transport == Transport::Unix {
            let user = address.rsplit_once("uid ").map_or("", |(_, user)| user.trim_end_matches(')'));
            return ClientKey::Address(format!("uid {user}").into());
        }
        let host = match address.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            _ => address,
        };
        ClientKey::Address(host.into())
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientKey::Address(text) | ClientKey::Identity(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_one_host_and_of_one_user_share_an_account() {
        let table = [
            ("10.0.0.1:4000", Transport::Plaintext, "10.0.0.1"),
            ("[2001:db8::1]:4000", Transport::Plaintext, "[2001:db8::1]"),
            ("10.0.0.1", Transport::Plaintext, "10.0.0.1"),
            ("unix:/run/x.sock (pid 7, uid 1000)", Transport::Unix, "uid 1000"),
            ("unix:/run/x.sock (uid 1000)", Transport::Unix, "uid 1000"),
            ("unix:/run/x.sock", Transport::Unix, "uid "),
        ];
        for (address, transport, client_key) in table {
            assert_eq!(ClientKey::of(&Peer::new(address, transport)).to_string(), client_key);
        }
    }
}
