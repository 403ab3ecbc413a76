//! Statsig-compatible config specs, compiled and evaluated locally, without I/O.

#[cfg(feature = "ip-country")]
#[allow(dead_code, reason = "the evaluator will call it")]
mod ip_country;
#[cfg(feature = "user-agent")]
#[allow(dead_code, reason = "the evaluator will call it")]
mod user_agent;
