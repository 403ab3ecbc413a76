//! Building the client-initialize responses that a plan asks for.

use std::sync::Arc;

use serde_json::Value;
use statsig_core::{
    ClientInitializeOptions, EvaluationContext, EvaluationSettings, FixedClock, InMemoryIdLists, Ruleset, Snapshot,
    SpecSourceKind, StatsigUser,
};

use super::plan::{ClientResponse, Plan, User};
use super::record::{GcirRecord, Record};
use super::runner::{NOW, RunError, parse_user};

/// The engine's side of client-initialize responses.
pub(super) struct ClientResponses {
    snapshot: Arc<Snapshot>,
    settings: EvaluationSettings,
    id_lists: InMemoryIdLists,
}

impl ClientResponses {
    /// Compiles the specs, and takes options and ID lists from the plan.
    pub(super) fn new(specs: &[u8], plan: &Plan) -> Result<Self, RunError> {
        let ruleset = Ruleset::compile(specs).map_err(RunError::Compile)?;
        let mut settings = EvaluationSettings::new();
        if let Some(tier) = &plan.options.environment {
            settings = settings.with_environment(tier);
        }
        if let Some(fields) = &plan.options.global_custom_fields {
            settings = settings.with_global_custom_fields(fields.clone());
        }
        let mut id_lists = InMemoryIdLists::new();
        for (name, lines) in &plan.id_lists {
            id_lists.apply(name, lines);
        }
        let snapshot = Arc::new(Snapshot::new(ruleset, SpecSourceKind::Bootstrap, 0));
        Ok(Self { snapshot, settings, id_lists })
    }

    /// The responses for one user, in the order of the plan.
    pub(super) fn each<E: From<RunError>>(
        &self,
        plan: &Plan,
        user: &User,
        each: &mut impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let parsed = parse_user(user)?;
        for request in &plan.gcir {
            if request.users.as_ref().is_none_or(|users| users.contains(&user.id)) {
                let response = self.response(request, &parsed)?;
                each(&Record::Gcir(GcirRecord { user: user.id.clone(), name: request.id.clone(), response }))?;
            }
        }
        Ok(())
    }

    fn response(&self, request: &ClientResponse, user: &StatsigUser) -> Result<Value, RunError> {
        let mut options = ClientInitializeOptions::new();
        if let Some(algorithm) = request.hash.as_deref().and_then(|name| name.parse().ok()) {
            options = options.with_hash_algorithm(algorithm);
        }
        if let Some(key) = &request.client_key {
            options = options.with_client_sdk_key(key);
        }
        let clock = FixedClock(NOW);
        let context =
            EvaluationContext::new(&self.snapshot, user, &self.settings, &clock).with_id_lists(Some(&self.id_lists));
        // Read back from the text that a client would get.
        let mut text = Vec::new();
        context.write_client_initialize_response(&options, &mut text).map_err(RunError::Write)?;
        let mut response: Value = serde_json::from_slice(&text).map_err(|error| RunError::Write(error.into()))?;
        if let Value::Object(fields) = &mut response {
            fields.shift_remove("sdkInfo");
        }
        Ok(response)
    }
}
