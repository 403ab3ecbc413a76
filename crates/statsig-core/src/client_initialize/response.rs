//! A response that stays in memory.

use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::checksum::checksum;
use super::config::ClientConfig;
use super::contents::{Contents, Head, Unchanged, Whole, write_response};
use super::entry::{Entry, Style};
use super::gate::ClientGate;
use super::hashing::HashAlgorithm;
use super::json_writer::{JsonWriter, Output};
use super::layer::ClientLayer;
use super::options::{ClientInitializeOptions, ClientSdkInfo, ResponseFormat};
use super::parameter_store::ClientParameterStore;
use super::prepared::{hashed_text, shared_text};
use super::session_replay::Recording;
use super::tables::Tables;
use super::target_app::TargetApp;
use super::user::{UserEcho, private_attributes_hash};
use super::walk::{Evaluated, Section, Walk};
use super::{ClientInitializeSummary, names_of};
use crate::evaluate::{EvaluationContext, Exposed};
use crate::settings::EvaluationSettings;
use crate::snapshot::Snapshot;
use crate::user::StatsigUser;

/// A client-initialize response: all that a project says to one user.
///
/// Made by [`EvaluationContext::client_initialize_response`]. It serializes to the JSON that a
/// client SDK is bootstrapped with, and can be read entry by entry on a server that wants all
/// assignments of a user.
///
/// It keeps the snapshot alive that it was evaluated on, and refers to names and values in it.
pub struct ClientInitializeResponse {
    snapshot: Arc<Snapshot>,
    user: StatsigUser,
    settings: EvaluationSettings,
    algorithm: HashAlgorithm,
    format: ResponseFormat,
    without_id_type: bool,
    sdk_info: Option<ClientSdkInfo>,
    gates: Vec<Evaluated>,
    configs: Vec<Evaluated>,
    layers: Vec<Evaluated>,
    stores: Vec<u32>,
    exposures: Vec<Exposed>,
    exposure_ids: Vec<u32>,
    tables: Tables,
    recording: Option<Recording>,
    checksum: Option<u64>,
    summary: ClientInitializeSummary,
}

impl ClientInitializeResponse {
    pub(super) fn new(
        context: EvaluationContext<'_>,
        options: &ClientInitializeOptions,
        sdk_info: Option<&ClientSdkInfo>,
    ) -> Self {
        let snapshot = Arc::clone(context.snapshot);
        let ruleset = snapshot.ruleset();
        let target = TargetApp::of(ruleset, options);
        let mut walk = Walk::new(context, options, &target);
        let mut items = Vec::new();
        let mut section = |section| {
            walk.list(section, &mut items);
            items.iter().filter_map(|&item| walk.evaluate(section, item)).collect()
        };
        let (gates, configs, layers) = (section(Section::Gates), section(Section::Configs), section(Section::Layers));
        let stores = walk.stores();
        let recording = ruleset.session_replay.as_ref().map(|settings| {
            let targeted = settings.targeting_gate.get().map(|gate| walk.gate(gate));
            Recording::new(context.random_fraction(), targeted)
        });
        let summary = ClientInitializeSummary {
            has_updates: true,
            unknown_client_key: target.unknown_key,
            left_out: walk.left_out,
        };
        let (exposures, exposure_ids, tables) = (walk.exposures, walk.exposure_ids, walk.tables);
        let response = Self {
            user: context.user.clone(),
            settings: context.settings.clone(),
            algorithm: options.hash_algorithm,
            format: options.response_format,
            without_id_type: options.remove_id_type,
            sdk_info: sdk_info.cloned(),
            gates,
            configs,
            layers,
            stores,
            exposures,
            exposure_ids,
            tables,
            recording,
            checksum: None,
            summary,
            snapshot,
        };
        response.held_against(options)
    }

    /// The same with a checksum, or without anything if the client has it already.
    fn held_against(mut self, options: &ClientInitializeOptions) -> Self {
        let Some(previous) = options.previous_response_hash.as_deref().filter(|_| self.format == ResponseFormat::V1)
        else {
            return self;
        };
        let (shared, hashed) = (shared_text(&self.snapshot), hashed_text(&self.snapshot, self.algorithm));
        let own = checksum(&self, shared, hashed);
        self.checksum = Some(own);
        if own.to_string() == previous {
            self.summary.has_updates = false;
            self.gates.clear();
            self.configs.clear();
            self.layers.clear();
            self.stores.clear();
        }
        self
    }

    /// The gates, in the order of the project.
    pub fn feature_gates(&self) -> impl Iterator<Item = ClientGate<'_>> {
        self.gates.iter().map(|gate| ClientGate(self.entry(gate)))
    }

    /// Dynamic configs, experiments, autotunes and contextual bandits.
    pub fn dynamic_configs(&self) -> impl Iterator<Item = ClientConfig<'_>> {
        self.configs.iter().map(|config| ClientConfig(self.entry(config)))
    }

    /// The layers.
    pub fn layers(&self) -> impl Iterator<Item = ClientLayer<'_>> {
        self.layers.iter().map(|layer| ClientLayer(self.entry(layer)))
    }

    /// The parameter stores.
    pub fn parameter_stores(&self) -> impl Iterator<Item = ClientParameterStore<'_>> {
        self.placed_stores().map(|(_, store)| store)
    }

    /// When the project last changed, in milliseconds since 1970; 0 without specs.
    #[must_use]
    pub fn time(&self) -> u64 {
        if self.has_updates() { self.snapshot.ruleset().meta().time } else { 0 }
    }

    /// Whether the client does not have this response already.
    #[must_use]
    pub fn has_updates(&self) -> bool {
        self.summary.has_updates
    }

    /// How names are hashed.
    #[must_use]
    pub fn hash_used(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Whether the client may record the session; `None` if the project says nothing about it.
    #[must_use]
    pub fn can_record_session(&self) -> Option<bool> {
        let settings = self.snapshot.ruleset().session_replay.as_ref()?;
        Some(self.recording?.is_allowed(settings))
    }

    /// The hash of the user's private attributes, if there are any.
    #[must_use]
    pub fn private_attributes_hash(&self) -> Option<u32> {
        private_attributes_hash(&self.user)
    }

    /// The checksum to ask with next time; only if this time was asked with one.
    #[must_use]
    pub fn full_checksum(&self) -> Option<String> {
        self.checksum.map(|checksum| checksum.to_string())
    }

    /// What is worth knowing besides the response itself.
    #[must_use]
    pub fn summary(&self) -> ClientInitializeSummary {
        self.summary
    }

    /// Returns the parameter stores with their positions in the ruleset.
    fn placed_stores(&self) -> impl Iterator<Item = (u32, ClientParameterStore<'_>)> {
        let names = self.style().names;
        let stores = self.stores.iter().filter_map(move |&at| Some((at, names.ruleset.stores.get(at as usize)?)));
        stores.map(move |(at, store)| (at, ClientParameterStore { names, store }))
    }

    /// Writes the response as JSON text.
    pub(super) fn write_json<O: Output>(&self, out: &mut O) -> io::Result<()> {
        if !self.has_updates() {
            return Ok(serde_json::to_writer(out.buffer(), &Unchanged)?);
        }
        let (shared, hashed) = (shared_text(&self.snapshot), hashed_text(&self.snapshot, self.algorithm));
        JsonWriter::new(out, self.style(), shared, hashed).object(|object| write_response(self, object))
    }

    fn style(&self) -> Style<'_> {
        Style {
            names: names_of(&self.snapshot, self.algorithm),
            format: self.format,
            without_id_type: self.without_id_type,
        }
    }

    fn entry<'r>(&'r self, evaluated: &'r Evaluated) -> Entry<'r> {
        Entry::new(self.style(), evaluated, &self.exposures, &self.exposure_ids)
    }
}

impl Contents for ClientInitializeResponse {
    fn head(&self) -> Head<'_> {
        Head {
            style: self.style(),
            echo: UserEcho {
                user: &self.user,
                settings: &self.settings,
                default_environment: self.snapshot.ruleset().meta().default_environment.as_deref(),
            },
            sdk_info: self.sdk_info.as_ref(),
            checksum: self.checksum,
        }
    }

    fn entries(&self, section: Section, each: &mut dyn FnMut(Entry<'_>) -> bool) {
        let entries = match section {
            Section::Gates => &self.gates,
            Section::Configs => &self.configs,
            Section::Layers => &self.layers,
        };
        let style = self.style();
        let _ = entries.iter().all(|one| each(Entry::new(style, one, &self.exposures, &self.exposure_ids)));
    }

    fn stores(&self, each: &mut dyn FnMut(u32, ClientParameterStore<'_>) -> bool) {
        let _ = self.placed_stores().all(|(at, store)| each(at, store));
    }

    fn recording(&self) -> Option<Recording> {
        self.recording
    }

    fn tables(&self, read: &mut dyn FnMut(&Tables)) {
        read(&self.tables);
    }
}

impl Serialize for ClientInitializeResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.has_updates() { Whole(self).serialize(serializer) } else { Unchanged.serialize(serializer) }
    }
}

impl fmt::Debug for ClientInitializeResponse {
    /// How much there is of what; not the user, and no value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientInitializeResponse")
            .field("feature_gates", &self.gates.len())
            .field("dynamic_configs", &self.configs.len())
            .field("layers", &self.layers.len())
            .field("parameter_stores", &self.stores.len())
            .field("hash_used", &self.algorithm)
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}
