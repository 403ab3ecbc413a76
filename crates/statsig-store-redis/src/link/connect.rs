//! Finds the server to talk to, and connects.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, Value, cmd,
};
use tokio::time::timeout;

use super::bounded::ReplyLimits;
use super::{Conn, socket};
use crate::error::{Failure, OptionsError};
use crate::options::{Login, RedisOptions, TlsOptions, Topology};

/// Knows where the servers are.
pub(crate) struct Connector {
    topology: Topology,
    login: Login,
    sentinel_login: Login,
    tls: Option<TlsOptions>,
    sentinel_tls: Option<TlsOptions>,
    db: Option<u32>,
    connect_timeout: Duration,
    limits: ReplyLimits,
    #[cfg(feature = "cluster")]
    response_timeout: Duration,
    /// Which of several known addresses answered last.
    preferred: AtomicUsize,
}

impl Connector {
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, OptionsError> {
        #[cfg(feature = "tls")]
        if options.uses_tls() {
            install_crypto();
        }
        let connector = Self {
            topology: options.topology.clone(),
            login: options.login.clone(),
            sentinel_login: options.sentinel_login.clone(),
            tls: options.tls.clone(),
            sentinel_tls: options.sentinel_tls.clone(),
            db: options.db,
            connect_timeout: options.connect_timeout,
            limits: ReplyLimits::for_values(options.max_value_bytes),
            #[cfg(feature = "cluster")]
            response_timeout: options.write_timeout.max(options.read_timeout),
            preferred: AtomicUsize::new(0),
        };
        let mut problems = Vec::new();
        #[cfg(feature = "tls")]
        for (tls, name) in [(&connector.tls, "tls"), (&connector.sentinel_tls, "sentinel_tls")] {
            if let Some(Err(error)) = tls.as_ref().map(socket::client_config) {
                problems.push(format!("`{name}`: {error}"));
            }
        }
        problems.dedup();
        OptionsError::check(problems)?;
        Ok(connector)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    /// Whether a new connection may reach another server than the last one.
    pub(crate) fn may_find_another_master(&self) -> bool {
        !matches!(self.topology, Topology::Single(_))
    }

    /// Connects to where commands go.
    pub(crate) async fn connect(&self) -> Result<Conn, Failure> {
        let login = resolve(&self.login).await?;
        let info = match &self.topology {
            Topology::Single(info) => self.server(info.clone(), &login),
            Topology::Sentinel { sentinels, master } => return self.master(sentinels, master, &login).await,
            #[cfg(feature = "cluster")]
            Topology::Cluster(infos) => {
                let cluster = self.cluster(infos, &login)?;
                let conn = timeout(self.connect_timeout, cluster.get_async_connection()).await;
                return Ok(Conn::Cluster(conn.map_err(|_| Failure::Timeout("cluster connection"))??));
            }
            #[cfg(not(feature = "cluster"))]
            Topology::Cluster(_) => return Err(Failure::Invalid("a cluster needs the feature `cluster`".to_owned())),
        };
        self.multiplexed(info, self.tls.as_ref()).await.map(Conn::Server)
    }

    /// Connects to where messages of any channel pass by.
    pub(crate) async fn subscribe(&self) -> Result<PubSub, Failure> {
        let login = resolve(&self.login).await?;
        match &self.topology {
            Topology::Single(info) => self.pubsub(self.server(info.clone(), &login)).await,
            // In a cluster every node passes on every message.
            Topology::Cluster(infos) => {
                self.first_of(infos, |info| self.pubsub(self.server(info.clone(), &login))).await
            }
            Topology::Sentinel { sentinels, master } => {
                let address = self.master_address(sentinels, master).await?;
                self.pubsub(self.server(address, &login)).await
            }
        }
    }

    async fn pubsub(&self, info: ConnectionInfo) -> Result<PubSub, Failure> {
        let connect = async {
            let socket = self.socket(&info, self.tls.as_ref(), ReplyLimits::NOTICES).await?;
            PubSub::new(info.redis_settings(), socket).await
        };
        Ok(timeout(self.connect_timeout, connect).await.map_err(|_| Failure::Timeout("connection"))??)
    }

    /// Connects, and keeps a task at work for as long as the connection is in use.
    async fn multiplexed(
        &self,
        info: ConnectionInfo,
        tls: Option<&TlsOptions>,
    ) -> Result<MultiplexedConnection, Failure> {
        // Answers have the time limit of their command.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connect = async {
            let socket = self.socket(&info, tls, self.limits).await?;
            MultiplexedConnection::new_with_config(info.redis_settings(), socket, config).await
        };
        let (conn, driver) =
            timeout(self.connect_timeout, connect).await.map_err(|_| Failure::Timeout("connection"))??;
        // It ends once nobody holds the connection any more.
        tokio::spawn(driver);
        Ok(conn)
    }

    async fn socket(
        &self,
        info: &ConnectionInfo,
        tls: Option<&TlsOptions>,
        limits: ReplyLimits,
    ) -> Result<socket::BoundedSocket, redis::RedisError> {
        #[cfg(feature = "tls")]
        let address = if tls.is_some() { over_tls(info.clone()).addr().clone() } else { info.addr().clone() };
        #[cfg(not(feature = "tls"))]
        let address = info.addr().clone();
        Ok(socket::open(&address, tls, limits).await?)
    }

    /// Connects to the master that the sentinels name, if it agrees.
    async fn master(&self, sentinels: &[ConnectionInfo], master: &str, login: &Login) -> Result<Conn, Failure> {
        let address = self.master_address(sentinels, master).await?;
        let mut conn = self.multiplexed(self.server(address, login), self.tls.as_ref()).await?;
        let role = timeout(self.connect_timeout, conn.req_packed_command(&cmd("ROLE")))
            .await
            .map_err(|_| Failure::Timeout("role"))?;
        match role.and_then(Value::extract_error) {
            Ok(Value::Array(parts)) => {
                let word: Option<String> = parts.into_iter().next().and_then(|it| redis::from_redis_value(it).ok());
                if word.as_deref() == Some("master") {
                    return Ok(Conn::Server(conn));
                }
                let error = redis::make_extension_error(
                    "MASTERDOWN".to_owned(),
                    Some("the server that the sentinels name is no master (yet)".to_owned()),
                );
                Err(error.into())
            }
            // A user without the right to ask takes the sentinels' word.
            Err(error) if error.code() == Some("NOPERM") => Ok(Conn::Server(conn)),
            Ok(_) => Err(Failure::Invalid("an unusual answer to ROLE".to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    async fn master_address(&self, sentinels: &[ConnectionInfo], master: &str) -> Result<ConnectionInfo, Failure> {
        let login = resolve(&self.sentinel_login).await?;
        let ask = |sentinel: &ConnectionInfo| {
            let settings = with_login(sentinel.redis_settings().clone().set_db(0), &login);
            let info = sentinel.clone().set_redis_settings(settings.set_skip_set_lib_name());
            async move {
                let mut conn = self.multiplexed(info, self.sentinel_tls.as_ref()).await?;
                let mut command = cmd("SENTINEL");
                command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
                let answer = timeout(self.connect_timeout, command.query_async(&mut conn)).await;
                let address: Option<(String, u16)> = answer.map_err(|_| Failure::Timeout("sentinel"))??;
                address.ok_or_else(|| Failure::Invalid(format!("the sentinel knows no master `{master}`")))
            }
        };
        let (host, port) = self.first_of(sentinels, ask).await?;
        Ok(ConnectionAddr::Tcp(host, port).into_connection_info()?)
    }

    /// Tries addresses in turn, beginning with the one that worked last.
    async fn first_of<'a, T, F: Future<Output = Result<T, Failure>>>(
        &self,
        infos: &'a [ConnectionInfo],
        mut attempt: impl FnMut(&'a ConnectionInfo) -> F,
    ) -> Result<T, Failure> {
        let start = self.preferred.load(Ordering::Relaxed);
        let mut last = Failure::Invalid("no address is known".to_owned());
        for offset in 0..infos.len() {
            let at = (start + offset) % infos.len();
            match attempt(&infos[at]).await {
                Ok(found) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(found);
                }
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    #[cfg(feature = "cluster")]
    fn cluster(&self, infos: &[ConnectionInfo], login: &Login) -> Result<redis::cluster::ClusterClient, Failure> {
        let nodes = infos.iter().map(|info| self.secured(self.server(info.clone(), login)));
        let builder = redis::cluster::ClusterClientBuilder::new(nodes)
            .connection_timeout(self.connect_timeout)
            .response_timeout(self.response_timeout)
            .retries(3)
            .max_retry_wait(500)
            .min_retry_wait(20);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(builder.tls(redis::TlsMode::Secure).certs(certificates(tls)).build()?);
        }
        Ok(builder.build()?)
    }

    /// How to connect to a server at an address.
    fn server(&self, info: ConnectionInfo, login: &Login) -> ConnectionInfo {
        let mut settings = with_login(info.redis_settings().clone(), login).set_skip_set_lib_name();
        if let Some(db) = self.db {
            settings = settings.set_db(i64::from(db));
        }
        info.set_redis_settings(settings)
    }

    #[cfg(feature = "cluster")]
    fn secured(&self, info: ConnectionInfo) -> ConnectionInfo {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return over_tls(info);
        }
        info
    }
}

/// Reads the password that counts now.
async fn resolve(login: &Login) -> Result<Login, Failure> {
    let mut login = login.clone();
    if let Some(path) = login.password_file.take() {
        login.password = Some(read_password(&path).await?);
    }
    Ok(login)
}

async fn read_password(path: &Path) -> Result<String, Failure> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(owned)).await;
    let text = read.unwrap_or_else(|_| Err(std::io::Error::other("abandoned"))).map_err(|error| {
        redis::RedisError::from(std::io::Error::new(error.kind(), format!("cannot read {}", path.display())))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn with_login(mut settings: RedisConnectionInfo, login: &Login) -> RedisConnectionInfo {
    if let Some(username) = &login.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(password);
    }
    settings
}

#[cfg(feature = "tls")]
fn over_tls(info: ConnectionInfo) -> ConnectionInfo {
    match info.addr().clone() {
        ConnectionAddr::Tcp(host, port) => {
            info.set_addr(ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None })
        }
        _ => info,
    }
}

#[cfg(all(feature = "tls", feature = "cluster"))]
fn certificates(tls: &TlsOptions) -> redis::TlsCertificates {
    redis::TlsCertificates {
        client_tls: tls
            .certificate
            .clone()
            .map(|(client_cert, client_key)| redis::ClientTlsConfig { client_cert, client_key }),
        root_cert: tls.authorities.clone(),
    }
}

/// The `redis` crate uses the provider of the process. Where none was chosen yet, ring is.
#[cfg(feature = "tls")]
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // If another thread was faster, there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
