//! Clients on projects from code, and the events that they log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use statsig::{Statsig, StatsigBuilder, StatsigUser};
use statsig_testkit::MemorySink;
use statsig_testkit::specs::ProjectBuilder;

/// A client that logs nothing.
pub(crate) fn client(project: &ProjectBuilder) -> Statsig {
    let statsig = Statsig::builder().bootstrap(project.build()).build().unwrap();
    assert_eq!(statsig.problems(), []);
    statsig
}

/// A client whose events stay in memory.
pub(crate) struct Logged {
    pub(crate) statsig: Statsig,
    sink: Arc<MemorySink>,
}

impl Logged {
    pub(crate) fn new(project: &ProjectBuilder) -> Self {
        Self::with(project, |builder| builder)
    }

    pub(crate) fn with(project: &ProjectBuilder, configure: impl FnOnce(StatsigBuilder) -> StatsigBuilder) -> Self {
        let sink = Arc::new(MemorySink::default());
        let builder = Statsig::builder().bootstrap(project.build()).event_sink(sink.clone());
        Self { statsig: configure(builder).build().unwrap(), sink }
    }

    /// The events since the last call.
    pub(crate) fn events(&self) -> Vec<Value> {
        let report = self.statsig.flush_events_blocking(Duration::from_secs(60));
        assert!(report.is_complete(), "{report:?}");
        self.sink.take()
    }

    /// What was exposed since the last call: the names of events with what they are about.
    pub(crate) fn exposures(&self) -> Vec<String> {
        let about = |event: &Value| {
            let metadata = &event["metadata"];
            let text = |key: &str| metadata[key].as_str().map(str::to_owned);
            match event["eventName"].as_str()? {
                "statsig::gate_exposure" => text("gate").map(|gate| format!("gate {gate}")),
                "statsig::config_exposure" => text("config").map(|config| format!("config {config}")),
                "statsig::layer_exposure" => Some(format!("layer {} {}", text("config")?, text("parameterName")?)),
                "statsig::non_exposed_checks" => text("checks").map(|checks| format!("not exposed {checks}")),
                other => Some(other.to_owned()),
            }
        };
        self.events().iter().map(|event| about(event).unwrap()).collect()
    }
}

pub(crate) fn user(id: &str) -> StatsigUser {
    StatsigUser::with_user_id(id)
}
