//! Subscriptions and the evaluation callback: who hears of what, when, and in which form.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use statsig::{ClientEvent, EvaluationOptions, EventKind, Getters, Statsig};
use statsig_testkit::specs::{
    DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder, ParameterType,
    ProjectBuilder,
};

use super::support::{Logged, client, user};

fn project() -> ProjectBuilder {
    ProjectBuilder::new()
        .gate(GateBuilder::on("gate"))
        .config(DynamicConfigBuilder::new("config", json!({"p": 1})))
        .experiment(ExperimentBuilder::new("experiment").group("Only", json!({"p": 2})))
        .layer(LayerBuilder::new("layer", json!({"p": 3})))
        .parameter_store(
            ParameterStoreBuilder::new("store").value("static", 4).by_gate("by_gate", "gate", "yes", "no").from_layer(
                "from_layer",
                ParameterType::Number,
                "layer",
                "p",
            ),
        )
}

/// What was heard, in order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Value>>>);

impl Heard {
    fn hears(&self) -> impl Fn(&ClientEvent<'_>) + Send + Sync + use<> {
        let heard = self.clone();
        move |event| heard.0.lock().unwrap().push(serde_json::to_value(event).unwrap())
    }

    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn names(&self) -> Vec<String> {
        self.take().iter().map(|event| event["event_name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Makes one call of every kind.
fn ask_everything(statsig: &Statsig) {
    let ada = user("ada");
    assert!(statsig.check_gate(&ada, "gate"));
    let _ = statsig.get_feature_gate(&ada, "gate");
    let _ = statsig.get_dynamic_config(&ada, "config");
    let _ = statsig.get_experiment(&ada, "experiment");
    let _ = statsig.get_layer(&ada, "layer").get_i64("p", 0);
}

const EVERYTHING: [&str; 5] =
    ["gate_evaluated", "gate_evaluated", "dynamic_config_evaluated", "experiment_evaluated", "layer_evaluated"];

#[test]
fn events_have_the_form_of_the_protocol() {
    let (statsig, heard) = (client(&project()), Heard::default());
    statsig.subscribe(EventKind::All, heard.hears());
    ask_everything(&statsig);
    let events = heard.take();
    let reason = "Bootstrap:Recognized";
    let gate = json!({"event_name": "gate_evaluated",
        "data": {"gate_name": "gate", "rule_id": "everyone", "value": true, "reason": reason}});
    assert_eq!(events[..2], [gate.clone(), gate]);
    assert_eq!(
        events[2],
        json!({"event_name": "dynamic_config_evaluated",
            "data": {"config_name": "config", "reason": reason, "rule_id": "default", "value": {"p": 1}}})
    );
    assert_eq!(
        events[3],
        json!({"event_name": "experiment_evaluated", "data": {"experiment_name": "experiment", "reason": reason,
            "rule_id": "Only", "value": {"p": 2}, "group_name": "Only"}})
    );
    // The value of a layer is not told: to read it would be an exposure.
    assert_eq!(
        events[4],
        json!({"event_name": "layer_evaluated",
            "data": {"layer_name": "layer", "reason": reason, "rule_id": "default"}})
    );
    assert_eq!(events.len(), 5);
}

#[test]
fn specs_are_told_with_their_document() {
    let (statsig, heard) = (client(&project()), Heard::default());
    statsig.subscribe(EventKind::SpecsUpdated, heard.hears());
    let newer = project().time(statsig.snapshot().ruleset().meta().time + 1).build();
    statsig.update_specs(newer.clone()).unwrap();
    statsig.update_specs(project().build()).unwrap(); // what is older is no news
    statsig.update_specs(*b"{").unwrap_err();
    let document: Value = serde_json::from_slice(&newer).unwrap();
    let expected =
        json!({"event_name": "specs_updated", "data": {"source": "Bootstrap", "source_api": null, "values": document}});
    assert_eq!(heard.take(), [expected]);
}

#[test]
fn each_kind_is_told_to_those_who_want_it_and_everything_first_to_those_who_want_everything() {
    let (statsig, order) = (client(&project()), Arc::new(Mutex::new(Vec::new())));
    let listen = |name: &'static str| {
        let order = Arc::clone(&order);
        move |event: &ClientEvent<'_>| order.lock().unwrap().push((name, event.kind()))
    };
    statsig.subscribe(EventKind::GateEvaluated, listen("first gate"));
    statsig.subscribe(EventKind::GateEvaluated, listen("second gate"));
    statsig.subscribe(EventKind::LayerEvaluated, listen("layer"));
    statsig.subscribe(EventKind::All, listen("all"));
    let ada = user("ada");
    assert!(statsig.check_gate(&ada, "gate"));
    let gate = EventKind::GateEvaluated;
    assert_eq!(*order.lock().unwrap(), [("all", gate), ("first gate", gate), ("second gate", gate)]);
    order.lock().unwrap().clear();
    let _ = statsig.get_layer(&ada, "layer");
    let layer = EventKind::LayerEvaluated;
    assert_eq!(*order.lock().unwrap(), [("all", layer), ("layer", layer)]);
}

#[test]
fn subscriptions_end_by_id_by_kind_and_all_at_once() {
    let (statsig, heard) = (client(&project()), Heard::default());
    let id = statsig.subscribe(EventKind::GateEvaluated, heard.hears());
    assert_eq!(id.kind(), EventKind::GateEvaluated);
    statsig.subscribe(EventKind::GateEvaluated, heard.hears());
    statsig.subscribe(EventKind::LayerEvaluated, heard.hears());
    statsig.unsubscribe_by_id(&id);
    statsig.unsubscribe_by_id(&id);
    ask_everything(&statsig);
    assert_eq!(heard.names(), ["gate_evaluated", "gate_evaluated", "layer_evaluated"]);
    statsig.unsubscribe(EventKind::GateEvaluated);
    ask_everything(&statsig);
    assert_eq!(heard.names(), ["layer_evaluated"]);
    statsig.unsubscribe(EventKind::All); // nobody wanted everything
    ask_everything(&statsig);
    assert_eq!(heard.names(), ["layer_evaluated"]);
    statsig.unsubscribe_all();
    ask_everything(&statsig);
    assert!(heard.names().is_empty());
}

#[test]
fn exposure_logging_makes_no_difference_to_who_is_told() {
    let (logged, heard) = (Logged::new(&project()), Heard::default());
    logged.statsig.subscribe(EventKind::GateEvaluated, heard.hears());
    let quietly = EvaluationOptions::new().disable_exposure_logging(true);
    assert!(logged.statsig.check_gate_with_options(&user("ada"), "gate", quietly));
    assert_eq!(heard.names(), ["gate_evaluated"]);
    assert_eq!(logged.exposures(), ["not exposed {\"gate\":1}"]);
    // And those who are told change nothing about exposures.
    assert!(logged.statsig.check_gate(&user("ada"), "gate"));
    assert_eq!(logged.exposures(), ["gate gate"]);
    assert_eq!(heard.names(), ["gate_evaluated"]);
}

#[test]
fn reading_a_layer_in_a_callback_exposes_nothing() {
    let logged = Logged::new(&project());
    logged.statsig.subscribe(EventKind::LayerEvaluated, |event| {
        if let ClientEvent::LayerEvaluated(layer) = event {
            assert_eq!(layer.get_i64("p", 0), 3);
        }
    });
    let layer = logged.statsig.get_layer(&user("ada"), "layer");
    assert!(logged.exposures().is_empty());
    assert_eq!(layer.get_i64("p", 0), 3);
    assert_eq!(logged.exposures(), ["layer layer p"]);
}

#[test]
fn reads_of_a_parameter_store_tell_of_what_they_evaluate() {
    let (statsig, heard) = (client(&project()), Heard::default());
    statsig.subscribe(EventKind::All, heard.hears());
    let store = statsig.get_parameter_store(&user("ada"), "store");
    assert!(heard.names().is_empty());
    assert_eq!((store.get_i64("static", 0), store.get_string("by_gate", "")), (4, "yes".to_owned()));
    assert_eq!(store.get_i64("from_layer", 0), 3);
    assert_eq!(heard.names(), ["gate_evaluated", "layer_evaluated"]);
}

#[test]
fn a_callback_that_panics_spoils_nothing() {
    let (statsig, heard) = (client(&project()), Heard::default());
    statsig.subscribe(EventKind::All, |_| std::panic::panic_any("of the application"));
    statsig.subscribe(EventKind::GateEvaluated, heard.hears());
    assert!(statsig.check_gate(&user("ada"), "gate"));
    assert!(statsig.check_gate(&user("ada"), "gate"));
    assert_eq!(heard.names().len(), 2);
}

#[test]
fn what_a_callback_evaluates_is_told_to_nobody() {
    let (statsig, heard) = (client(&project()), Heard::default());
    let within = statsig.clone();
    statsig.subscribe(EventKind::GateEvaluated, move |_| {
        assert!(within.check_gate(&user("bob"), "gate"));
        // Lists can be changed from inside, too.
        within.unsubscribe(EventKind::SpecsUpdated);
    });
    statsig.subscribe(EventKind::GateEvaluated, heard.hears());
    assert!(statsig.check_gate(&user("ada"), "gate"));
    assert_eq!(heard.names(), ["gate_evaluated"]);
    statsig.unsubscribe_all(); // it holds a handle of the client
}

#[test]
fn what_a_callback_evaluates_on_another_client_is_told_there() {
    let (first, second, heard) = (client(&project()), client(&project()), Heard::default());
    second.subscribe(EventKind::GateEvaluated, heard.hears());
    let within = second.clone();
    first.subscribe(EventKind::GateEvaluated, move |_| assert!(within.check_gate(&user("ada"), "gate")));
    assert!(first.check_gate(&user("ada"), "gate"));
    assert_eq!(heard.names(), ["gate_evaluated"]);
}

/// A panic whose payload panics when it is dropped.
struct Spiteful;

impl Drop for Spiteful {
    fn drop(&mut self) {
        std::panic::panic_any("again");
    }
}

#[test]
fn not_even_what_a_callback_panics_with_gets_out() {
    let (statsig, heard) = (client(&project()), Heard::default());
    statsig.subscribe(EventKind::All, |_| std::panic::panic_any(Spiteful));
    statsig.subscribe(EventKind::GateEvaluated, heard.hears());
    for _ in 0..2 {
        assert!(statsig.check_gate(&user("ada"), "gate"));
    }
    assert_eq!(heard.names().len(), 2);
}

#[test]
fn the_evaluation_callback_stays() {
    let heard = Heard::default();
    let logged = Logged::with(&project(), |builder| builder.evaluation_callback(heard.hears()));
    logged.statsig.unsubscribe_all();
    ask_everything(&logged.statsig);
    assert_eq!(heard.names(), EVERYTHING);
    logged.statsig.manually_log_gate_exposure(&user("ada"), "gate");
    logged.statsig.update_specs(project().time(u64::MAX / 2).build()).unwrap();
    assert!(heard.names().is_empty());
}

#[test]
fn many_threads_may_subscribe_while_others_check() {
    let (statsig, heard) = (client(&project()), Heard::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let id = statsig.subscribe(EventKind::GateEvaluated, heard.hears());
                    assert!(statsig.check_gate(&user("ada"), "gate"));
                    statsig.unsubscribe_by_id(&id);
                }
            });
        }
    });
    assert!(heard.take().len() >= 800, "everyone hears at least of its own checks");
    assert!(statsig.check_gate(&user("ada"), "gate"));
    assert!(heard.take().is_empty(), "nobody listens any more");
}
