//! Events, exposures by hand, and what becomes of them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use statsig::{CustomEvent, EventValue, FlushReport, Statsig};

use crate::answer::{Answer, Failure, FailureKind, json, nothing};
use crate::checks::Kind;
use crate::ops::Later;
use crate::request::Fields;

/// How long a flush or a shutdown may take that does not say.
const PATIENCE_MS: u64 = 10_000;

pub fn manual_exposure(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name, kind) = (fields.user()?, fields.name()?, fields.required("kind")?);
    match kind {
        Kind::Gate => statsig.manually_log_gate_exposure(&user, &name),
        Kind::Config => statsig.manually_log_dynamic_config_exposure(&user, &name),
        Kind::Experiment => statsig.manually_log_experiment_exposure(&user, &name),
        Kind::Layer => {
            let parameter: String = fields.required("param")?;
            statsig.manually_log_layer_parameter_exposure(&user, &name, &parameter);
        }
    }
    nothing()
}

/// A text or a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a number")]
enum Valued {
    Integer(i64),
    Float(f64),
    Text(String),
}

pub fn log_event(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name): (_, String) = (fields.user()?, fields.required("event")?);
    let mut event = CustomEvent::new(&name);
    if let Some(metadata) = fields.optional::<Map<String, Value>>("metadata")? {
        event = event.all_metadata(metadata);
    }
    if let Some(value) = fields.optional("value")? {
        event = event.value(match value {
            Valued::Integer(value) => EventValue::Integer(value),
            Valued::Float(value) => EventValue::Float(value),
            Valued::Text(value) => EventValue::Text(value),
        });
    }
    statsig.log_custom_event(&user, &event);
    nothing()
}

pub fn event_stats(statsig: &Statsig, _: &mut Fields) -> Answer {
    let stats = statsig.event_stats();
    let dropped: Map<String, Value> =
        stats.dropped.iter().map(|(cause, events)| (cause.name().to_owned(), events.into())).collect();
    #[cfg_attr(not(feature = "spool"), allow(unused_mut, reason = "only a spool adds to it"))]
    let mut answer = json!({
        "accepted": stats.accepted,
        "recovered": stats.recovered,
        "delivered": stats.delivered,
        "unconfirmed": stats.unconfirmed,
        "pending": stats.pending,
        "spooled": stats.pending_on_disk,
        "dropped": dropped,
    });
    #[cfg(feature = "spool")]
    if statsig.health().spool.is_some() {
        answer["spool"] = json!({
            "failures": stats.spool_failures,
            "corrupt_records": stats.spool_corrupt_records,
            "corrupt_segments": stats.spool_corrupt_segments,
            "truncated_tails": stats.spool_truncated_tails,
            "foreign_segments": stats.spool_foreign_segments,
            "read_errors": stats.spool_read_errors,
        });
    }
    json(answer)
}

pub fn flush(statsig: &Statsig, fields: &mut Fields) -> Result<Later, Failure> {
    let (statsig, within) = (statsig.clone(), within(fields)?);
    Ok(Box::pin(async move { report(&statsig.flush_events(within).await) }))
}

pub fn shutdown(statsig: &Statsig, fields: &mut Fields) -> Result<Later, Failure> {
    let (statsig, within) = (statsig.clone(), within(fields)?);
    Ok(Box::pin(async move { report(&statsig.shutdown(within).await.events) }))
}

pub fn within(fields: &mut Fields) -> Result<Duration, Failure> {
    let millis = fields.optional("timeout_ms")?.unwrap_or(PATIENCE_MS);
    // What is further away than a day is as good as a mistake.
    if millis > 86_400_000 {
        return Err(Failure::new(FailureKind::InvalidField, "`timeout_ms`: more than a day"));
    }
    Ok(Duration::from_millis(millis))
}

fn report(report: &FlushReport) -> Answer {
    json(json!({
        "delivered": report.delivered,
        "failed": report.failed,
        "spooled": report.spooled,
        "pending": report.pending,
    }))
}
