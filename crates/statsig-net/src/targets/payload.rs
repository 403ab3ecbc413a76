//! A feed of a proxy as a target: checks the envelope, publishes the bytes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Deserialize;
use statsig_core::specs::{recognise, without_byte_order_mark};
use statsig_core::{
    Admission, AdmissionRules, AppliedPayload, CurrentSpecs, Envelope, Error as SpecsError, PayloadFormat,
    PayloadShape, Rejection, SpecOrigin, SpecTarget, SpecUpdate, SpecVersion, StorePath, VersionOrder,
};
use tokio::sync::watch;

use super::{no_specs, unusable};

/// Publishes payloads, unread but for their envelope.
///
/// Takes what an evaluator of this version could not compile: parts that are newer than it do not matter here. Never
/// takes a delta, since connections have different bases.
///
/// One order counts for each format: a payload is published if it is newer than the last one of its format. A target
/// that accepts both formats takes whichever a source sends; to have each format always, use a target for each.
///
/// ```
/// use statsig_core::PayloadFormat;
/// use statsig_net::PayloadTarget;
///
/// let target = PayloadTarget::new(&[PayloadFormat::Json]);
/// let payloads = target.subscribe(PayloadFormat::Json);
/// assert!(payloads.borrow().is_none());
/// ```
#[derive(Debug)]
pub struct PayloadTarget {
    json: Channel,
    protobuf: Channel,
    /// The reason why there are no specs, and the order of writers.
    state: Mutex<FeedState>,
}

/// Payloads of one format.
#[derive(Debug)]
struct Channel {
    is_accepted: bool,
    published: watch::Sender<Option<Arc<PublishedPayload>>>,
}

#[derive(Debug, Default)]
struct FeedState {
    without_specs: SpecOrigin,
    last: Option<CurrentSpecs>,
}

/// A payload that connections send.
#[derive(Clone)]
#[non_exhaustive]
pub struct PublishedPayload {
    /// Bytes of the payload, shared by all connections.
    pub payload: Bytes,
    /// Format of the payload.
    pub format: PayloadFormat,
    /// Outer fields of the payload.
    pub envelope: Envelope,
    /// Origin of the payload.
    pub origin: SpecOrigin,
    /// Time of reception, in milliseconds since 1970.
    pub received_at_ms: u64,
}

/// Shows the size of the payload, not its content.
impl fmt::Debug for PublishedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishedPayload")
            .field("payload_bytes", &self.payload.len())
            .field("format", &self.format)
            .field("envelope", &self.envelope)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl PayloadTarget {
    /// Returns a target for payloads of some formats. Without the feature `proto`, the binary form is never accepted.
    #[must_use]
    pub fn new(formats: &[PayloadFormat]) -> Arc<Self> {
        let channel = |format, is_readable: bool| Channel {
            is_accepted: is_readable && formats.contains(&format),
            published: watch::Sender::new(None),
        };
        Arc::new(Self {
            json: channel(PayloadFormat::Json, true),
            protobuf: channel(PayloadFormat::Protobuf, cfg!(feature = "proto")),
            state: Mutex::default(),
        })
    }

    /// Follows the payloads of a format. Only the newest one is kept.
    #[must_use]
    pub fn subscribe(&self, format: PayloadFormat) -> watch::Receiver<Option<Arc<PublishedPayload>>> {
        self.channel(format).published.subscribe()
    }

    fn channel(&self, format: PayloadFormat) -> &Channel {
        if format == PayloadFormat::Protobuf { &self.protobuf } else { &self.json }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpecTarget for PayloadTarget {
    fn current(&self) -> CurrentSpecs {
        let state = self.state();
        state.last.clone().unwrap_or_else(|| CurrentSpecs::new(state.without_specs.clone(), None, 0))
    }

    fn admit(&self, update: &SpecUpdate, rules: &AdmissionRules<'_>) -> Admission {
        let channel = self.channel(update.format);
        if !channel.is_accepted || update.delta_base.is_some() {
            let what = if channel.is_accepted { "a delta" } else { update.format.as_str() };
            return Admission::Rejected(unusable(format!("the feed does not take {what}")));
        }
        let envelope = match envelope_of(update) {
            Ok(Some(envelope)) => envelope,
            Ok(None) if self.state().last.is_some() => return Admission::Unchanged(None),
            Ok(None) => return Admission::Rejected(no_specs()),
            Err(rejection) => return Admission::Rejected(rejection),
        };
        if let Err(rejection) = rules.check(&envelope) {
            return Admission::Rejected(rejection);
        }
        let mut state = self.state();
        let held = channel.published.borrow().clone();
        let order =
            held.as_ref().map(|held| envelope.version.compare_to_held(&ordering_version(held), update.received_at_ms));
        match order {
            Some(VersionOrder::Older) => return Admission::Older(envelope),
            Some(VersionOrder::Same) => return Admission::Unchanged(Some(envelope)),
            Some(VersionOrder::Newer) | None => {}
        }
        let last = &mut state.last;
        let is_newest = last
            .as_ref()
            .and_then(|last| last.version.as_ref())
            .is_none_or(|last| envelope.version.compare_to_held(last, update.received_at_ms) != VersionOrder::Older);
        if is_newest {
            let version = Some(envelope.version.clone());
            *last = Some(CurrentSpecs::new(update.origin.clone(), version, update.received_at_ms));
        }
        channel.published.send_replace(Some(Arc::new(PublishedPayload {
            payload: update.payload.clone(),
            format: update.format,
            envelope: envelope.clone(),
            origin: update.origin.clone(),
            received_at_ms: update.received_at_ms,
        })));
        Admission::Applied(AppliedPayload::new(envelope))
    }

    fn accepts(&self, format: PayloadFormat) -> bool {
        self.channel(format).is_accepted
    }

    fn mark_without_specs(&self, origin: SpecOrigin) {
        self.state().without_specs = origin;
    }
}

/// Returns the version by which payloads are older or newer: one that lay in the future on arrival orders nothing.
fn ordering_version(held: &PublishedPayload) -> SpecVersion {
    let mut version = held.envelope.version.clone();
    if version.is_future(held.received_at_ms) {
        version.time_ms = 0;
    }
    version
}

/// Reads the outer fields of a payload; `None` if it says that nothing is new.
fn envelope_of(update: &SpecUpdate) -> Result<Option<Envelope>, Rejection> {
    #[cfg(feature = "proto")]
    if update.format == PayloadFormat::Protobuf && !is_json(&update.payload) {
        let limit = update.max_bytes.unwrap_or(usize::MAX);
        return crate::proto::head::envelope(&update.payload, limit).map(Some).map_err(unusable);
    }
    json_envelope(&update.payload)
}

/// Returns whether a payload that is labelled binary is JSON: servers say so where nothing is new.
#[cfg(feature = "proto")]
fn is_json(payload: &[u8]) -> bool {
    payload.trim_ascii_start().starts_with(b"{")
}

/// Fields of a JSON payload beside its version.
#[derive(Deserialize)]
struct OuterFields {
    hashed_sdk_key_used: Option<String>,
}

fn json_envelope(payload: &[u8]) -> Result<Option<Envelope>, Rejection> {
    let shape = recognise(payload);
    match SpecsError::of_shape(shape) {
        Some(SpecsError::NoUpdates) => return Ok(None),
        Some(error) => return Err(unusable(error)),
        None => {}
    }
    let version = SpecVersion::of_json(payload).ok_or_else(|| unusable("the payload has no time that can be read"))?;
    let outer: OuterFields = serde_json::from_slice(without_byte_order_mark(payload)).map_err(unusable)?;
    let path = if shape == PayloadShape::SpecsV1 { StorePath::SpecsV1 } else { StorePath::SpecsV2 };
    Ok(Some(Envelope::new(version, path).with_hashed_sdk_key(outer.hashed_sdk_key_used)))
}

#[cfg(test)]
pub(super) mod tests {
    use statsig_core::Reach;
    use statsig_core::testing::spec_target_contract;

    use super::*;

    pub(in super::super) fn json(time_ms: u64, checksum: &str, reach: Reach) -> SpecUpdate {
        let text = format!(
            r#"{{"has_updates":true,"time":{time_ms},"checksum":"{checksum}","feature_gates":{{}},
                "dynamic_configs":{{}},"layer_configs":{{}},"condition_map":{{}}}}"#
        );
        SpecUpdate::new(text.into_bytes(), SpecOrigin::Network, reach, 1_700_000_000_000)
    }

    #[cfg(feature = "proto")]
    pub(in super::super) fn protobuf(time_ms: u64, checksum: &str) -> SpecUpdate {
        let payload = crate::proto::head::document(time_ms, checksum);
        let update = SpecUpdate::new(payload, SpecOrigin::Network, Reach::Upstream, 1_700_000_000_000);
        update.with_format(PayloadFormat::Protobuf)
    }

    fn admit(target: &PayloadTarget, update: &SpecUpdate) -> Admission {
        target.admit(update, &AdmissionRules::new(&|_| Ok(()), true))
    }

    #[test]
    fn it_keeps_the_contract() {
        let payload = |time_ms, checksum: &str| json(time_ms, checksum, Reach::Upstream);
        spec_target_contract(&*PayloadTarget::new(&[PayloadFormat::Json]), payload);
    }

    #[cfg(feature = "proto")]
    #[test]
    fn it_keeps_the_contract_with_binary_payloads() {
        spec_target_contract(&*PayloadTarget::new(&[PayloadFormat::Protobuf]), protobuf);
    }

    #[test]
    fn a_published_payload_shares_the_received_bytes() {
        let target = PayloadTarget::new(&[PayloadFormat::Json]);
        let payloads = target.subscribe(PayloadFormat::Json);
        let update = json(5, "a", Reach::Upstream);
        assert!(matches!(admit(&target, &update), Admission::Applied(_)));
        let published = payloads.borrow().clone().unwrap();
        assert_eq!(published.payload.as_ptr(), update.payload.as_ptr());
        assert_eq!((published.envelope.version.time_ms, &published.envelope.path), (5, &StorePath::SpecsV2));
    }

    #[test]
    fn payloads_that_are_newer_than_the_evaluator_pass() {
        let target = PayloadTarget::new(&[PayloadFormat::Json]);
        let text =
            br#"{"has_updates":true,"time":9,"hashed_sdk_key_used":"7","response_format":"dcs-v9","holograms":{"h":1},
            "feature_gates":{"g":{"type":"hologram","rules":7}},"dynamic_configs":{},"layer_configs":{},
            "condition_map":{"c":{"type":"telepathy"}}}"#;
        let update = SpecUpdate::new(text.as_slice(), SpecOrigin::Network, Reach::Upstream, 1);
        match admit(&target, &update) {
            Admission::Applied(applied) => {
                assert_eq!(applied.envelope.hashed_sdk_key.as_deref(), Some("7"));
                assert_eq!(applied.envelope.version, SpecVersion::new(9, None));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn other_payloads_are_refused() {
        let target = PayloadTarget::new(&[PayloadFormat::Json]);
        for payload in [
            r#"{"has_updates":true,"time":5,"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"sdkParams":{},"evaluated_keys":{}}"#,
            r#"{"message":"Forbidden"}"#,
            r#"{"has_updates":true,"time":"5","feature_gates":{},"dynamic_configs":{},"layer_configs":{},"condition_map":{}}"#,
            r#"{"has_updates":false}"#,
            r#"{"vip":{"name":"vip","size":3,"url":"https://h/v","fileID":"f","creationTime":1}}"#,
            "<html>",
            "",
        ] {
            let update = SpecUpdate::new(payload.as_bytes(), SpecOrigin::Network, Reach::Upstream, 1);
            assert!(matches!(admit(&target, &update), Admission::Rejected(_)), "{payload}");
        }
        let binary = json(5, "a", Reach::Upstream).with_format(PayloadFormat::Protobuf);
        let delta = json(5, "a", Reach::Upstream).with_delta_base(Some(SpecVersion::new(4, None)));
        for update in [binary, delta] {
            assert!(matches!(admit(&target, &update), Admission::Rejected(_)), "{update:?}");
        }
        assert_eq!(target.current().version, None);
        assert!(matches!(admit(&target, &json(5, "a", Reach::Upstream)), Admission::Applied(_)));
        let unchanged = SpecUpdate::new(&br#"{"has_updates":false}"#[..], SpecOrigin::Network, Reach::Upstream, 1);
        assert!(matches!(admit(&target, &unchanged), Admission::Unchanged(None)));
    }
}
