//! What `clusterctl` looks for on a management cluster: its inventory, and the labels on all that was installed.

use kedge_spec::release::{Component, ComponentKind};
use serde_json::{Value, json};

use crate::object::kinds;

/// On everything that was installed, and on every definition whose objects a move takes along.
pub(crate) const CLUSTERCTL_LABEL: &str = "clusterctl.cluster.x-k8s.io";
/// Says which provider an object belongs to.
pub(crate) const PROVIDER_LABEL: &str = "cluster.x-k8s.io/provider";
/// Says which part of clusterctl itself an object belongs to.
pub(crate) const CORE_LABEL: &str = "clusterctl.cluster.x-k8s.io/core";
/// The version of cert-manager that an object came with.
pub(crate) const CERT_MANAGER_VERSION: &str = "cert-manager.clusterctl.cluster.x-k8s.io/version";

/// The definition of the inventory.
pub(crate) const INVENTORY_CRD: &str = "providers.clusterctl.cluster.x-k8s.io";

/// The value of [`PROVIDER_LABEL`]; none for what is not a provider.
pub(crate) fn provider_label(component: &Component) -> Option<String> {
    let name = &component.name;
    match component.kind {
        ComponentKind::CertManager => None,
        ComponentKind::Core => Some(name.clone()),
        ComponentKind::Bootstrap => Some(format!("bootstrap-{name}")),
        ComponentKind::ControlPlane => Some(format!("control-plane-{name}")),
        ComponentKind::Infrastructure => Some(format!("infrastructure-{name}")),
    }
}

/// The inventory's entry for a provider.
pub(crate) fn entry(component: &Component) -> Option<Value> {
    let label = provider_label(component)?;
    let kind = match component.kind {
        ComponentKind::CertManager => return None,
        ComponentKind::Core => "CoreProvider",
        ComponentKind::Bootstrap => "BootstrapProvider",
        ComponentKind::ControlPlane => "ControlPlaneProvider",
        ComponentKind::Infrastructure => "InfrastructureProvider",
    };
    Some(json!({
        "apiVersion": kinds::PROVIDER.api_version,
        "kind": kinds::PROVIDER.kind,
        "metadata": {
            "name": label,
            "namespace": component.namespace,
            "labels": {
                CLUSTERCTL_LABEL: "",
                PROVIDER_LABEL: label,
                CORE_LABEL: "inventory",
            },
        },
        "providerName": component.name,
        "type": kind,
        "version": component.version,
    }))
}

/// The definition of the inventory, with the fields of `cmd/clusterctl/api/v1alpha3` of Cluster API.
pub(crate) fn definition() -> Value {
    let column = |name: &str, path: &str, kind: &str| json!({"name": name, "jsonPath": path, "type": kind});
    let text = |what: &str| json!({"type": "string", "description": what});
    json!({
        "apiVersion": kinds::CRD.api_version,
        "kind": kinds::CRD.kind,
        "metadata": {
            "name": INVENTORY_CRD,
            "labels": {CLUSTERCTL_LABEL: "", CORE_LABEL: "inventory"},
        },
        "spec": {
            "group": "clusterctl.cluster.x-k8s.io",
            "names": {"kind": "Provider", "listKind": "ProviderList", "plural": "providers", "singular": "provider"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1alpha3",
                "served": true,
                "storage": true,
                "additionalPrinterColumns": [
                    column("Age", ".metadata.creationTimestamp", "date"),
                    column("Type", ".type", "string"),
                    column("Provider", ".providerName", "string"),
                    column("Version", ".version", "string"),
                ],
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": "A provider that is installed on this management cluster.",
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "providerName": text("The provider's name."),
                        "type": text("The provider's type."),
                        "version": text("The version that is installed."),
                        "watchedNamespace": text("Deprecated: the one namespace that the provider watches."),
                    },
                }},
            }],
        },
    })
}
