//! The audit log of the API server.

use kedge_spec::provider::NodeFile;
use serde_json::{Value, json};

use super::args::Args;
use super::context::Context;

const POLICY: &str = "/etc/kubernetes/audit-policy.yaml";
const LOGS: &str = "/var/log/kubernetes";

/// The policy when the spec has none: metadata of what is read, the content of what is changed, nothing of the noise, and
/// never the content of what may be secret.
const DEFAULT_POLICY: &str = include_str!("audit-policy.yaml");

/// The policy as a file.
pub(super) fn file(context: &Context<'_>) -> NodeFile {
    let own = context.cluster.spec.control_plane_configuration.audit_policy_content.as_deref();
    NodeFile {
        path: POLICY.to_owned(),
        owner: "root:root".to_owned(),
        permissions: "0640".to_owned(),
        content: own.filter(|policy| !policy.trim().is_empty()).unwrap_or(DEFAULT_POLICY).to_owned(),
    }
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
pub(super) fn volumes(bottlerocket: bool) -> Vec<Value> {
    // Bottlerocket's bootstrap container writes what belongs under /etc/kubernetes to a folder of its own.
    let policy = if bottlerocket { "/var/lib/kubeadm/audit-policy.yaml" } else { POLICY };
    vec![
        json!({"name": "audit-policy", "hostPath": policy, "mountPath": POLICY, "pathType": "File", "readOnly": true}),
        json!({"name": "audit-log-dir", "hostPath": LOGS, "mountPath": LOGS, "pathType": "DirectoryOrCreate", "readOnly": false}),
    ]
}
