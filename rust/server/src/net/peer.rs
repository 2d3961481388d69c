//! The client of a connection, and its bearer token.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::net::unix::UCred;

/// How a client reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP with TLS.
    Tls,
    /// TCP without TLS.
    Plaintext,
    /// A Unix socket: the client is on this machine.
    Unix,
    /// A request that another server accepted: REST.
    Rest,
}

impl Transport {
    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Tls => "tls",
            Transport::Plaintext => "plaintext",
            Transport::Unix => "unix",
            Transport::Rest => "rest",
        }
    }
}

/// The client of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `ip:port`, or `unix:/path (pid 7, uid 1000)`.
    pub address: Arc<str>,
    /// Names of its verified certificate, `URI:…` and `DNS:…`; none without one.
    pub certificate: Arc<[String]>,
    /// How the client reached the server.
    pub transport: Transport,
}

impl Peer {
    /// A client that came over TCP.
    pub(crate) fn tcp(address: SocketAddr, transport: Transport) -> Peer {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port()).to_string();
        Peer::new(address, transport)
    }

    /// A client of a REST server, by its `ip:port`.
    pub fn rest(address: &str) -> Peer {
        Peer::new(address, Transport::Rest)
    }

    /// A client of a Unix socket, with its process (unix(7), `SO_PEERCRED`). A process of another PID namespace has no
    /// PID here.
    pub(crate) fn unix(address: &str, credentials: Option<UCred>) -> Peer {
        let address = match credentials.map(|process| (process.pid(), process.uid())) {
            Some((Some(pid @ 1..), uid)) => format!("{address} (pid {pid}, uid {uid})"),
            Some((_, uid)) => format!("{address} (uid {uid})"),
            None => address.to_owned(),
        };
        Peer::new(address, Transport::Unix)
    }

    pub(crate) fn new(address: impl Into<Arc<str>>, transport: Transport) -> Peer {
        Peer { address: address.into(), certificate: Arc::default(), transport }
    }
}

/// The key by which connections are counted.
///
/// An IPv6 address counts whole: in Kubernetes the pods of a node share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PeerKey {
    /// Address of a TCP client, without its port.
    Address(IpAddr),
    /// User of the process at the other end of a Unix socket; `None` when the system does not report it.
    User(Option<u32>),
}

/// A bearer token: a secret, not shown in logs or debug output. "" when there is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// From the `authorization` metadata (RFC 6750; the scheme is case-insensitive, RFC 9110 section 11.1): the first
    /// bearer token.
    pub(crate) fn of(headers: &HeaderMap) -> Token {
        let values = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
        let mut tokens = values.filter_map(|value| {
            let (scheme, token) = value.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
        });
        Token(tokens.next().unwrap_or_default().to_owned())
    }

    /// A token that did not come in gRPC metadata.
    pub fn new(secret: String) -> Token {
        Token(secret)
    }

    /// The secret itself.
    pub fn into_secret(self) -> String {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "no token" } else { "a token" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Token::of(&headers).into_secret()
    }

    #[test]
    fn a_token_follows_the_scheme_bearer() {
        assert_eq!(token(&["Bearer abc.def"]), "abc.def");
        assert_eq!(token(&["bearer  abc"]), "abc");
        assert_eq!(token(&["BEARER abc "]), "abc");
        assert_eq!(token(&["Basic abc", "Bearer def", "Bearer ghi"]), "def");
    }

    #[test]
    fn other_values_are_not_tokens() {
        for values in [&[][..], &["abc"], &["Bearer"], &["Bearer "], &["Basic abc"], &["Bearerabc def"]] {
            assert_eq!(token(values), "", "{values:?}");
        }
    }

    #[test]
    fn debug_output_does_not_show_a_token() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer secret".parse().unwrap());
        assert!(!format!("{:?}", Token::of(&headers)).contains("secret"));
    }
}
