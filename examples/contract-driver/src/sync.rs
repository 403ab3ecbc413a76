//! Loading specs, and how that goes.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use statsig::{InitializeDetails, ReadyPolicy, Statsig, StreamState, SyncHealth};

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

/// Which specs are good enough.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Any,
    Fresh,
    MaxAgeMs(u64),
}

pub fn ready(statsig: &Statsig, fields: &mut Fields) -> Result<Later, Failure> {
    let policy = match fields.optional("policy")?.unwrap_or(Policy::Any) {
        Policy::Any => ReadyPolicy::Any,
        Policy::Fresh => ReadyPolicy::Fresh,
        Policy::MaxAgeMs(most) => ReadyPolicy::MaxAge(Duration::from_millis(most)),
    };
    let (statsig, within) = (statsig.clone(), within(fields)?);
    Ok(Box::pin(async move {
        let ready = statsig.ready(policy, within).await;
        let age = statsig.health().specs.and_then(|specs| specs.data_age);
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

/// The health, and of each part the same four fields: `last_error`, `last_error_ms` (ago), `consecutive_failures`, `next`.
pub fn health(statsig: &Statsig, _: &mut Fields) -> crate::answer::Answer {
    let health = statsig.health();
    let parts = health.parts();
    let with_part = |mut object: Value, name: &str| {
        let part = parts.iter().find(|part| part.part == name);
        object["last_error"] = part.and_then(|part| part.last_error.clone()).into();
        object["last_error_ms"] = ago(part.and_then(|part| part.last_failure)).into();
        object["consecutive_failures"] = part.map_or(0, |part| part.failures).into();
        object["next"] = part.and_then(|part| part.next.clone()).into();
        object
    };
    let all: Vec<Value> = parts.iter().map(|part| with_part(json!({"part": part.part}), &part.part)).collect();
    let specs = health.specs.as_ref().map(|specs| specs_health(specs, &with_part));
    let id_lists = health.id_lists.as_ref().map(|lists| {
        let failing = lists.failing.iter().map(|list| {
            json!({"name": list.name, "error": list.error, "failures": list.failures, "since_ms": millis(list.since)})
        });
        let failing: Vec<_> = failing.collect();
        let lists = json!({"lists": lists.lists, "failures": lists.failures, "last_success_ms": ago(lists.last_success),
            "running": lists.running, "restarts": lists.restarts, "failing": failing,
            "next_round_ms": ago(lists.next_round), "problems": lists.last_round.problems,
            "left_out": lists.last_round.left_out});
        let mut lists = with_part(lists, "id-lists");
        // The name of earlier versions.
        lists["error"] = lists["last_error"].clone();
        lists
    });
    let events = &health.events;
    let events = json!({"pending": events.pending, "dropped": events.dropped.total(),
        "last_delivery_ms": ago(events.last_delivery), "retries": events.retries,
        "unconfirmed": events.unconfirmed, "failures": health.event_delivery.failures,
        "next_attempt_ms": ago(health.event_delivery.next_attempt),
        "restarts": events.sender_restarts + events.housekeeping_restarts});
    #[cfg(not(feature = "spool"))]
    let spool = Value::Null;
    #[cfg(feature = "spool")]
    let spool = health.spool.as_ref().map(|spool| {
        let spool = json!({"state": spool.state.name(), "since_ms": millis(spool.since), "error": spool.last_error,
            "error_ms": ago(spool.last_error_ago), "next_retry_ms": ago(spool.next_retry)});
        with_part(spool, "spool")
    });
    json(json!({
        "specs": specs,
        "id_lists": id_lists,
        "events": with_part(events, "events"),
        "spool": spool,
        "callbacks": with_part(json!({"panics": health.callbacks.panics}), "callbacks"),
        "parts": all,
    }))
}

fn specs_health(specs: &SyncHealth, with_part: &dyn Fn(Value, &str) -> Value) -> Value {
    let sources = specs.sources.iter().map(|source| {
        let object = json!({"name": source.name, "questions": source.questions, "failures": source.failures,
            "last_success_ms": ago(source.last_success), "asking_for_ms": ago(source.asking_for),
            "last_failure_ms": ago(source.last_failure), "next_attempt_ms": ago(source.next_attempt)});
        with_part(object, &format!("specs source {}", source.name))
    });
    let streams = specs.streams.iter().map(|stream| {
        let object = json!({"name": stream.name, "state": stream_state(stream.state), "failures": stream.failures,
            "failed_over": stream.failed_over, "reconnections": stream.reconnections,
            "updates": stream.updates.map(|updates| updates.to_string()), "last_notice_ms": ago(stream.last_notice)});
        with_part(object, &format!("specs stream {}", stream.name))
    });
    let places = specs.persistence.iter().map(|place| {
        let object = json!({"name": place.name, "writes": place.writes, "failed_writes": place.failed_writes,
            "last_success_ms": ago(place.last_success)});
        with_part(object, place.name)
    });
    let workers = specs.workers.iter().map(|worker| {
        json!({"name": worker.name, "running": worker.running, "restarts": worker.restarts,
            "last_success_ms": ago(worker.last_success)})
    });
    json!({
        "source": specs.source.to_string(),
        "specs_time": specs.specs_time,
        "data_age_ms": ago(specs.data_age),
        "last_contact_ms": ago(specs.last_contact),
        "last_update_ms": ago(specs.last_update),
        "next_poll_ms": ago(specs.next_poll),
        "failures": specs.failures,
        "last_error": specs.last_error,
        "applied": specs.applied,
        "questions": specs.questions,
        "panics": specs.panics,
        "sources": sources.collect::<Vec<_>>(),
        "streams": streams.collect::<Vec<_>>(),
        "persistence": places.collect::<Vec<_>>(),
        "workers": workers.collect::<Vec<_>>(),
    })
}

fn ago(time: Option<Duration>) -> Option<u64> {
    time.map(millis)
}

fn stream_state(state: StreamState) -> &'static str {
    match state {
        StreamState::Connecting => "connecting",
        StreamState::Live => "live",
        StreamState::Off => "off",
        _ => "backoff",
    }
}

fn specs_time(statsig: &Statsig) -> u64 {
    statsig.snapshot().ruleset().meta().time
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
