//! Places on the network: keys, addresses, a runtime.
//!
//! | file | what |
//! | --- | --- |
//! | [`secret`] | texts that are never shown |
//! | [`statsig`] | Statsig's servers, or a proxy in their place |
//! | `redis` | a Redis, by URL |
//! | [`waiting`] | something to look at meanwhile |

#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod secret;
pub(crate) mod statsig;
pub(crate) mod waiting;

use std::future::Future;

use anyhow::{Context, anyhow};

use crate::failure::Failure;
use secret::Secret;

/// Where the key is looked for when the command line has none.
const KEY_VARIABLE: &str = "STATSIG_SECRET_KEY";

/// The SDK key: of the command line, or of the environment.
pub(crate) fn sdk_key(given: Option<&Secret>) -> Option<Secret> {
    let known = given.cloned().or_else(|| std::env::var(KEY_VARIABLE).ok().map(Secret::new));
    known.filter(|key| !key.expose().is_empty())
}

/// The same where nothing goes without it.
#[cfg(feature = "redis")]
pub(crate) fn needed_sdk_key(given: Option<&Secret>) -> Result<Secret, Failure> {
    sdk_key(given).ok_or_else(no_sdk_key)
}

/// That there is none.
pub(crate) fn no_sdk_key() -> Failure {
    Failure::usage(anyhow!("no SDK key")).with_hint(format!("set {KEY_VARIABLE}, or give --sdk-key KEY"))
}

/// Runs a future on this thread.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start").map_err(Failure::input)?;
    let result = runtime.block_on(work);
    // A lookup of a host name may hang on a thread of its own.
    runtime.shutdown_background();
    result
}

/// Resolves on Ctrl-C, and when the system asks the process to end.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
