//! Loading specs, and how that goes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use statsig::{InitializeDetails, Statsig};

use crate::answer::{Failure, FailureKind, json};
use crate::events::within;
use crate::ops::Later;
use crate::request::Fields;

pub fn initialize(statsig: &Statsig, _: &mut Fields) -> Result<Later, Failure> {
    let statsig = statsig.clone();
    Ok(Box::pin(async move { json(details(&statsig.initialize().await)) }))
}

fn details(details: &InitializeDetails) -> Value {
    let attempts: Vec<Value> = details
        .attempts
        .iter()
        .map(|attempt| {
            json!({
                "source": attempt.source,
                "ok": attempt.outcome.is_success(),
                "duration_ms": millis(attempt.duration),
                "error": attempt.outcome.error(),
            })
        })
        .collect();
    json!({
        "success": details.init_success,
        "duration_ms": millis(details.duration),
        "source": details.source.to_string(),
        "timed_out": details.timed_out,
        "specs_time": details.specs_time,
        "attempts": attempts,
    })
}

pub fn ready(statsig: &Statsig, fields: &mut Fields) -> Result<Later, Failure> {
    let policy: Option<Value> = fields.optional("policy")?;
    if policy.is_some_and(|policy| policy != "any") {
        return Err(Failure::new(FailureKind::Unsupported, "`policy`: only `any`"));
    }
    let (statsig, within) = (statsig.clone(), within(fields)?);
    Ok(Box::pin(async move {
        let ready = statsig.ready(within).await;
        let age = statsig.health().specs.and_then(|specs| specs.last_contact);
        json(json!({"ready": ready, "age_ms": age.map(millis)}))
    }))
}

pub fn sync_now(statsig: &Statsig, _: &mut Fields) -> Result<Later, Failure> {
    let statsig = statsig.clone();
    Ok(Box::pin(async move {
        let before = specs_time(&statsig);
        let asked = statsig.sync_now().await.is_some();
        let now = specs_time(&statsig);
        json(json!({"updated": asked && now != before, "specs_time": now}))
    }))
}

pub fn wait_for_specs(statsig: &Statsig, fields: &mut Fields) -> Result<Later, Failure> {
    let newer_than: u64 = fields.optional("newer_than")?.unwrap_or_default();
    let (statsig, within) = (statsig.clone(), within(fields)?);
    Ok(Box::pin(async move {
        let begun = Instant::now();
        match statsig.wait_for_specs(newer_than, within).await {
            Some(time) => {
                let source = statsig.snapshot().source().to_string();
                json(json!({"specs_time": time, "waited_ms": millis(begun.elapsed()), "source": source}))
            }
            None => Err(Failure::new(FailureKind::Timeout, "no newer specs in time")),
        }
    }))
}

pub fn health(statsig: &Statsig, _: &mut Fields) -> crate::answer::Answer {
    let health = statsig.health();
    let specs = health.specs.map(|specs| {
        json!({
            "source": specs.source.to_string(),
            "specs_time": specs.specs_time,
            "last_contact_ms": specs.last_contact.map(millis),
            "last_update_ms": specs.last_update.map(millis),
            "failures": specs.failures,
            "last_error": specs.last_error,
            "applied": specs.applied,
            "questions": specs.questions,
            "panics": specs.panics,
        })
    });
    let id_lists = health.id_lists.map(|report| {
        json!({"success": report.success, "changed": report.changed, "failed": report.failed.len(), "error": report.error})
    });
    json(json!({
        "specs": specs,
        "id_lists": id_lists,
        "events": {"pending": health.events.pending, "dropped": health.events.dropped.total()},
    }))
}

fn specs_time(statsig: &Statsig) -> u64 {
    statsig.snapshot().ruleset().meta().time
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
