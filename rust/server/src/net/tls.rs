//! TLS of TCP listeners, and clients of the wrong protocol.

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

/// Empty SETTINGS: TLS libraries report "wrong version number" or "does not look like a TLS handshake".
const NOT_TLS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// The fatal alert "unexpected_message" (RFC 8446, section 6). A GOAWAY would follow SETTINGS, after which gRPC counts
/// the connection as established, resets its backoff and reconnects at once.
const TLS_ONLY: &[u8] = &[21, 3, 3, 0, 2, 2, 10];

/// Bytes that a client of the wrong protocol may send before it notices.
const MAX_UNREAD: u64 = 64 << 10;

/// The protocol of a client, by its first byte.
pub(crate) enum ClientProtocol {
    /// The client disconnected without sending anything, like the probe of a load balancer.
    None,
    /// The beginning of a TLS handshake.
    Tls,
    /// Anything else.
    Plaintext,
}

/// Wait for the first byte, without consuming it.
pub(crate) async fn detect_protocol(socket: &TcpStream) -> ClientProtocol {
    let mut first = [0];
    match socket.peek(&mut first).await {
        Ok(0) | Err(_) => ClientProtocol::None,
        Ok(_) if first[0] == TLS_HANDSHAKE => ClientProtocol::Tls,
        Ok(_) => ClientProtocol::Plaintext,
    }
}

impl ClientProtocol {
    /// Why the protocol does not fit the port.
    pub(crate) fn failure(&self) -> HandshakeFailure {
        match self {
            ClientProtocol::None => HandshakeFailure::new("closed", "the client sent nothing"),
            ClientProtocol::Tls => {
                HandshakeFailure::new("tls", "the client uses TLS, but this port is plaintext")
            }
            ClientProtocol::Plaintext => {
                HandshakeFailure::new("plaintext", "the client uses plaintext, but this port requires TLS")
            }
        }
    }

    /// Reject a client of the wrong protocol with an error in its own protocol.
    pub(crate) async fn reject(self, mut socket: TcpStream) {
        let error = if matches!(self, ClientProtocol::Tls) { NOT_TLS } else { TLS_ONLY };
        if socket.write_all(error).await.is_ok() && socket.shutdown().await.is_ok() {
            // Unread bytes would make the system reset the connection, and the client would not see the error.
            let _ = tokio::io::copy(&mut socket.take(MAX_UNREAD), &mut tokio::io::sink()).await;
        }
    }
}

/// TLS of all TCP listeners that require it. New handshakes use the last configuration.
#[derive(Default)]
pub(crate) struct Tls {
    config: RwLock<Option<Arc<ServerConfig>>>,
}

impl Tls {
    pub(crate) fn set(&self, config: Arc<ServerConfig>) {
        *self.config.write() = Some(config);
    }

    /// Do the TLS handshake; returns the stream and the names of the client's certificate.
    pub(crate) async fn accept(
        &self,
        socket: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Arc<[String]>), HandshakeFailure> {
        let config = self.config.read().clone();
        let config = config.ok_or_else(|| {
            HandshakeFailure::new(
                "no_certificate",
                "the server has no certificate yet; check its TLS settings",
            )
        })?;
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
