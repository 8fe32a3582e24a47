//! Where Cilium refuses all traffic that no policy allows, the components of the cluster need policies that allow theirs.

use serde_json::{Value, json};

/// The namespace of what Kubernetes itself runs: it is there before anything else.
const SYSTEM: &str = "kube-system";

/// Policies that allow all traffic of the namespaces, and the namespaces themselves, which come only later.
pub(super) fn allow_all(namespaces: &[String]) -> Vec<Value> {
    let mut objects = vec![policy(SYSTEM)];
    for namespace in namespaces.iter().filter(|n| *n != SYSTEM) {
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        objects.push(policy(namespace));
    }
    objects
}

fn policy(namespace: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": format!("allow-all-{namespace}"), "namespace": namespace},
        "spec": {
            "podSelector": {},
            "ingress": [{}],
            "egress": [{}],
            "policyTypes": ["Ingress", "Egress"],
        },
    })
}
