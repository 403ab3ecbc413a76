//! What the client promises, table by table.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers outside of test functions")]

mod details;
mod getters;
mod handle;
mod lifecycle;
mod options;
mod overrides;
mod parameter_stores;
mod subscriptions;
mod support;
mod users;
