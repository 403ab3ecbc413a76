//! Fields of a response and their order.
//!
//! The layout is defined once, over a [`Contents`] (entries that were evaluated before, or that are evaluated while they
//! are written) and an [`ObjectWriter`] (any serializer, or JSON text).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::config::ClientConfig;
use super::entry::{ClientExposure, Entry, Style};
use super::gate::ClientGate;
use super::hashing::HashedName;
use super::layer::ClientLayer;
use super::object_writer::{ObjectWriter, SerdeObject, key};
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
    /// Calls `each` for every parameter store and its position in the ruleset, until it returns false.
    fn stores(&self, each: &mut dyn FnMut(u32, ClientParameterStore<'_>) -> bool);
    /// What was decided about recording; `None` if the project does not record.
    fn recording(&self) -> Option<Recording>;
    /// Exposures and values that entries referred to.
    fn tables(&self, read: &mut dyn FnMut(&Tables));
}

/// Writes the fields of a whole response.
pub(super) fn write_response<C: Contents, W: ObjectWriter>(contents: &C, object: &mut W) -> Result<(), W::Error> {
    let head = contents.head();
    write_sections(contents, object)?;
    object.any(key!("time"), &head.style.names.ruleset.meta().time)?;
    object.flag(key!("has_updates"), true)?;
    write_head(head, object)?;
    object.any(key!("sdkParams"), &Empty {})?;
    object.any(key!("sdkInfo"), &SdkInfo(head.sdk_info))?;
    write_recording(contents, true, object)?;
    if let Some(checksum) = head.checksum {
        object.any(key!("full_checksum"), &format_args!("{checksum}"))?;
    }
    let format = head.style.format;
    if format != ResponseFormat::V1 {
        let mut result = Ok(());
        contents.tables(&mut |tables| {
            result = object.any(key!("exposures"), &Exposures(head.style, tables));
            if result.is_ok() && format == ResponseFormat::InitV2 {
                result = object.any(key!("values"), &Values(head.style, tables));
            }
        });
        result?;
    }
    if format == ResponseFormat::InitV2 { object.any(key!("response_format"), "init-v2") } else { Ok(()) }
}

/// Writes the fields that a checksum covers: neither the time of the specs, nor the session, nor the numbers drawn for
/// single triggers.
pub(super) fn write_digested<C: Contents, W: ObjectWriter>(contents: &C, object: &mut W) -> Result<(), W::Error> {
    write_sections(contents, object)?;
    write_head(contents.head(), object)?;
    write_recording(contents, false, object)
}

/// Writes the fields of one entry.
pub(super) fn write_entry<W: ObjectWriter>(object: &mut W, section: Section, entry: Entry<'_>) -> Result<(), W::Error> {
    match section {
        Section::Gates => ClientGate(entry).write(object),
        Section::Configs => ClientConfig(entry).write(object),
        Section::Layers => ClientLayer(entry).write(object),
    }
}

/// The whole response, for any serializer.
pub(super) struct Whole<'c, C>(pub(super) &'c C);

impl<C: Contents> Serialize for Whole<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        write_response(self.0, &mut SerdeObject(&mut map))?;
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

fn write_sections<C: Contents, W: ObjectWriter>(contents: &C, object: &mut W) -> Result<(), W::Error> {
    object.entries(key!("feature_gates"), contents, Section::Gates)?;
    object.entries(key!("dynamic_configs"), contents, Section::Configs)?;
    object.entries(key!("layer_configs"), contents, Section::Layers)?;
    object.stores(key!("param_stores"), contents)
}

fn write_head<W: ObjectWriter>(head: Head<'_>, object: &mut W) -> Result<(), W::Error> {
    object.any(key!("hash_used"), head.style.names.algorithm.as_str())?;
    object.any(key!("user"), &head.echo)?;
    object.any(key!("evaluated_keys"), &EvaluatedKeys(head.echo.user))?;
    match private_attributes_hash(head.echo.user) {
        Some(hash) => object.any(key!("pa_hash"), &HashedName::decimal(hash)),
        None => Ok(()),
    }
}

fn write_recording<C: Contents, W: ObjectWriter>(
    contents: &C,
    with_trigger_sampling: bool,
    object: &mut W,
) -> Result<(), W::Error> {
    let names = contents.head().style.names;
    let (Some(settings), Some(recording)) = (&names.ruleset.session_replay, contents.recording()) else {
        return Ok(());
    };
    RecordingFields { names, settings, recording, with_trigger_sampling }.write(object)
}

/// One section of evaluated entries.
pub(super) struct Entries<'c, C> {
    pub(super) contents: &'c C,
    pub(super) section: Section,
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

/// The parameter stores.
pub(super) struct Stores<'c, C>(pub(super) &'c C);

impl<C: Contents> Serialize for Stores<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut result = Ok(());
        self.0.stores(&mut |_, store| {
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
