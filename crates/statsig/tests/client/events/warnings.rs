//! What the log of the application says.

use std::sync::{Arc, Mutex};

use statsig::StatsigUser;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::support::{Logged, user};

/// The fields of all warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{}={value:?};", field.name()));
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = String::new();
        event.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn names_that_servers_drop_are_warned_about_once() {
    let logged = Logged::new();
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        for _ in 0..3 {
            for name in ["fine", "50% off", "a|b", "fine, too"] {
                logged.statsig.log_event(&user(), name, None, None);
            }
        }
    });
    let warned = warnings.0.lock().unwrap();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("event=\"50% off\"") && warned[1].contains("event=\"a|b\""), "{warned:?}");
    assert_eq!(logged.events().len(), 12, "and are logged all the same");
}

#[test]
fn users_without_any_id_are_warned_about_once_for_each_client() {
    let without = [
        StatsigUser::new(),
        StatsigUser::with_user_id(""),
        StatsigUser::builder().email("ada@corp.example").build(),
        serde_json::from_str(r#"{"userID": null, "customIDs": {}}"#).unwrap(),
    ];
    let with = [StatsigUser::with_user_id(0), StatsigUser::with_custom_ids([("companyID", "c")]), user()];
    for (users, expected) in [(&without[..], 1), (&with[..], 0)] {
        for user in users {
            let logged = Logged::new();
            let warnings = Warnings::default();
            tracing::subscriber::with_default(warnings.clone(), || {
                assert!(logged.statsig.check_gate(user, "new_checkout"), "and are checked all the same");
                let _ = logged.statsig.get_experiment(user, "home_exp");
            });
            let warned = warnings.0.lock().unwrap();
            assert_eq!(warned.len(), expected, "{user:?}: {warned:?}");
            assert!(warned.iter().all(|text| text.contains("without user ID")), "{warned:?}");
        }
    }
}
