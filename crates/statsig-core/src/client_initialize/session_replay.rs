//! Whether and how a client may record the session.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::hashing::NameHasher;
use super::names::Names;
use super::object_writer::{ObjectWriter, key};
use crate::ruleset::{PrivacySettings, RecordingTrigger, Ruleset, SessionReplay};

/// What was decided about one response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Recording {
    /// The number in `0.0..1.0` that every sampling rate of the response is held against.
    drawn: f64,
    /// Value of the targeting gate, if there is one.
    targeted: Option<bool>,
}

impl Recording {
    pub(super) fn new(drawn: f64, targeted: Option<bool>) -> Self {
        Self { drawn, targeted }
    }

    /// Whether the session may be recorded.
    pub(super) fn is_allowed(self, settings: &SessionReplay) -> bool {
        settings.recording_blocked != Some(true)
            && self.targeted != Some(false)
            && settings.sampling_rate.is_none_or(|rate| self.is_sampled(rate))
    }

    fn is_sampled(self, rate: f64) -> bool {
        self.drawn <= rate
    }
}

/// The fields of a response that tell a client about recording.
pub(super) struct RecordingFields<'r> {
    pub(super) names: NameHasher<'r>,
    pub(super) settings: &'r SessionReplay,
    pub(super) recording: Recording,
    /// Whether triggers tell how their own sampling came out.
    pub(super) with_trigger_sampling: bool,
}

impl RecordingFields<'_> {
    pub(super) fn write<W: ObjectWriter>(&self, object: &mut W) -> Result<(), W::Error> {
        let settings = self.settings;
        if let Some(blocked) = settings.recording_blocked {
            object.flag(key!("recording_blocked"), blocked)?;
        }
        if let Some(targeted) = self.recording.targeted {
            object.flag(key!("passes_session_recording_targeting"), targeted)?;
        }
        if let Some(rate) = settings.sampling_rate {
            object.any(key!("session_recording_rate"), &rate)?;
        }
        object.flag(key!("can_record_session"), self.recording.is_allowed(settings))?;
        for (key, triggers, hashed) in [
            (key!("session_recording_event_triggers"), &settings.event_triggers, false),
            (key!("session_recording_exposure_triggers"), &settings.exposure_triggers, true),
        ] {
            if let Some(triggers) = triggers {
                object.any(key, &Triggers { fields: self, triggers, hashed })?;
            }
        }
        match &settings.privacy {
            Some(privacy) => {
                object.any(key!("session_recording_privacy_settings"), &Privacy(self.names.ruleset, privacy))
            }
            None => Ok(()),
        }
    }
}

struct Triggers<'r> {
    fields: &'r RecordingFields<'r>,
    triggers: &'r [RecordingTrigger],
    /// Keys are names.
    hashed: bool,
}

impl Serialize for Triggers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.fields.names;
        let mut map = serializer.serialize_map(Some(self.triggers.len()))?;
        for trigger in self.triggers {
            let entry = Trigger(self.fields, trigger);
            if self.hashed {
                map.serialize_entry(&names.hash(trigger.key), &entry)?;
            } else {
                map.serialize_entry(names.ruleset.str(trigger.key), &entry)?;
            }
        }
        map.end()
    }
}

struct Trigger<'r>(&'r RecordingFields<'r>, &'r RecordingTrigger);

impl Serialize for Trigger<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(fields, trigger) = self;
        let mut map = serializer.serialize_map(None)?;
        serialize_list(&mut map, "values", fields.names.ruleset, trigger.values)?;
        if let Some(rate) = trigger.sampling_rate.filter(|_| fields.with_trigger_sampling) {
            map.serialize_entry("passes_sampling", &fields.recording.is_sampled(rate))?;
        }
        map.end()
    }
}

struct Privacy<'r>(&'r Ruleset, &'r PrivacySettings);

impl Serialize for Privacy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ruleset, settings) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("privacy_mode", ruleset.str(settings.mode))?;
        serialize_list(&mut map, "unmasked_elements", ruleset, settings.unmasked)?;
        serialize_list(&mut map, "masked_elements", ruleset, settings.masked)?;
        serialize_list(&mut map, "blocked_elements", ruleset, settings.blocked)?;
        map.end()
    }
}

/// Writes a list of names, if there is one.
fn serialize_list<M: SerializeMap>(
    map: &mut M,
    key: &'static str,
    ruleset: &Ruleset,
    list: u32,
) -> Result<(), M::Error> {
    if ruleset.names(list).is_none() {
        return Ok(());
    }
    map.serialize_entry(key, &Names(|| ruleset.names(list)))
}
