//! Overrides of the kubelet's configuration.

use serde_json::{Map, Value};

use super::{Findings, worker};
use crate::cluster::Cluster;
use crate::{path, suggest};

/// Set by the cluster's making, never by the user.
const RESERVED: [&str; 2] = ["providerID", "cloudProvider"];

/// The fields of `kubelet.config.k8s.io/v1beta1` KubeletConfiguration.
const FIELDS: &str = include_str!("kubelet-fields.txt");

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let plane = &cluster.spec.control_plane_configuration;
    one(plane.kubelet_configuration.as_ref(), "spec.controlPlaneConfiguration.kubeletConfiguration", findings);
    for (index, group) in cluster.spec.worker_node_group_configurations.iter().enumerate() {
        one(group.kubelet_configuration.as_ref(), &path::join(&worker(index), "kubeletConfiguration"), findings);
    }
}

fn one(configuration: Option<&Map<String, Value>>, at: &str, findings: &mut Findings<'_>) {
    let Some(configuration) = configuration else { return };
    if configuration.get("kind").is_none_or(Value::is_null) {
        findings.error(
            "kubelet-kind",
            &path::join(at, "kind"),
            "the kubelet configuration does not say its kind",
            "add `kind: KubeletConfiguration`",
        );
    }
    for (key, value) in configuration {
        let here = path::join(at, key);
        if RESERVED.iter().any(|r| r.eq_ignore_ascii_case(key)) {
            findings.error("kubelet-reserved", &here, format!("`{key}` of the kubelet is set by kedge"), "remove it");
        } else if matches!(key.as_str(), "apiVersion" | "kind") {
            let wanted = if key == "kind" { "KubeletConfiguration" } else { "kubelet.config.k8s.io/v1beta1" };
            if value != wanted {
                findings.error(
                    "kubelet-kind",
                    &here,
                    format!("`{key}` of a kubelet configuration is not `{}`", value.as_str().unwrap_or_default()),
                    format!("write `{key}: {wanted}`"),
                );
            }
        } else if !FIELDS.lines().any(|field| field.eq_ignore_ascii_case(key)) {
            let remedy = match suggest::nearest(key, FIELDS.lines()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it, or look up its name in the Kubernetes reference of KubeletConfiguration".to_owned(),
            };
            findings.error("unknown-field", &here, format!("the kubelet has no setting `{key}`"), remedy);
        }
    }
}
