//! Exclusions from admission plugins for what Kubernetes does for itself (`skipAdmissionForSystemResources`). EKS Distro's
//! API server reads the rules from a file that an environment variable names.

use serde_json::{Map, Value, json};

use super::context::{Context, put};
use super::file::File;
use super::node::Family;

const RULES: &str = "/etc/kubernetes/admission-plugin-exclusion-rules.json";
const VARIABLE: &str = "EKS_PATCH_EXCLUSION_RULES_FILE";

/// Group, version, kind, namespace (none: without namespaces), names (none: any), who asks for it. As EKS Anywhere v0.26
/// has them.
type Rule = (&'static str, &'static str, &'static str, Option<&'static str>, &'static [&'static str], &'static str);

const ANY: &[&str] = &["*"];
const RBAC: &str = "rbac.authorization.k8s.io";
const FLOW: &str = "flowcontrol.apiserver.k8s.io";
const API_SERVER: &str = "system:apiserver";
const CONTROLLERS: &str = "system:kube-controller-manager";

const ALL: [Rule; 17] = [
    ("", "v1", "TokenRequest", Some("kube-system"), ANY, CONTROLLERS),
    ("", "v1", "ServiceAccount", Some("kube-system"), ANY, CONTROLLERS),
    (
        "coordination.k8s.io",
        "v1",
        "Lease",
        Some("kube-system"),
        &[
            "kube-controller-manager",
            "kube-scheduler",
            "cilium-operator-resource-lock",
            "cert-manager-controller",
            "cert-manager-cainjector-leader-election",
        ],
        "*",
    ),
    ("coordination.k8s.io", "v1", "Lease", Some("kube-node-lease"), ANY, "*"),
    (FLOW, "*", "FlowSchema", None, ANY, API_SERVER),
    (FLOW, "*", "PriorityLevelConfiguration", None, ANY, API_SERVER),
    (RBAC, "v1", "ClusterRole", None, ANY, API_SERVER),
    (RBAC, "v1", "ClusterRoleBinding", None, ANY, API_SERVER),
    (RBAC, "v1", "Role", Some("kube-system"), ANY, API_SERVER),
    (RBAC, "v1", "RoleBinding", Some("kube-system"), ANY, API_SERVER),
    (RBAC, "v1", "Role", Some("kube-public"), ANY, API_SERVER),
    (RBAC, "v1", "RoleBinding", Some("kube-public"), ANY, API_SERVER),
    ("apiregistration.k8s.io", "v1", "APIService", None, &[], API_SERVER),
    ("", "v1", "Pod", Some("kube-system"), ANY, "system:serviceaccount:kube-system:daemon-set-controller"),
    ("", "v1", "Pod", Some("kube-system"), ANY, "system:serviceaccount:kube-system:replicaset-controller"),
    ("apps", "v1", "DaemonSet", Some("kube-system"), &["cilium", "kube-proxy"], "*"),
    ("apps", "v1", "Deployment", Some("kube-system"), &["cilium-operator", "coredns"], "*"),
];

/// The API services that the API server registers itself: group and its versions. An APIService is called
/// `VERSION.GROUP`.
const API_SERVICES: [(&str, &[&str]); 20] = [
    ("apps", &["v1"]),
    ("autoscaling", &["v1", "v2", "v2beta1", "v2beta2"]),
    ("batch", &["v1", "v1beta1", "v2alpha1"]),
    ("networking.k8s.io", &["v1", "v1beta1", "v1alpha1"]),
    ("policy", &["v1", "v1beta1"]),
    ("storage.k8s.io", &["v1", "v1beta1", "v1alpha1"]),
    ("resource.k8s.io", &["v1beta2", "v1beta1", "v1alpha3"]),
    ("scheduling.k8s.io", &["v1"]),
    ("node.k8s.io", &["v1", "v1alpha1", "v1beta1"]),
    ("events.k8s.io", &["v1", "v1beta1"]),
    ("authentication.k8s.io", &["v1", "v1beta1", "v1alpha1"]),
    ("authorization.k8s.io", &["v1"]),
    ("certificates.k8s.io", &["v1", "v1beta1", "v1alpha1"]),
    (RBAC, &["v1"]),
    ("apiextensions.k8s.io", &["v1"]),
    ("admissionregistration.k8s.io", &["v1", "v1beta1", "v1alpha1"]),
    ("coordination.k8s.io", &["v1", "v1beta1", "v1alpha2"]),
    ("discovery.k8s.io", &["v1", "v1beta1"]),
    (FLOW, &["v1", "v1beta3", "v1beta2", "v1beta1", "v1alpha1"]),
    ("internal.apiserver.k8s.io", &["v1alpha1"]),
];
const STORAGE_MIGRATION: &str = "v1alpha1.storagemigration.k8s.io";

/// Whether the spec asks for it.
pub(super) fn wanted(context: &Context<'_>) -> bool {
    context.cluster.spec.control_plane_configuration.skip_admission_for_system_resources == Some(true)
}

/// The rules as a file.
pub(super) fn file() -> File {
    File::new(RULES, format!("{:#}", Value::from(rules())))
}

/// What the API server has to see of the node.
pub(super) fn volume(family: Family) -> Value {
    json!({
        "name": "admission-exclusion-rules",
        "hostPath": family.kubernetes_file("admission-plugin-exclusion-rules.json"),
        "mountPath": RULES,
        "pathType": "File",
        "readOnly": true,
    })
}

/// What tells the API server where the rules are.
pub(super) fn environment() -> Value {
    json!([{"name": VARIABLE, "value": RULES}])
}

fn rules() -> Vec<Value> {
    ALL.iter()
        .map(|(group, version, kind, namespace, names, user)| {
            let names: Vec<String> = if names.is_empty() {
                let named = |(group, versions): &(&str, &[&str])| {
                    versions.iter().map(|version| format!("{version}.{group}")).collect::<Vec<_>>()
                };
                API_SERVICES.iter().flat_map(named).chain([STORAGE_MIGRATION.to_owned()]).collect()
            } else {
                names.iter().map(|name| (*name).to_owned()).collect()
            };
            let mut rule = Map::new();
            rule.insert("apiGroup".to_owned(), Value::from(*group));
            put(&mut rule, "apiVersion", *version);
            put(&mut rule, "kind", *kind);
            put(&mut rule, "scope", if namespace.is_some() { "Namespaced" } else { "Cluster" });
            put(&mut rule, "namespace", namespace.unwrap_or_default());
            put(&mut rule, "name", names);
            put(&mut rule, "username", *user);
            Value::Object(rule)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_names_what_it_is_about() {
        let rules = rules();
        assert_eq!(rules.len(), ALL.len());
        for rule in &rules {
            assert_eq!(rule["scope"] == "Namespaced", rule["namespace"].is_string(), "{rule}");
            assert!(!rule["name"].as_array().unwrap().is_empty(), "{rule}");
        }
        let services = rules.iter().find(|rule| rule["kind"] == "APIService").unwrap();
        let names = services["name"].as_array().unwrap();
        assert!(names.contains(&json!("v2.autoscaling")) && names.contains(&json!(STORAGE_MIGRATION)));
    }
}
