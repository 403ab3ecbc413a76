//! Opens sockets to one server: TCP, TLS, or a local socket.
//!
//! The `redis` crate can open them too, but gives no way to stand between the socket and its buffers.

use std::io;
use std::pin::Pin;

use redis::ConnectionAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::bounded::{Bounded, ReplyLimits};
use crate::options::TlsOptions;

/// A connected socket of any kind.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Socket for S {}

/// A connected socket of any kind, whose replies are bounded.
pub(super) type BoundedSocket = Bounded<Pin<Box<dyn Socket>>>;

/// Connects to an address.
///
/// # Errors
/// If nobody listens there, or certificates do not fit.
pub(super) async fn open(
    address: &ConnectionAddr,
    tls: Option<&TlsOptions>,
    limits: ReplyLimits,
) -> io::Result<BoundedSocket> {
    let socket: Pin<Box<dyn Socket>> = match address {
        ConnectionAddr::Tcp(host, port) => Box::pin(tcp(host, *port).await?),
        #[cfg(feature = "tls")]
        ConnectionAddr::TcpTls { host, port, .. } => Box::pin(over_tls(host, *port, tls).await?),
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Box::pin(tokio::net::UnixStream::connect(path).await?),
        _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "this build cannot connect to such an address")),
    };
    #[cfg(not(feature = "tls"))]
    let _ = tls;
    Ok(Bounded::new(socket, limits))
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

#[cfg(feature = "tls")]
async fn over_tls(
    host: &str,
    port: u16,
    tls: Option<&TlsOptions>,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    use rustls::pki_types::ServerName;

    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let config = match tls {
        Some(tls) => client_config(tls)?,
        None => client_config(&TlsOptions::new())?,
    };
    let socket = tcp(host, port).await?;
    tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, socket).await
}

/// Makes the TLS configuration of a client.
///
/// # Errors
/// If a certificate cannot be read.
#[cfg(feature = "tls")]
pub(super) fn client_config(tls: &TlsOptions) -> io::Result<rustls::ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let mut authorities = rustls::RootCertStore::empty();
    match &tls.authorities {
        Some(pem) => {
            for authority in CertificateDer::pem_slice_iter(pem) {
                let authority = authority.map_err(|error| invalid(&format!("an authority is no PEM: {error}")))?;
                authorities.add(authority).map_err(|error| invalid(&format!("an authority is of no use: {error}")))?;
            }
        }
        None => {
            let mut found = rustls_native_certs::load_native_certs();
            if let (true, Some(error)) = (found.certs.is_empty(), found.errors.pop()) {
                return Err(io::Error::other(error));
            }
            authorities.add_parsable_certificates(found.certs);
        }
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(authorities);
    let Some((certificate, key)) = &tls.certificate else { return Ok(config.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| invalid(&format!("the client certificate is no PEM: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| invalid("the key of the client certificate is no PEM"))?;
    config.with_client_auth_cert(chain, key).map_err(|error| invalid(&format!("the client certificate: {error}")))
}

#[cfg(feature = "tls")]
fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
