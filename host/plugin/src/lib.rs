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
mod compile;
mod container_engine;
mod contract;
mod endpoint;
mod engine;
mod engine_config;
mod environment;
mod error;
mod evidence;
mod grants;
mod host;
mod host_calls;
mod inert;
mod inspect;
mod installed;
mod isolate;
mod limits;
mod lock;
mod log_line;
mod manifest;
mod native;
mod plugin;
mod policy;
mod recording;
mod scan;
mod secrets;
mod session;
mod trust;

pub use audit::{
    AuditEvent, AuditFault, AuditSink, CallResult, Decision, FileAudit, Line, NoAudit, Record, Summary, Trail, Verified,
};
pub use audit::{read as read_audit, verify as verify_audit};
pub use catalog::{Catalog, Entry, Origin};
pub use compile::{ARGUMENT as COMPILE_ARGUMENT, Compiler, entry as child_entry};
pub use container_engine::EngineAddress;
pub use contract::Optional;
pub use endpoint::{EndpointTarget, Resolver, Tls};
pub use environment::{Environment, Override};
pub use error::{Failure, PluginError, SecretError};
pub use evidence::{Evidence, ManifestSignature};
pub use grants::{Ask, Consent, GrantRequest, Rules, asks};
pub use host::{HostOptions, PluginHost};
pub use inspect::{Import, ImportClass, Inspection, Unusual};
pub use installed::{Given, Installed, InstalledPlugin, install};
pub use isolate::Isolation;
pub use limits::{LimitKind, Limits};
pub use lock::{Lock, LockedPlugin};
pub use log_line::{LogLevel, LogSink, TracingLog};
pub use plugin::Plugin;
pub use policy::{AddressPolicy, Policy};
pub use recording::{Difference, Recorder, Recording, Replayed, replay};
pub use secrets::{Encoding, SecretStore};
pub use trust::Signer;

/// The newest version of the contract that this host speaks.
pub const CONTRACT: &str = "kedge:provider@0.1";

/// The versions of the contract that this host speaks, newest first: `0.1`.
pub fn contracts() -> Vec<&'static str> {
    contract::versions().iter().map(|version| version.name()).collect()
}
