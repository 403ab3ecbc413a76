//! Statsig-compatible config specs, compiled and evaluated locally, without I/O.
