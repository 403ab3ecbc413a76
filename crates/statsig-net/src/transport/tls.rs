//! Whom to trust, and who we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientConfig, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Error;

/// TLS of outgoing connections. All files are PEM.
///
/// A file that cannot be used is an error when the transport is built; we never fall back to less
/// than was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Certificates of authorities to trust besides those of the operating system.
    pub ca_cert_path: Option<PathBuf>,
    /// Trust those of `ca_cert_path` only.
    pub only_ca_cert_path: bool,
    /// Our own certificate, with its chain; needs `client_key_path` as well.
    pub client_cert_path: Option<PathBuf>,
    /// The private key of our certificate.
    pub client_key_path: Option<PathBuf>,
}

impl TlsOptions {
    /// The configuration of these options. Reads files; blocks shortly.
    pub(super) fn to_config(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: rustls::Error| Error::Tls { what: format!("{what}: {error}") }
        };
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(failed("protocol versions"))?
            .dangerous()
            // Not dangerous: the verifiers below are those of the operating system and of rustls.
            .with_custom_certificate_verifier(self.verifier(provider)?);
        match (&self.client_cert_path, &self.client_key_path) {
            (None, None) => Ok(config.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(&read(key)?)
                    .map_err(|error| Error::Tls { what: format!("no private key in {}: {error}", key.display()) })?;
                config.with_client_auth_cert(certificates(cert)?, key).map_err(failed("the client certificate"))
            }
            _ => {
                let problems = vec!["a client certificate and its key belong together: one is missing".to_owned()];
                Err(Error::Misconfigured { problems })
            }
        }
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let own = self.ca_cert_path.as_deref().map(certificates).transpose()?;
        let roots = |error: &dyn std::fmt::Display| Error::Tls { what: format!("trusted certificates: {error}") };
        if self.only_ca_cert_path {
            let Some(own) = own else {
                let problems = vec!["only the given authorities shall be trusted, and none are given".to_owned()];
                return Err(Error::Misconfigured { problems });
            };
            let mut store = RootCertStore::empty();
            for certificate in own {
                store.add(certificate).map_err(|error| roots(&error))?;
            }
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider);
            return Ok(verifier.build().map_err(|error| roots(&error))?);
        }
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(own.unwrap_or_default(), provider);
        Ok(Arc::new(verifier.map_err(|error| roots(&error))?))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Error::Tls { what: format!("no certificate in {}", path.display()) }),
        Err(error) => Err(Error::Tls { what: format!("{}: {error}", path.display()) }),
    }
}
