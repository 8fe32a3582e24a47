//! One simulated cluster: a store behind a TLS listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine;
use tokio::sync::watch;

use super::clock::{Clock, SystemClock};
use super::store::Store;
use crate::LabError;
use crate::tls::{Certificate, CertificateAuthority};

/// How a cluster is to be.
#[derive(Clone)]
pub struct ClusterConfig {
    /// Its name, for kubeconfigs and certificates.
    pub name: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The Kubernetes version that it reports, `v1.34.1`.
    pub version: String,
    /// Who signs its certificates; a fresh authority where there is none.
    pub ca: Option<CertificateAuthority>,
    /// Times and identities.
    pub clock: Arc<dyn Clock>,
}

impl ClusterConfig {
    /// A cluster on a free port of the loopback interface, with the system's clock and an authority of its own.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            version: version.into(),
            ca: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// A simulated cluster. A clone is the same cluster; it stops with [`KubeCluster::stop`], or when the last clone goes.
#[derive(Clone)]
pub struct KubeCluster {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    address: SocketAddr,
    ca: CertificateAuthority,
    admin: Certificate,
    token: String,
    store: Store,
    stopping: watch::Sender<bool>,
}

impl std::fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeCluster")
            .field("name", &self.inner.name)
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}
