//! Lua scripts, sent once to each server and then called by their digest.

use redis::{Cmd, FromRedisValue, ToRedisArgs, cmd};
use statsig_adapters::DataStoreError;

use crate::link::{Deadline, Link};
use crate::op::Op;

/// A script and its digest.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    digest: String,
}

impl Script {
    pub(crate) fn new(source: &'static str) -> Self {
        Self { source, digest: sha1(source.as_bytes()) }
    }

    /// Calls it. All keys have to be in one slot.
    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        link: &Link,
        op: Op,
        keys: &[&str],
        arguments: &[&[u8]],
        deadline: Deadline,
    ) -> Result<T, DataStoreError> {
        let by_digest = command("EVALSHA", &self.digest, keys, arguments);
        match link.attempt(op, &by_digest, deadline).await {
            Err(failure) if failure.code() == Some("NOSCRIPT") => {
                drop(by_digest);
                link.query(op, &command("EVAL", self.source, keys, arguments), deadline).await
            }
            answer => answer.map_err(|failure| failure.into_error(op)),
        }
    }
}

fn command(name: &str, script: impl ToRedisArgs, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
    let mut command = cmd(name);
    command.arg(script).arg(keys.len()).arg(keys);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

/// The digest that Redis scripts can compute too, as they write it.
pub(crate) fn sha1(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}
