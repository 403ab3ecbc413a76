//! The contract of [`OverrideAdapter`].

use std::thread;

use crate::hooks::{ExperimentOverride, OverrideAdapter};
use crate::user::StatsigUser;

/// Names that no adapter expects, beside those that it knows.
const ODD_NAMES: [&str; 4] = ["", "contract unknown", "contract \"ü\"\n", "segment:contract"];

/// Checks the duties of an [`OverrideAdapter`] that nobody changes meanwhile.
///
/// Asks for `names`, which the adapter may or may not override, and for odd ones, for several users, again and
/// from several threads: the answers are the same each time; values of dynamic configs, experiments, layers and
/// parameter stores are objects; and one that says it is empty overrides nothing. How long it takes cannot be
/// seen from here.
///
/// ```
/// use statsig_core::{LocalOverrides, testing::override_adapter_contract};
///
/// let overrides = LocalOverrides::new();
/// override_adapter_contract(&overrides, &["gate"]);
/// overrides.override_gate("gate", true, None);
/// override_adapter_contract(&overrides, &["gate"]);
/// ```
///
/// # Panics
/// Where the adapter breaks its contract.
pub fn override_adapter_contract(adapter: &dyn OverrideAdapter, names: &[&str]) {
    let users = [
        StatsigUser::new(),
        StatsigUser::with_user_id("contract-ada"),
        StatsigUser::builder().user_id(7).custom_id("companyID", "contract").private_attribute("secret", 1).build(),
    ];
    let every = || {
        let mut answers = Vec::new();
        for name in names.iter().chain(&ODD_NAMES) {
            answers.extend(users.iter().map(|user| answers_to(adapter, name, user)));
        }
        answers
    };
    let first = every();
    if adapter.is_empty() {
        assert!(first.iter().all(|answer| *answer == NONE), "an adapter that is empty overrides something");
    }
    assert!(every() == first, "the same question has another answer the second time");
    thread::scope(|scope| {
        let asked: Vec<_> = (0..4).map(|_| scope.spawn(every)).collect();
        for answers in asked {
            assert!(answers.join().is_ok_and(|answers| answers == first), "another thread gets other answers");
        }
    });
}

/// Gate, dynamic config, experiment, layer and parameter store of one name, as text.
type Answers = (Option<bool>, [Option<String>; 4]);

const NONE: Answers = (None, [const { None }; 4]);

fn answers_to(adapter: &dyn OverrideAdapter, name: &str, user: &StatsigUser) -> Answers {
    let object = |kind: &str, value: Option<crate::json::Json>| {
        value.map(|value| {
            let value = value.view().to_json();
            assert!(value.is_object(), "the {kind} `{name}` is overridden by what is no object");
            value.to_string()
        })
    };
    let experiment = match adapter.experiment(name, user) {
        Some(ExperimentOverride::Value(value)) => object("experiment", Some(value)),
        Some(ExperimentOverride::Group(group)) => Some(format!("group {group}")),
        None => None,
    };
    let others = [
        object("dynamic config", adapter.dynamic_config(name, user)),
        experiment,
        object("layer", adapter.layer(name, user)),
        object("parameter store", adapter.parameter_store(name, user)),
    ];
    (adapter.gate(name, user), others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::overrides::LocalOverrides;

    #[test]
    fn local_overrides_keep_the_contract() {
        let overrides = LocalOverrides::new();
        override_adapter_contract(&overrides, &["name"]);
        overrides.override_gate("name", false, Some("contract-ada"));
        overrides.override_dynamic_config("name", serde_json::json!({"a": 1}), None);
        overrides.override_experiment_by_group_name("name", "Test", Some("contract"));
        overrides.override_layer("name", serde_json::json!({}), None);
        override_adapter_contract(&overrides, &["name", "other"]);
    }

    struct Claims(bool);

    impl OverrideAdapter for Claims {
        fn is_empty(&self) -> bool {
            self.0
        }
        fn layer(&self, _: &str, _: &StatsigUser) -> Option<Json> {
            Some(Json::from(serde_json::json!(1)))
        }
    }

    #[test]
    #[should_panic(expected = "no object")]
    fn a_value_that_is_no_object_breaks_it() {
        override_adapter_contract(&Claims(false), &[]);
    }

    struct Hidden;

    impl OverrideAdapter for Hidden {
        fn is_empty(&self) -> bool {
            true
        }
        fn gate(&self, _: &str, _: &StatsigUser) -> Option<bool> {
            Some(true)
        }
    }

    #[test]
    #[should_panic(expected = "overrides something")]
    fn an_empty_one_that_overrides_breaks_it() {
        override_adapter_contract(&Hidden, &[]);
    }
}
