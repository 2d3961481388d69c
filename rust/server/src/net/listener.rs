//! Listening sockets: TCP ports and Unix sockets.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::net::peer::{Peer, PeerKey, Transport};
use crate::net::socket_file::{self, SocketFile};

/// Connections that wait to be accepted: a fleet that reconnects at once must not run into SYN retries.
const BACKLOG: u32 = 4096;

/// The longest path of a Unix socket (unix(7), `sun_path` without the terminating NUL).
const MAX_PATH: usize = 107;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `HOST:PORT`; port 0 takes a free one.
    Tcp(String),
    /// A path, written `unix:/path`.
    Unix(PathBuf),
}

impl Address {
    /// `option`: the name of the option, for the error.
    pub(crate) fn parse(option: &str, text: &str) -> Result<Address, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                _ if !path.starts_with('/') => {
                    Err(format!("{option}: {text:?} is not unix:/PATH: the path must be absolute"))
                }
                _ if path.len() > MAX_PATH => {
                    Err(format!("{option}: the path of {text:?} is longer than {MAX_PATH} bytes"))
                }
                _ if path.contains('\0') => {
                    Err(format!("{option}: the path of {text:?} contains a NUL byte"))
                }
                _ => Ok(Address::Unix(path.into())),
            };
        }
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
            Some((host, Ok(_))) if !host.is_empty() => Ok(Address::Tcp(text.to_owned())),
            _ => Err(format!(
                "{option}: {text:?} is not HOST:PORT or unix:/PATH, for example 0.0.0.0:9000 or [::]:9000"
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => f.write_str(address),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An accepted connection, not yet bound to a runtime.
pub(crate) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A listening socket. The file of a Unix socket is removed with it.
pub(crate) enum Listener {
    Tcp(TcpListener, Transport),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// `tls`: whether TCP clients must use TLS. Must be called within the runtime that is to drive it.
    pub(crate) fn bind(address: &Address, tls: bool) -> io::Result<Listener> {
        match address {
            Address::Tcp(name) => {
                let transport = if tls { Transport::Tls } else { Transport::Plaintext };
                Ok(Listener::Tcp(bind_tcp(name)?, transport))
            }
            Address::Unix(path) => {
                let (listener, file) = socket_file::bind(path, BACKLOG)?;
                Ok(Listener::Unix(UnixListener::from_std(listener)?, file))
            }
        }
    }

    /// The bound address, with the chosen port.
    pub(crate) fn address(&self) -> io::Result<String> {
        match self {
            Listener::Tcp(listener, _) => Ok(listener.local_addr()?.to_string()),
            Listener::Unix(_, file) => Ok(unix_address(file.path())),
        }
    }

    /// The next connection: its socket, its client, and the key by which it is counted.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Peer, PeerKey)> {
        match self {
            Listener::Tcp(listener, transport) => {
                let (socket, address) = listener.accept().await?;
                let key = PeerKey::Address(address.ip().to_canonical());
                Ok((Socket::Tcp(socket.into_std()?), Peer::tcp(address, *transport), key))
            }
            Listener::Unix(listener, file) => {
                let (socket, _) = listener.accept().await?;
                let credentials = socket.peer_cred().ok();
                let key = PeerKey::User(credentials.map(|credentials| credentials.uid()));
                let peer = Peer::unix(&unix_address(file.path()), credentials);
                Ok((Socket::Unix(socket.into_std()?), peer, key))
            }
        }
    }
}

fn unix_address(path: &Path) -> String {
    Address::Unix(path.into()).to_string()
}

/// Listen on the first address of the name that can be bound.
fn bind_tcp(name: &str) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in name.to_socket_addrs()? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_a_path() {
        for text in ["127.0.0.1:0", "[::]:9000", "localhost:9000"] {
            assert_eq!(Address::parse("listen", text), Ok(Address::Tcp(text.into())));
        }
        assert_eq!(Address::parse("listen", "unix:/run/x.sock"), Ok(Address::Unix("/run/x.sock".into())));
    }

    #[test]
    fn an_invalid_address_is_refused_with_a_reason() {
        let long = format!("unix:/{}", "x".repeat(MAX_PATH));
        for (text, reason) in [
            ("9000", "is not HOST:PORT or unix:/PATH"),
            (":9000", "is not HOST:PORT or unix:/PATH"),
            ("host:70000", "is not HOST:PORT or unix:/PATH"),
            ("/run/x.sock", "is not HOST:PORT or unix:/PATH"),
            ("unix:x.sock", "the path must be absolute"),
            ("unix:", "the path must be absolute"),
            ("unix:/a\0b", "contains a NUL"),
            (&long, "longer than 107 bytes"),
        ] {
            let error = Address::parse("listen", text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
