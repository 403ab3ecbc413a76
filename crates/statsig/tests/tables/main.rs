//! What the client promises, table by table.

mod details;
mod getters;
mod handle;
mod overrides;
mod parameter_stores;
mod support;
mod users;
