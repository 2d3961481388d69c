//! Certificates and keys: from PEM to the configuration of TLS handshakes.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};
use webpki::{EndEntityCert, KeyUsage};

/// The only protocol of gRPC, negotiated by ALPN (RFC 7301).
pub(crate) const ALPN: &[u8] = b"h2";

/// The certificate of the server and the authorities of its clients, in PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The server's certificate, then the intermediate certificates.
    pub certificate: Vec<u8>,
    /// Its private key: PKCS #8, SEC 1 or PKCS #1, not encrypted.
    pub key: Vec<u8>,
    /// The authorities of client certificates; `None`: clients are not asked for one.
    pub client_ca: Option<Vec<u8>>,
    /// Whether a client without a certificate is refused.
    pub require_client_certificate: bool,
}

impl Credentials {
    /// A configuration for handshakes, and when the certificate expires (since the epoch). An error names the invalid
    /// part.
    pub(crate) fn config(&self, now: UnixTime) -> Result<(Arc<ServerConfig>, Duration), String> {
        // Not the process's default provider: it can be set once only, by any library.
        let provider = Arc::new(ring::default_provider());
        let chain = certificates("certificate", &self.certificate)?;
        let expiry = lifetime(&chain[0], now)?;
        let key = private_key(&self.key)?;
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                "key: it does not belong to the (first) certificate".to_owned()
            }
            error => format!("key: {error}"),
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match self.verifier(provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // No resumption: a resumed session is not verified again and would outlive its certificate and its authority.
        // Streams live long, so resumption saves little (docs/decisions/0006-tls.md).
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok((Arc::new(config), expiry))
    }

    fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>, String> {
        let Some(pem) = &self.client_ca else {
            return match self.require_client_certificate {
                true => Err("client CA: client certificates cannot be required without one".into()),
                false => Ok(None),
            };
        };
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates("client CA", pem)?.into_iter().enumerate() {
            roots
                .add(certificate)
                .map_err(|error| format!("client CA: certificate {}: {error}", index + 1))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        let builder = if self.require_client_certificate { builder } else { builder.allow_unauthenticated() };
        builder.build().map(Some).map_err(|error| format!("client CA: {error}"))
    }
}

/// All certificates of a PEM text, at least one.
fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(parsed) if parsed.is_empty() => {
            Err(format!("{what}: it has no certificate (no line -----BEGIN CERTIFICATE-----)"))
        }
        Ok(parsed) => Ok(parsed),
        Err(error) => Err(format!("{what}: not valid PEM: {}", pem_reason(error))),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        _ if pem.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) => {
            "key: it is encrypted; remove the passphrase".to_owned()
        }
        PemError::NoItemsFound => {
            "key: it has no private key (no line -----BEGIN PRIVATE KEY-----)".to_owned()
        }
        error => format!("key: not valid PEM: {}", pem_reason(error)),
    })
}

/// The library's error, without the line of a key that it quotes: it may be a part of the key.
fn pem_reason(error: PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "a section has no end".into(),
        PemError::IllegalSectionStart { .. } => "a section begins with a malformed line".into(),
        PemError::Base64Decode(_) => "a section is not base64".into(),
        error => error.to_string(),
    }
}

/// When the certificate expires. An error when it has expired or is not valid yet.
fn lifetime(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<Duration, String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| format!("certificate: {error}"))?;
    // The validity is checked before the chain, which is empty here: any outcome but these two means that the
    // certificate is valid at that time.
    let at =
        |time| parsed.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).map(drop);
    match at(now) {
        Err(webpki::Error::CertExpired { not_after, .. }) => Err(format!(
            "certificate: it expired {} ago; renew it",
            span(now.as_secs().saturating_sub(not_after.as_secs()))
        )),
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => Err(format!(
            "certificate: it is not valid for another {}; check the clock",
            span(not_before.as_secs().saturating_sub(now.as_secs()))
        )),
        _ => match at(UnixTime::since_unix_epoch(Duration::MAX)) {
            Err(webpki::Error::CertExpired { not_after, .. }) => Ok(Duration::from_secs(not_after.as_secs())),
            _ => Ok(Duration::MAX),
        },
    }
}

/// A duration for operators.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The URI and DNS subject alternative names of a verified client certificate.
pub(crate) fn names(certificate: &CertificateDer<'_>) -> Arc<[String]> {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else { return Arc::default() };
    let uris = parsed.valid_uri_names().map(|name| format!("URI:{name}"));
    uris.chain(parsed.valid_dns_names().map(|name| format!("DNS:{name}"))).collect()
}
