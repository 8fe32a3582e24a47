//! The kinds of objects that the lab's controllers know by name.

use crate::kube::Kind;

pub(crate) const NODE: Kind = Kind::new("", "Node");
pub(crate) const POD: Kind = Kind::new("", "Pod");
pub(crate) const SECRET: Kind = Kind::new("", "Secret");
pub(crate) const CONFIG_MAP: Kind = Kind::new("", "ConfigMap");
pub(crate) const DEPLOYMENT: Kind = Kind::new("apps", "Deployment");
pub(crate) const REPLICA_SET: Kind = Kind::new("apps", "ReplicaSet");
pub(crate) const DAEMON_SET: Kind = Kind::new("apps", "DaemonSet");
pub(crate) const CRD: Kind = Kind::new("apiextensions.k8s.io", "CustomResourceDefinition");
pub(crate) const MUTATING: Kind = Kind::new("admissionregistration.k8s.io", "MutatingWebhookConfiguration");
pub(crate) const VALIDATING: Kind = Kind::new("admissionregistration.k8s.io", "ValidatingWebhookConfiguration");
pub(crate) const ISSUER: Kind = Kind::new("cert-manager.io", "Issuer");
pub(crate) const CLUSTER_ISSUER: Kind = Kind::new("cert-manager.io", "ClusterIssuer");
pub(crate) const CERTIFICATE: Kind = Kind::new("cert-manager.io", "Certificate");

pub(crate) const CORE_GROUP: &str = "cluster.x-k8s.io";
pub(crate) const INFRASTRUCTURE_GROUP: &str = "infrastructure.cluster.x-k8s.io";
pub(crate) const BOOTSTRAP_GROUP: &str = "bootstrap.cluster.x-k8s.io";

pub(crate) const CLUSTER: Kind = Kind::new(CORE_GROUP, "Cluster");
pub(crate) const MACHINE: Kind = Kind::new(CORE_GROUP, "Machine");
pub(crate) const MACHINE_SET: Kind = Kind::new(CORE_GROUP, "MachineSet");
pub(crate) const MACHINE_DEPLOYMENT: Kind = Kind::new(CORE_GROUP, "MachineDeployment");
pub(crate) const MACHINE_HEALTH_CHECK: Kind = Kind::new(CORE_GROUP, "MachineHealthCheck");
pub(crate) const RESOURCE_SET: Kind = Kind::new("addons.cluster.x-k8s.io", "ClusterResourceSet");
pub(crate) const RESOURCE_SET_BINDING: Kind = Kind::new("addons.cluster.x-k8s.io", "ClusterResourceSetBinding");
pub(crate) const KUBEADM_CONFIG: Kind = Kind::new(BOOTSTRAP_GROUP, "KubeadmConfig");
pub(crate) const ETCDADM_CONFIG: Kind = Kind::new(BOOTSTRAP_GROUP, "EtcdadmConfig");
pub(crate) const CONTROL_PLANE: Kind = Kind::new("controlplane.cluster.x-k8s.io", "KubeadmControlPlane");
pub(crate) const ETCD_CLUSTER: Kind = Kind::new("etcdcluster.cluster.x-k8s.io", "EtcdadmCluster");
pub(crate) const EKSA_CLUSTER: Kind = Kind::new("anywhere.eks.amazonaws.com", "Cluster");

/// Labels, annotations and finalizers of Cluster API. Source: `api/core/v1beta2` of sigs.k8s.io/cluster-api.
pub(crate) mod names {
    pub(crate) const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";
    pub(crate) const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";
    pub(crate) const CONTROL_PLANE_NAME: &str = "cluster.x-k8s.io/control-plane-name";
    pub(crate) const DEPLOYMENT_NAME: &str = "cluster.x-k8s.io/deployment-name";
    pub(crate) const SET_NAME: &str = "cluster.x-k8s.io/set-name";
    pub(crate) const ETCD_CLUSTER: &str = "cluster.x-k8s.io/etcd-cluster";
    pub(crate) const ETCD_READY: &str = "cluster.x-k8s.io/etcd-ready";
    pub(crate) const TEMPLATE_HASH: &str = "machine-template-hash";
    pub(crate) const PAUSED: &str = "cluster.x-k8s.io/paused";
    pub(crate) const CLONED_FROM_NAME: &str = "cluster.x-k8s.io/cloned-from-name";
    pub(crate) const CLONED_FROM_KIND: &str = "cluster.x-k8s.io/cloned-from-groupkind";
    pub(crate) const PROVIDER: &str = "cluster.x-k8s.io/provider";
    pub(crate) const CONTRACT_1: &str = "cluster.x-k8s.io/v1beta1";
    pub(crate) const CONTRACT_2: &str = "cluster.x-k8s.io/v1beta2";
    pub(crate) const CLUSTER_FINALIZER: &str = "cluster.cluster.x-k8s.io";
    pub(crate) const MACHINE_FINALIZER: &str = "machine.cluster.x-k8s.io";
    pub(crate) const MACHINE_SET_FINALIZER: &str = "cluster.x-k8s.io/machineset";
    pub(crate) const MACHINE_DEPLOYMENT_FINALIZER: &str = "cluster.x-k8s.io/machinedeployment";
    pub(crate) const CONTROL_PLANE_FINALIZER: &str = "kubeadm.controlplane.cluster.x-k8s.io";
    pub(crate) const ETCD_FINALIZER: &str = "etcdcluster.cluster.x-k8s.io";
    pub(crate) const RESOURCE_SET_FINALIZER: &str = "addons.cluster.x-k8s.io";
    /// The type of secrets that Cluster API makes.
    pub(crate) const SECRET_TYPE: &str = "cluster.x-k8s.io/secret";
}
