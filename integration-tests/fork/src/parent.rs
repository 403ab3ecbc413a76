//! The process that forks, and goes on.

use statsig::Statsig;
use tokio::runtime::{Builder, Runtime};

use crate::{LONG, Setting, ada, child, say, sys};

pub(crate) fn run(setting: &Setting) {
    sys::die_after(240);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let client = setting.client(setting.with_runtime.then_some(&runtime));
    let details = client.initialize_blocking();
    assert!(details.is_config_spec_ready, "{:?}", details.error);
    assert!(client.check_gate(&ada(), "old") && !client.check_gate(&ada(), "new"));
    // Pending when the process forks.
    client.log_event(&ada(), "before", None, None);

    let Some(pid) = sys::fork().expect("a child") else { child::run(setting, client) };
    assert_eq!(sys::wait_for(pid).expect("the child"), Some(0), "how the child ended");

    assert!(!client.is_inherited() && !client.health().inherited);
    goes_on(&client, &runtime);
    let report = client.shutdown_blocking(LONG);
    assert!(report.events.is_complete(), "{:?}", report.events);
    say("shut down");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a line");
    drop(client);
    if setting.with_runtime {
        // Connections that are kept for later are tasks as well, until the client is gone.
        while runtime.metrics().num_alive_tasks() > 0 {
            runtime.block_on(tokio::task::yield_now());
        }
    }
    say("nothing is left");
}

/// The client is kept up to date and delivers, as if nothing had happened.
fn goes_on(client: &Statsig, runtime: &Runtime) {
    assert!(runtime.block_on(client.wait_for_specs(5, LONG)).is_some(), "the update came");
    assert!(client.check_gate(&ada(), "new"));
    client.log_event(&ada(), "after", None, None);
    let report = client.flush_events_blocking(LONG);
    assert!(report.is_complete(), "{report:?}");
}
