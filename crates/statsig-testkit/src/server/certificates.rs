//! An authority, a server and a client, made up for each test.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

/// What is wrong with the certificate of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFlaw {
    /// Nothing.
    None,
    /// It is that of the authority itself, as `openssl req -x509` makes them.
    Authority,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is for `other.example`.
    OtherName,
    /// It is for clients.
    ForClients,
}

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
        Self::generate_with(CertificateFlaw::None)
    }

    /// Makes up an authority and what it signs, with a flaw in the certificate of the server.
    ///
    /// # Errors
    /// If keys cannot be made or files not be written.
    pub fn generate_with(flaw: CertificateFlaw) -> io::Result<Self> {
        let failed = |error: rcgen::Error| io::Error::other(error);
        let mut authority = CertificateParams::new(vec!["localhost".to_owned()]).map_err(failed)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().map_err(failed)?;
        let authority_der = authority_key.serialize_der();
        let authority = CertifiedIssuer::self_signed(authority, authority_key).map_err(failed)?;

        let folder = tempfile::tempdir()?;
        let signed = |name: &str, usage: ExtendedKeyUsagePurpose| -> io::Result<_> {
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(failed)?;
            if name == "server" {
                match flaw {
                    CertificateFlaw::Expired => params.not_after = rcgen::date_time_ymd(2002, 1, 1),
                    CertificateFlaw::NotYetValid => params.not_before = rcgen::date_time_ymd(2190, 1, 1),
                    CertificateFlaw::OtherName => {
                        params = CertificateParams::new(vec!["other.example".to_owned()]).map_err(failed)?;
                    }
                    _ => {}
                }
            }
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().map_err(failed)?;
            let certificate = params.signed_by(&key, &authority).map_err(failed)?;
            std::fs::write(folder.path().join(format!("{name}.pem")), certificate.pem())?;
            std::fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem())?;
            Ok((certificate.der().clone(), key.serialize_der()))
        };
        let usage = match flaw {
            CertificateFlaw::ForClients => ExtendedKeyUsagePurpose::ClientAuth,
            _ => ExtendedKeyUsagePurpose::ServerAuth,
        };
        let (mut server, mut server_key) = signed("server", usage)?;
        if flaw == CertificateFlaw::Authority {
            (server, server_key) = (authority.der().clone(), authority_der);
        }
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

    pub(crate) fn server_config(&self, mutual: bool) -> Result<ServerConfig, rustls::Error> {
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
