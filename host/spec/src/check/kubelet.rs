//! Overrides of the kubelet's configuration.

use serde_json::{Map, Value, json};

use super::{Findings, worker};
use crate::cluster::{Cluster, go_seconds};
use crate::schema::{self, Unknown};
use crate::{path, suggest};

/// Set by the cluster's making, never by the user.
const RESERVED: [&str; 2] = ["providerID", "cloudProvider"];

/// The fields of `kubelet.config.k8s.io/v1beta1` KubeletConfiguration (Kubernetes 1.36), each with its type.
const FIELDS: &str = include_str!("kubelet-fields.txt");

fn fields() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    FIELDS.lines().filter_map(|line| line.split_once(' '))
}

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
        } else if let Some((_, kind)) = fields().find(|(field, _)| field.eq_ignore_ascii_case(key)) {
            setting(key, value, kind, at, findings);
        } else {
            let remedy = match suggest::nearest(key, fields().map(|(field, _)| field)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it, or look up its name in the Kubernetes reference of KubeletConfiguration".to_owned(),
            };
            findings.error("unknown-field", &here, format!("the kubelet has no setting `{key}`"), remedy);
        }
    }
}

/// Whether a value is of the type that the kubelet reads there.
fn setting(key: &str, value: &Value, kind: &str, at: &str, findings: &mut Findings<'_>) {
    let inner = match kind {
        "boolean" | "integer" | "number" | "object" => json!({ "type": kind }),
        "list" => json!({ "type": "array" }),
        "texts" => json!({ "type": "array", "items": { "type": "string" } }),
        "strings" => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        "booleans" => json!({ "type": "object", "additionalProperties": { "type": "boolean" } }),
        _ => json!({ "type": "string" }),
    };
    let schema = json!({ "properties": { key: inner } });
    let mut found = schema::findings(findings.cluster, &json!({ key: value }), &schema, Unknown::Refused);
    for finding in &mut found {
        finding.path = format!("{at}.{}", finding.path);
    }
    if kind == "duration"
        && let Some(text) = value.as_str().filter(|text| go_seconds(text).is_none())
    {
        findings.error(
            "duration",
            &path::join(at, key),
            format!("`{text}` is not a duration"),
            "write it with units, for example `10m` or `1h30m`",
        );
    }
    findings.found.extend(found);
}
