//! From a kubeconfig to a client.

use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::{Api, Retry};
use crate::error::Error;
use crate::progress::NoProgress;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Api {
    /// Makes a client for the current context of a kubeconfig. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Kubeconfig`] if the text is not a kubeconfig, or names a context, user or file that is not there.
    pub async fn from_kubeconfig(text: &str) -> Result<Self, Error> {
        let bad = |source: kube::config::KubeconfigError| Error::Kubeconfig {
            reason: super::classify::chain(&source),
            source: Some(Box::new(source)),
        };
        let kubeconfig = Kubeconfig::from_yaml(text).map_err(bad)?;
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(bad)?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.default_retry = false;
        // The process may have chosen a provider already; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = config.cluster_url.to_string();
        let client = kube::Client::try_from(config).map_err(|source| Error::Kubeconfig {
            reason: super::classify::chain(&source),
            source: Some(Box::new(source)),
        })?;
        Ok(Self::from_client(client, server.trim_end_matches('/')))
    }

    /// Uses a client that is there already; `server` is what messages call it.
    pub fn from_client(client: kube::Client, server: &str) -> Self {
        Self {
            client,
            server: server.into(),
            discovery: super::discovery::Discovery::default(),
            retry: Retry::default(),
            progress: Arc::new(NoProgress),
        }
    }
}
