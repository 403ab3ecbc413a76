//! The process that forks, and goes on.

use statsig::Statsig;
use tokio::runtime::{Builder, Runtime};

use crate::{LONG, Setting, ada, child, say, sys};

pub(crate) fn run(setting: &Setting) {
    sys::die_after(240);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    forks_during_the_first_load();
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

/// Forks while a client waits for the answer to its first request, from a server that never answers.
fn forks_during_the_first_load() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    let builder = Statsig::builder().sdk_key("secret-fork").api(address).init_timeout(LONG).request_timeout(LONG);
    let loading = builder.enable_id_lists(false).build().expect("a client");
    let waiting = std::thread::spawn({
        let loading = loading.clone();
        move || loading.initialize_blocking()
    });
    // The request is on its way once it connects.
    let connection = silent.accept().expect("a connection");
    let Some(pid) = sys::fork().expect("a child") else {
        sys::die_after(60);
        child::is_not_ready(&loading);
        std::process::exit(0);
    };
    assert_eq!(sys::wait_for(pid).expect("the child"), Some(0), "how the child ended");
    let _ = loading.shutdown_blocking(LONG);
    let details = waiting.join().expect("the details");
    assert!(!details.is_config_spec_ready, "{details:?}");
    drop(connection);
}

/// The client is kept up to date and delivers, as if nothing had happened.
fn goes_on(client: &Statsig, runtime: &Runtime) {
    assert!(runtime.block_on(client.wait_for_specs(5, LONG)).is_some(), "the update came");
    assert!(client.check_gate(&ada(), "new"));
    client.log_event(&ada(), "after", None, None);
    let report = client.flush_events_blocking(LONG);
    assert!(report.is_complete(), "{report:?}");
}
