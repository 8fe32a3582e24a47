//! kube-vip: a static pod on control plane nodes that announces the endpoint's address.

/// Where the pod's manifest goes.
pub(super) const PATH: &str = "/etc/kubernetes/manifests/kube-vip.yaml";

/// From Kubernetes 1.29 on, `admin.conf` of the first node has no rights before kubeadm is done; `super-admin.conf`
/// has. Only the first node has the file that the command looks for.
pub(super) const FIRST_NODE_COMMAND: &str = "if [ -f /run/kubeadm/kubeadm.yaml ]; then sed -i \
     's#path: /etc/kubernetes/admin.conf#path: /etc/kubernetes/super-admin.conf#' \
     /etc/kubernetes/manifests/kube-vip.yaml; fi";

/// The pod's manifest.
pub(super) fn manifest(image: &str, address: &str, bottlerocket: bool) -> String {
    let kubeconfig = if bottlerocket { "/var/lib/kubeadm/admin.conf" } else { "/etc/kubernetes/admin.conf" };
    include_str!("kube-vip.yaml")
        .replace("@IMAGE@", image)
        .replace("@ADDRESS@", address)
        .replace("@PREFIX@", if address.contains(':') { "128" } else { "32" })
        .replace("@KUBECONFIG@", kubeconfig)
}

#[cfg(test)]
mod tests {
    use kedge_sdk::testing::yaml;

    use super::*;

    #[test]
    fn the_pod_announces_the_address() {
        let pod = yaml(&manifest("example.com/kube-vip:v1", "10.0.0.5", false)).remove(0);
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["image"], "example.com/kube-vip:v1");
        let env = container["env"].as_array().unwrap();
        assert!(env.iter().any(|e| e["name"] == "address" && e["value"] == "10.0.0.5"));
        assert_eq!(pod["spec"]["volumes"][0]["hostPath"]["path"], "/etc/kubernetes/admin.conf");
        assert!(manifest("i", "fd00::1", true).contains("\"128\""));
        assert!(!manifest("i", "fd00::1", true).contains('@'));
    }
}
