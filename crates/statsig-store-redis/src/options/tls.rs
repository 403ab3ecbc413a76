//! What TLS needs.

use std::fmt;

/// Authorities and certificates for TLS, as PEM text.
#[derive(Clone, Default)]
pub struct TlsOptions {
    pub(crate) authorities: Option<Vec<u8>>,
    pub(crate) certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl TlsOptions {
    /// Trusts the system's authorities and shows no certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these authorities, in place of the system's.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// Shows this certificate (with the chain above it), and proves it with the key.
    #[must_use]
    pub fn client_certificate(mut self, certificate_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        self.certificate = Some((certificate_pem.into(), key_pem.into()));
        self
    }
}

/// Shows no key.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("own_authorities", &self.authorities.is_some())
            .field("client_certificate", &self.certificate.is_some())
            .finish()
    }
}
