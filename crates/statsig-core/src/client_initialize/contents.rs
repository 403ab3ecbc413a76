//! The response as a whole: which fields there are, and in which order they are written.
//!
//! It is written in one way only, from a [`Contents`]: either from entries that were evaluated
//! before, or from entries that are evaluated while they are written.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::config::ClientConfig;
use super::entry::{ClientExposure, Entry, Style};
use super::gate::ClientGate;
use super::hashing::HashedName;
use super::layer::ClientLayer;
use super::options::{ClientSdkInfo, ResponseFormat};
use super::parameter_store::ClientParameterStore;
use super::session_replay::{Recording, RecordingFields};
use super::tables::Tables;
use super::user::{EvaluatedKeys, UserEcho, private_attributes_hash};
use super::walk::{Section, value_of};

/// What is known of a response before anything is evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'r> {
    pub(super) style: Style<'r>,
    pub(super) echo: UserEcho<'r>,
    pub(super) sdk_info: Option<&'r ClientSdkInfo>,
    pub(super) checksum: Option<u64>,
}

/// Where the parts of a response come from. Each is asked for once, in the order of the methods.
pub(super) trait Contents {
    fn head(&self) -> Head<'_>;
    /// Calls `each` for every entry, until it returns false.
    fn entries(&self, section: Section, each: &mut dyn FnMut(Entry<'_>) -> bool);
    /// The same for parameter stores.
    fn stores(&self, each: &mut dyn FnMut(ClientParameterStore<'_>) -> bool);
    /// What was decided about recording; `None` if the project does not record.
    fn recording(&self) -> Option<Recording>;
    /// Exposures and values that entries referred to.
    fn tables(&self, read: &mut dyn FnMut(&Tables));
}

/// The whole response.
pub(super) struct Whole<'c, C>(pub(super) &'c C);

impl<C: Contents> Serialize for Whole<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let contents = self.0;
        let head = contents.head();
        let ruleset = head.style.names.ruleset;
        let mut map = serializer.serialize_map(None)?;
        serialize_sections(contents, &mut map)?;
        map.serialize_entry("time", &ruleset.meta().time)?;
        map.serialize_entry("has_updates", &true)?;
        serialize_head(head, &mut map)?;
        map.serialize_entry("sdkParams", &Empty {})?;
        map.serialize_entry("sdkInfo", &SdkInfo(head.sdk_info))?;
        serialize_recording(contents, true, &mut map)?;
        if let Some(checksum) = head.checksum {
            map.serialize_entry("full_checksum", &format_args!("{checksum}"))?;
        }
        let format = head.style.format;
        if format != ResponseFormat::V1 {
            let mut result = Ok(());
            contents.tables(&mut |tables| {
                result = map.serialize_entry("exposures", &Exposures(head.style, tables));
                if result.is_ok() && format == ResponseFormat::InitV2 {
                    result = map.serialize_entry("values", &Values(head.style, tables));
                }
            });
            result?;
        }
        if format == ResponseFormat::InitV2 {
            map.serialize_entry("response_format", "init-v2")?;
        }
        map.end()
    }
}

/// What a checksum tells apart: neither the time of the specs, nor the session, nor what was drawn
/// for single triggers.
pub(super) struct Digested<'c, C>(pub(super) &'c C);

impl<C: Contents> Serialize for Digested<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        serialize_sections(self.0, &mut map)?;
        serialize_head(self.0.head(), &mut map)?;
        serialize_recording(self.0, false, &mut map)?;
        map.end()
    }
}

/// What a client gets whose response is still right.
pub(super) struct Unchanged;

impl Serialize for Unchanged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for key in ["feature_gates", "dynamic_configs", "layer_configs", "param_stores"] {
            map.serialize_entry(key, &Empty {})?;
        }
        map.serialize_entry("time", &0)?;
        map.serialize_entry("has_updates", &false)?;
        map.serialize_entry("hash_used", "")?;
        for key in ["user", "evaluated_keys", "sdkParams", "sdkInfo"] {
            map.serialize_entry(key, &Empty {})?;
        }
        map.end()
    }
}

fn serialize_sections<C: Contents, M: SerializeMap>(contents: &C, map: &mut M) -> Result<(), M::Error> {
    for (key, section) in
        [("feature_gates", Section::Gates), ("dynamic_configs", Section::Configs), ("layer_configs", Section::Layers)]
    {
        map.serialize_entry(key, &Entries { contents, section })?;
    }
    map.serialize_entry("param_stores", &Stores(contents))
}

fn serialize_head<M: SerializeMap>(head: Head<'_>, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("hash_used", head.style.names.algorithm.as_str())?;
    map.serialize_entry("user", &head.echo)?;
    map.serialize_entry("evaluated_keys", &EvaluatedKeys(head.echo.user))?;
    match private_attributes_hash(head.echo.user) {
        Some(hash) => map.serialize_entry("pa_hash", &HashedName::decimal(hash)),
        None => Ok(()),
    }
}

fn serialize_recording<C: Contents, M: SerializeMap>(
    contents: &C,
    with_trigger_sampling: bool,
    map: &mut M,
) -> Result<(), M::Error> {
    let names = contents.head().style.names;
    let (Some(settings), Some(recording)) = (&names.ruleset.session_replay, contents.recording()) else {
        return Ok(());
    };
    RecordingFields { names, settings, recording, with_trigger_sampling }.serialize_into(map)
}

/// One section of evaluated entries.
struct Entries<'c, C> {
    contents: &'c C,
    section: Section,
}

impl<C: Contents> Serialize for Entries<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut result = Ok(());
        self.contents.entries(self.section, &mut |entry| {
            let name = entry.name();
            result = match self.section {
                Section::Gates => map.serialize_entry(&name, &ClientGate(entry)),
                Section::Configs => map.serialize_entry(&name, &ClientConfig(entry)),
                Section::Layers => map.serialize_entry(&name, &ClientLayer(entry)),
            };
            result.is_ok()
        });
        result?;
        map.end()
    }
}

struct Stores<'c, C>(&'c C);

impl<C: Contents> Serialize for Stores<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut result = Ok(());
        self.0.stores(&mut |store| {
            result = map.serialize_entry(&store.name(), &store);
            result.is_ok()
        });
        result?;
        map.end()
    }
}

#[derive(Serialize)]
struct Empty {}

struct SdkInfo<'r>(Option<&'r ClientSdkInfo>);

impl Serialize for SdkInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(info) = self.0 {
            map.serialize_entry("sdkType", &info.sdk_type)?;
            map.serialize_entry("sdkVersion", &info.sdk_version)?;
            map.serialize_entry("sessionId", &info.session_id)?;
        }
        map.end()
    }
}

/// The exposures of all entries, by id.
struct Exposures<'r>(Style<'r>, &'r Tables);

impl Serialize for Exposures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(style, tables) = self;
        let mut map = serializer.serialize_map(Some(tables.exposures.len()))?;
        for (at, exposed) in (0..).zip(&tables.exposures) {
            let exposure = ClientExposure::new(style.names, *exposed);
            let id = if style.format == ResponseFormat::V2 { exposure.id() } else { HashedName::decimal(at) };
            map.serialize_entry(&id, &exposure)?;
        }
        map.end()
    }
}

/// The values of all entries, by id.
struct Values<'r>(Style<'r>, &'r Tables);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(style, tables) = self;
        let mut map = serializer.serialize_map(Some(tables.values.len()))?;
        for (at, value) in (0..).zip(&tables.values) {
            map.serialize_entry(&HashedName::decimal(at), &value_of(style.names.ruleset, value))?;
        }
        map.end()
    }
}
