//! Everything that a lab has besides the objects in one Kubernetes API: its clusters, its machines, its clock and its faults.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::kube::{Clock, ClusterConfig, KubeCluster};
use crate::tls::CertificateAuthority;
use crate::{Faults, LabError};

use super::machines::Machines;
use super::pace::Pace;
use super::seed;

/// What a cluster of the lab is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterRole {
    /// Handed out to create others from.
    Bootstrap,
    /// Behind a control plane that the lab's controllers made.
    Workload,
}

impl ClusterRole {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Workload => "workload",
        }
    }
}

/// A cluster of the lab.
#[derive(Clone)]
pub struct LabCluster {
    /// Its name; a bootstrap cluster and the cluster made from it may have the same one.
    pub name: String,
    /// What it is for.
    pub role: ClusterRole,
    /// Its API.
    pub cluster: KubeCluster,
}

impl fmt::Debug for LabCluster {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LabCluster").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a [`World`] is made with.
pub struct WorldOptions {
    /// How fast simulated time runs.
    pub pace: Pace,
    /// What is missing, wrong or slow.
    pub faults: Faults,
    /// The address that the APIs of clusters listen on.
    pub listen: IpAddr,
    /// Where timestamps and identities come from.
    pub clock: Arc<dyn Clock>,
}

enum Slot {
    Starting,
    Running { cluster: KubeCluster, controllers: JoinHandle<()> },
}

/// One lab, seen from inside.
pub struct World {
    pace: Pace,
    faults: Faults,
    listen: IpAddr,
    clock: Arc<dyn Clock>,
    machines: Machines,
    clusters: Mutex<BTreeMap<(ClusterRole, String), Slot>>,
    nodes: broadcast::Sender<String>,
    /// Held while a bootstrap cluster starts: two who ask for the same one get one.
    starting: tokio::sync::Mutex<()>,
}

impl fmt::Debug for World {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("World").field("pace", &self.pace).field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl World {
    /// A world without clusters.
    #[must_use]
    pub fn new(options: WorldOptions) -> Arc<Self> {
        let WorldOptions { pace, faults, listen, clock } = options;
        let (nodes, _) = broadcast::channel(1024);
        Arc::new(Self {
            pace,
            faults,
            listen,
            clock,
            machines: Machines::default(),
            clusters: Mutex::default(),
            nodes,
            starting: tokio::sync::Mutex::default(),
        })
    }

    /// How fast simulated time runs.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// What is missing, wrong or slow.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The simulated machines.
    #[must_use]
    pub fn machines(&self) -> &Machines {
        &self.machines
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<(ClusterRole, String), Slot>) -> T) -> T {
        act(&mut self.clusters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A running cluster.
    #[must_use]
    pub fn cluster(&self, role: ClusterRole, name: &str) -> Option<KubeCluster> {
        self.with(|clusters| match clusters.get(&(role, name.to_owned())) {
            Some(Slot::Running { cluster, .. }) => Some(cluster.clone()),
            _ => None,
        })
    }

    /// All running clusters, bootstrap clusters first.
    #[must_use]
    pub fn clusters(&self) -> Vec<LabCluster> {
        self.with(|clusters| {
            let running = clusters.iter().filter_map(|((role, name), slot)| match slot {
                Slot::Running { cluster, .. } => {
                    Some(LabCluster { name: name.clone(), role: *role, cluster: cluster.clone() })
                }
                Slot::Starting => None,
            });
            running.collect()
        })
    }

    /// Starts a bootstrap cluster with one ready node, a container network and DNS, as kind makes them; returns the one of that name if it runs.
    ///
    /// # Errors
    /// If its API cannot listen.
    pub async fn start_bootstrap(self: &Arc<Self>, name: &str, version: &str) -> Result<KubeCluster, LabError> {
        let _one = self.starting.lock().await;
        if let Some(there) = self.cluster(ClusterRole::Bootstrap, name) {
            return Ok(there);
        }
        let cluster = self.start(ClusterRole::Bootstrap, name, version, None).await?;
        seed::bootstrap(&cluster, name, version);
        Ok(cluster)
    }

    /// Starts the API of a workload cluster, without nodes; returns the one of that name if it runs. `ca` signs its certificates.
    ///
    /// # Errors
    /// If its API cannot listen.
    pub async fn start_workload(
        self: &Arc<Self>,
        name: &str,
        version: &str,
        ca: Option<CertificateAuthority>,
    ) -> Result<KubeCluster, LabError> {
        let _one = self.starting.lock().await;
        if let Some(there) = self.cluster(ClusterRole::Workload, name) {
            return Ok(there);
        }
        self.start(ClusterRole::Workload, name, version, ca).await
    }

    async fn start(
        self: &Arc<Self>,
        role: ClusterRole,
        name: &str,
        version: &str,
        ca: Option<CertificateAuthority>,
    ) -> Result<KubeCluster, LabError> {
        let config = ClusterConfig {
            name: name.to_owned(),
            listen: self.listen,
            version: version.to_owned(),
            ca,
            clock: Arc::clone(&self.clock),
        };
        let cluster = KubeCluster::start(config).await?;
        let controllers = super::run(cluster.clone(), Arc::clone(self));
        let slot = Slot::Running { cluster: cluster.clone(), controllers };
        self.with(|clusters| clusters.insert((role, name.to_owned()), slot));
        self.tell_nodes_changed(name);
        Ok(cluster)
    }

    /// The workload cluster of that name, started in the background if it does not run; `None` until it does.
    pub(crate) fn workload_or_start(
        self: &Arc<Self>,
        name: &str,
        version: &str,
        ca: impl FnOnce() -> Option<CertificateAuthority>,
    ) -> Option<KubeCluster> {
        let key = (ClusterRole::Workload, name.to_owned());
        let begin = self.with(|clusters| match clusters.get(&key) {
            Some(Slot::Running { cluster, .. }) => Err(Some(cluster.clone())),
            Some(Slot::Starting) => Err(None),
            None => {
                clusters.insert(key.clone(), Slot::Starting);
                Ok(())
            }
        });
        if let Err(running) = begin {
            return running;
        }
        let (world, name, version, ca) = (Arc::clone(self), name.to_owned(), version.to_owned(), ca());
        tokio::spawn(async move {
            if let Err(failed) = world.start(ClusterRole::Workload, &name, &version, ca).await {
                tracing::warn!(cluster = name, %failed, "the lab could not start a workload cluster's API");
                world.with(|clusters| clusters.remove(&(ClusterRole::Workload, name.clone())));
            }
        });
        None
    }

    /// Takes a cluster away: its controllers stop and its API no longer answers.
    pub async fn drop_cluster(&self, role: ClusterRole, name: &str) {
        let slot = self.with(|clusters| clusters.remove(&(role, name.to_owned())));
        if let Some(Slot::Running { cluster, controllers }) = slot {
            controllers.abort();
            cluster.stop().await;
            self.tell_nodes_changed(name);
        }
    }

    /// Stops everything.
    pub async fn stop(&self) {
        for one in self.clusters() {
            self.drop_cluster(one.role, &one.name).await;
        }
    }

    /// Names of workload clusters whose nodes have changed.
    pub(crate) fn node_changes(&self) -> broadcast::Receiver<String> {
        self.nodes.subscribe()
    }

    pub(crate) fn tell_nodes_changed(&self, cluster: &str) {
        // Nobody listens before the first cluster and after the last: nothing is lost.
        let _ = self.nodes.send(cluster.to_owned());
    }
}
