//! A Kubernetes API as this program needs it.
//!
//! Objects are plain JSON and cross unchanged. Kinds are resolved through discovery, asked once for each group and again
//! when a kind is unknown. Everything that may work in a moment (a webhook that does not answer yet, a refused
//! connection, a server that is overloaded) is asked again for a bounded time, and what is waited for is said; everything
//! else fails at once, with the object and the server's reason.

mod classify;
mod connect;
mod discovery;
mod logs;
mod request;
mod retry;
mod rights;
mod watch;

use std::sync::Arc;

pub use discovery::Resource;
pub use request::Apply;
pub(crate) use request::Removed;
pub(crate) use request::identity;
pub use retry::Retry;
pub(crate) use rights::Right;
pub(crate) use watch::{Listed, Watched};

use crate::progress::Progress;

#[cfg(test)]
mod tests;

/// One API server. Clones share the connection and what is known of the server's kinds.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
    server: Arc<str>,
    discovery: discovery::Discovery,
    retry: Retry,
    progress: Arc<dyn Progress>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Api {
    /// Says to `progress` when something is asked again.
    #[must_use]
    pub fn reporting(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Asks again by other rules.
    #[must_use]
    pub fn retrying(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The client underneath, for what this type does not do.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// The namespace that the kubeconfig's context names, `default` if it names none.
    pub fn namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// The server as messages name it.
    pub fn server(&self) -> &str {
        &self.server
    }
}
