//! Redis servers for tests: real processes on free ports of the loopback interface.
//!
//! The program is `redis-server`, or what the variable `REDIS_SERVER` names. A server ends with its
//! handle. Nothing here has a Redis client in its tree: what a test tells the server by itself goes
//! over a plain socket.

mod cluster;
mod resp;
mod sentinel;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use cluster::RedisCluster;
pub use resp::Reply;
pub use sentinel::RedisSentinel;

/// Time for a server to start, or to get into another state.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a server.
const GLANCE: Duration = Duration::from_millis(5);
/// A port that was free may be taken when the server binds it.
const ATTEMPTS: usize = 5;

/// Nothing on disk; a replica need not wait for others.
const DEFAULTS: &[(&str, &str)] = &[("save", ""), ("appendonly", "no"), ("repl-diskless-sync-delay", "0")];

/// A server process.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    arguments: Vec<OsString>,
    login: Option<(String, String)>,
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk and accepts everybody.
    ///
    /// # Errors
    /// If the program is missing or does not start.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with more configuration: names (without dashes) and values.
    ///
    /// # Errors
    /// If the program is missing or does not start.
    pub fn start_with(configuration: &[(&str, &str)]) -> io::Result<Self> {
        Self::start_as(configuration, None, false)
    }

    /// As [`start_with`](Self::start_with), for a server that wants a user and a password from the
    /// harness too.
    ///
    /// # Errors
    /// If the program is missing or does not start.
    pub fn start_secured(configuration: &[(&str, &str)], user: &str, password: &str) -> io::Result<Self> {
        Self::start_as(configuration, Some((user.to_owned(), password.to_owned())), false)
    }

    fn start_as(configuration: &[(&str, &str)], login: Option<(String, String)>, sentinel: bool) -> io::Result<Self> {
        let mut last = io::Error::other("redis-server was not started");
        for _ in 0..ATTEMPTS {
            let dir = tempfile::tempdir()?;
            let port = free_port()?;
            let mut arguments: Vec<OsString> = Vec::new();
            if sentinel {
                let file = dir.path().join("sentinel.conf");
                let text: String = configuration.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
                std::fs::write(&file, text)?;
                arguments.extend([file.into(), "--sentinel".into()]);
            } else {
                for (name, value) in DEFAULTS.iter().chain(configuration) {
                    arguments.push(format!("--{name}").into());
                    arguments.push(value.into());
                }
            }
            for (name, value) in [("port", port.to_string()), ("bind", "127.0.0.1".to_owned())] {
                arguments.extend([format!("--{name}").into(), value.into()]);
            }
            arguments.extend(["--dir".into(), dir.path().into()]);
            let mut server = Self { child: None, port, arguments, login: login.clone(), dir };
            match server.spawn() {
                Ok(()) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL, without user and password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A folder that goes with the server.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sends a command and returns the answer.
    ///
    /// # Errors
    /// If the server does not answer, or answers with an error.
    pub fn command<A: AsRef<[u8]>>(&self, words: &[A]) -> io::Result<Reply> {
        resp::call(self.port, self.login.as_ref(), words)
    }

    /// Ends the process at once, as a crash does. Waits until it is gone.
    ///
    /// # Errors
    /// If the process cannot be ended.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the process again, on the same port.
    ///
    /// # Errors
    /// If it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        // Somebody else's connection may have got the port meanwhile, as its own end.
        let mut last = Ok(());
        for _ in 0..ATTEMPTS {
            last = self.spawn();
            if last.is_ok() {
                break;
            }
            self.kill()?;
            std::thread::sleep(GLANCE);
        }
        last
    }

    /// Stops the process without ending it: connections stay open and nothing answers.
    ///
    /// # Errors
    /// If the process cannot be signalled.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// If the process cannot be signalled.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let Some(child) = &self.child else { return Err(io::Error::other("the server does not run")) };
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("kill failed")) }
    }

    fn spawn(&mut self) -> io::Result<()> {
        let program = std::env::var_os("REDIS_SERVER").filter(|file| !file.is_empty());
        let program = program.unwrap_or_else(|| "redis-server".into());
        let child = Command::new(&program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Another process may have the port; so ask who answers.
            let answers = self.command(&["INFO", "server"]).is_ok_and(|info| {
                let id = self.child.as_ref().map(|child| format!("process_id:{}\r", child.id()));
                id.is_some_and(|id| info.text().contains(&id))
            });
            if answers {
                return Ok(());
            }
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                self.child = None;
                return Err(io::Error::other(format!("redis-server ended at once: {status}")));
            }
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "redis-server does not answer"));
            }
            thread::sleep(GLANCE);
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A frozen process ends as well.
        let _ = self.kill();
    }
}

/// Looks at something until it is so.
///
/// # Errors
/// If it is not so in time.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("waited in vain until {what}")));
        }
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// A port that nobody listens on.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
