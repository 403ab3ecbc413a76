//! This build answers like the official server core, on everything that was recorded.

use statsig_conformance::exceptions::{DOCUMENTED, unused};
use std::io::Cursor;

use statsig_conformance::{Kinds, Outcome, Report, RunError, SpecSet, Suite, run_set};

/// Every record of every set: evaluations, client-initialize responses, scripts and their events.
#[test]
fn evaluation_agrees_with_the_recorded_results() {
    let kinds = Kinds::ALL;
    let sets = SpecSet::all_in(&integration_tests::corpus()).unwrap();
    assert!(sets.len() >= 23, "only {} sets found", sets.len());
    let mut sum = Report::default();
    let outcomes = Suite::new(sets).kinds(kinds).exceptions(DOCUMENTED).run(
        |set| {
            let mut results = Vec::new();
            run_set(set.dir(), kinds, &mut results)?;
            Ok(Cursor::new(results))
        },
        |_| (),
    );
    for Outcome { set, report } in outcomes {
        match report {
            Ok(report) => sum.merge(report, 3),
            Err::<_, RunError>(error) => panic!("{set}: {error}"),
        }
    }
    assert!(sum.is_agreement(), "{sum}");
    let rotten = unused(DOCUMENTED, &sum);
    assert!(rotten.is_empty(), "exceptions that excuse nothing: {rotten:?}");
}
