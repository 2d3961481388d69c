//! From a connection to a client that may speak HTTP/2: plaintext or TLS, and why it comes to nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustls::{CertificateError, Error, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::net::credentials::{ALPN, names};

/// A failure is told of at the most this often for each reason: a port scan must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// RFC 8446, section 5.1: the type of the record that every TLS connection begins with.
const TLS_HANDSHAKE: u8 = 22;

/// Empty SETTINGS: what TLS libraries call "wrong version number" or "does not look like a TLS handshake".
const NOT_TLS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// The fatal alert "unexpected_message" (RFC 8446, section 6). A polite GOAWAY would follow SETTINGS, with which gRPC takes
/// the connection for a good one, forgets its back-off and comes again at once, for ever.
const TLS_ONLY: &[u8] = &[21, 3, 3, 0, 2, 2, 10];

/// What a client sends before it has understood that it is at the wrong port.
const MAX_UNREAD: u64 = 64 << 10;

/// Why a connection was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeFailure {
    /// One of few, for counters.
    reason: &'static str,
    /// For people.
    message: String,
}

impl HandshakeFailure {
    fn new(reason: &'static str, message: impl Into<String>) -> HandshakeFailure {
        HandshakeFailure { reason, message: message.into() }
    }

    /// It took too long.
    pub(crate) fn timeout(limit: Duration) -> HandshakeFailure {
        HandshakeFailure::new(
            "timeout",
            format!("the client did not finish within {} s", limit.as_secs_f64()),
        )
    }

    /// The client does not speak HTTP/2.
    pub(crate) fn http2(error: &h2::Error) -> HandshakeFailure {
        match error.get_io() {
            Some(error) => HandshakeFailure::closed(error),
            None => HandshakeFailure::new("http2", format!("the client does not speak HTTP/2: {error}")),
        }
    }

    fn closed(error: &io::Error) -> HandshakeFailure {
        HandshakeFailure::new("closed", format!("the client closed the connection: {error}"))
    }
}

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
        let stream = TlsAcceptor::from(config).accept(socket).await.map_err(|error| failure_of(&error))?;
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

fn failure_of(error: &io::Error) -> HandshakeFailure {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        // gRPC Core (1.85) sends no alert when it does not trust the server.
        let message = "the client left during the TLS handshake; it may not trust the server's certificate";
        return HandshakeFailure::new("closed", message);
    };
    let (reason, message) = match tls {
        Error::NoCertificatesPresented => {
            ("no_client_certificate", "the client shows no certificate".to_owned())
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            ("unknown_ca", "the client's certificate is not of a client CA of this server".to_owned())
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            ("expired_certificate", "the client's certificate has expired".to_owned())
        }
        Error::InvalidCertificate(error) => ("bad_certificate", format!("the client's certificate: {error}")),
        Error::AlertReceived(alert) => {
            ("refused_by_client", format!("the client ended the handshake: {alert:?}"))
        }
        Error::NoApplicationProtocol => {
            ("alpn", "the client offers other protocols than \"h2\" by ALPN".to_owned())
        }
        Error::PeerIncompatible(why) => {
            ("incompatible", format!("the client has no version or algorithm in common: {why:?}"))
        }
        error => ("protocol", error.to_string()),
    };
    HandshakeFailure { reason, message }
}

/// A failure that is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFailed {
    /// Address of the client.
    pub peer: Arc<str>,
    /// Key of [`crate::Stats::handshake_failures`].
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// HandshakeFailureCounters for the same reason that were not told since the last one.
    pub suppressed: u64,
}

/// Counts failures by reason.
#[derive(Default)]
pub(crate) struct HandshakeFailureCounters(Mutex<BTreeMap<&'static str, Count>>);

#[derive(Default)]
struct Count {
    total: u64,
    suppressed: u64,
    told: Option<Instant>,
}

impl HandshakeFailureCounters {
    /// Count one; gives it back when it should be told.
    pub(crate) fn add(&self, peer: &Arc<str>, failure: HandshakeFailure) -> Option<HandshakeFailed> {
        let HandshakeFailure { reason, message } = failure;
        let mut counts = self.0.lock();
        let count = counts.entry(reason).or_default();
        count.total += 1;
        if count.told.is_some_and(|told| told.elapsed() < REPORT_INTERVAL) {
            count.suppressed += 1;
            return None;
        }
        count.told = Some(Instant::now());
        let suppressed = std::mem::take(&mut count.suppressed);
        Some(HandshakeFailed { peer: Arc::clone(peer), reason, message, suppressed })
    }

    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().iter().map(|(reason, count)| (*reason, count.total)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failure_of_a_reason_is_told_in_a_while() {
        let (failures, peer) = (HandshakeFailureCounters::default(), "peer".into());
        let fail =
            |reason| failures.add(&peer, HandshakeFailure::new(reason, "why")).map(|told| told.suppressed);
        assert_eq!([fail("alpn"), fail("alpn"), fail("tls"), fail("alpn")], [Some(0), None, Some(0), None]);
        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!([fail("alpn"), fail("alpn")], [Some(2), None]);
        assert_eq!(failures.read(), BTreeMap::from([("alpn", 5), ("tls", 1)]));
    }
}
