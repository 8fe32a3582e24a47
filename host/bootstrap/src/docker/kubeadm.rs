//! The configuration that kubeadm makes the bootstrap cluster of, rendered for the version at hand.
//!
//! JSON is YAML, so no text is put into text here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Pods of the bootstrap cluster. It is reached from no other cluster, so that it may be the same everywhere.
pub(super) const POD_SUBNET: &str = "10.244.0.0/16";
pub(super) const SERVICE_SUBNET: &str = "10.96.0.0/16";
/// The port of the API server inside the node.
pub(super) const API_PORT: u16 = 6443;

/// What the configuration depends on.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    /// The cluster, as kind names it.
    pub(super) cluster: &'a str,
    /// The node, which is the container's host name too.
    pub(super) name: &'a str,
    /// Its address in the container network.
    pub(super) address: &'a str,
    /// `v1.34.10`, as the image says it.
    pub(super) version: &'a str,
    /// Names and addresses that the API server is reached by from outside.
    pub(super) reached_at: &'a [String],
    pub(super) cgroup_v1: bool,
    /// In a user namespace, or without all privileges: kernel settings are not the node's to write.
    pub(super) rootless: bool,
    pub(super) confined: bool,
}

/// The minor version in `v1.34.10` or `v1.34.1-eks-1-34-9`.
pub(super) fn minor(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').nth(1)?.parse().ok()
}

/// The documents of the configuration. None if the version can't be read.
pub(super) fn configuration(node: &Node<'_>) -> Option<String> {
    let minor = minor(node.version)?;
    // `v1beta4` came with 1.31, and `v1beta3` with 1.22.
    let lists = minor >= 31;
    let version = match minor {
        ..22 => "kubeadm.k8s.io/v1beta2",
        22..31 => "kubeadm.k8s.io/v1beta3",
        _ => "kubeadm.k8s.io/v1beta4",
    };
    let arguments = |pairs: &[(&str, &str)]| -> Value {
        if lists {
            return pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        }
        json!(pairs.iter().copied().collect::<BTreeMap<_, _>>())
    };
    let provider = format!("kind://docker/{}/{}", node.cluster, node.name);
    let sans: Vec<&str> = ["localhost"].into_iter().chain(node.reached_at.iter().map(String::as_str)).collect();
    let mut cluster = json!({
        "apiVersion": version,
        "kind": "ClusterConfiguration",
        "clusterName": node.cluster,
        "kubernetesVersion": node.version,
        "controlPlaneEndpoint": format!("{}:{API_PORT}", node.name),
        "apiServer": {"certSANs": sans},
        "controllerManager": {"extraArgs": arguments(&[("enable-hostpath-provisioner", "true")])},
        "networking": {"podSubnet": POD_SUBNET, "serviceSubnet": SERVICE_SUBNET},
    });
    let mut init = json!({
        "apiVersion": version,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": API_PORT},
        "nodeRegistration": {
            "criSocket": "unix:///run/containerd/containerd.sock",
            "kubeletExtraArgs": arguments(&[
                ("node-ip", node.address),
                ("provider-id", &provider),
                ("runtime-cgroups", "/system.slice/containerd.service"),
            ]),
            // The one node runs everything.
            "taints": [],
        },
        // The checks of kubeadm look for kernel modules and settings that containers share with their host.
        "skipPhases": ["preflight"],
    });
    // On a machine that is busy with other things a single call may take longer than the minute that kubeadm gives it.
    if lists {
        put(
            &mut init,
            "timeouts",
            json!({
                "kubeletHealthCheck": "4m0s",
                "controlPlaneComponentHealthCheck": "6m0s",
                "kubernetesAPICall": "4m0s",
                "etcdAPICall": "4m0s",
            }),
        );
    } else if let Some(api_server) = cluster.get_mut("apiServer") {
        put(api_server, "timeoutForControlPlane", json!("6m0s"));
    }
    let mut kubelet = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "cgroupRoot": "/kubelet",
        "failSwapOn": false,
        // The disk is the engine's: what is full there is not for this node to clean up.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
    });
    let mut proxy = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "conntrack": {"maxPerCore": 0},
    });
    // Kubelets from 1.35 on refuse such hosts unless told otherwise; those before 1.31 don't know the field.
    if node.cgroup_v1 && minor >= 31 {
        put(&mut kubelet, "failCgroupV1", json!(false));
    }
    if node.rootless {
        put(&mut kubelet, "featureGates", json!({"KubeletInUserNamespace": true}));
    }
    if node.rootless || node.confined {
        put(
            &mut proxy,
            "conntrack",
            json!({"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}),
        );
    }
    let documents = [cluster, init, kubelet, proxy];
    Some(documents.iter().map(|d| format!("{d:#}\n")).collect::<Vec<_>>().join("---\n"))
}

fn put(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(version: &str, cgroup_v1: bool) -> Vec<Value> {
        let node = Node {
            cluster: "prod-eks-a-cluster",
            name: "prod-eks-a-cluster-control-plane",
            address: "172.18.0.2",
            version,
            reached_at: &["127.0.0.1".to_owned()],
            cgroup_v1,
            rootless: false,
            confined: false,
        };
        configuration(&node).unwrap().split("---\n").map(|d| serde_json::from_str(d).unwrap()).collect()
    }

    #[test]
    fn arguments_are_lists_from_v1beta4_on() {
        for (version, api, list) in [("v1.30.14", "v1beta3", false), ("v1.34.1-eks-1-34-9", "v1beta4", true)] {
            let documents = documents(version, false);
            assert_eq!(documents[0]["apiVersion"], format!("kubeadm.k8s.io/{api}"));
            assert_eq!(documents[0]["kubernetesVersion"], version);
            let arguments = &documents[1]["nodeRegistration"]["kubeletExtraArgs"];
            assert_eq!(arguments.is_array(), list, "{arguments}");
            let provider = "kind://docker/prod-eks-a-cluster/prod-eks-a-cluster-control-plane";
            if list {
                assert_eq!(arguments[1], json!({"name": "provider-id", "value": provider}));
            } else {
                assert_eq!(arguments["provider-id"], provider);
            }
            assert_eq!(documents[1]["nodeRegistration"]["taints"], json!([]));
            let (old, new) = (&documents[0]["apiServer"]["timeoutForControlPlane"], &documents[1]["timeouts"]);
            assert_eq!((old.is_null(), new.is_null()), (list, !list), "{old} {new}");
        }
    }

    #[test]
    fn a_kubelet_is_told_of_old_cgroups_if_it_knows_the_word() {
        assert_eq!(documents("v1.35.0", true)[2]["failCgroupV1"], false);
        assert_eq!(documents("v1.31.0", true)[2]["failCgroupV1"], false);
        assert!(documents("v1.30.0", true)[2].get("failCgroupV1").is_none());
        assert!(documents("v1.35.0", false)[2].get("failCgroupV1").is_none());
    }

    #[test]
    fn a_version_that_is_none_is_not_guessed_at() {
        assert_eq!(minor("v1.34.10"), Some(34));
        for wrong in ["", "v1", "latest", "v1.x.1"] {
            assert_eq!(minor(wrong), None, "{wrong}");
        }
    }
}
