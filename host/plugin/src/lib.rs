//! The plugin host: engine, limits, endpoints, secrets, audit, catalog.
//!
//! A provider is a WebAssembly component that fulfils the contract in `wit/`. This crate finds it ([`Catalog`]), loads it
//! ([`PluginHost::load`]) and calls it ([`Plugin`]), and is the only way between it and the outside:
//!
//! - One store per call session, with limits on memory, tables, instances, handles, copies, log and time; it is thrown
//!   away afterwards, and at once after a trap or a timeout.
//! - What a component can call goes through one place, `host_calls`, which decides, does, and tells an [`AuditSink`].
//! - A component names neither addresses nor credentials: [`Environment`] maps the names of its description to servers of
//!   the user's spec and to secrets, whose values it never sees.
//! - Pure functions get nothing but the log.

mod address;
mod audit;
mod built_in;
mod cache;
mod catalog;
mod container_engine;
mod contract;
mod endpoint;
mod engine;
mod engine_config;
mod environment;
mod error;
mod host;
mod host_calls;
mod inert;
mod inspect;
mod limits;
mod lock;
mod log_line;
mod native;
mod plugin;
mod scan;
mod secrets;
mod session;

pub use address::AddressPolicy;
pub use audit::{AuditEvent, AuditSink, CallResult, Decision, FileAudit, NoAudit};
pub use catalog::{Catalog, Entry, Origin};
pub use container_engine::EngineAddress;
pub use contract::Optional;
pub use endpoint::{EndpointTarget, Tls};
pub use environment::{Environment, Override};
pub use error::{Failure, PluginError, SecretError};
pub use host::{HostOptions, PluginHost};
pub use inspect::{Import, ImportClass, Inspection};
pub use limits::{LimitKind, Limits};
pub use lock::{Lock, LockedPlugin};
pub use log_line::{LogLevel, LogSink, TracingLog};
pub use plugin::Plugin;
pub use secrets::{Encoding, SecretStore};

/// The newest version of the contract that this host speaks.
pub const CONTRACT: &str = "kedge:provider@0.1";

/// The versions of the contract that this host speaks, newest first: `0.1`.
pub fn contracts() -> Vec<&'static str> {
    contract::versions().iter().map(|version| version.name()).collect()
}
