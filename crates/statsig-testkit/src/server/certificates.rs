//! An authority, a server and a client, made up for each test.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

/// Certificates of an authority, a server at `localhost` and a client, as PEM files in a folder
/// that goes away with this.
#[derive(Debug)]
pub struct Certificates {
    folder: tempfile::TempDir,
    authority: CertificateDer<'static>,
    server: CertificateDer<'static>,
    server_key: Vec<u8>,
}

impl Certificates {
    /// Makes up an authority and what it signs.
    ///
    /// # Errors
    /// If keys cannot be made or files not be written.
    pub fn generate() -> io::Result<Self> {
        let failed = |error: rcgen::Error| io::Error::other(error);
        let mut authority = CertificateParams::new(Vec::new()).map_err(failed)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(failed)?).map_err(failed)?;

        let folder = tempfile::tempdir()?;
        let signed = |name: &str, usage: ExtendedKeyUsagePurpose| -> io::Result<_> {
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(failed)?;
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().map_err(failed)?;
            let certificate = params.signed_by(&key, &authority).map_err(failed)?;
            std::fs::write(folder.path().join(format!("{name}.pem")), certificate.pem())?;
            std::fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem())?;
            Ok((certificate.der().clone(), key.serialize_der()))
        };
        let (server, server_key) = signed("server", ExtendedKeyUsagePurpose::ServerAuth)?;
        signed("client", ExtendedKeyUsagePurpose::ClientAuth)?;
        std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
        let authority = authority.der().clone();
        Ok(Self { folder, authority, server, server_key })
    }

    /// File of the authority's certificate.
    #[must_use]
    pub fn ca_path(&self) -> PathBuf {
        self.path().join("ca.pem")
    }

    /// File of the client's certificate.
    #[must_use]
    pub fn client_cert_path(&self) -> PathBuf {
        self.path().join("client.pem")
    }

    /// File of the client's private key.
    #[must_use]
    pub fn client_key_path(&self) -> PathBuf {
        self.path().join("client.key")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn server_config(&self, mutual: bool) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.clone())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.server_key.clone()));
        builder.with_single_cert(vec![self.server.clone()], key)
    }
}
