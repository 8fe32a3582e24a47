//! The typed fields of `Cluster.spec`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ClusterNetwork, EtcdEncryption, PackageConfiguration, ProxyConfiguration, RegistryMirrorConfiguration};
use crate::version::KubernetesVersion;

/// A cluster as its spec describes it, after defaults.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cluster {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` when the document has none.
    pub namespace: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `spec`.
    pub spec: ClusterSpec,
}

impl Cluster {
    /// Whether the cluster manages itself: `spec.managementCluster.name` is its own name or absent.
    pub fn is_self_managed(&self) -> bool {
        self.spec.management_cluster.name.is_empty() || self.spec.management_cluster.name == self.name
    }

    /// Whether an identity provider or the GitOps repository of the cluster is described by this document.
    pub fn refers_to(&self, kind: &str, name: &str) -> bool {
        let mut references = self.spec.identity_provider_refs.iter().chain(&self.spec.git_ops_ref);
        references.any(|r| r.kind == kind && r.name == name)
    }

    /// The Kubernetes version of a worker node group: its own, or the cluster's.
    pub fn worker_version(&self, group: &WorkerNodeGroupConfiguration) -> KubernetesVersion {
        group.kubernetes_version.unwrap_or(self.spec.kubernetes_version)
    }
}

/// `Cluster.spec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSpec {
    /// The version of the control plane, and of worker node groups that name none.
    pub kubernetes_version: KubernetesVersion,
    /// The control plane.
    pub control_plane_configuration: ControlPlaneConfiguration,
    /// The worker node groups, in the order of the file.
    pub worker_node_group_configurations: Vec<WorkerNodeGroupConfiguration>,
    /// The document that says where the machines are.
    pub datacenter_ref: Ref,
    /// etcd on machines of its own; none for etcd on the control plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_etcd_configuration: Option<ExternalEtcdConfiguration>,
    /// Pods, services and the CNI.
    pub cluster_network: ClusterNetwork,
    /// OIDC and AWS IAM.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity_provider_refs: Vec<Ref>,
    /// GitOps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_ops_ref: Option<Ref>,
    /// The HTTP proxy of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_configuration: Option<ProxyConfiguration>,
    /// The registry that images come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_mirror_configuration: Option<RegistryMirrorConfiguration>,
    /// The cluster that manages this one.
    pub management_cluster: ManagementCluster,
    /// IAM roles for pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_iam_config: Option<PodIamConfig>,
    /// Curated packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<PackageConfiguration>,
    /// The bundles to use, by reference (deprecated upstream).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundles_ref: Option<BundlesRef>,
    /// The EKS Anywhere version, `vX.Y.Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eksa_version: Option<String>,
    /// When machines are replaced, for groups that say nothing themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_health_check: Option<MachineHealthCheck>,
    /// Encryption of etcd's content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub etcd_encryption: Vec<EtcdEncryption>,
    /// The licence for extended support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_token: Option<String>,
}

/// A `Bundles` object: what picked the release before `eksaVersion` did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BundlesRef {
    /// Its API version.
    pub api_version: String,
    /// Its `metadata.name`.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// Kind and name of another document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ref {
    /// Its kind.
    pub kind: String,
    /// Its `metadata.name`.
    pub name: String,
}

/// `spec.controlPlaneConfiguration`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ControlPlaneConfiguration {
    /// How many control plane nodes.
    pub count: i64,
    /// Where the API server is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// The document that describes the machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_group_ref: Option<Ref>,
    /// None: the control plane's usual taint; empty: no taint at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<Taint>>,
    /// Node labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How nodes are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_rollout_strategy: Option<UpgradeRolloutStrategy>,
    /// Leaves the load balancer to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_load_balancer_deployment: Option<bool>,
    /// Further names for the API server's certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cert_sans: Vec<String>,
    /// When control plane machines are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_health_check: Option<MachineHealthCheck>,
    /// Further arguments of the API server.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub api_server_extra_args: BTreeMap<String, String>,
    /// A KubeletConfiguration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet_configuration: Option<Map<String, Value>>,
    /// An audit policy as YAML text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_policy_content: Option<String>,
    /// Skips admission for system resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_admission_for_system_resources: Option<bool>,
}

impl ControlPlaneConfiguration {
    /// The host of the endpoint, if one is set and not empty.
    pub fn endpoint_host(&self) -> Option<&str> {
        self.endpoint.as_ref().map(|e| e.host.as_str()).filter(|host| !host.is_empty())
    }
}

/// `controlPlaneConfiguration.endpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// An IP address or a name.
    pub host: String,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    /// A qualified name.
    pub key: String,
    /// May be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
    /// When it was added; only for `NoExecute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_added: Option<String>,
}

/// One of `spec.workerNodeGroupConfigurations`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkerNodeGroupConfiguration {
    /// The group's name; `md-0` for a first group without one.
    pub name: String,
    /// How many nodes; set after defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Bounds for the cluster autoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling_configuration: Option<AutoscalingConfiguration>,
    /// The document that describes the machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_group_ref: Option<Ref>,
    /// Node taints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// Node labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How nodes are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_rollout_strategy: Option<UpgradeRolloutStrategy>,
    /// The group's own Kubernetes version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// When machines of the group are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_health_check: Option<MachineHealthCheck>,
    /// A KubeletConfiguration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet_configuration: Option<Map<String, Value>>,
    /// Failure domains of the datacenter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failure_domains: Vec<String>,
}

impl WorkerNodeGroupConfiguration {
    /// How many nodes to start with.
    pub fn replicas(&self) -> i64 {
        self.count.unwrap_or_else(|| self.autoscaling_configuration.as_ref().map_or(1, |a| a.min_count))
    }
}

/// Bounds for the cluster autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalingConfiguration {
    /// At least.
    pub min_count: i64,
    /// At most.
    pub max_count: i64,
}

/// How nodes are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpgradeRolloutStrategy {
    /// `RollingUpdate` or `InPlace`; empty means `RollingUpdate`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// For `RollingUpdate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolling_update: Option<RollingUpdate>,
}

/// How many nodes there may be more or fewer meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RollingUpdate {
    /// More.
    pub max_surge: i64,
    /// Fewer; worker node groups only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<i64>,
}

/// `spec.externalEtcdConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalEtcdConfiguration {
    /// How many members.
    pub count: i64,
    /// The document that describes the machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_group_ref: Option<Ref>,
}

/// When a machine is replaced. Durations are Go durations (`5m0s`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MachineHealthCheck {
    /// How long a node may take to join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_startup_timeout: Option<String>,
    /// How long a node may be unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_machine_timeout: Option<String>,
    /// A number, or a percentage as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unhealthy: Option<Value>,
}

/// `spec.managementCluster`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ManagementCluster {
    /// Its own name for a cluster that manages itself.
    pub name: String,
}

/// `spec.podIamConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodIamConfig {
    /// The issuer of service account tokens, a URL.
    pub service_account_issuer: String,
}
