//! The contract of [`SpecTarget`].

use crate::{
    Admission, AdmissionRules, Envelope, Rejection, RejectionCause, SourceError, SourceErrorKind, SpecTarget,
    SpecUpdate,
};

/// Checks the duties of an empty [`SpecTarget`].
///
/// `payload` returns a full payload of a given time (in milliseconds since 1970) and checksum, in a format that the
/// target accepts. Admits payloads in and out of order, a damaged one, and one that the rules refuse.
///
/// ```no_run
/// # use statsig_adapters::{SpecTarget, SpecUpdate, testing::spec_target_contract};
/// # fn check(target: &dyn SpecTarget, payload: impl Fn(u64, &str) -> SpecUpdate) {
/// spec_target_contract(target, payload);
/// assert_eq!(target.current().version.map(|version| version.time_ms), Some(1_700_000_000_007));
/// # }
/// ```
///
/// # Panics
/// If the target breaks its contract.
pub fn spec_target_contract(target: &dyn SpecTarget, payload: impl Fn(u64, &str) -> SpecUpdate) {
    const TIME: u64 = 1_700_000_000_000;
    let admit = |update: &SpecUpdate| target.admit(update, &AdmissionRules::new(&|_| Ok(()), false));
    let held = || target.current().version.map(|version| version.time_ms);
    assert_eq!(held(), None, "the target is not empty");

    let first = payload(TIME + 5, "a");
    match admit(&first) {
        Admission::Applied(applied) => assert_eq!(applied.envelope.version.time_ms, TIME + 5, "another version"),
        other => panic!("the first payload was not applied: {other:?}"),
    }
    assert_eq!(held(), Some(TIME + 5), "an applied payload is not current");
    assert_eq!(target.current().origin, first.origin, "an applied payload has another origin");
    assert_eq!(
        target.current().received_at_ms,
        first.received_at_ms,
        "an applied payload has another time of reception"
    );

    for (update, is_right, what) in [
        (payload(TIME + 5, "a"), is_unchanged as fn(&Admission) -> bool, "the same payload is not `Unchanged`"),
        (payload(TIME + 6, "a"), is_unchanged, "a payload with the same checksum is not `Unchanged`"),
        (payload(TIME + 4, "b"), is_older, "an older payload is not `Older`"),
    ] {
        let admission = admit(&update);
        assert!(is_right(&admission), "{what}: {admission:?}");
        assert_eq!(held(), Some(TIME + 5), "{what}, and it became current");
    }

    let mut damaged = payload(TIME + 6, "c");
    damaged.payload = damaged.payload.slice(..damaged.payload.len() / 2);
    let admission = admit(&damaged);
    assert!(matches!(admission, Admission::Rejected(_)), "a damaged payload is not `Rejected`: {admission:?}");
    assert_eq!(held(), Some(TIME + 5), "a damaged payload became current");

    let refuse = |_: &Envelope| {
        Err(Rejection::new(RejectionCause::OtherKey, SourceError::new(SourceErrorKind::Invalid, "of another key")))
    };
    match target.admit(&payload(TIME + 6, "d"), &AdmissionRules::new(&refuse, false)) {
        Admission::Rejected(rejection) => assert_eq!(rejection.cause, RejectionCause::OtherKey, "another cause"),
        other => panic!("the target does not check the rules: {other:?}"),
    }
    assert_eq!(held(), Some(TIME + 5), "a payload that the rules refuse became current");

    let admission = admit(&payload(TIME + 7, "e"));
    assert!(matches!(admission, Admission::Applied(_)), "a newer payload was not applied: {admission:?}");
    assert_eq!(held(), Some(TIME + 7), "a newer payload is not current");
}

fn is_unchanged(admission: &Admission) -> bool {
    matches!(admission, Admission::Unchanged(_))
}

fn is_older(admission: &Admission) -> bool {
    matches!(admission, Admission::Older(_))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{AppliedPayload, CurrentSpecs, Reach, SpecOrigin, SpecVersion, StorePath, VersionOrder};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        TakesAnything,
        IgnoresRules,
    }

    struct Memory(Fault, Mutex<CurrentSpecs>);

    impl SpecTarget for Memory {
        fn current(&self) -> CurrentSpecs {
            self.1.lock().unwrap().clone()
        }
        fn admit(&self, update: &SpecUpdate, rules: &AdmissionRules<'_>) -> Admission {
            let Some(version) = SpecVersion::of_json(&update.payload) else {
                let error = SourceError::new(SourceErrorKind::Invalid, "damaged");
                return Admission::Rejected(Rejection::new(RejectionCause::Unusable, error));
            };
            let envelope = Envelope::new(version.clone(), StorePath::SpecsV2);
            if self.0 != Fault::IgnoresRules
                && let Err(rejection) = rules.check(&envelope)
            {
                return Admission::Rejected(rejection);
            }
            let mut current = self.1.lock().unwrap();
            let order = current.version.as_ref().map(|held| version.compare_to_held(held, 0));
            match order.filter(|_| self.0 != Fault::TakesAnything) {
                Some(VersionOrder::Older) => Admission::Older(envelope),
                Some(VersionOrder::Same) => Admission::Unchanged(Some(envelope)),
                _ => {
                    *current = CurrentSpecs::new(update.origin.clone(), Some(version), update.received_at_ms);
                    Admission::Applied(AppliedPayload::new(envelope))
                }
            }
        }
    }

    fn contract_with(fault: Fault) {
        let payload = |time_ms, checksum: &str| {
            let text = format!(r#"{{"has_updates":true,"time":{time_ms},"checksum":"{checksum}"}}"#);
            SpecUpdate::new(text.into_bytes(), SpecOrigin::Network, Reach::Upstream, 9)
        };
        spec_target_contract(&Memory(fault, Mutex::default()), payload);
    }

    #[test]
    fn a_sound_target_passes() {
        contract_with(Fault::None);
    }

    #[test]
    #[should_panic(expected = "the same payload is not `Unchanged`")]
    fn a_target_that_takes_anything_fails() {
        contract_with(Fault::TakesAnything);
    }

    #[test]
    #[should_panic(expected = "does not check the rules")]
    fn a_target_that_ignores_the_rules_fails() {
        contract_with(Fault::IgnoresRules);
    }
}
