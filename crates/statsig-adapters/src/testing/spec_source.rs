//! The contract of [`SpecSource`].

use super::polling::{both, poll_times};
use crate::{EntryVersion, SpecCursor, SpecFetch, SpecRequest, SpecSource, SpecTrigger, SpecUpdate, StoreFormat};

/// Checks the duties of a [`SpecSource`] that has a document and works.
///
/// Asks with nothing in hand, again with what came, with something newer, twice at once, and after
/// attempts cut short; closes at the end. The document must not change meanwhile. Returns it: the
/// caller, who knows what it put there, compares.
///
/// ```
/// # use statsig_adapters::{SourceError, SpecFetch, SpecRequest, SpecSource, SpecSourceKind, SpecUpdate};
/// # use statsig_adapters::testing::spec_source_contract;
/// # struct Fixed;
/// # #[async_trait::async_trait]
/// # impl SpecSource for Fixed {
/// #     fn name(&self) -> &str { "fixed" }
/// #     fn kind(&self) -> SpecSourceKind { SpecSourceKind::Bootstrap }
/// #     async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
/// #         let document = br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
/// #         Ok(SpecFetch::Updated(SpecUpdate::new(document.to_vec(), self.kind(), 0)))
/// #     }
/// # }
/// # let run = async {
/// let update = spec_source_contract(&Fixed).await;
/// assert!(!update.document.is_empty());
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
    assert_eq!(first.source, source.kind(), "the update names another source");
    let held = cursor(&first);

    for trigger in [SpecTrigger::Background, SpecTrigger::Manual] {
        match source.fetch(&SpecRequest::new(held.clone(), trigger)).await {
            Ok(SpecFetch::Unchanged) => {}
            Ok(SpecFetch::Behind) => panic!("asked with what it has ({trigger:?}), the source says `Behind`"),
            Ok(SpecFetch::Updated(again)) => {
                assert_eq!(cursor(&again).time, held.time, "asked with what it has, the source has something else");
            }
            Err(error) => panic!("asked with what it has ({trigger:?}), the source fails: {error:?}"),
        }
    }
    let newer = SpecCursor::new(held.time + 1, None);
    match source.fetch(&SpecRequest::new(newer, SpecTrigger::Background)).await {
        Ok(SpecFetch::Unchanged | SpecFetch::Behind) => {}
        Ok(SpecFetch::Updated(older)) => assert_eq!(cursor(&older).time, held.time, "the document changed"),
        Err(error) => panic!("asked by one who has something newer, the source fails: {error:?}"),
    }

    both(
        async { assert_eq!(must_have(source, "one of two questions at once").await.document, first.document) },
        async { assert_eq!(must_have(source, "the other of two questions at once").await.document, first.document) },
    )
    .await;

    for polls in [1, 2, 3] {
        poll_times(source.fetch(&SpecRequest::default()), polls).await;
        let after = must_have(source, "a question after one that was cut short").await;
        assert_eq!(after.document, first.document, "a question cut short changed the answer");
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

/// What one holds who took the update.
fn cursor(update: &SpecUpdate) -> SpecCursor {
    if update.format != StoreFormat::PlainText {
        return SpecCursor::default();
    }
    match EntryVersion::of_json(&update.document) {
        Some(version) => SpecCursor::new(version.lcut, version.checksum.as_deref()),
        None => panic!("the payload is not a JSON object with a time"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::testing::polling::run;
    use crate::{SourceError, SourceErrorKind, SpecSourceKind};

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
        fn kind(&self) -> SpecSourceKind {
            SpecSourceKind::Bootstrap
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
            let up_to_date = request.cursor.time >= 5;
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
            Ok(SpecFetch::Updated(SpecUpdate::new(document.to_vec(), self.kind(), 0)))
        }
    }

    fn contract_with(fault: Fault) -> SpecUpdate {
        run(spec_source_contract(&Memory { fault, busy: AtomicBool::new(false) }))
    }

    #[test]
    fn a_sound_source_passes() {
        assert!(contract_with(Fault::None).document.starts_with(b"{"));
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
