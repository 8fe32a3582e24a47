//! One simulated cluster: a store behind a TLS listener.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::clock::{Clock, SystemClock};
use super::http::{Api, certificate_user};
use super::store::Store;
use crate::LabError;
use crate::tls::{self, Certificate, CertificateAuthority};

/// How a cluster is to be.
#[derive(Clone)]
pub struct ClusterConfig {
    /// Its name, for kubeconfigs and certificates.
    pub name: String,
    /// The address to listen on; it takes a free port.
    pub listen: IpAddr,
    /// The Kubernetes version that it reports, `v1.34.1`.
    pub version: String,
    /// Who signs its certificates; a fresh authority where there is none.
    pub ca: Option<CertificateAuthority>,
    /// Times and identities.
    pub clock: Arc<dyn Clock>,
}

impl ClusterConfig {
    /// A cluster on the loopback interface, with the system's clock and an authority of its own.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
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
    api: Arc<Api>,
    stopping: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}

impl std::fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeCluster")
            .field("name", &self.inner.name)
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}

/// The user that kubeconfigs of a cluster are for, and the group that may do everything.
const ADMIN: (&str, &str) = ("kubernetes-admin", "system:masters");
/// How often the garbage collector looks for owners that are not there.
const COLLECTS: Duration = Duration::from_secs(1);
/// How long a client may take over its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

impl KubeCluster {
    /// Starts a cluster: it answers when this returns.
    ///
    /// # Errors
    /// [`LabError`] when it cannot listen or its certificates cannot be made.
    pub async fn start(config: ClusterConfig) -> Result<Self, LabError> {
        let ca = match config.ca {
            Some(ca) => ca,
            None => CertificateAuthority::new("kubernetes")?,
        };
        let wanted = SocketAddr::new(config.listen, 0);
        let failed = |source| LabError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)),
        ];
        if !addresses.contains(&config.listen) && !config.listen.is_unspecified() {
            addresses.push(config.listen);
        }
        // The first is the common name, which must not be the authority's: OpenSSL would take the certificate for self-signed.
        let names = [
            "kube-apiserver",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
        ];
        let server = ca.issue_server(&names, &addresses)?;
        let admin = ca.issue_client(ADMIN.0, ADMIN.1)?;
        let tls = tls::server_config(&server, Some(&ca))?;
        let store = Store::new(Arc::clone(&config.clock), ca.cert_pem());
        // The token is a secret whatever the clock says, which in tests counts up.
        let token = uuid::Uuid::new_v4().simple().to_string();
        let api = Arc::new(Api::new(store.clone(), config.version, token.clone()));
        let (stopping, stop) = watch::channel(false);
        let (ended, stopped) = watch::channel(false);
        let serving = Arc::clone(&api);
        tokio::spawn(async move {
            accept(listener, TlsAcceptor::from(tls), serving, stop).await;
            ended.send_replace(true);
        });
        Ok(Self {
            inner: Arc::new(Inner { name: config.name, address, ca, admin, token, store, api, stopping, stopped }),
        })
    }

    /// The name that the cluster was started with.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The address of its API.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Where it is reached: `https://ADDRESS:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.inner.address)
    }

    /// A kubeconfig for its administrator, with a client certificate; `context` names the context, and the user
    /// `<context>-admin`.
    pub fn kubeconfig(&self, context: &str) -> String {
        let encode = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
        let user = format!("{context}-admin");
        let text = |value: &str| json!(value).to_string();
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: {cluster}\n  cluster:\n    certificate-authority-data: {ca}\n    server: {server}\ncontexts:\n- name: {context}\n  context:\n    cluster: {cluster}\n    user: {user}\ncurrent-context: {context}\npreferences: {{}}\nusers:\n- name: {user}\n  user:\n    client-certificate-data: {cert}\n    client-key-data: {key}\n",
            cluster = text(&self.inner.name),
            ca = encode(self.inner.ca.cert_pem()),
            server = self.url(),
            context = text(context),
            user = text(&user),
            cert = encode(&self.inner.admin.cert_pem),
            key = encode(&self.inner.admin.key_pem),
        )
    }

    /// The authority that its certificates come from, for servers and clients alike.
    pub fn ca(&self) -> &CertificateAuthority {
        &self.inner.ca
    }

    /// The bearer token of its administrator.
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// Its objects.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// How many requests it has answered.
    pub fn requests(&self) -> u64 {
        self.inner.api.requests()
    }

    /// Stops listening and ends all connections; returns when that is done. The store stays.
    pub async fn stop(&self) {
        self.inner.stopping.send_replace(true);
        let mut stopped = self.inner.stopped.clone();
        // An error means that the task has gone with its runtime: then nothing listens either.
        let _ = stopped.wait_for(|ended| *ended).await;
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, api: Arc<Api>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    connections.spawn(collect(api.store().clone()));
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, acceptor.clone(), Arc::clone(&api)));
                }
                // A connection that was gone again, or no free file: the next one may do.
                Err(error) => tracing::debug!(%error, "a connection could not be accepted"),
            },
        }
    }
    connections.shutdown().await;
}

/// Looks for objects whose owners have never been there, or not in this cluster, as the garbage collector does.
async fn collect(store: Store) {
    let mut changed = store.changed();
    let mut suspects = HashSet::new();
    loop {
        tokio::time::sleep(COLLECTS).await;
        store.collect_strays(&mut suspects);
        // With suspects there is a second look to take, whether or not anything changes.
        if suspects.is_empty() && changed.changed().await.is_err() {
            return;
        }
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, api: Arc<Api>) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let user = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| certificate_user(certificate.as_ref()));
    let service = service_fn(move |request| {
        let (api, user) = (Arc::clone(&api), user.clone());
        async move { Ok::<_, std::convert::Infallible>(api.answer(request, user).await) }
    });
    let connection = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "a connection ended badly");
    }
}
