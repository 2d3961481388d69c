//! TLS on the client's side: one authority, no certificate of its own.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Whose servers are trusted, and under which name.
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    /// The authority in a PEM file; its servers are known as `localhost`.
    pub fn read(path: &str) -> Result<Self, String> {
        let describe = |error: &dyn std::fmt::Display| format!("{path}: {error}");
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(path).map_err(|error| describe(&error))?;
        roots.add(authority).map_err(|error| describe(&error))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| describe(&error))?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Thousands of clients are as many machines: none knows the sessions of another.
        config.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from("localhost").map_err(|error| describe(&error))?;
        Ok(Self { config: Arc::new(config), name })
    }

    pub(crate) fn connect(&self) -> io::Result<ClientConnection> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)
    }
}
