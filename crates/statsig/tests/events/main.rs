//! What a client logs: every kind of event, byte by byte, and when.

mod accounts;
mod golden;
mod loggers_own;
mod privacy;
mod repetition;
mod support;
