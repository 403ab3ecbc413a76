//! Certificate authorities, the client certificate, and the name that a server must prove.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

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
    /// Name or IP address that a server's certificate must be for, whatever host is connected to. The host of the
    /// address is sent as the server name all the same. Default: the host of the address.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// The configuration of these options. Reads files; blocks shortly.
    pub(crate) fn to_config(&self) -> Result<ClientConfig, Error> {
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
            .with_custom_certificate_verifier(self.named_verifier(provider)?);
        match (&self.client_cert_path, &self.client_key_path) {
            (None, None) => Ok(config.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(&read(key)?)
                    .map_err(|error| Error::Tls { what: format!("no private key in {}: {error}", key.display()) })?;
                config.with_client_auth_cert(certificates(cert)?, key).map_err(failed("the client certificate"))
            }
            _ => Err(half_of_a_pair()),
        }
    }

    /// Checks the options without reading a file.
    #[cfg(any(feature = "grpc", feature = "websocket", feature = "sse"))]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.client_cert_path.is_some() != self.client_key_path.is_some() {
            return Err(half_of_a_pair());
        }
        if self.only_ca_cert_path && self.ca_cert_path.is_none() {
            return Err(no_authorities());
        }
        Ok(())
    }

    /// Returns whether any file is named.
    #[cfg(any(feature = "grpc", feature = "websocket"))]
    pub(crate) fn names_files(&self) -> bool {
        self.ca_cert_path.is_some() || self.client_cert_path.is_some() || self.client_key_path.is_some()
    }

    /// Returns the verifier, for another name than that of the address if there is one.
    fn named_verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let verifier = self.verifier(provider)?;
        let Some(name) = &self.server_name else { return Ok(verifier) };
        let name = ServerName::try_from(name.clone()).map_err(|error| {
            let shown: String = crate::mask::mask(name).chars().take(200).collect();
            Error::Misconfigured {
                problems: vec![format!("{shown:?} is no name that a certificate can be for: {error}")],
            }
        })?;
        Ok(Arc::new(FixedNameVerifier { verifier, name }))
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let own = self.ca_cert_path.as_deref().map(certificates).transpose()?;
        let roots = |error: &dyn std::fmt::Display| Error::Tls { what: format!("trusted certificates: {error}") };
        if self.only_ca_cert_path {
            let Some(own) = own else { return Err(no_authorities()) };
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

/// Verifies that a certificate is for a fixed name, by another verifier.
#[derive(Debug)]
struct FixedNameVerifier {
    verifier: Arc<dyn ServerCertVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for FixedNameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn half_of_a_pair() -> Error {
    let problem = "a client certificate and its key belong together: one is missing";
    Error::Misconfigured { problems: vec![problem.to_owned()] }
}

fn no_authorities() -> Error {
    let problem = "only the given authorities must be trusted, and none are given";
    Error::Misconfigured { problems: vec![problem.to_owned()] }
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
