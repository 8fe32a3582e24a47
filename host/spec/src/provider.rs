//! What a provider says and gives, as plain data: the host's side of the contract in `wit/`.
//!
//! These types are independent of any contract version. `host/plugin` turns what a component answers into them, and
//! `host/cluster-api` and `host/workflow` know nothing else of a provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::finding::{Finding, ObjectRef};

/// What a kind of document is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindRole {
    /// `spec.datacenterRef` names one.
    Datacenter,
    /// `machineGroupRef`s name these.
    Machine,
    /// A purpose that this host has no name for.
    Other(String),
}

/// A kind of document that a provider understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KindClaim {
    /// What documents of this kind are for.
    pub role: KindRole,
    /// The kind, for example `AcmeDatacenterConfig`.
    pub kind: String,
    /// Group and version, newest first.
    pub api_versions: Vec<String>,
}

/// A server that a provider talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointNeed {
    /// The provider's name for it.
    pub name: String,
    /// Why, for the person who grants it.
    pub purpose: String,
    /// The kind of document whose field names the server.
    pub kind: String,
    /// That field: host or host:port.
    pub server_field: String,
    /// Port when the field has none.
    pub default_port: u16,
    /// A boolean field that switches certificate checks off.
    pub insecure_field: Option<String>,
    /// A field with the SHA-1 thumbprint of the certificate.
    pub thumbprint_field: Option<String>,
}

/// A secret that a provider refers to and never sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretNeed {
    /// The provider's name for it.
    pub name: String,
    /// Why, for the person who grants it.
    pub purpose: String,
    /// Environment variables that hold it, the first one set wins.
    pub environment: Vec<String>,
    /// The endpoint whose requests may carry it.
    pub endpoint: Option<String>,
    /// Whether a create can't go without it.
    pub required: bool,
}

/// The Cluster API infrastructure provider that goes with a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Infrastructure {
    /// Its name as clusterctl knows it.
    pub name: String,
    /// The entry of a release's `versionsBundles` with its version and components.
    pub release_key: String,
    /// The namespace it is installed in.
    pub namespace: String,
    /// The API group of its objects.
    pub api_group: String,
    /// The kind of its cluster object.
    pub cluster_kind: String,
    /// The kind of its machine templates.
    pub machine_template_kind: String,
    /// API versions that the provider can render, best first.
    pub api_versions: Vec<String>,
}

/// Who a provider is and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The short name, the one of `-p`.
    pub name: String,
    /// The name as progress lines show it.
    pub title: String,
    /// The provider's own version.
    pub version: String,
    /// The kinds it understands.
    pub kinds: Vec<KindClaim>,
    /// The servers it talks to.
    pub endpoints: Vec<EndpointNeed>,
    /// The secrets it refers to.
    pub secrets: Vec<SecretNeed>,
    /// Its Cluster API infrastructure provider.
    pub infrastructure: Infrastructure,
    /// Whether machines have documents of their own.
    pub machine_documents: bool,
    /// Whether the user names the control plane's address.
    pub user_endpoint: bool,
    /// CNI plugins besides Cilium.
    pub extra_cni: Vec<String>,
    /// Further facts by name.
    #[serde(default)]
    pub extensions: BTreeMap<String, String>,
}

impl Description {
    /// The kind that `spec.datacenterRef` names.
    pub fn datacenter_kind(&self) -> Option<&str> {
        self.kinds.iter().find(|k| k.role == KindRole::Datacenter).map(|k| k.kind.as_str())
    }

    /// The path at which the infrastructure provider's controllers expect the socket of the container engine on the
    /// nodes they run on, if they make machines through it.
    pub fn engine_socket(&self) -> Option<&str> {
        self.extensions.get("engine-socket").map(String::as_str).filter(|path| path.starts_with('/'))
    }

    /// The claim on a kind, if this provider understands it.
    pub fn claim(&self, kind: &str) -> Option<&KindClaim> {
        self.kinds.iter().find(|k| k.kind == kind)
    }
}

/// One document as it crosses to a provider and back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderDocument {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// The whole document.
    pub body: Value,
}

/// Something that defaulting set or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The document.
    pub document: ObjectRef,
    /// The field.
    pub path: String,
    /// Why, for the user.
    pub reason: String,
}

/// What a machine is for. Orders as the machines are made: etcd, control plane, workers by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A member of an external etcd cluster.
    Etcd,
    /// A control plane node.
    ControlPlane,
    /// A worker node group, by the name it has in the spec.
    Worker(String),
}

/// A machine template of the infrastructure provider, not yet named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineTemplate {
    /// What its machines are for.
    pub role: Role,
    /// `apiVersion`, `kind`, `spec`.
    pub object: Value,
    /// Fields that may change without a new name.
    pub in_place: Vec<String>,
}

/// A file on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFile {
    /// Absolute path.
    pub path: String,
    /// `user:group`.
    pub owner: String,
    /// Octal.
    pub permissions: String,
    /// The content.
    pub content: String,
}

/// A user on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeUser {
    /// Login name.
    pub name: String,
    /// Keys that may log in.
    pub ssh_authorized_keys: Vec<String>,
    /// A sudo rule.
    pub sudo: Option<String>,
}

/// An argument for one component of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// `kubelet`, `api-server`, `controller-manager`, `scheduler` or `etcd`.
    pub component: String,
    /// Without dashes.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A path of the host that a control plane component mounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostMount {
    /// As in [`Argument::component`].
    pub component: String,
    /// The volume's name.
    pub name: String,
    /// On the node.
    pub host_path: String,
    /// In the component.
    pub mount_path: String,
    /// Mounted read-only.
    pub read_only: bool,
}

/// What a node of a role needs beyond what Kubernetes and the Cluster ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeContribution {
    /// `ubuntu`, `redhat`, `bottlerocket` or `container`.
    pub os_family: String,
    /// Files to write.
    pub files: Vec<NodeFile>,
    /// Commands before kubeadm.
    pub pre_commands: Vec<String>,
    /// Commands after kubeadm.
    pub post_commands: Vec<String>,
    /// Arguments by component.
    pub arguments: Vec<Argument>,
    /// Mounts of control plane components.
    pub mounts: Vec<HostMount>,
    /// Users.
    pub users: Vec<NodeUser>,
    /// NTP servers.
    pub ntp_servers: Vec<String>,
    /// PEM certificates that the node trusts.
    pub certificates: Vec<String>,
    /// Further names for the API server's certificate.
    pub cert_sans: Vec<String>,
    /// The node's name as a cloud-init template.
    pub node_name: Option<String>,
    /// Further facts by name.
    #[serde(default)]
    pub extensions: BTreeMap<String, String>,
}

/// When an object is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// On the management cluster, before the Cluster object.
    BeforeCluster,
    /// On the management cluster, with the Cluster object.
    WithCluster,
    /// On the workload cluster.
    WorkloadCluster,
}

/// An object with its place in the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// When.
    pub placement: Placement,
    /// The Kubernetes object.
    pub object: Value,
}

/// The infrastructure provider's objects of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InfrastructureObjects {
    /// What `spec.infrastructureRef` of the Cluster names.
    pub cluster: Value,
    /// Identities, credentials, failure domains.
    pub others: Vec<Manifest>,
}

/// Everything a provider contributes to the manifests of one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// One for each role with machines.
    pub templates: Vec<MachineTemplate>,
    /// One for each role with machines.
    pub nodes: BTreeMap<Role, NodeContribution>,
    /// The infrastructure objects.
    pub infrastructure: InfrastructureObjects,
    /// Cloud provider, storage class and the like.
    pub addons: Vec<Manifest>,
}

/// A preflight check, before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Stable and unique.
    pub id: String,
    /// The line for a pass.
    pub title: String,
    /// The document it is about.
    pub document: Option<ObjectRef>,
    /// A pass is worth no line of its own.
    #[serde(default)]
    pub quiet: bool,
}

/// What an argument of a provider's command takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentKind {
    /// Text.
    Text,
    /// One of these.
    Choice(Vec<String>),
    /// Nothing: it is there or not.
    Flag,
    /// A file, whose content is the value.
    File,
    /// A server, host or host:port, for the endpoint of this name.
    Server(String),
}

/// An argument of a provider's command: `--NAME VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandArgument {
    /// Lower-case letters, digits and dashes.
    pub name: String,
    /// One line for the help.
    pub about: String,
    /// What it takes.
    pub kind: ArgumentKind,
    /// Whether it has to be given.
    pub required: bool,
    /// Whether it may be given more than once.
    pub repeated: bool,
    /// The value when it is not given.
    pub default: Option<String>,
}

/// A command of a provider's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderCommand {
    /// Lower-case letters, digits and dashes.
    pub name: String,
    /// One line for the list of commands.
    pub about: String,
    /// What else there is to know.
    pub details: String,
    /// What it takes.
    pub arguments: Vec<CommandArgument>,
    /// Whether a spec may be given.
    pub spec: bool,
    /// Whether it changes something outside.
    pub changes: bool,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandAnswer {
    /// For people.
    pub text: String,
    /// The same for programs.
    pub data: Value,
    /// What else there is to say.
    pub findings: Vec<Finding>,
}

/// How a preflight check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckStatus {
    /// As expected.
    Passed,
    /// Stops a create.
    Failed,
    /// Does not stop it.
    Warned,
    /// Not run, and why.
    Skipped(String),
}

/// The result of a preflight check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckOutcome {
    /// [`Check::id`].
    pub check: String,
    /// How it went.
    pub status: CheckStatus,
    /// In words.
    pub expected: String,
    /// In words.
    pub found: String,
    /// Why it failed or warned.
    pub findings: Vec<Finding>,
}

/// What a changed field means for a running cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No machine is replaced.
    Allowed,
    /// Can't be changed, and why.
    Refused(String),
    /// Machines of these roles are replaced.
    Rolls(Vec<Role>),
}

/// One changed field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The document.
    pub document: ObjectRef,
    /// The field.
    pub path: String,
    /// What it means.
    pub verdict: Verdict,
}

/// What pure functions and preflight get. See `input` in `wit/types.wit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderInput {
    /// The cluster's name.
    pub cluster_name: String,
    /// The namespace of Cluster API objects.
    pub namespace: String,
    /// The defaulted documents, the Cluster first.
    pub documents: Vec<ProviderDocument>,
    /// The release as this cluster sees it.
    pub release: Value,
    /// What preflight found out.
    pub facts: Value,
    /// Features of this host.
    pub features: Vec<String>,
}
