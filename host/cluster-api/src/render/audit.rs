//! The audit log of the API server.

use serde_json::{Value, json};

use super::args::Args;
use super::context::Context;
use super::file::File;
use super::node::Family;

const POLICY: &str = "/etc/kubernetes/audit-policy.yaml";
const LOGS: &str = "/var/log/kubernetes";

/// The policy when the spec has none. Its rules are those of EKS Anywhere v0.26, in their order.
const DEFAULT_POLICY: &str = include_str!("audit-policy.yaml");

/// The policy as a file.
pub(super) fn file(context: &Context<'_>) -> File {
    let own = context.cluster.spec.control_plane_configuration.audit_policy_content.as_deref();
    let own = own.map(str::trim).filter(|policy| !policy.is_empty());
    File::new(POLICY, own.unwrap_or(DEFAULT_POLICY))
}

/// The arguments that switch it on. Sizes in MiB, ages in days.
pub(super) fn arguments(api_server: &mut Args) {
    api_server.set("audit-policy-file", POLICY);
    api_server.set("audit-log-path", format!("{LOGS}/api-audit.log"));
    api_server.set("audit-log-maxage", "30");
    api_server.set("audit-log-maxbackup", "10");
    api_server.set("audit-log-maxsize", "512");
}

/// What the API server has to see of the node.
pub(super) fn volumes(family: Family) -> Vec<Value> {
    let policy = family.kubernetes_file("audit-policy.yaml");
    vec![
        json!({"name": "audit-policy", "hostPath": policy, "mountPath": POLICY, "pathType": "File", "readOnly": true}),
        json!({"name": "audit-log-dir", "hostPath": LOGS, "mountPath": LOGS, "pathType": "DirectoryOrCreate", "readOnly": false}),
    ]
}
