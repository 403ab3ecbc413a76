//! What a client logs: every kind of event, byte by byte, and when.
mod accounts;
mod golden;
mod loggers_own;
mod privacy;
mod recorded;
mod repetition;
mod settings;
#[cfg(feature = "spool")]
mod spooled;
mod support;
mod threads;
mod warnings;
