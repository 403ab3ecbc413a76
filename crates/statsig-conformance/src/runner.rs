//! Evaluating a set with this project's own engine.
//!
//! The engine gets the specs as bootstrap data, and is asked through its public calls only.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use statsig::{EventSink, FixedClock, InMemoryIdLists, ParameterStore, Statsig, StatsigUser};

use super::client_response::{Request, response};
use super::plan::{ParamRead, ParamType, Plan, User};
use super::record::{
    ConfigRecord, Evaluated, ExperimentGroup, ExperimentGroups, ExperimentGroupsRecord, ExperimentRecord, GateRecord,
    GcirRecord, LayerParam, LayerRecord, ListsRecord, ParamRecord, Record, SecondaryExposure,
};
use super::{Error, Kind, Kinds, SpecSet, script};
use statsig_testkit::MemorySink;

/// The time that every evaluation sees: 2026-09-21. The corpus asks only whether it is after 2000
/// and before 2100.
pub(super) const NOW: i64 = 1_790_000_000_000;

/// Why a set could not be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file of the set could not be used.
    #[error(transparent)]
    Set(#[from] Error),
    /// The engine did not accept the specs or options.
    #[error("the engine cannot be built")]
    Build(#[source] statsig::Error),
    /// The engine did not accept the specs of a client-initialize response.
    #[error("the specs cannot be compiled")]
    Compile(#[source] statsig_core::Error),
    /// A user is not a JSON object that the engine accepts.
    #[error("user {user} cannot be read")]
    User {
        /// The user's id in the set.
        user: String,
        /// Where and why parsing failed.
        source: serde_json::Error,
    },
    /// A script asks for a user that the set does not have.
    #[error("the set has no user {0}")]
    UnknownUser(String),
    /// The results could not be written.
    #[error("cannot write the results")]
    Write(#[source] std::io::Error),
}

/// Everything that a run needs.
#[derive(Debug, Clone)]
pub struct Input {
    /// The config specs, as a server would send them.
    pub specs: Vec<u8>,
    /// Who is evaluated.
    pub users: Vec<User>,
    /// Against what, and with which options.
    pub plan: Plan,
}

impl Input {
    /// Reads the input of a set.
    ///
    /// # Errors
    ///
    /// As [`SpecSet::specs`], [`SpecSet::users`] and [`SpecSet::plan`].
    pub fn of(set: &SpecSet) -> Result<Self, Error> {
        Ok(Self { specs: set.specs()?, users: set.users()?, plan: set.plan()? })
    }

    /// A client over these specs, with the options and ID lists of the plan.
    ///
    /// # Errors
    ///
    /// [`RunError::Build`].
    pub fn client(&self) -> Result<Statsig, RunError> {
        build(&self.specs, &self.plan, None)
    }

    /// Evaluates, and hands each record to `each` as soon as it is known.
    ///
    /// Each script runs on a client of its own.
    ///
    /// # Errors
    ///
    /// [`RunError::Build`], [`RunError::User`], or the first error that `each` returned.
    pub fn run<E: From<RunError>>(
        &self,
        kinds: Kinds,
        mut each: impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let statsig = self.client()?;
        if kinds.contains(Kind::Lists) {
            each(&lists(&statsig))?;
        }
        if kinds.contains(Kind::ExperimentGroups) {
            for name in &self.plan.experiment_groups {
                each(&experiment_groups(&statsig, name))?;
            }
        }
        for user in &self.users {
            let asked = AsUser::new(&statsig, user)?;
            asked.each_record(&self.plan, kinds, &mut each)?;
        }
        if kinds.contains(Kind::Script) || kinds.contains(Kind::Events) {
            let users = self.users_by_id()?;
            for script in &self.plan.scripts {
                let sink = Arc::new(MemorySink::default());
                let statsig = build(&self.specs, &self.plan, Some(sink.clone()))?;
                each(&Record::Script(script::run(&statsig, &sink, script, &users)?))?;
            }
        }
        if kinds.contains(Kind::Gcir) {
            for user in &self.users {
                self.client_responses(&statsig, user, &mut each)?;
            }
        }
        Ok(())
    }
}

impl Input {
    fn client_responses<E: From<RunError>>(
        &self,
        statsig: &Statsig,
        user: &User,
        each: &mut impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let parsed = parse_user(user)?;
        for asked in &self.plan.gcir {
            if asked.users.as_ref().is_none_or(|users| users.contains(&user.id)) {
                let (hash, client_key) = (asked.hash.as_deref(), asked.client_key.as_deref());
                let request = Request { hash, client_key, include_local_overrides: None };
                let response = response(statsig, &parsed, &request)?;
                each(&Record::Gcir(GcirRecord { user: user.id.clone(), name: asked.id.clone(), response }))?;
            }
        }
        Ok(())
    }

    fn users_by_id(&self) -> Result<script::Users, RunError> {
        self.users.iter().map(|user| Ok((user.id.clone(), parse_user(user)?))).collect()
    }
}

pub(super) fn parse_user(user: &User) -> Result<StatsigUser, RunError> {
    serde_json::from_str(user.user.get()).map_err(|source| RunError::User { user: user.id.clone(), source })
}

/// Evaluates the set in a folder, and writes one record a line.
///
/// # Errors
///
/// Any [`RunError`].
pub fn run_set(set_dir: &Path, kinds: Kinds, out: impl Write) -> Result<(), RunError> {
    let input = Input::of(&SpecSet::new(set_dir))?;
    let mut out = BufWriter::new(out);
    input.run(kinds, |record| {
        serde_json::to_writer(&mut out, record).map_err(|error| RunError::Write(error.into()))?;
        out.write_all(b"\n").map_err(RunError::Write)
    })?;
    out.flush().map_err(RunError::Write)
}

fn build(specs: &[u8], plan: &Plan, sink: Option<Arc<dyn EventSink>>) -> Result<Statsig, RunError> {
    let mut lists = InMemoryIdLists::new();
    for (name, lines) in &plan.id_lists {
        lists.apply(name, lines);
    }
    let mut builder = Statsig::builder()
        .bootstrap(specs)
        .id_lists(Arc::new(lists))
        .record_secondary_exposures(true)
        .clock(Arc::new(FixedClock(NOW)));
    if let Some(tier) = &plan.options.environment {
        builder = builder.environment(tier);
    }
    if let Some(fields) = &plan.options.global_custom_fields {
        builder = builder.global_custom_fields(fields.clone());
    }
    if let Some(sink) = sink {
        builder = builder.event_sink(sink);
    }
    builder.build().map_err(RunError::Build)
}

fn lists(statsig: &Statsig) -> Record {
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    Record::Lists(ListsRecord {
        gates: sorted(statsig.get_feature_gate_list()),
        dynamic_configs: sorted(statsig.get_dynamic_config_list()),
        experiments: sorted(statsig.get_experiment_list()),
        autotunes: sorted(statsig.get_autotune_list()),
        layers: sorted(statsig.get_layer_list()),
        param_stores: sorted(statsig.get_parameter_store_list()),
    })
}

fn experiment_groups(statsig: &Statsig, name: &str) -> Record {
    let found = statsig.get_experiment_groups(name);
    Record::ExperimentGroups(ExperimentGroupsRecord {
        name: name.to_owned(),
        value: ExperimentGroups {
            is_experiment_active: found.is_experiment_active,
            groups: found
                .groups
                .iter()
                .map(|group| ExperimentGroup {
                    group_name: group.group_name.to_string(),
                    rule_id: group.rule_id.to_string(),
                    id_type: group.id_type.to_string(),
                    return_value: object(group.return_value.view().to_json()),
                })
                .collect(),
        },
    })
}

/// One of the engine's calls, for the name that is asked for.
type Evaluate<'a> = fn(&AsUser<'a>, &str) -> Record;

/// The engine, asked for one user.
struct AsUser<'a> {
    statsig: &'a Statsig,
    id: &'a str,
    user: StatsigUser,
}

impl<'a> AsUser<'a> {
    fn new(statsig: &'a Statsig, user: &'a User) -> Result<Self, RunError> {
        Ok(Self { statsig, id: &user.id, user: parse_user(user)? })
    }

    fn each_record<E>(
        &self,
        plan: &Plan,
        kinds: Kinds,
        each: &mut impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let evaluations: [(Kind, &[String], Evaluate<'_>); 4] = [
            (Kind::Gate, &plan.gates, Self::gate),
            (Kind::DynamicConfig, &plan.dynamic_configs, Self::config),
            (Kind::Experiment, &plan.experiments, Self::experiment),
            (Kind::Layer, &plan.layers, Self::layer),
        ];
        for (kind, names, evaluate) in evaluations {
            if kinds.contains(kind) {
                for name in names {
                    each(&evaluate(self, name))?;
                }
            }
        }
        if kinds.contains(Kind::Param) {
            for (store, reads) in &plan.param_stores {
                for read in reads {
                    each(&self.param(store, read))?;
                }
            }
        }
        Ok(())
    }

    fn gate(&self, name: &str) -> Record {
        let gate = self.statsig.get_feature_gate(&self.user, name);
        Record::Gate(GateRecord {
            evaluated: self.evaluated(name, gate.rule_id(), gate.id_type(), gate.details(), gate.secondary_exposures()),
            value: gate.value(),
        })
    }

    fn config(&self, name: &str) -> Record {
        let config = self.statsig.get_dynamic_config(&self.user, name);
        Record::DynamicConfig(ConfigRecord {
            evaluated: self.evaluated(
                name,
                config.rule_id(),
                config.id_type(),
                config.details(),
                config.secondary_exposures(),
            ),
            value: object(config.value().to_json()),
            rule_passed: Some(config.rule_passed()),
        })
    }

    fn experiment(&self, name: &str) -> Record {
        let experiment = self.statsig.get_experiment(&self.user, name);
        let evaluated = self.evaluated(
            name,
            experiment.rule_id(),
            experiment.id_type(),
            experiment.details(),
            experiment.secondary_exposures(),
        );
        Record::Experiment(ExperimentRecord {
            value: object(experiment.value().to_json()),
            group_name: experiment.group_name().map(str::to_owned),
            is_experiment_active: unless_failed(&evaluated, experiment.is_experiment_active()),
            evaluated,
        })
    }

    fn layer(&self, name: &str) -> Record {
        let layer = self.statsig.get_layer(&self.user, name);
        let evaluated =
            self.evaluated(name, layer.rule_id(), layer.id_type(), layer.details(), layer.secondary_exposures());
        let value = object(layer.value().to_json());
        let params = value
            .keys()
            .map(|param| {
                let source = layer.parameter(param);
                let exposure = LayerParam {
                    rule_id: source.rule_id.to_owned(),
                    allocated_experiment: source.allocated_experiment.unwrap_or_default().to_owned(),
                    is_explicit: source.is_explicit,
                    secondary_exposures: exposures(source.secondary_exposures),
                };
                (param.clone(), Some(exposure))
            })
            .collect();
        Record::Layer(LayerRecord {
            group_name: layer.group_name().map(str::to_owned),
            is_experiment_active: unless_failed(&evaluated, layer.is_experiment_active()),
            allocated_experiment_name: layer.allocated_experiment().map(str::to_owned),
            value,
            params,
            evaluated,
        })
    }

    fn param(&self, store: &str, read: &ParamRead) -> Record {
        Record::Param(ParamRecord {
            user: self.id.to_owned(),
            name: store.to_owned(),
            param: read.0.clone(),
            param_type: read.1,
            value: read_param(&self.statsig.get_parameter_store(&self.user, store), read),
        })
    }

    fn evaluated<'e>(
        &self,
        name: &str,
        rule_id: &str,
        id_type: &str,
        details: statsig::EvaluationDetails<'_>,
        seen: impl IntoIterator<Item = statsig::SecondaryExposure<'e>>,
    ) -> Evaluated {
        Evaluated {
            user: self.id.to_owned(),
            name: name.to_owned(),
            rule_id: rule_id.to_owned(),
            id_type: id_type.to_owned(),
            reason: without_source(&details.to_string()).to_owned(),
            version: details.version(),
            secondary_exposures: Some(exposures(seen)),
        }
    }
}

/// What the getter of a read answers.
pub(super) fn read_param(store: &ParameterStore, ParamRead(param, getter, fallback): &ParamRead) -> Value {
    let found = match getter {
        ParamType::String => fallback.as_str().map(|other| store.get_string(param, other).into()),
        ParamType::Number => fallback.as_f64().map(|other| store.get_f64(param, other).into()),
        ParamType::Integer => fallback.as_i64().map(|other| store.get_i64(param, other).into()),
        ParamType::Boolean => fallback.as_bool().map(|other| store.get_bool(param, other).into()),
        ParamType::Array => fallback.as_array().map(|other| store.get_array(param, other.clone()).into()),
        ParamType::Object => fallback.as_object().map(|other| store.get_object(param, other.clone()).into()),
    };
    found.unwrap_or_else(|| fallback.clone())
}

fn exposures<'e>(seen: impl IntoIterator<Item = statsig::SecondaryExposure<'e>>) -> Vec<SecondaryExposure> {
    seen.into_iter()
        .map(|exposure| SecondaryExposure {
            gate: exposure.gate.to_owned(),
            gate_value: exposure.value.to_string(),
            rule_id: exposure.rule_id.to_owned(),
        })
        .collect()
}

/// The records leave out where the specs came from.
pub(super) fn without_source(reason: &str) -> &str {
    reason.strip_prefix("Bootstrap:").unwrap_or(reason)
}

/// After an evaluation error nothing is known about the experiment.
fn unless_failed(evaluated: &Evaluated, active: bool) -> Option<bool> {
    (!evaluated.reason.starts_with("Error:")).then_some(active)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
