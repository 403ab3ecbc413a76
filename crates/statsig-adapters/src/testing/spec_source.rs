//! The contract of [`SpecSource`].

use super::polling::{both, poll_times};
use crate::{PayloadFormat, SpecFetch, SpecRequest, SpecSource, SpecTrigger, SpecUpdate, SpecVersion};

/// Checks the duties of a [`SpecSource`] that has a payload and works.
///
/// Fetches without a version, again with the version that came, with a newer one, twice at once, and after fetches
/// cut short; closes at the end. The payload must not change meanwhile. Returns it, so that the caller compares it
/// with what it put there.
///
/// ```
/// # use statsig_adapters::{Reach, SourceError, SpecFetch, SpecRequest, SpecSource, SpecOrigin, SpecUpdate};
/// # use statsig_adapters::testing::spec_source_contract;
/// # struct Fixed;
/// # #[async_trait::async_trait]
/// # impl SpecSource for Fixed {
/// #     fn name(&self) -> &str { "fixed" }
/// #     fn origin(&self) -> SpecOrigin { SpecOrigin::Bootstrap }
/// #     fn reach(&self) -> Reach { Reach::Local }
/// #     async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
/// #         let document = br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
/// #         Ok(SpecFetch::Updated(SpecUpdate::new(document.to_vec(), self.origin(), self.reach(), 0)))
/// #     }
/// # }
/// # let run = async {
/// let update = spec_source_contract(&Fixed).await;
/// assert!(!update.payload.is_empty());
/// # };
/// # let mut run = std::pin::pin!(run);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(std::future::Future::poll(run.as_mut(), &mut context).is_ready());
/// ```
///
/// # Panics
/// Where the source breaks its contract.
pub async fn spec_source_contract(source: &dyn SpecSource) -> SpecUpdate {
    assert!(!source.name().is_empty(), "the source has no name");
    let name = source.name().to_owned();

    let first = must_have(source, "the first question").await;
    assert_eq!(first.origin, source.origin(), "the update names another origin");
    assert_eq!(source.reach(), source.reach(), "the source changed its reach");
    assert!(first.delta_base.is_none(), "the first answer is a delta");
    let held = version_of(&first);

    for trigger in [SpecTrigger::Background, SpecTrigger::Manual] {
        match source.fetch(&SpecRequest::new(Some(held.clone()), trigger)).await {
            Ok(SpecFetch::Unchanged) => {}
            Ok(SpecFetch::Behind) => panic!("asked with what it has ({trigger:?}), the source says `Behind`"),
            Ok(SpecFetch::Updated(again)) => {
                assert_eq!(
                    version_of(&again).time_ms,
                    held.time_ms,
                    "asked with what it has, the source has something else"
                );
            }
            Err(error) => panic!("asked with what it has ({trigger:?}), the source fails: {error:?}"),
        }
    }
    let newer = Some(SpecVersion::new(held.time_ms + 1, None));
    match source.fetch(&SpecRequest::new(newer, SpecTrigger::Background)).await {
        Ok(SpecFetch::Unchanged | SpecFetch::Behind) => {}
        Ok(SpecFetch::Updated(older)) => assert_eq!(version_of(&older).time_ms, held.time_ms, "the document changed"),
        Err(error) => panic!("asked by one who has something newer, the source fails: {error:?}"),
    }

    both(async { assert_eq!(must_have(source, "one of two questions at once").await.payload, first.payload) }, async {
        assert_eq!(must_have(source, "the other of two questions at once").await.payload, first.payload)
    })
    .await;

    for polls in [1, 2, 3] {
        poll_times(source.fetch(&SpecRequest::default()), polls).await;
        let after = must_have(source, "a question after one that was cut short").await;
        assert_eq!(after.payload, first.payload, "a question cut short changed the answer");
    }

    assert_eq!(source.name(), name, "the source changed its name");
    source.close().await;
    first
}

/// Asks with nothing in hand; the answer must be a document that can be read.
async fn must_have(source: &dyn SpecSource, what: &str) -> SpecUpdate {
    match source.fetch(&SpecRequest::default()).await {
        Ok(SpecFetch::Updated(update)) => update,
        Ok(SpecFetch::Unchanged) => panic!("{what}: nothing is held, and the source says `Unchanged`"),
        Ok(SpecFetch::Behind) => panic!("{what}: nothing is held, and the source says `Behind`"),
        Err(error) => panic!("{what}: {error:?}"),
    }
}

/// Returns the version of an update, which must be that of its payload.
fn version_of(update: &SpecUpdate) -> SpecVersion {
    if update.format != PayloadFormat::Json {
        return update.version.clone().unwrap_or_default();
    }
    match SpecVersion::of_json(&update.payload) {
        Some(version) => {
            assert!(update.version.as_ref().is_none_or(|own| *own == version), "the update states another version");
            version
        }
        None => panic!("the payload is not a JSON object with a time"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::testing::polling::run;
    use crate::{Reach, SourceError, SourceErrorKind, SpecOrigin};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        AlwaysUnchanged,
        FailsWhenUpToDate,
        Garbage,
        BreaksWhenCutShort,
    }

    struct Memory {
        fault: Fault,
        busy: AtomicBool,
    }

    #[async_trait::async_trait]
    impl SpecSource for Memory {
        fn name(&self) -> &str {
            "memory"
        }
        fn origin(&self) -> SpecOrigin {
            SpecOrigin::Bootstrap
        }
        fn reach(&self) -> Reach {
            Reach::Local
        }
        async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
            if self.fault == Fault::BreaksWhenCutShort {
                if self.busy.swap(true, Ordering::Relaxed) {
                    return Err(SourceError::new(SourceErrorKind::Failing, "still busy"));
                }
                let mut polled = false;
                let give_way = |context: &mut std::task::Context<'_>| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut polled, true) {
                        std::task::Poll::Ready(())
                    } else {
                        std::task::Poll::Pending
                    }
                };
                std::future::poll_fn(give_way).await;
                self.busy.store(false, Ordering::Relaxed);
            }
            let up_to_date = request.since_time_ms() >= 5;
            match self.fault {
                Fault::AlwaysUnchanged => return Ok(SpecFetch::Unchanged),
                Fault::FailsWhenUpToDate if up_to_date => {
                    return Err(SourceError::new(SourceErrorKind::Empty, "nothing newer"));
                }
                _ if up_to_date => return Ok(SpecFetch::Unchanged),
                _ => {}
            }
            let document: &[u8] = match self.fault {
                Fault::Garbage => b"garbage",
                _ => br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#,
            };
            Ok(SpecFetch::Updated(SpecUpdate::new(document.to_vec(), self.origin(), self.reach(), 0)))
        }
    }

    fn contract_with(fault: Fault) -> SpecUpdate {
        run(spec_source_contract(&Memory { fault, busy: AtomicBool::new(false) }))
    }

    #[test]
    fn a_sound_source_passes() {
        assert!(contract_with(Fault::None).payload.starts_with(b"{"));
    }

    #[test]
    #[should_panic(expected = "nothing is held")]
    fn unchanged_for_one_who_has_nothing_fails() {
        contract_with(Fault::AlwaysUnchanged);
    }

    #[test]
    #[should_panic(expected = "asked with what it has")]
    fn an_error_for_one_who_is_up_to_date_fails() {
        contract_with(Fault::FailsWhenUpToDate);
    }

    #[test]
    #[should_panic(expected = "not a JSON object with a time")]
    fn a_source_of_garbage_fails() {
        contract_with(Fault::Garbage);
    }

    #[test]
    #[should_panic(expected = "at once")]
    fn a_source_that_answers_one_question_at_a_time_fails() {
        contract_with(Fault::BreaksWhenCutShort);
    }
}
