//! The Kubeadm providers: bootstrap data for machines, and the control plane.

mod config;
mod controlplane;
mod kubeconfig;
mod report;
mod secrets;

use serde_json::{Value, json};

use super::controller::Controller;
use super::kubernetes::node;
use super::meta::text;

pub(crate) use secrets::{Purpose, ensure as ensure_secret};

/// Where kubeadm leaves its configuration; that it is there means that the control plane is initialized.
pub(crate) const CONFIG_MAP_NAME: &str = "kubeadm-config";

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![Box::new(config::KubeadmConfigs), Box::new(controlplane::ControlPlanes)]
}

/// How a node registers, by its kubeadm configuration.
pub(crate) struct NodeRegistration {
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) taints: Vec<Value>,
}

/// Reads `nodeRegistration` of the configuration of a machine.
pub(crate) fn registration(config: &Value, control_plane: bool) -> NodeRegistration {
    let spec = config.get("spec").cloned().unwrap_or_default();
    let part = |name: &str| spec.pointer(&format!("/{name}/nodeRegistration")).cloned();
    let registration = part("initConfiguration").or_else(|| part("joinConfiguration")).unwrap_or_default();
    let mut labels = Vec::new();
    if control_plane {
        labels.push(("node-role.kubernetes.io/control-plane".to_owned(), String::new()));
        labels.push(("node.kubernetes.io/exclude-from-external-load-balancers".to_owned(), String::new()));
    }
    let given = argument(&registration, "node-labels").unwrap_or_default();
    labels.extend(
        given.split(',').filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    let mut taints = match registration.get("taints").and_then(Value::as_array) {
        Some(list) => list.clone(),
        None if control_plane => vec![json!({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"})],
        None => Vec::new(),
    };
    if argument(&registration, "cloud-provider").as_deref() == Some("external") {
        taints.push(json!({"key": node::UNINITIALIZED, "value": "true", "effect": "NoSchedule"}));
    }
    NodeRegistration { labels, taints }
}

fn argument(registration: &Value, name: &str) -> Option<String> {
    match registration.get("kubeletExtraArgs")? {
        Value::Array(list) => {
            list.iter().find(|one| text(one, "/name") == name).map(|one| text(one, "/value").to_owned())
        }
        Value::Object(map) => map.get(name).and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}

/// The pods that a control plane node runs from files.
pub(crate) fn static_pods(config: &Value) -> Vec<String> {
    let mut pods: Vec<String> =
        ["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(str::to_owned).to_vec();
    if !has_external_etcd(config) {
        pods.insert(0, "etcd".to_owned());
    }
    let files = config.pointer("/spec/files").and_then(Value::as_array).into_iter().flatten();
    let manifests = files.into_iter().filter_map(|file| text(file, "/path").strip_prefix("/etc/kubernetes/manifests/"));
    pods.extend(manifests.filter_map(|file| file.strip_suffix(".yaml")).map(str::to_owned));
    pods
}

fn has_external_etcd(config: &Value) -> bool {
    config.pointer("/spec/clusterConfiguration/etcd/external").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_registers_as_its_configuration_says() {
        let config = json!({"spec": {
            "joinConfiguration": {"nodeRegistration": {
                "kubeletExtraArgs": [{"name": "node-labels", "value": "a=b,c="}, {"name": "cloud-provider", "value": "external"}],
                "taints": [{"key": "x", "effect": "NoExecute"}],
            }},
            "files": [{"path": "/etc/kubernetes/manifests/kube-vip.yaml"}, {"path": "/etc/kubernetes/audit-policy.yaml"}],
        }});
        let worker = registration(&config, false);
        assert_eq!(worker.labels, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())]);
        assert_eq!(worker.taints.len(), 2);
        let plain = registration(&json!({"spec": {"initConfiguration": {}}}), true);
        assert_eq!(text(&plain.taints[0], "/key"), "node-role.kubernetes.io/control-plane");
        let untainted =
            registration(&json!({"spec": {"initConfiguration": {"nodeRegistration": {"taints": []}}}}), true);
        assert!(untainted.taints.is_empty());
        assert_eq!(
            static_pods(&config),
            ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-vip"]
        );
    }
}
