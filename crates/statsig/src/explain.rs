//! Explanations: why a check comes out as it does.
//!
//! Made by [`Statsig::explain_gate`] and its siblings; an [`Explanation`] is a tree of the types below.

pub use statsig_core::explain::*;
use statsig_core::{EvaluationContext, StatsigUser};

use crate::client::Statsig;

impl Statsig {
    /// Explains [`Statsig::check_gate`] for a user: every rule and condition that was looked at.
    ///
    /// For people, not for hot paths: takes some microseconds and allocates. Logs nothing. Values of
    /// private attributes are never part of an explanation.
    #[must_use]
    pub fn explain_gate(&self, user: &StatsigUser, name: &str) -> Explanation {
        self.explained(user, |context| context.explain_gate(name))
    }

    /// Explains [`Statsig::get_dynamic_config`]; otherwise like [`Statsig::explain_gate`].
    #[must_use]
    pub fn explain_config(&self, user: &StatsigUser, name: &str) -> Explanation {
        self.explained(user, |context| context.explain_dynamic_config(name))
    }

    /// Explains [`Statsig::get_experiment`]; otherwise like [`Statsig::explain_gate`].
    ///
    /// ```
    /// use statsig::{Statsig, StatsigUser};
    ///
    /// # fn main() -> Result<(), statsig::Error> {
    /// let specs = br#"{
    ///     "has_updates": true, "time": 1700000000000, "feature_gates": {}, "layer_configs": {},
    ///     "condition_map": {
    ///         "plan": {"type": "user_field", "field": "plan", "operator": "any",
    ///                  "targetValue": ["pro", "team"], "idType": "userID"},
    ///         "half": {"type": "user_bucket", "operator": "lt", "targetValue": 500,
    ///                  "additionalValues": {"salt": "exp-salt"}, "idType": "userID"}
    ///     },
    ///     "dynamic_configs": {"button_color_v3": {
    ///         "type": "dynamic_config", "entity": "experiment", "salt": "exp-salt", "enabled": true,
    ///         "isActive": true, "defaultValue": {}, "idType": "userID",
    ///         "rules": [{"name": "Test", "id": "test", "groupName": "Test", "passPercentage": 100,
    ///                    "conditions": ["plan", "half"], "isExperimentGroup": true,
    ///                    "returnValue": {"Button Color": "red"}, "idType": "userID"}]
    ///     }}
    /// }"#;
    /// let statsig = Statsig::builder().bootstrap(specs).build()?;
    /// let user = StatsigUser::builder().user_id("user-1").custom("plan", "Pro").build();
    ///
    /// let why = statsig.explain_experiment(&user, "button_color_v3");
    /// assert_eq!(why.result.group_name.as_deref(), Some("Test"));
    /// assert_eq!(
    ///     why.to_string(),
    ///     r#"experiment button_color_v3 = {"Button Color":"red"}
    ///   rule test, group Test, reason Bootstrap:Recognized
    ///   userID "user-1"; experiment active, user in it
    ///   experiment, salt "exp-salt"
    ///   rule test (group Test): decides
    ///     pass user_field plan: "Pro" any ["pro", "team"]
    ///     pass user_bucket: bucket 236 of 1000 lt 500 (salt "exp-salt", userID "user-1")
    ///     pass percentage 100
    ///   secondary exposures: none"#
    /// );
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn explain_experiment(&self, user: &StatsigUser, name: &str) -> Explanation {
        self.explained(user, |context| context.explain_experiment(name))
    }

    /// Explains [`Statsig::get_layer`], and where each parameter comes from; otherwise like
    /// [`Statsig::explain_gate`].
    #[must_use]
    pub fn explain_layer(&self, user: &StatsigUser, name: &str) -> Explanation {
        self.explained(user, |context| context.explain_layer(name))
    }

    fn explained(&self, user: &StatsigUser, explain: impl Fn(EvaluationContext<'_>) -> Explanation) -> Explanation {
        self.with_context(&self.snapshot(), user, |context, _| explain(context))
    }
}
