//! The table of operations.

use std::future::Future;
use std::pin::Pin;

use serde_json::json;
use statsig::Statsig;

use crate::answer::{Answer, Failure, json};
use crate::request::Fields;
use crate::{checks, events, overrides, sync};

/// What answers later, while other requests go on.
pub type Later = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How an operation on a client is done.
#[derive(Clone, Copy)]
pub enum Op {
    /// At once, in the order of the requests.
    Now(fn(&Statsig, &mut Fields) -> Answer),
    /// In the background.
    Later(fn(&Statsig, &mut Fields) -> Result<Later, Failure>),
}

/// Operations on a client, by name.
const ON_A_CLIENT: &[(&str, Op)] = &[
    ("gate", Op::Now(checks::gate)),
    ("config", Op::Now(checks::config)),
    ("experiment", Op::Now(checks::experiment)),
    ("layer", Op::Now(checks::layer)),
    ("param", Op::Now(checks::param)),
    ("explain", Op::Now(checks::explain)),
    ("client_initialize", Op::Now(checks::client_initialize)),
    ("manual_exposure", Op::Now(events::manual_exposure)),
    ("log_event", Op::Now(events::log_event)),
    ("event_stats", Op::Now(events::event_stats)),
    ("flush", Op::Later(events::flush)),
    ("shutdown", Op::Later(events::shutdown)),
    ("override", Op::Now(overrides::set)),
    ("remove_override", Op::Now(overrides::remove)),
    ("initialize", Op::Later(sync::initialize)),
    ("ready", Op::Later(sync::ready)),
    ("sync_now", Op::Later(sync::sync_now)),
    ("wait_for_specs", Op::Later(sync::wait_for_specs)),
    ("health", Op::Now(sync::health)),
];

/// Operations of the session itself.
const ON_THE_SESSION: [&str; 3] = ["capabilities", "create", "exit"];

/// The operation of that name.
pub fn find(name: &str) -> Option<Op> {
    ON_A_CLIENT.iter().find(|(op, _)| *op == name).map(|&(_, op)| op)
}

/// Who this is, and what it can do.
pub fn capabilities() -> Answer {
    let supported = ON_A_CLIENT.iter().map(|&(name, _)| name);
    let ops: Vec<&str> = ON_THE_SESSION.into_iter().chain(supported).collect();
    let features = [
        ("net", true),
        ("logger", true),
        ("spool", cfg!(feature = "spool")),
        ("redis", cfg!(feature = "redis")),
        ("proto", cfg!(feature = "proto")),
        ("user-agent", cfg!(feature = "user-agent")),
        ("ip-country", cfg!(feature = "ip-country")),
    ];
    let features: Vec<&str> = features.into_iter().filter(|&(_, is_in)| is_in).map(|(name, _)| name).collect();
    json(json!({
        "sdk": "rust-server-oss",
        "version": env!("CARGO_PKG_VERSION"),
        "features": features,
        "ops": ops,
    }))
}
