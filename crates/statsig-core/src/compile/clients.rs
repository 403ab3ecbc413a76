//! What concerns client SDKs only: their apps, and the recording of sessions.

use std::collections::BTreeMap;

use super::compiler::Compiler;
use crate::excerpt::of_fragment;
use crate::json::Raw;
use crate::ruleset::{PrivacySettings, RecordingTrigger, SessionReplay};
use crate::specs::wire::{Entries, WireSessionReplay, WireTrigger};
use crate::value::Attribute;
use serde_json::Value;

/// What was read so far.
#[derive(Default)]
pub(super) struct ForClients {
    pub(super) apps_by_key: Option<BTreeMap<String, Attribute>>,
    pub(super) apps_by_hashed_key: Option<BTreeMap<String, Attribute>>,
    pub(super) session_replay: Option<SessionReplay>,
}

/// The apps of client keys.
pub(super) fn attributes(apps: BTreeMap<String, Value>) -> BTreeMap<String, Attribute> {
    apps.into_iter().map(|(key, app)| (key, Attribute::from(app))).collect()
}

impl<'a> Compiler<'a> {
    /// Settings that cannot be read are reported and left out: they decide nothing on a server.
    pub(super) fn read_session_replay(&mut self, section: Option<Raw<'a>>) {
        let Some(raw) = section else { return };
        let wire: WireSessionReplay<'a> = match serde_json::from_str(raw.get()) {
            Ok(wire) => wire,
            Err(error) => return self.skip_part("session_replay_info", None, of_fragment(&error)),
        };
        let privacy = wire.session_recording_privacy_settings.map(|settings| PrivacySettings {
            mode: self.text.intern(&settings.privacy_mode),
            unmasked: self.name_list(settings.unmasked_elements),
            masked: self.name_list(settings.masked_elements),
            blocked: self.name_list(settings.blocked_elements),
        });
        self.for_clients.session_replay = Some(SessionReplay {
            sampling_rate: wire.sampling_rate,
            targeting_gate: self.text.intern_opt(wire.targeting_gate.as_deref()),
            recording_blocked: wire.recording_blocked,
            event_triggers: wire.session_recording_event_triggers.map(|triggers| self.triggers(triggers)),
            exposure_triggers: wire.session_recording_exposure_triggers.map(|triggers| self.triggers(triggers)),
            privacy,
        });
    }

    /// Of equal keys the last one counts.
    fn triggers(&mut self, triggers: Entries<'a, WireTrigger<'a>>) -> Box<[RecordingTrigger]> {
        let mut compiled: Vec<RecordingTrigger> = Vec::with_capacity(triggers.0.len());
        for (key, trigger) in triggers.0 {
            compiled.push(RecordingTrigger {
                key: self.text.intern(&key),
                sampling_rate: trigger.sampling_rate,
                values: self.name_list(trigger.values),
            });
        }
        let last: BTreeMap<_, _> = compiled.iter().map(|trigger| trigger.key).zip(0..).collect();
        let mut at = 0;
        compiled.retain(|trigger| {
            at += 1;
            last.get(&trigger.key) == Some(&(at - 1))
        });
        compiled.into_boxed_slice()
    }
}
