//! Documents and users that are made to hurt: deep, long, wide, circular.
//!
//! Nothing here asserts how long it takes. The sizes are such that whatever takes the square of the
//! input's size runs for many minutes, and whatever recurses with it overflows the stack: every
//! test runs on a small one.

mod blow_ups;
mod depth;
mod documents;
mod patterns;
mod size;

use std::sync::Arc;

use statsig_core::{
    Error, EvaluationContext, EvaluationSettings, Explanation, FixedClock, Ruleset, Snapshot, SpecOrigin, StatsigUser,
};

/// Unoptimized code has frames several times the size.
const STACK: usize = if cfg!(debug_assertions) { 2 << 20 } else { 512 << 10 };

/// Runs `test` on a thread with a small stack.
fn on_small_stack<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(test).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Compiles a document on a small stack.
fn compile(document: impl Into<Vec<u8>>) -> Result<Arc<Snapshot>, Error> {
    let document = document.into();
    on_small_stack(move || Ruleset::compile(&document))
        .map(|ruleset| Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1)))
}

/// Calls `f` with a context for `user`, on a small stack.
fn evaluate<R: Send + 'static>(
    snapshot: &Arc<Snapshot>,
    user: StatsigUser,
    f: impl FnOnce(EvaluationContext<'_>) -> R + Send + 'static,
) -> R {
    let snapshot = Arc::clone(snapshot);
    on_small_stack(move || {
        let settings = EvaluationSettings::new();
        f(EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(1_790_000_000_000)).with_seed(1))
    })
}

/// An explanation agrees with the evaluation, and is small enough to be read.
fn sound(explanation: &Explanation) {
    assert!(!explanation.disagrees, "{}", explanation.name);
    assert!(explanation.lines().len() < 10_000, "{}", explanation.name);
    assert!(serde_json::to_string(&explanation.trace).unwrap().len() < 5_000_000, "{}", explanation.name);
}

/// Value and reason of a gate, found by both ways of evaluating.
fn gate(snapshot: &Arc<Snapshot>, name: &str) -> (bool, String) {
    let name = name.to_owned();
    evaluate(snapshot, StatsigUser::with_user_id("user-1"), move |context| {
        let [quick, recording] = [false, true].map(|record| {
            let gate = context.feature_gate(&name, record);
            (gate.value(), gate.details().reason())
        });
        assert_eq!(quick, recording, "{name}: quick and recording");
        assert_eq!(context.check_gate(&name), quick.0);
        sound(&context.explain_gate(&name));
        quick
    })
}

const RECOGNIZED: &str = "Bootstrap:Recognized";
const TOO_DEEP: &str = "Error:Statsig Evaluation Depth Exceeded";
