//! What the client promises, table by table.
mod bounds;
mod details;
mod getters;
mod handle;
mod keys;
mod lifecycle;
mod options;
mod options_any;
mod overrides;
mod parameter_stores;
mod subscriptions;
mod support;
mod users;
