//! The real program, driven over its pipes.

mod checks;
mod events;
mod instances;
mod options;
mod overrides;
mod protocol;
mod support;
mod sync;
