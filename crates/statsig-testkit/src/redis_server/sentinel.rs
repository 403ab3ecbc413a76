//! A master, a replica, and sentinels that watch them.

use std::io;

use super::{RedisServer, wait_until};

/// Two servers under three sentinels, as small as a failover can be.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// The name that the sentinels have for the master.
    pub const MASTER: &'static str = "main";

    /// Starts all of them and waits until they know each other.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start() -> io::Result<Self> {
        Self::start_as(None)
    }

    /// As [`start`](Self::start), with one password for the servers and another for the sentinels.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start_secured(password: &str, sentinel_password: &str) -> io::Result<Self> {
        Self::start_as(Some((password, sentinel_password)))
    }

    fn start_as(passwords: Option<(&str, &str)>) -> io::Result<Self> {
        let login = |password: &str| ("default".to_owned(), password.to_owned());
        let server = |more: &[(&str, &str)]| match passwords {
            Some((password, _)) => {
                let secured = [("requirepass", password), ("masterauth", password)];
                RedisServer::start_as(&[&secured, more].concat(), Some(login(password)), false)
            }
            None => RedisServer::start_with(more),
        };
        let master = server(&[])?;
        let replica = server(&[("replicaof", &format!("127.0.0.1 {}", master.port()))])?;
        wait_until("the replica is in sync", || {
            replica.command(&["INFO", "replication"]).is_ok_and(|info| info.text().contains("master_link_status:up"))
        })?;
        let name = Self::MASTER;
        let monitor = format!("monitor {name} 127.0.0.1 {} 2", master.port());
        let (down, failover) =
            (format!("down-after-milliseconds {name} 1000"), format!("failover-timeout {name} 3000"));
        let sentinels = (0..3)
            .map(|_| {
                let mut configuration = vec![("sentinel", &*monitor), ("sentinel", &*down), ("sentinel", &*failover)];
                let Some((password, sentinel_password)) = passwords else {
                    return RedisServer::start_as(&configuration, None, true);
                };
                let (auth, among) =
                    (format!("auth-pass {name} {password}"), format!("sentinel-pass {sentinel_password}"));
                configuration.extend([("sentinel", &*auth), ("sentinel", &*among), ("requirepass", sentinel_password)]);
                RedisServer::start_as(&configuration, Some(login(sentinel_password)), true)
            })
            .collect::<io::Result<Vec<_>>>()?;
        for sentinel in &sentinels {
            // A machine that stands still for two seconds makes sentinels mistrust their clock, and they
            // fail nothing over for thirty more. Here a moment to look around is enough.
            sentinel.command(&["SENTINEL", "DEBUG", "TILT-PERIOD", "500"])?;
        }
        wait_until("the sentinels know each other and the replica", || {
            sentinels.iter().all(|sentinel| {
                sentinel.command(&["INFO", "sentinel"]).is_ok_and(|info| {
                    let info = info.text();
                    info.contains("status=ok") && info.contains("slaves=1,sentinels=3")
                })
            })
        })?;
        Ok(Self { servers: vec![master, replica], sentinels })
    }

    /// The URLs of the sentinels.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The port that a sentinel names as that of the master.
    ///
    /// # Errors
    /// If the sentinel does not answer.
    pub fn master_port(&self) -> io::Result<u16> {
        let address = self.sentinels[0].command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::MASTER])?;
        let text = address.text();
        text.lines().nth(1).and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other("no address"))
    }

    /// The server that is the master now.
    ///
    /// # Errors
    /// If the sentinels name none of ours.
    pub fn master(&mut self) -> io::Result<&mut RedisServer> {
        let port = self.master_port()?;
        self.servers
            .iter_mut()
            .find(|server| server.port() == port)
            .ok_or_else(|| io::Error::other("the master is unknown"))
    }

    /// What the sentinels think, for the message of a test that fails.
    fn state(&self) -> String {
        let ask = |sentinel: &RedisServer, words: &[&str]| match sentinel.command(words) {
            Ok(reply) => reply.text().replace('\n', " "),
            Err(error) => error.to_string(),
        };
        let states = self.sentinels.iter().map(|sentinel| {
            let info = ask(sentinel, &["INFO", "sentinel"]);
            let master = ask(sentinel, &["SENTINEL", "MASTER", Self::MASTER]);
            let replicas = ask(sentinel, &["SENTINEL", "REPLICAS", Self::MASTER]);
            format!("{info}\n  {master}\n  {replicas}\n")
        });
        states.collect()
    }

    /// Ends the master as a crash does, and waits until the replica has taken over.
    ///
    /// # Errors
    /// If it does not.
    pub fn fail_over(&mut self) -> io::Result<()> {
        let before = self.master_port()?;
        self.master()?.kill()?;
        wait_until("the sentinels name another master", || self.master_port().is_ok_and(|port| port != before))
            .map_err(|error| io::Error::new(error.kind(), format!("{error}\n{}", self.state())))
    }
}
