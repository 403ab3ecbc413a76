//! Any project, any user, every kind of call: nothing panics, and recording changes no result, nor
//! does the way in which a client-initialize response is made.
//!
//! The first two bytes choose the form and the style of the document; the user's bytes come
//! before the document's, so that both can be mutated apart.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use statsig_core::{
    ClientInitializeOptions, EvaluationContext, EvaluationSettings, FixedClock, InMemoryIdLists, ResponseFormat,
    Ruleset, Snapshot, SpecOrigin, StatsigUser,
};
use statsig_testkit::generate::{Choices, Names, Style, project, user};
use statsig_testkit::observe::{observe, without_exposures};

/// Formats of responses.
const FORMATS: [ResponseFormat; 3] = [ResponseFormat::V1, ResponseFormat::V2, ResponseFormat::InitV2];
/// Bytes that are kept for the user.
const FOR_USER: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let [form, style, rest @ ..] = bytes else { return };
    let (for_user, for_project) = rest.split_at(rest.len().min(FOR_USER));
    let style = if style % 2 == 0 { Style::Tame } else { Style::Wild };
    let project = project(&Choices::new(for_project), style);
    let document = if form % 2 == 0 { project.to_v2() } else { project.to_v1() };
    let Ok(ruleset) = Ruleset::compile(document.as_bytes()) else {
        assert_eq!(style, Style::Wild, "a sound document was refused: {document}");
        return;
    };
    let user: StatsigUser =
        serde_json::from_str(&user(&Choices::new(for_user)).to_string()).expect("generated users can be read");
    let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1));
    let settings = EvaluationSettings::new().with_environment("staging");
    let mut lists = InMemoryIdLists::new();
    lists.insert("list", "user-1");
    let context = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(1_790_000_000_000))
        .with_id_lists(Some(&lists))
        .with_seed(7);
    let names = Names::all();
    let quick = observe(context, &names, false);
    let recording = without_exposures(observe(context, &names, true));
    for (quick, recording) in quick.iter().zip(&recording) {
        assert_eq!(quick, recording, "{document}");
    }
    let options = ClientInitializeOptions::new().with_response_format(FORMATS[usize::from(*form) / 2 % FORMATS.len()]);
    let mut streamed = Vec::new();
    context.write_client_initialize_response(&options, &mut streamed).expect("memory takes all");
    let kept = serde_json::to_vec(&context.client_initialize_response(&options)).expect("responses are JSON");
    assert!(streamed == kept, "{document}");
});
