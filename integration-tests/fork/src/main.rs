//! A program that builds a client, forks, and goes on with it; the child builds one of its own.
//!
//! Arguments: address of the server, folder for spools, and where the parent's client runs: `thread` for a
//! thread of its own, `runtime` for a runtime of the application's. On standard output it says how far it
//! is; on standard input, a line lets it go on. Whatever hangs is killed by an alarm.

// A program of a test may fail like a test.
#![allow(clippy::expect_used, clippy::print_stdout)]

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod parent;
#[cfg(unix)]
mod sys;

#[cfg(unix)]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("an argument");
    let setting = Setting { url: next(), folder: next().into(), with_runtime: next() == "runtime" };
    parent::run(&setting);
}

#[cfg(not(unix))]
fn main() {}

/// Where everything is.
#[cfg(unix)]
struct Setting {
    url: String,
    folder: std::path::PathBuf,
    with_runtime: bool,
}

#[cfg(unix)]
impl Setting {
    /// A client as both build it.
    fn client(&self, runtime: Option<&tokio::runtime::Runtime>) -> statsig::Statsig {
        let spool = statsig::SpoolOptions::for_sdk_key(&self.folder, "secret-fork");
        let builder = statsig::Statsig::builder()
            .sdk_key("secret-fork")
            .api(self.url.clone())
            .specs_sync_interval(std::time::Duration::from_secs(1))
            .event_spool(spool, statsig::SpoolMode::WriteAhead);
        let builder = match runtime {
            Some(runtime) => builder.runtime(runtime.handle().clone()),
            None => builder,
        };
        builder.build().expect("a client")
    }
}

/// Long enough for any machine: who hangs is killed by the alarm.
#[cfg(unix)]
const LONG: std::time::Duration = std::time::Duration::from_secs(600);

/// Says how far we are.
#[cfg(unix)]
fn say(line: &str) {
    use std::io::Write;
    println!("{line}");
    std::io::stdout().flush().expect("a reader");
}

#[cfg(unix)]
fn ada() -> statsig::StatsigUser {
    statsig::StatsigUser::with_user_id("ada")
}
