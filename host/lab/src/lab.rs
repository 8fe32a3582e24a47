//! The lab as a whole: start, stop.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::Value;

use crate::behaviour::{Pace, World, WorldOptions};
use crate::control::{ClusterStatus, Control, Status};
use crate::fault::{Fault, Faults};
use crate::kube::{Clock, SystemClock};
use crate::release;
use crate::vcenter::{Credentials, Vcenter, VcenterOptions};
use crate::{Connection, LabError};

/// What a lab is started with.
#[derive(Clone)]
pub struct LabOptions {
    /// The documents of the user's spec: what they name exists in the lab.
    pub documents: Vec<Value>,
    /// How fast simulated time runs: 1 is realistic, 10 ten times as fast, 0 or infinity as fast as it goes.
    pub speed: f64,
    /// What is missing, wrong or slow.
    pub faults: Vec<Fault>,
    /// The address that everything listens on; ports are free ones.
    pub listen: IpAddr,
    /// EKS-D release names by Kubernetes version (`1.34`), where they differ from those of the embedded release.
    pub eksd_releases: BTreeMap<String, String>,
    /// Where times and the identities of Kubernetes objects come from.
    pub clock: Arc<dyn Clock>,
    /// The seed of the UUIDs in the vCenter. Passwords, tokens and session keys are random in any case.
    pub seed: u64,
}

impl std::fmt::Debug for LabOptions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LabOptions")
            .field("documents", &self.documents.len())
            .field("speed", &self.speed)
            .field("faults", &self.faults)
            .field("listen", &self.listen)
            .field("eksd_releases", &self.eksd_releases)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            speed: 1.0,
            faults: Vec::new(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            eksd_releases: BTreeMap::new(),
            clock: Arc::new(SystemClock),
            seed: 0,
        }
    }
}

/// A running lab. It has to be stopped: its clusters go on until then, or until the program ends.
#[derive(Debug)]
pub struct Lab {
    connection: Connection,
    control: Control,
    world: Arc<World>,
    vcenter: Option<Arc<Vcenter>>,
}

/// The user of the lab's vCenter.
const USERNAME: &str = "administrator@vsphere.local";

impl Lab {
    /// Starts a lab: its control API, and a vCenter if the documents name one. Clusters start when they are asked for.
    ///
    /// # Errors
    /// If something cannot listen or no certificates can be made.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let faults = Faults::new(options.faults);
        let mut eksd_releases = embedded_eksd_releases();
        eksd_releases.extend(options.eksd_releases);
        let world = World::new(WorldOptions {
            pace: Pace::new(options.speed),
            faults: faults.clone(),
            listen: options.listen,
            clock: Arc::clone(&options.clock),
        });
        let vcenter = Vcenter::start(VcenterOptions {
            documents: &options.documents,
            faults: &faults,
            eksd_releases: &eksd_releases,
            listen: options.listen,
            credentials: Credentials {
                username: USERNAME.to_owned(),
                password: format!("Lab-{}", uuid::Uuid::new_v4().simple()),
            },
            clock: options.clock,
            seed: options.seed,
        })
        .await?
        .map(Arc::new);
        let version = kubernetes_version(&options.documents);
        let control = Control::start(options.listen, Arc::clone(&world), vcenter.clone(), version).await?;
        let mut endpoints = BTreeMap::new();
        let mut credentials = BTreeMap::new();
        if let Some(vcenter) = &vcenter {
            endpoints = vcenter.endpoints();
            let Credentials { username, password } = vcenter.credentials();
            credentials.insert("EKSA_VSPHERE_USERNAME".to_owned(), username.clone());
            credentials.insert("EKSA_VSPHERE_PASSWORD".to_owned(), password.clone());
        }
        let connection = Connection {
            pid: std::process::id(),
            url: control.url(),
            token: control.token().to_owned(),
            ca_pem: control.ca_pem().to_owned(),
            endpoints,
            credentials,
        };
        Ok(Self { connection, control, world, vcenter })
    }

    /// How to reach it.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its clusters, bootstrap clusters first.
    pub async fn clusters(&self) -> Vec<ClusterStatus> {
        self.status().await.clusters
    }

    /// What runs in it.
    #[expect(clippy::unused_async, reason = "what clusters say about themselves may come to need asking")]
    pub async fn status(&self) -> Status {
        Status::of(&self.world, self.vcenter.as_deref())
    }

    /// Its vCenter, if the spec has one.
    #[must_use]
    pub fn vcenter(&self) -> Option<&Vcenter> {
        self.vcenter.as_deref()
    }

    /// Ends everything in it; all ports are free when this returns.
    pub async fn stop(self) {
        let Self { control, world, vcenter, .. } = self;
        control.stop().await;
        world.stop().await;
        if let Some(vcenter) = vcenter {
            vcenter.stop().await;
        }
    }
}

/// The names of the EKS-D releases of the embedded release, by Kubernetes version: `1.34` is `kubernetes-1-34-eks-19`.
fn embedded_eksd_releases() -> BTreeMap<String, String> {
    let release = release::embedded();
    let names = release.files().filter_map(|(path, _)| path.strip_prefix("eksd/")?.strip_suffix(".yaml"));
    names
        .filter_map(|name| {
            let mut parts = name.strip_prefix("kubernetes-")?.split('-');
            Some((format!("{}.{}", parts.next()?, parts.next()?), name.to_owned()))
        })
        .collect()
}

/// The Kubernetes version that bootstrap clusters report: the patch release that the embedded release has for the spec's version.
fn kubernetes_version(documents: &[Value]) -> String {
    let wanted = documents
        .iter()
        .filter(|document| document.get("kind").is_some_and(|kind| kind == "Cluster"))
        .find_map(|cluster| cluster.pointer("/spec/kubernetesVersion"))
        .map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned))
        .unwrap_or_default();
    let known = release::embedded().bundles_yaml.lines().filter_map(|line| line.trim().strip_prefix("kubeVersion: "));
    let full: Vec<&str> =
        known.map(|version| version.trim_matches(['\'', '"'])).filter(|version| version.starts_with('v')).collect();
    let start = format!("v{}.", wanted.trim_start_matches('v'));
    let found = full.iter().find(|version| version.starts_with(&start)).or(full.last());
    found.map_or_else(|| format!("{start}0"), |version| (*version).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn releases_of_each_kubernetes_version_are_known() {
        let releases = embedded_eksd_releases();
        assert!(releases.len() >= 4, "{releases:?}");
        for (version, name) in releases {
            assert!(name.starts_with(&format!("kubernetes-{}-eks-", version.replace('.', "-"))), "{version} is {name}");
        }
    }

    #[test]
    fn a_bootstrap_cluster_has_the_version_of_the_spec() {
        let version =
            |version: &str| kubernetes_version(&[json!({"kind": "Cluster", "spec": {"kubernetesVersion": version}})]);
        assert!(version("1.34").starts_with("v1.34."));
        assert!(version("1.31").starts_with("v1.31."));
        assert!(kubernetes_version(&[]).starts_with("v1."));
    }
}
