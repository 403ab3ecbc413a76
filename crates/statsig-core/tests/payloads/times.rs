//! Payloads from the future.
