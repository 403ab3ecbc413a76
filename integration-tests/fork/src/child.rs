//! The child: first with what it has inherited, then with a client of its own.

use std::time::Duration;

use statsig::{ReadyPolicy, Statsig};
use tokio::runtime::Builder;

use crate::{LONG, Setting, ada, say, sys};

pub(crate) fn run(setting: &Setting, inherited: Statsig) -> ! {
    sys::die_after(200);
    is_a_strangers(&inherited);
    drop(inherited);
    has_one_of_its_own(setting);
    // Without returning to `main`: what is the parent's is not dropped.
    std::process::exit(0);
}

/// Nothing waits, and nothing is done but to evaluate.
fn is_a_strangers(inherited: &Statsig) {
    assert!(inherited.check_gate(&ada(), "old"), "answers from what it had");
    assert!(inherited.is_inherited());
    let health = inherited.health();
    assert!(health.inherited && health.specs.is_none(), "{health:?}");
    assert_eq!(inherited.event_stats().pending, 0, "the parent's events are not ours");

    inherited.log_event(&ada(), "by the inherited one", None, None);
    assert_eq!(inherited.flush_events_blocking(LONG).failed, 1);
    let details = inherited.initialize_blocking();
    assert!(details.is_config_spec_ready && !details.init_success, "{details:?}");
    assert!(details.error.is_some_and(|error| error.contains("build another one")));
    assert!(inherited.ready_blocking(ReadyPolicy::Any, LONG));
    assert!(!inherited.ready_blocking(ReadyPolicy::Fresh, LONG));

    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        assert!(!inherited.initialize().await.init_success);
        let report = inherited.sync_now().await.expect("a report");
        assert!(!report.success && !report.updated, "{report:?}");
        assert_eq!(inherited.wait_for_specs(5, LONG).await, None);
        assert_eq!(inherited.flush_events(LONG).await.failed, 1);
        assert_eq!(inherited.shutdown(LONG).await.events.failed, 1);
    });
    assert_eq!(inherited.shutdown_blocking(LONG).events.failed, 1);
    inherited.pause_polling();
    inherited.start_polling();
    let newer = br#"{"has_updates":true,"time":99,"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"condition_map":{}}"#;
    let refused = inherited.update_specs(&newer[..]).expect_err("a refusal");
    assert!(matches!(refused, statsig::Error::Inherited), "{refused:?}");
    assert!(inherited.check_gate(&ada(), "old"), "also after all this");
}

/// A client whose first load was under way when the process was forked off is not ready.
pub(crate) fn is_not_ready(loading: &Statsig) {
    for details in [Some(loading.initialize_blocking()), loading.get_initialize_details()].into_iter().flatten() {
        assert!(!details.is_config_spec_ready && !details.init_success, "{details:?}");
    }
    assert!(!loading.ready_blocking(ReadyPolicy::Any, LONG));
}

/// A client that is built in the child works as anywhere.
fn has_one_of_its_own(setting: &Setting) {
    let own = setting.client(None);
    let details = own.initialize_blocking();
    assert!(details.init_success && details.is_config_spec_ready, "{details:?}");
    assert!(!own.is_inherited() && own.check_gate(&ada(), "old"));
    say("the child is up");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert!(runtime.block_on(own.wait_for_specs(5, LONG)).is_some(), "the update came");
    assert!(own.check_gate(&ada(), "new"));
    own.log_event(&ada(), "by the child", None, None);
    let report = own.flush_events_blocking(LONG);
    assert!(report.is_complete(), "{report:?}");
    let _ = own.shutdown_blocking(Duration::from_secs(60));
}
