//! A stock clusterctl against a cluster that this program made.

use crate::{Created, peer, succeeds};

fn clusterctl(created: &Created, args: &str) -> std::process::Command {
    let mut command = peer("clusterctl", &created.sandbox);
    command.env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true").env("GOPROXY", "off");
    command.args(args.split_whitespace()).arg("--kubeconfig").arg(&created.kubeconfig);
    command
}

#[test]
fn clusterctl_describes_and_moves_what_it_did_not_make() {
    // With stacked etcd: a stock clusterctl waits for ever for the nodes that etcd machines never become.
    let created = Created::new("vsphere-ubuntu-stacked.yaml", "my-cluster-name");

    let tree = succeeds(&mut clusterctl(&created, "describe cluster my-cluster-name -n eksa-system"));
    assert!(tree.contains("Cluster eksa-system/my-cluster-name"), "{tree}");
    assert!(tree.contains("KubeadmControlPlane eksa-system/my-cluster-name"), "{tree}");
    let kubeconfig = succeeds(&mut clusterctl(&created, "get kubeconfig my-cluster-name -n eksa-system"));
    assert!(kubeconfig.contains("clusters:"), "{kubeconfig}");

    // The move needs the labels and the inventory that clusterctl's own init would have left.
    std::fs::create_dir(created.sandbox.path().join("moved")).unwrap();
    succeeds(&mut clusterctl(&created, "move --to-directory moved -n eksa-system"));
    let moved: Vec<String> = std::fs::read_dir(created.sandbox.path().join("moved"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for kind in ["Cluster_", "KubeadmControlPlane_", "MachineDeployment_", "Machine_", "VSphereCluster_", "Secret_"] {
        assert!(moved.iter().any(|f| f.starts_with(kind)), "{kind} is not among {moved:?}");
    }
}
