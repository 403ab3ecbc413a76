//! Addresses of streaming forward proxies.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use crate::error::Error;
use crate::mask::shown_address;

/// Protocol of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamProtocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// WebSocket over HTTP/1.1.
    WebSocket,
    /// Server-sent events over HTTP/1.1.
    Sse,
}

impl StreamProtocol {
    /// Returns the name in options: `grpc_stream`, `websocket` or `sse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc_stream",
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
        }
    }
}

/// Choice of encryption by the address itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Encryption {
    /// The scheme says plaintext.
    Plain,
    /// The scheme says TLS.
    Tls,
    /// The address has no scheme: TLS options decide.
    ByOptions,
}

/// Endpoint of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    /// A host, an IPv6 address in brackets, and a port.
    Tcp { host: String, port: u16 },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// Address of a streaming forward proxy.
///
/// | form | protocol | encrypted |
/// | --- | --- | --- |
/// | `grpc://host[:50051]`, `grpcs://host[:50052]` | gRPC | no, yes |
/// | `ws://host[:80]`, `wss://host[:443]` | WebSocket | no, yes |
/// | `sse+http://host[:80]`, `sse+https://host[:443]` | server-sent events | no, yes |
/// | `http://host[:80]`, `https://host[:443]` | as configured beside it | no, yes |
/// | `host:port` | as configured beside it | if TLS options are given |
/// | `grpc+unix:/path`, `ws+unix:/path`, `sse+unix:/path` | gRPC, WebSocket, server-sent events | no |
/// | `unix:/path` | as configured beside it, otherwise gRPC | no |
///
/// A slash at the end and a version (`/v1`, `/v2`) are ignored. WebSocket and server-sent events accept a path in front
/// of it. User names, passwords, queries and fragments are refused: the SDK key is never part of an address.
///
/// ```
/// use statsig_net::streams::{StreamAddress, StreamProtocol};
///
/// let address: StreamAddress = "grpcs://proxy.example".parse()?;
/// assert_eq!(address.to_string(), "grpcs://proxy.example:50052");
/// let address = StreamAddress::parse("http://[::1]:8000/v1/", Some(StreamProtocol::Sse))?;
/// assert_eq!(address.to_string(), "sse+http://[::1]:8000");
/// # Ok::<(), statsig_net::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamAddress {
    protocol: StreamProtocol,
    pub(super) encryption: Encryption,
    pub(super) endpoint: Endpoint,
    /// Path in front of the version, without a slash at the end.
    pub(super) base_path: String,
}

/// Schemes, with their protocol, encryption and default port.
const SCHEMES: [(&str, Option<StreamProtocol>, Encryption, u16); 8] = [
    ("grpc", Some(StreamProtocol::Grpc), Encryption::Plain, 50051),
    ("grpcs", Some(StreamProtocol::Grpc), Encryption::Tls, 50052),
    ("ws", Some(StreamProtocol::WebSocket), Encryption::Plain, 80),
    ("wss", Some(StreamProtocol::WebSocket), Encryption::Tls, 443),
    ("sse+http", Some(StreamProtocol::Sse), Encryption::Plain, 80),
    ("sse+https", Some(StreamProtocol::Sse), Encryption::Tls, 443),
    ("http", None, Encryption::Plain, 80),
    ("https", None, Encryption::Tls, 443),
];
/// Prefixes of Unix domain sockets, with their protocol.
const UNIX: [(&str, Option<StreamProtocol>); 4] = [
    ("unix:", None),
    ("grpc+unix:", Some(StreamProtocol::Grpc)),
    ("ws+unix:", Some(StreamProtocol::WebSocket)),
    ("sse+unix:", Some(StreamProtocol::Sse)),
];

impl StreamAddress {
    /// Parses an address. `protocol` is the one configured beside it; without one the address must name its own.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if the address has none of the forms above, or names another protocol.
    pub fn parse(text: &str, protocol: Option<StreamProtocol>) -> Result<Self, Error> {
        let text = text.trim();
        Self::parsed(text, protocol).map_err(|problem| {
            // A query may hold anything: none of it is shown.
            let shown = shown_address(text.split(['?', '#']).next().unwrap_or_default());
            Error::Misconfigured { problems: vec![format!("the stream address `{shown}` {problem}")] }
        })
    }

    fn parsed(text: &str, configured: Option<StreamProtocol>) -> Result<Self, String> {
        for (prefix, named) in UNIX {
            if let Some(path) = strip_prefix(text, prefix) {
                let protocol = protocol_of(prefix, named, configured.or(Some(StreamProtocol::Grpc)))?;
                return Self::unix(protocol, path);
            }
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => (String::new(), text),
        };
        let known = SCHEMES.iter().find(|(known, ..)| *known == scheme);
        let (named, encryption, default_port) = match known {
            Some((_, named, encryption, port)) => (*named, *encryption, Some(*port)),
            None if scheme.is_empty() => (None, Encryption::ByOptions, None),
            None => {
                return Err("begins with an unknown scheme: use grpc://, grpcs://, ws://, wss://, sse+http:// or \
                            sse+https://"
                    .to_owned());
            }
        };
        let protocol = protocol_of(&format!("{scheme}://"), named, configured)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("has a user name or password: remove it".to_owned());
        }
        // The parser of URLs leaves out the port that is the default of the scheme that it sees.
        let explicit_port = match authority.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => {
                Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("has a port that is none")?)
            }
            _ => None,
        };
        let url = Url::parse(&format!("http://{rest}")).map_err(|error| match error {
            _ if authority.matches(':').count() > 1 && !authority.contains('[') => {
                "has an IPv6 address without brackets: write `[::1]:50051`".to_owned()
            }
            url::ParseError::EmptyHost => "names no host".to_owned(),
            error => format!("is not an address: {error}"),
        })?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment: remove it; the SDK key is sent in another way".to_owned());
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = explicit_port.or(default_port).ok_or("names no port: write `host:port`, or begin with a scheme")?;
        let base_path = base_path(url.path());
        if protocol == StreamProtocol::Grpc && !base_path.is_empty() {
            return Err("has a path, which gRPC does not allow: remove it".to_owned());
        }
        Ok(Self { protocol, encryption, endpoint: Endpoint::Tcp { host, port }, base_path })
    }

    fn unix(protocol: StreamProtocol, path: &str) -> Result<Self, String> {
        let path = path.strip_prefix("//").unwrap_or(path);
        if !path.starts_with('/') {
            return Err("names no absolute path of a socket: write `unix:/path/to/socket`".to_owned());
        }
        if cfg!(not(unix)) {
            return Err("is that of a Unix domain socket, which this system does not have".to_owned());
        }
        let endpoint = Endpoint::Unix(PathBuf::from(path));
        Ok(Self { protocol, encryption: Encryption::Plain, endpoint, base_path: String::new() })
    }

    /// Returns the protocol.
    #[must_use]
    pub fn protocol(&self) -> StreamProtocol {
        self.protocol
    }

    /// Refuses an address of another protocol.
    #[cfg_attr(not(any(feature = "grpc", feature = "websocket", feature = "sse")), allow(dead_code))]
    pub(super) fn require(&self, protocol: StreamProtocol) -> Result<(), Error> {
        if self.protocol == protocol {
            return Ok(());
        }
        let expected = match protocol {
            StreamProtocol::Grpc => "gRPC",
            StreamProtocol::WebSocket => "WebSocket",
            StreamProtocol::Sse => "server-sent events",
        };
        Err(Error::Misconfigured { problems: vec![format!("`{self}` is not an address of {expected}")] })
    }

    /// Returns whether connections are encrypted, given whether TLS options were.
    #[cfg_attr(
        not(any(feature = "grpc", feature = "websocket", feature = "sse")),
        allow(dead_code, reason = "for the transports")
    )]
    pub(super) fn is_tls(&self, has_tls_options: bool) -> Result<bool, Error> {
        match (self.encryption, has_tls_options) {
            (Encryption::Tls, _) => Ok(true),
            (Encryption::Plain, false) => Ok(false),
            (Encryption::ByOptions, has_options) => Ok(has_options),
            (Encryption::Plain, true) => {
                let problem = format!(
                    "the stream address `{self}` is not encrypted, although TLS options are given: begin it with \
                     grpcs://, wss:// or sse+https://, or remove the options"
                );
                Err(Error::Misconfigured { problems: vec![problem] })
            }
        }
    }

    /// Returns host and port, or the socket, for texts.
    pub(super) fn host(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp { host, port } => format!("{host}:{port}"),
            Endpoint::Unix(path) => path.display().to_string(),
        }
    }

    /// Returns the host and port that requests name.
    #[cfg_attr(
        not(any(feature = "grpc", feature = "websocket", feature = "sse")),
        allow(dead_code, reason = "for the transports")
    )]
    pub(super) fn authority(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp { .. } => self.host(),
            Endpoint::Unix(_) => "localhost".to_owned(),
        }
    }
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let beginning = text.get(..prefix.len())?;
    beginning.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Returns the protocol that the scheme names or the one configured, if they agree.
fn protocol_of(
    scheme: &str,
    named: Option<StreamProtocol>,
    configured: Option<StreamProtocol>,
) -> Result<StreamProtocol, String> {
    match (named, configured) {
        (Some(named), Some(configured)) if named != configured && !scheme.ends_with("unix:") => {
            Err(format!("begins with {scheme}, and the protocol is `{}`: one of them is wrong", configured.as_str()))
        }
        (Some(named), _) => Ok(named),
        (None, Some(configured)) => Ok(configured),
        (None, None) => Err("names no protocol: begin it with grpc://, grpcs://, ws://, wss://, sse+http:// or \
                             sse+https://"
            .to_owned()),
    }
}

/// Returns a path without its version, slashes at the end and the name of an endpoint.
fn base_path(path: &str) -> String {
    let mut path = path.trim_end_matches('/');
    for endpoint in ["/stream_config_specs", "/sse_config_specs"] {
        path = path.strip_suffix(endpoint).unwrap_or(path);
    }
    for version in ["/v1", "/v2"] {
        path = path.strip_suffix(version).unwrap_or(path);
    }
    path.trim_end_matches('/').to_owned()
}

impl FromStr for StreamAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text, None)
    }
}

/// Shows the address with its scheme and port; it holds no secret.
impl fmt::Display for StreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.protocol, &self.endpoint, self.encryption) {
            (StreamProtocol::Grpc, Endpoint::Unix(_), _) => "grpc+unix:",
            (StreamProtocol::WebSocket, Endpoint::Unix(_), _) => "ws+unix:",
            (StreamProtocol::Sse, Endpoint::Unix(_), _) => "sse+unix:",
            (StreamProtocol::Grpc, _, Encryption::Tls) => "grpcs://",
            (StreamProtocol::Grpc, _, Encryption::Plain) => "grpc://",
            (StreamProtocol::WebSocket, _, Encryption::Tls) => "wss://",
            (StreamProtocol::WebSocket, _, Encryption::Plain) => "ws://",
            (StreamProtocol::Sse, _, Encryption::Tls) => "sse+https://",
            (StreamProtocol::Sse, _, Encryption::Plain) => "sse+http://",
            (_, _, Encryption::ByOptions) => "",
        };
        write!(f, "{scheme}{}{}", self.host(), self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, protocol: Option<StreamProtocol>) -> String {
        StreamAddress::parse(text, protocol).unwrap().to_string()
    }

    fn refused(text: &str, protocol: Option<StreamProtocol>) -> String {
        StreamAddress::parse(text, protocol).unwrap_err().to_string()
    }

    #[test]
    fn every_form_of_an_address_is_accepted() {
        use StreamProtocol::{Grpc, Sse, WebSocket};
        for (text, protocol, expected) in [
            ("grpc://proxy", None, "grpc://proxy:50051"),
            ("GRPC://Proxy:1/", None, "grpc://proxy:1"),
            ("grpcs://proxy", None, "grpcs://proxy:50052"),
            ("grpc://proxy:80", None, "grpc://proxy:80"),
            ("grpcs://proxy:443/v2", None, "grpcs://proxy:443"),
            ("proxy:50051", Some(Grpc), "proxy:50051"),
            ("[::1]:50051", Some(Grpc), "[::1]:50051"),
            ("http://proxy:50051/", Some(Grpc), "grpc://proxy:50051"),
            ("https://proxy", Some(Grpc), "grpcs://proxy:443"),
            ("ws://proxy/", None, "ws://proxy:80"),
            ("wss://proxy/sfp/v1/stream_config_specs", None, "wss://proxy:443/sfp"),
            ("http://proxy:8000/v1", Some(WebSocket), "ws://proxy:8000"),
            ("sse+http://[::1]:8000", None, "sse+http://[::1]:8000"),
            ("https://proxy/sfp/v1/", Some(Sse), "sse+https://proxy:443/sfp"),
            (" grpc://127.0.0.1:1 ", Some(Grpc), "grpc://127.0.0.1:1"),
        ] {
            assert_eq!(shown(text, protocol), expected, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn sockets_of_unix_are_accepted() {
        assert_eq!(shown("unix:/run/sfp.sock", None), "grpc+unix:/run/sfp.sock");
        assert_eq!(shown("unix:///run/sfp.sock", Some(StreamProtocol::Sse)), "sse+unix:/run/sfp.sock");
        assert_eq!(shown("ws+unix:/run/sfp.sock", None), "ws+unix:/run/sfp.sock");
        assert!(refused("unix:run/sfp.sock", None).contains("absolute path"));
    }

    #[test]
    fn refusals_say_what_to_do_and_show_no_secret() {
        for (text, protocol, part) in [
            ("", None, "names no protocol"),
            ("proxy:50051", None, "names no protocol"),
            ("http://proxy", None, "names no protocol"),
            ("ftp://proxy", None, "unknown scheme"),
            ("grpc://", None, "names no host"),
            ("proxy", Some(StreamProtocol::Grpc), "names no port"),
            ("grpc://proxy:99999", None, "port that is none"),
            ("grpc://proxy:0", None, "port that is none"),
            ("grpc://proxy:", None, "port that is none"),
            ("grpc://::1:50051", None, "without brackets"),
            ("grpc://proxy/sfp", None, "has a path"),
            ("ws://proxy?k=secret-AbCdEfGh123456", None, "has a query"),
            ("ws://proxy#secret-AbCdEfGh123456", None, "has a query or a fragment"),
            ("ws://me:AbCdEfGh123456@proxy", None, "user name or password"),
            ("ws://proxy", Some(StreamProtocol::Grpc), "protocol is `grpc_stream`"),
        ] {
            let message = refused(text, protocol);
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("CdEfGh123456"), "{message}");
        }
    }

    #[test]
    fn plaintext_and_tls_options_contradict_each_other() {
        let plain: StreamAddress = "grpc://proxy".parse().unwrap();
        let tls: StreamAddress = "grpcs://proxy".parse().unwrap();
        let either = StreamAddress::parse("proxy:1", Some(StreamProtocol::Grpc)).unwrap();
        assert!(!plain.is_tls(false).unwrap() && tls.is_tls(false).unwrap() && tls.is_tls(true).unwrap());
        assert!(!either.is_tls(false).unwrap() && either.is_tls(true).unwrap());
        assert!(plain.is_tls(true).unwrap_err().to_string().contains("not encrypted"));
    }
}
