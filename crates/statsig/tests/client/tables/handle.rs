//! The handles that applications hold.

use statsig::{
    DynamicConfig, Experiment, FeatureGate, Layer, LocalOverrides, OverrideScope, ParameterStore, Statsig, StatsigUser,
};

const fn is_shared<T: Send + Sync + Clone + 'static>() {}

/// Checked by the compiler.
const _: () = {
    is_shared::<Statsig>();
    is_shared::<StatsigUser>();
    is_shared::<FeatureGate>();
    is_shared::<DynamicConfig>();
    is_shared::<Experiment>();
    is_shared::<Layer>();
    is_shared::<ParameterStore>();
    is_shared::<LocalOverrides>();
};

const fn is_sent<T: Send + Sync + 'static>() {}
const _: () = is_sent::<OverrideScope>();

/// What a clone changes, all see.
#[test]
fn clones_are_one_client() {
    let statsig = super::support::client(&statsig_testkit::specs::ProjectBuilder::new());
    let clone = statsig.clone();
    std::thread::spawn(move || clone.override_gate("g", true, None)).join().unwrap();
    assert!(statsig.check_gate(&StatsigUser::with_user_id("u"), "g"));
}
