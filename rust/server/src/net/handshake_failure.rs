//! Why a connection was not served.

use std::io;
use std::time::Duration;

use rustls::{CertificateError, Error};

/// Why a connection was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeFailure {
    /// A label of counters.
    pub(crate) reason: &'static str,
    /// For operators.
    pub(crate) message: String,
}

impl HandshakeFailure {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> HandshakeFailure {
        HandshakeFailure { reason, message: message.into() }
    }

    /// The handshake took longer than `limit`.
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

    pub(crate) fn closed(error: &io::Error) -> HandshakeFailure {
        HandshakeFailure::new("closed", format!("the client closed the connection: {error}"))
    }
}

/// Why a TLS handshake failed.
pub(crate) fn tls_failure(error: &io::Error) -> HandshakeFailure {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        // gRPC Core (1.85) sends no alert when it does not trust the server.
        let message =
            "the client disconnected during the TLS handshake; it may not trust the server's certificate";
        return HandshakeFailure::new("closed", message);
    };
    let (reason, message) = match tls {
        Error::NoCertificatesPresented => {
            ("no_client_certificate", "the client sent no certificate".to_owned())
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            ("unknown_ca", "the client's certificate is not signed by a client CA of this server".to_owned())
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            ("expired_certificate", "the client's certificate has expired".to_owned())
        }
        Error::InvalidCertificate(error) => ("bad_certificate", format!("the client's certificate: {error}")),
        Error::AlertReceived(alert) => {
            ("refused_by_client", format!("the client ended the handshake: {alert:?}"))
        }
        Error::NoApplicationProtocol => ("alpn", "the client does not offer \"h2\" by ALPN".to_owned()),
        Error::PeerIncompatible(why) => {
            ("incompatible", format!("the client has no version or algorithm in common: {why:?}"))
        }
        error => ("protocol", error.to_string()),
    };
    HandshakeFailure { reason, message }
}
