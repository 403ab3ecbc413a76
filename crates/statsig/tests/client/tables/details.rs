//! Reasons, times and versions of results.

use std::sync::Arc;

use serde_json::json;
use statsig::{
    ExperimentEvaluationOptions, FixedClock, InMemoryPersistentStorage, Reason, SpecOrigin, Statsig, StatsigUser,
    UserPersistedValues,
};
use statsig_testkit::specs::{
    ConditionBuilder, DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder,
    ProjectBuilder,
};

use super::support::{client, user};

const NOW: i64 = 1_790_000_009_000;

fn project() -> ProjectBuilder {
    ProjectBuilder::new()
        .time(1_780_000_000_000)
        .gate(GateBuilder::on("gate").version(4))
        .gate(GateBuilder::new("outer").when(ConditionBuilder::pass_gate("gate")))
        .gate(GateBuilder::new("circle").when(ConditionBuilder::pass_gate("circle")))
        .config(DynamicConfigBuilder::new("config", json!({})).version(5))
        .experiment(ExperimentBuilder::new("experiment").group("Only", json!({"a": 1})).version(6))
        .layer(LayerBuilder::new("layer", json!({"a": 0})).experiment("experiment").version(7))
        .parameter_store(ParameterStoreBuilder::new("store").value("a", 1))
}

/// With a circle of gates, which is listed among the problems.
fn statsig() -> Statsig {
    Statsig::builder().bootstrap(project().build()).clock(Arc::new(FixedClock(NOW))).build().unwrap()
}

/// Reasons of a gate, a config, an experiment, a layer and a store of these names.
fn reasons(statsig: &Statsig, names: [&str; 5]) -> [String; 5] {
    let user = user("u");
    [
        statsig.get_feature_gate(&user, names[0]).details().reason(),
        statsig.get_dynamic_config(&user, names[1]).details().reason(),
        statsig.get_experiment(&user, names[2]).details().reason(),
        statsig.get_layer(&user, names[3]).details().reason(),
        statsig.get_parameter_store(&user, names[4]).details().reason(),
    ]
}

#[test]
fn recognized_and_unrecognized() {
    let statsig = statsig();
    let known = ["gate", "config", "experiment", "layer", "store"];
    assert_eq!(reasons(&statsig, known), ["Bootstrap:Recognized"; 5].map(str::to_owned));
    assert_eq!(reasons(&statsig, [""; 5]), ["Bootstrap:Unrecognized"; 5].map(str::to_owned));
}

#[test]
fn unsupported() {
    let mut document = project().to_json();
    for condition in document["condition_map"].as_object_mut().unwrap().values_mut() {
        condition["type"] = json!("not yet invented");
    }
    let statsig = Statsig::builder().bootstrap(document.to_string()).build().unwrap();
    for name in ["gate", "outer"] {
        let gate = statsig.get_feature_gate(&user("u"), name);
        assert_eq!((gate.value(), gate.rule_id()), (false, ""), "{name}");
        assert_eq!(gate.details().reason(), "Bootstrap:Unsupported", "{name}");
    }
    assert_eq!(statsig.get_experiment(&user("u"), "experiment").details().kind(), Reason::Unsupported);
    assert_eq!(statsig.get_layer(&user("u"), "layer").details().kind(), Reason::Unsupported);
}

#[test]
fn errors_have_neither_times_nor_version() {
    let gate = statsig().get_feature_gate(&user("u"), "circle");
    let details = gate.details();
    assert_eq!((gate.value(), details.reason().as_str()), (false, "Error:Statsig Evaluation Depth Exceeded"));
    assert_eq!((details.lcut(), details.received_at_ms(), details.version()), (None, None, None));
}

#[test]
fn times_and_versions() {
    let statsig = statsig();
    let user = user("u");
    let (gate, config) = (statsig.get_feature_gate(&user, "gate"), statsig.get_dynamic_config(&user, "config"));
    let (experiment, layer) = (statsig.get_experiment(&user, "experiment"), statsig.get_layer(&user, "layer"));
    for (details, version) in
        [(gate.details(), 4), (config.details(), 5), (experiment.details(), 6), (layer.details(), 7)]
    {
        assert_eq!(details.source(), &SpecOrigin::Bootstrap);
        assert_eq!(
            (details.lcut(), details.received_at_ms(), details.version()),
            (Some(1_780_000_000_000), Some(NOW.unsigned_abs()), Some(version))
        );
    }
    let none = statsig.get_feature_gate(&user, "none");
    assert_eq!((none.details().lcut(), none.details().version()), (Some(1_780_000_000_000), None));
}

#[test]
fn as_json() {
    let gate = statsig().get_feature_gate(&user("u"), "gate");
    assert_eq!(
        serde_json::to_value(gate.details()).unwrap(),
        json!({"reason": "Bootstrap:Recognized", "lcut": 1_780_000_000_000_u64, "received_at": NOW, "version": 4})
    );
}

/// They tell when they were given, not how old the specs are.
#[test]
fn kept_assignments() {
    let storage = Arc::new(InMemoryPersistentStorage::new());
    let builder = Statsig::builder().bootstrap(project().build());
    let statsig = builder.persistent_storage(storage.clone()).build().unwrap();
    let read = |kept: UserPersistedValues| {
        let options = ExperimentEvaluationOptions::new().with_user_persisted_values(kept);
        statsig.get_experiment_with_options(&user("u"), "experiment", &options)
    };
    assert_eq!(read(UserPersistedValues::new()).details().reason(), "Bootstrap:Recognized");
    statsig.update_specs(project().time(1_785_000_000_000).build()).unwrap();
    let kept = read(storage.values("u:userID"));
    let details = kept.details();
    assert_eq!((details.kind(), details.reason().as_str()), (Reason::Persisted, "Persisted"));
    assert_eq!((details.lcut(), details.version()), (Some(1_780_000_000_000), Some(6)));
}

/// The reason of what was asked for is its own, unless it is a layer that hands over.
#[test]
fn overrides_inside() {
    let statsig = statsig();
    statsig.override_gate("gate", false, None);
    let outer = statsig.get_feature_gate(&user("u"), "outer");
    assert_eq!((outer.value(), outer.details().reason().as_str()), (false, "Bootstrap:Recognized"));
    statsig.override_experiment("experiment", json!({"a": 2}), None);
    let layer = statsig.get_layer(&user("u"), "layer");
    assert_eq!(layer.details().reason(), "LocalOverride:Recognized");
    assert_eq!(layer.allocated_experiment(), Some("experiment"));
}

#[test]
fn a_newer_document_shows_in_the_times() {
    let statsig = client(&ProjectBuilder::new().gate(GateBuilder::on("g")));
    let lcut = || statsig.get_feature_gate(&StatsigUser::new(), "g").details().lcut();
    assert_eq!(lcut(), Some(ProjectBuilder::TIME_MS));
    statsig.update_specs(ProjectBuilder::new().time(ProjectBuilder::TIME_MS + 1).build()).unwrap();
    assert_eq!(lcut(), Some(ProjectBuilder::TIME_MS + 1));
}
