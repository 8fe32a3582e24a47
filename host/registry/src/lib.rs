//! Plugins in OCI registries, in the form that the CNCF gave WebAssembly there: a manifest with one layer
//! (`application/wasm`) and a small configuration that names imports and exports.
//!
//! What a registry says is taken for nothing: the manifest must have the digest that was asked for, the layer the digest
//! and the size of the manifest, and everything that is read has a bound. An OCI layout (a folder or an archive of one)
//! is read by the same rules.

mod artifact;
mod attached;
mod challenge;
mod error;
mod exchange;
mod layout;
mod login;
mod pull;
mod push;
mod reference;
mod settings;
mod tls;

pub use artifact::{Component, LAYER as LAYER_MEDIA_TYPE, digest, layer_of};
pub use attached::{Attached, Signature};
pub use error::RegistryError;
pub use layout::Layout;
pub use login::{Login, Logins, docker_logins};
pub use pull::Pulled;
pub use push::{Pushed, SigningKey};
pub use reference::Reference;
pub use settings::{Proxies, Settings};

use exchange::Exchange;

/// Registries, as settings say that they are reached.
pub struct Registry {
    exchange: Exchange,
    settings: Settings,
}

impl Registry {
    /// A client. `logins` says who logs in where.
    ///
    /// # Errors
    /// Settings that don't hold together; a certificate that is none.
    pub fn new(settings: Settings, logins: Logins) -> Result<Self, RegistryError> {
        settings.check()?;
        Ok(Self { exchange: Exchange::new(&settings, logins)?, settings })
    }
}
