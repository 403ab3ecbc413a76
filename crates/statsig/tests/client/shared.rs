//! The client that the whole process shares. One test: there is only one such client.
use std::time::Duration;

use statsig::{Error, Statsig, StatsigUser};
use statsig_testkit::specs::{GateBuilder, ProjectBuilder};

fn project(gate: &str) -> Vec<u8> {
    ProjectBuilder::new().gate(GateBuilder::on(gate)).build()
}

#[test]
fn a_process_has_one_shared_client_at_a_time() {
    let ada = StatsigUser::with_user_id("ada");
    // None yet: nothing fails, everything gives its default.
    assert!(!Statsig::has_shared_instance());
    let nobody = Statsig::shared();
    assert!(!nobody.check_gate(&ada, "first"));
    assert_eq!(nobody.get_feature_gate(&ada, "first").details().reason(), "Uninitialized");
    assert_eq!(nobody.shutdown_blocking(Duration::from_secs(1)).events.delivered, 0);
    nobody.override_gate("first", true, None);
    assert!(!Statsig::shared().check_gate(&ada, "first"), "what one caller does reaches no other");
    assert!(Statsig::remove_shared().is_none());

    // One that cannot be built is not shared.
    Statsig::builder().build_shared().unwrap_err();
    assert!(!Statsig::has_shared_instance());

    let first = Statsig::builder().bootstrap(project("first")).build_shared().unwrap();
    assert!(Statsig::has_shared_instance());
    let elsewhere = std::thread::spawn(|| Statsig::shared().check_gate(&StatsigUser::with_user_id("ada"), "first"));
    assert!(elsewhere.join().unwrap());
    first.override_gate("first", false, None);
    assert!(!Statsig::shared().check_gate(&ada, "first"), "the same client");

    let second = || Statsig::builder().bootstrap(project("second"));
    let refused = second().build_shared().unwrap_err();
    assert!(matches!(refused, Error::SharedInstanceExists) && !refused.is_retryable());
    assert!(refused.to_string().contains("remove_shared"), "{refused}");

    // A client that is forgotten goes on for those who hold it.
    assert!(Statsig::remove_shared().is_some());
    first.remove_all_overrides();
    assert!(first.check_gate(&ada, "first"));
    second().build_shared().unwrap();
    assert!(Statsig::shared().check_gate(&ada, "second") && !Statsig::shared().check_gate(&ada, "first"));
}
