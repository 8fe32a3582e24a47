//! Kubernetes objects as plain JSON: what kind, which one, and reading their fields.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeRef {
    /// Group and version, `v1` for the core group.
    pub api_version: Cow<'static, str>,
    /// The kind.
    pub kind: Cow<'static, str>,
}

impl TypeRef {
    /// A kind known when this program was written.
    pub const fn of(api_version: &'static str, kind: &'static str) -> Self {
        Self { api_version: Cow::Borrowed(api_version), kind: Cow::Borrowed(kind) }
    }

    /// A kind learnt at run time.
    pub fn new(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { api_version: Cow::Owned(api_version.into()), kind: Cow::Owned(kind.into()) }
    }

    /// The group, empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version without its group.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&self.api_version, |(_, version)| version)
    }
}

impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind, self.api_version)
    }
}

/// One object: `KubeadmControlPlane eksa-system/prod`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// What it is.
    #[serde(flatten)]
    pub kind: TypeRef,
    /// Where, none if the kind has no namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectId {
    /// An object in a namespace.
    pub fn namespaced(kind: TypeRef, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// An object of a kind without namespaces.
    pub fn cluster_wide(kind: TypeRef, name: &str) -> Self {
        Self { kind, namespace: None, name: name.to_owned() }
    }

    /// The identity of an object; none if a part of it is missing.
    pub fn from_object(object: &Value) -> Option<Self> {
        Some(Self {
            kind: TypeRef::new(text(object, "/apiVersion")?, text(object, "/kind")?),
            namespace: text(object, "/metadata/namespace").filter(|n| !n.is_empty()).map(str::to_owned),
            name: text(object, "/metadata/name")?.to_owned(),
        })
    }

    /// The same for every version of the kind.
    pub fn versionless(&self) -> (String, String, Option<String>, String) {
        (self.kind.group().to_owned(), self.kind.kind.to_string(), self.namespace.clone(), self.name.clone())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.kind, self.name),
            None => write!(f, "{} {}", self.kind.kind, self.name),
        }
    }
}

/// The kinds that this program knows by name.
pub mod kinds {
    use super::TypeRef;

    /// A cluster.
    pub const CLUSTER: TypeRef = TypeRef::of("cluster.x-k8s.io/v1beta2", "Cluster");
    /// A machine.
    pub const MACHINE: TypeRef = TypeRef::of("cluster.x-k8s.io/v1beta2", "Machine");
    /// A set of worker machines that rolls.
    pub const MACHINE_DEPLOYMENT: TypeRef = TypeRef::of("cluster.x-k8s.io/v1beta2", "MachineDeployment");
    /// Replaces unhealthy machines.
    pub const MACHINE_HEALTH_CHECK: TypeRef = TypeRef::of("cluster.x-k8s.io/v1beta2", "MachineHealthCheck");
    /// The control plane's machines.
    pub const CONTROL_PLANE: TypeRef = TypeRef::of("controlplane.cluster.x-k8s.io/v1beta2", "KubeadmControlPlane");
    /// How workers are set up.
    pub const CONFIG_TEMPLATE: TypeRef = TypeRef::of("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate");
    /// External etcd.
    pub const ETCD_CLUSTER: TypeRef = TypeRef::of("etcdcluster.cluster.x-k8s.io/v1beta1", "EtcdadmCluster");
    /// clusterctl's inventory of providers.
    pub const PROVIDER: TypeRef = TypeRef::of("clusterctl.cluster.x-k8s.io/v1alpha3", "Provider");
    /// A custom resource definition.
    pub const CRD: TypeRef = TypeRef::of("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    /// A deployment.
    pub const DEPLOYMENT: TypeRef = TypeRef::of("apps/v1", "Deployment");
    /// A pod.
    pub const POD: TypeRef = TypeRef::of("v1", "Pod");
    /// A namespace.
    pub const NAMESPACE: TypeRef = TypeRef::of("v1", "Namespace");
    /// A node.
    pub const NODE: TypeRef = TypeRef::of("v1", "Node");
    /// A secret.
    pub const SECRET: TypeRef = TypeRef::of("v1", "Secret");
    /// A config map.
    pub const CONFIG_MAP: TypeRef = TypeRef::of("v1", "ConfigMap");
    /// cert-manager's certificate.
    pub const CERTIFICATE: TypeRef = TypeRef::of("cert-manager.io/v1", "Certificate");
}

/// The text at a JSON pointer.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// The number at a JSON pointer.
pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The boolean at a JSON pointer, false if there is none.
pub(crate) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The list at a JSON pointer, empty if there is none.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A label's value.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(key)?.as_str()
}

/// An annotation's value.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid").unwrap_or_default()
}

/// The object as messages name it, also when parts are missing.
pub(crate) fn describe(object: &Value) -> String {
    ObjectId::from_object(object).map_or_else(
        || {
            format!(
                "{} {}",
                text(object, "/kind").unwrap_or("object"),
                text(object, "/metadata/name").unwrap_or("without a name")
            )
        },
        |id| id.to_string(),
    )
}
