//! What options cannot work, and why.

use redis::{ConnectionAddr, ConnectionInfo};

use super::{RedisOptions, Topology};
use crate::error::OptionsError;

impl RedisOptions {
    /// Whether any connection uses TLS.
    pub(crate) fn uses_tls(&self) -> bool {
        self.tls.is_some()
            || self.sentinel_tls.is_some()
            || self.known().iter().any(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }))
    }

    /// The servers that are known by URL.
    fn known(&self) -> &[ConnectionInfo] {
        match &self.topology {
            Topology::Single(info) => std::slice::from_ref(info),
            Topology::Cluster(infos) | Topology::Sentinel { sentinels: infos, .. } => infos,
        }
    }

    /// Looks for everything that cannot work.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let mut problems = Vec::new();
        let mut problem = |wrong: bool, what: &str| {
            if wrong {
                problems.push(what.to_owned());
            }
        };
        for (timeout, name) in [
            (self.connect_timeout, "connect_timeout"),
            (self.read_timeout, "read_timeout"),
            (self.write_timeout, "write_timeout"),
            (self.keepalive, "keepalive"),
        ] {
            problem(timeout.is_zero(), &format!("`{name}` is zero"));
        }
        problem(self.attempts == 0, "`attempts` is zero");
        problem(self.max_value_bytes == 0, "`max_value_bytes` is zero");
        problem(self.ttl.is_some_and(|ttl| ttl.as_secs() == 0), "`ttl` is under a second");
        problem(
            self.compress && self.namespace.is_empty(),
            "`compress` needs a `namespace`: other SDKs could not read the values",
        );
        problem(self.compress && !cfg!(feature = "zstd"), "`compress` needs the feature `zstd`");
        problem(
            self.login.password.is_some() && self.login.password_file.is_some(),
            "both `password` and `password_file` are set",
        );
        let infos = self.known();
        problem(infos.is_empty(), "no URL is given");
        let is_cluster = matches!(self.topology, Topology::Cluster(_));
        problem(is_cluster && !cfg!(feature = "cluster"), "a cluster needs the feature `cluster`");
        let db = self.db.is_some_and(|db| db != 0) || infos.iter().any(|info| info.redis_settings().db() != 0);
        problem(is_cluster && db, "a cluster has no databases");
        if let Topology::Sentinel { master, .. } = &self.topology {
            problem(master.is_empty(), "the name of the master is empty");
        } else {
            problem(self.sentinel_tls.is_some(), "`sentinel_tls` is set without sentinels");
            problem(self.sentinel_login.password.is_some(), "`sentinel_login` is set without sentinels");
        }
        let tls = self.uses_tls();
        problem(tls && !cfg!(feature = "tls"), "TLS needs the feature `tls`");
        problem(
            infos.iter().any(|info| matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. })),
            "`#insecure` TLS is not supported; name the authority instead",
        );
        let unix = infos.iter().any(|info| matches!(info.addr(), ConnectionAddr::Unix(_)));
        problem(unix && tls, "a local socket has no TLS");
        problem(unix && !matches!(self.topology, Topology::Single(_)), "only a single server has a local socket");
        OptionsError::check(problems)
    }
}
