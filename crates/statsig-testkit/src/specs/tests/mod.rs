//! What is built does what it says, in the client.

mod conditions;
mod experiments;
mod gates;
mod projects;
mod properties;

use statsig::{Statsig, StatsigUser};

use super::ProjectBuilder;

/// A client on a project that must be free of problems.
fn client(project: &ProjectBuilder) -> Statsig {
    let statsig = Statsig::builder().bootstrap(project.build()).build().unwrap();
    assert_eq!(statsig.problems(), [], "{}", project.to_json());
    statsig
}

fn user(id: &str) -> StatsigUser {
    StatsigUser::with_user_id(id)
}

/// How many of 2,000 users something holds for.
fn count(holds: impl Fn(&StatsigUser) -> bool) -> usize {
    (0..2_000).filter(|id| holds(&user(&format!("user-{id}")))).count()
}

/// Within about four standard deviations of a share of 2,000.
#[track_caller]
fn assert_about(found: usize, expected: usize) {
    let expected_f = expected as f64;
    let deviation = (expected_f * (1.0 - expected_f / 2_000.0)).sqrt();
    assert!((found as f64 - expected_f).abs() <= 4.0 * deviation + 1.0, "{found} is not about {expected}");
}
