//! Cluster specs and release manifests: parse, default, check. Pure, no I/O.
#![forbid(unsafe_code)]

pub mod finding;
pub mod provider;
