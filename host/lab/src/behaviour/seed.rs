//! What a cluster has from its first moment: the node and network of a bootstrap cluster, and what kubeadm leaves in a workload cluster.

use serde_json::{Value, json};

use crate::behaviour::objects::Refused;
use crate::kube::KubeCluster;

use super::kinds::NODE;
use super::kubeadm;
use super::kubernetes::{node, pod};
use super::meta::{set, text};
use super::objects::Objects;
use super::yaml;

/// DNS: two pods that need the pod network.
fn dns(image: &str) -> Vec<Value> {
    let labels = json!({"k8s-app": "kube-dns"});
    vec![
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system", "labels": labels},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                "priorityClassName": "system-cluster-critical", "nodeSelector": {"kubernetes.io/os": "linux"}, "serviceAccountName": "coredns",
                "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}, {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
                "containers": [{"name": "coredns", "image": image}],
            }}},
        }),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": "kube-system"}}),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
            "spec": {"clusterIP": "10.96.0.10", "selector": labels, "ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]},
        }),
    ]
}

fn proxy(image: &str) -> Value {
    let labels = json!({"k8s-app": "kube-proxy"});
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube-proxy", "namespace": "kube-system", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
            "hostNetwork": true, "priorityClassName": "system-node-critical", "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "kube-proxy", "image": image}],
        }}},
    })
}

fn kubeadm_config(version: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": kubeadm::CONFIG_MAP_NAME, "namespace": "kube-system"},
        "data": {"ClusterConfiguration": format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: {name}\nkubernetesVersion: {version}\n"), "kubernetesVersion": version},
    })
}

/// Fills a bootstrap cluster: one node that takes any pod, a pod network, DNS, a storage class.
pub(crate) fn bootstrap(cluster: &KubeCluster, name: &str, version: &str) {
    let objects = Objects::new(cluster.store().clone());
    let node_name = format!("{name}-control-plane");
    let provider_id = format!("kind://docker/{name}/{node_name}");
    let kubelet = node::Registration {
        name: &node_name,
        provider_id: &provider_id,
        version,
        address: "198.19.254.2",
        os_image: "Simulated by kedge",
        labels: vec![("node-role.kubernetes.io/control-plane".to_owned(), String::new())],
        taints: Vec::new(),
    };
    let mut made =
        vec![kubelet.object(), kubeadm_config(version, name), proxy(&format!("registry.k8s.io/kube-proxy:{version}"))];
    made.extend(dns("registry.k8s.io/coredns/coredns:v1.13.2"));
    for one in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        made.push(pod::of_node(&node_name, one, &format!("registry.k8s.io/{one}:{version}")));
    }
    made.push(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "rancher.io/local-path", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    }));
    made.extend(
        crate::release::embedded()
            .file("embedded:kindnetd.yaml")
            .and_then(|text| yaml::documents(text).ok())
            .unwrap_or_default(),
    );
    for one in made {
        if let Err(refused) = objects.ensure(one) {
            tracing::warn!(cluster = name, %refused, "the lab could not furnish a bootstrap cluster");
        }
    }
    objects.change(&NODE, "", &node_name, |node| {
        if let Value::Object(status) = kubelet.status() {
            for (field, value) in status {
                set(node, &["status", &field], value);
            }
        }
    });
}

/// Fills a workload cluster as kubeadm does on the first control plane node.
///
/// # Errors
/// What the API refused.
pub(crate) fn workload(objects: &Objects, version: &str, config: &Value) -> Result<(), Refused> {
    let settings = config.pointer("/spec/clusterConfiguration").cloned().unwrap_or_default();
    let repository =
        Some(text(&settings, "/imageRepository")).filter(|one| !one.is_empty()).unwrap_or("registry.k8s.io");
    let dns_repository = Some(text(&settings, "/dns/imageRepository"))
        .filter(|one| !one.is_empty())
        .unwrap_or("registry.k8s.io/coredns");
    let dns_tag = Some(text(&settings, "/dns/imageTag")).filter(|one| !one.is_empty()).unwrap_or("v1.13.2");
    objects.ensure(proxy(&format!("{repository}/kube-proxy:{version}")))?;
    for one in dns(&format!("{dns_repository}/coredns:{dns_tag}")) {
        objects.ensure(one)?;
    }
    // What this map's presence means is that all before it is there.
    objects.ensure(kubeadm_config(version, super::meta::cluster_name(config)))?;
    Ok(())
}
