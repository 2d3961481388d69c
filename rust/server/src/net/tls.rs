//! From a connection to a client that may speak HTTP/2: plaintext or TLS, and why it comes to nothing.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::net::credentials::{ALPN, names};
use crate::net::handshake_failure::{HandshakeFailure, tls_failure};

/// RFC 8446, section 5.1: the type of the record that every TLS connection begins with.
const TLS_HANDSHAKE: u8 = 22;

/// Empty SETTINGS: what TLS libraries call "wrong version number" or "does not look like a TLS handshake".
const NOT_TLS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// The fatal alert "unexpected_message" (RFC 8446, section 6). A polite GOAWAY would follow SETTINGS, with which gRPC takes
/// the connection for a good one, forgets its back-off and comes again at once, for ever.
const TLS_ONLY: &[u8] = &[21, 3, 3, 0, 2, 2, 10];

/// What a client sends before it has understood that it is at the wrong port.
const MAX_UNREAD: u64 = 64 << 10;

/// What a client says first.
pub(crate) enum ClientProtocol {
    /// It left without a word, as the probe of a load balancer does.
    None,
    /// The begin of a TLS handshake.
    Tls,
    /// Anything else.
    Plaintext,
}

/// Wait for the first byte. It stays unread.
pub(crate) async fn detect_protocol(socket: &TcpStream) -> ClientProtocol {
    let mut first = [0];
    match socket.peek(&mut first).await {
        Ok(0) | Err(_) => ClientProtocol::None,
        Ok(_) if first[0] == TLS_HANDSHAKE => ClientProtocol::Tls,
        Ok(_) => ClientProtocol::Plaintext,
    }
}

impl ClientProtocol {
    /// Why it does not fit the port.
    pub(crate) fn failure(&self) -> HandshakeFailure {
        match self {
            ClientProtocol::None => HandshakeFailure::new("closed", "the client said nothing"),
            ClientProtocol::Tls => {
                HandshakeFailure::new("tls", "the client speaks TLS, and this port is plaintext")
            }
            ClientProtocol::Plaintext => HandshakeFailure::new(
                "plaintext",
                "the client speaks plaintext, and this port takes TLS only",
            ),
        }
    }

    /// Send the client away from a port that it does not fit, with what a server of the other kind says.
    pub(crate) async fn reject(self, mut socket: TcpStream) {
        let words = if matches!(self, ClientProtocol::Tls) { NOT_TLS } else { TLS_ONLY };
        if socket.write_all(words).await.is_ok() && socket.shutdown().await.is_ok() {
            // What comes is read, or the system would reset the connection and take the words back.
            let _ = tokio::io::copy(&mut socket.take(MAX_UNREAD), &mut tokio::io::sink()).await;
        }
    }
}

/// TLS of all TCP listeners. New handshakes use what was set last.
#[derive(Default)]
pub(crate) struct Tls {
    config: RwLock<Option<Arc<ServerConfig>>>,
}

impl Tls {
    pub(crate) fn set(&self, config: Arc<ServerConfig>) {
        *self.config.write() = Some(config);
    }

    /// Shake hands; gives the stream and the names of the client's certificate.
    pub(crate) async fn accept(
        &self,
        socket: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Arc<[String]>), HandshakeFailure> {
        let config = self.config.read().clone();
        let config = config
            .ok_or_else(|| HandshakeFailure::new("no_certificate", "the server has no certificate yet"))?;
        let stream = TlsAcceptor::from(config).accept(socket).await.map_err(|error| tls_failure(&error))?;
        let session = stream.get_ref().1;
        // RFC 9113, section 3.3: "Implementations that support HTTP/2 over TLS MUST use protocol negotiation."
        if session.alpn_protocol() != Some(ALPN) {
            return Err(HandshakeFailure::new(
                "alpn",
                "the client offers no protocol by ALPN; gRPC is \"h2\"",
            ));
        }
        let certificate = session.peer_certificates().and_then(<[_]>::first).map(names);
        Ok((stream, certificate.unwrap_or_default()))
    }
}
