//! Options of a store, checked as a whole when it is opened.

mod check;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionInfo, IntoConnectionInfo};
use statsig_adapters::Observer;

use crate::error::OptionsError;
pub use tls::TlsOptions;

/// How many Redis servers there are, and how they stand to each other.
#[derive(Clone)]
pub(crate) enum Topology {
    /// One server.
    Single(ConnectionInfo),
    /// A cluster, by some of its nodes.
    Cluster(Vec<ConnectionInfo>),
    /// Servers that sentinels watch, by the sentinels and the name of the master.
    Sentinel { sentinels: Vec<ConnectionInfo>, master: String },
}

/// How new values are laid out. A value that is already there keeps the layout that it has, and
/// either is read. Values under flat keys (`statsig.cache` and the like) and values that grow by
/// `append` are bare payloads in any case, since that is all that their readers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// A hash with the payload in the field `config` and its time in `lcut`, as the official forward
    /// proxy has it.
    #[default]
    Hash,
    /// The bare payload, as SDKs with a plain `GET` expect; what else is known about it stands
    /// beside it, under a key of its own. Following updates without notifications reads the whole
    /// payload each time.
    String,
}

/// Where Redis is, and how values are kept in it.
///
/// | option | default |
/// | --- | --- |
/// | [`connect_timeout`](Self::connect_timeout) | 2 s |
/// | [`read_timeout`](Self::read_timeout), [`write_timeout`](Self::write_timeout) | 1 s, 3 s an attempt |
/// | [`attempts`](Self::attempts) | 3 for one command |
/// | [`read_only`](Self::read_only) | yes |
/// | [`ttl`](Self::ttl) | 7 days |
/// | [`layout`](Self::layout) | [`Layout::Hash`] |
/// | [`namespace`](Self::namespace) | none: official keys |
/// | [`max_value_bytes`](Self::max_value_bytes) | 64 MiB |
/// | [`follow_updates`](Self::follow_updates) | yes |
/// | [`observer`](Self::observer) | none |
///
/// ```
/// use std::time::Duration;
/// use statsig_store_redis::RedisOptions;
///
/// # fn main() -> Result<(), statsig_store_redis::OptionsError> {
/// let options = RedisOptions::single("redis://redis.internal:6379/2")?
///     .username("statsig")
///     .password("p@ss/word")
///     .read_timeout(Duration::from_millis(500));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisOptions {
    pub(crate) topology: Topology,
    pub(crate) login: Login,
    pub(crate) sentinel_login: Login,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) sentinel_tls: Option<TlsOptions>,
    pub(crate) db: Option<u32>,
    pub(crate) namespace: String,
    pub(crate) layout: Layout,
    pub(crate) ttl: Option<Duration>,
    pub(crate) read_only: bool,
    pub(crate) follow_updates: bool,
    pub(crate) compress: bool,
    pub(crate) max_value_bytes: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) attempts: u32,
    pub(crate) keepalive: Duration,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// Who we are to a server.
#[derive(Clone, Default)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
}

impl RedisOptions {
    /// One server, by its URL: `redis://[user[:password]@]host[:port][/db]`, `rediss://…` with TLS,
    /// or `unix:///path?db=…`.
    ///
    /// # Errors
    /// If the URL cannot be read.
    pub fn single(url: &str) -> Result<Self, OptionsError> {
        Ok(Self::with(Topology::Single(parse([url])?.remove(0))))
    }

    /// One server, by its name or address and its port; without TLS unless [`tls`](Self::tls) is set.
    ///
    /// # Errors
    /// If the name is empty.
    pub fn host(host: &str, port: u16) -> Result<Self, OptionsError> {
        let empty = if host.is_empty() { vec!["the name of the host is empty".to_owned()] } else { Vec::new() };
        OptionsError::check(empty)?;
        let info = (host, port).into_connection_info();
        let info = info.map_err(|error| OptionsError { problems: vec![error.category().to_owned()] })?;
        Ok(Self::with(Topology::Single(info)))
    }

    /// A cluster, by the URLs of some of its nodes; the others are found. Needs the feature
    /// `cluster`.
    ///
    /// # Errors
    /// If a URL cannot be read.
    pub fn cluster<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Self, OptionsError> {
        Ok(Self::with(Topology::Cluster(parse(urls)?)))
    }

    /// Servers that sentinels watch, by the URLs of the sentinels and the name that they have for
    /// the master. User, password and TLS of the servers are set apart from those of the sentinels.
    ///
    /// # Errors
    /// If a URL cannot be read.
    pub fn sentinel<'a>(
        urls: impl IntoIterator<Item = &'a str>,
        master: impl Into<String>,
    ) -> Result<Self, OptionsError> {
        Ok(Self::with(Topology::Sentinel { sentinels: parse(urls)?, master: master.into() }))
    }

    fn with(topology: Topology) -> Self {
        Self {
            topology,
            login: Login::default(),
            sentinel_login: Login::default(),
            tls: None,
            sentinel_tls: None,
            db: None,
            namespace: String::new(),
            layout: Layout::default(),
            ttl: Some(Duration::from_secs(7 * 24 * 3_600)),
            read_only: true,
            follow_updates: true,
            compress: false,
            max_value_bytes: 64 << 20,
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(1),
            write_timeout: Duration::from_secs(3),
            attempts: 3,
            keepalive: Duration::from_secs(15),
            observer: None,
        }
    }

    /// The user, in place of the URL's.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.login.username = Some(username.into());
        self
    }

    /// The password, in place of the URL's. Any characters.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.login.password = Some(password.into());
        self
    }

    /// A file that holds the password, read again for each new connection, so that it can be
    /// changed. Line breaks at its end do not count.
    #[must_use]
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.login.password_file = Some(path.into());
        self
    }

    /// User and password at the sentinels, in place of those in their URLs.
    #[must_use]
    pub fn sentinel_login(mut self, username: Option<String>, password: impl Into<String>) -> Self {
        self.sentinel_login = Login { username, password: Some(password.into()), password_file: None };
        self
    }

    /// TLS to the servers, with these authorities and certificates. A `rediss://` URL without this
    /// option trusts the system's authorities.
    #[must_use]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = Some(tls);
        self
    }

    /// TLS to the sentinels.
    #[must_use]
    pub fn sentinel_tls(mut self, tls: TlsOptions) -> Self {
        self.sentinel_tls = Some(tls);
        self
    }

    /// The number of the database, in place of the URL's. A cluster has only number 0.
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.db = Some(db);
        self
    }

    /// A text before every key and channel, such as `prod:`. Other SDKs and proxies do not find
    /// such keys.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The layout of values that are not there yet.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// How long a value is kept after it was last written or touched; `None`: for ever.
    #[must_use]
    pub fn ttl(mut self, ttl: Option<Duration>) -> Self {
        self.ttl = ttl;
        self
    }

    /// Whether the store only reads, which is what most hosts of a fleet should do.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether clients follow updates in the store, rather than at their origin.
    #[must_use]
    pub fn follow_updates(mut self, follow_updates: bool) -> Self {
        self.follow_updates = follow_updates;
        self
    }

    /// Whether text is compressed (Zstandard) when stored. Only within a
    /// [`namespace`](Self::namespace), since other SDKs cannot read it; needs the feature `zstd`, here
    /// and at every reader.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Most bytes of a value, also after decompression. Larger ones are neither written nor read.
    #[must_use]
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Time for a connection to stand, greeting and login included.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Time for one attempt to read. An operation takes at most twice as long, with all its commands and
    /// their attempts.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Time for one attempt to write. An operation that writes takes at most twice as long, with all its
    /// commands, also those that read, and their attempts.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Most attempts for one command, the first included.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How often a silent subscription is checked.
    #[must_use]
    pub fn keepalive(mut self, keepalive: Duration) -> Self {
        self.keepalive = keepalive;
        self
    }

    /// Receives metrics of whatever is opened with these options: store, event sink or drainer. Most of
    /// the time the observer that the client has, too. All names are in
    /// `docs/protocol/data-store.md#metrics`.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }
}

/// Shows no password, and nothing of URLs that may hold one.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topology = match &self.topology {
            Topology::Single(info) => format!("single {}", info.addr()),
            Topology::Cluster(infos) => format!("cluster of {} known nodes", infos.len()),
            Topology::Sentinel { sentinels, master } => format!("{master} of {} sentinels", sentinels.len()),
        };
        f.debug_struct("RedisOptions")
            .field("topology", &topology)
            .field("namespace", &self.namespace)
            .field("layout", &self.layout)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// Reads URLs; messages do not repeat them, since they may hold passwords.
fn parse<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Vec<ConnectionInfo>, OptionsError> {
    let mut infos = Vec::new();
    let mut problems = Vec::new();
    for (at, url) in urls.into_iter().enumerate() {
        match url.into_connection_info() {
            Ok(info) => infos.push(info),
            Err(error) => problems.push(format!("URL {} is no Redis URL ({})", at + 1, error.category())),
        }
    }
    if infos.is_empty() && problems.is_empty() {
        problems.push("no URL is given".to_owned());
    }
    OptionsError::check(problems)?;
    Ok(infos)
}

#[cfg(test)]
mod tests;
