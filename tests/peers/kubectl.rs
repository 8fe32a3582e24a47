//! A stock kubectl against a simulated workload cluster.

use crate::{Created, fails, succeeds};

#[test]
fn kubectl_looks_around_and_changes_things() {
    let created = Created::new("docker.yaml", "mgmt");
    let kubectl = |args: &str| created.kubectl(args);

    // get, as a table, wide, as YAML and by label; conditions through wait.
    let nodes = succeeds(&mut kubectl("get nodes"));
    assert!(nodes.starts_with("NAME"), "{nodes}");
    assert_eq!(nodes.lines().count(), 3, "{nodes}");
    assert_eq!(nodes.matches(" Ready ").count(), 2, "{nodes}");
    succeeds(&mut kubectl("wait --for=condition=Ready nodes --all --timeout=20s"));
    let machines = succeeds(&mut kubectl("get machines -A -o name"));
    assert!(machines.lines().count() >= 2, "{machines}");
    let cluster = succeeds(&mut kubectl("get clusters.cluster.x-k8s.io mgmt -n eksa-system -o yaml"));
    assert!(cluster.contains("kind: Cluster"), "{cluster}");
    assert!(succeeds(&mut kubectl("get clusters.cluster.x-k8s.io -A -o wide")).contains("mgmt"));
    succeeds(&mut kubectl(
        "wait --for=condition=Available clusters.cluster.x-k8s.io/mgmt -n eksa-system --timeout=20s",
    ));

    // describe, api-resources, explain, api-versions.
    assert!(succeeds(&mut kubectl("describe clusters.cluster.x-k8s.io mgmt -n eksa-system")).contains("ControlPlane"));
    assert!(succeeds(&mut kubectl("describe nodes")).contains("Conditions:"));
    assert!(succeeds(&mut kubectl("api-resources")).contains("kubeadmcontrolplanes"));
    assert!(succeeds(&mut kubectl("explain kubeadmcontrolplane.spec")).contains("replicas"));
    assert!(succeeds(&mut kubectl("explain pod.metadata")).contains("namespace"));

    // create, apply on the client's side, diff, apply again, label, annotate.
    succeeds(&mut kubectl("create namespace kedge-test"));
    let object = |data: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: kedge-test\ndata:\n{data}")
    };
    created.sandbox.file("one.yaml", object("  a: one\n  b: two\n"));
    created.sandbox.file("two.yaml", object("  a: uno\n"));
    succeeds(&mut kubectl("apply -f one.yaml"));
    let difference = kubectl("diff -f two.yaml").output().unwrap();
    assert_eq!(difference.status.code(), Some(1), "a difference is exit code 1");
    assert!(String::from_utf8_lossy(&difference.stdout).contains("uno"));
    succeeds(&mut kubectl("apply -f two.yaml"));
    let data = succeeds(&mut kubectl("get configmap settings -n kedge-test -o jsonpath={.data}"));
    assert_eq!(data, r#"{"a":"uno"}"#, "what is no longer applied is gone");
    succeeds(&mut kubectl("label configmap settings -n kedge-test team=a"));
    assert!(succeeds(&mut kubectl("get configmap -n kedge-test -l team=a -o name")).contains("settings"));
    assert!(!succeeds(&mut kubectl("get configmap -n kedge-test -l team!=a -o name")).contains("settings"));

    // apply on the server's side: ownership and conflicts.
    created.sandbox.file("ssa.yaml", object("  c: mine\n").replace("name: settings", "name: owned"));
    created.sandbox.file("ssa2.yaml", object("  c: yours\n").replace("name: settings", "name: owned"));
    succeeds(&mut kubectl("apply --server-side --field-manager=first -f ssa.yaml"));
    let conflict = fails(&mut kubectl("apply --server-side --field-manager=second -f ssa2.yaml"));
    assert!(conflict.contains("conflict") && conflict.contains("first"), "{conflict}");
    succeeds(&mut kubectl("apply --server-side --field-manager=second --force-conflicts -f ssa2.yaml"));
    let value = succeeds(&mut kubectl("get configmap owned -n kedge-test -o jsonpath={.data.c}"));
    assert_eq!(value, "yours");
    succeeds(&mut kubectl("apply --server-side --dry-run=server --force-conflicts -f ssa.yaml"));
    assert_eq!(succeeds(&mut kubectl("get configmap owned -n kedge-test -o jsonpath={.data.c}")), "yours");

    // The three kinds of patch, a wrong object, scale, delete.
    for (kind, patch) in [
        ("merge", r#"{"data":{"c":"merge"}}"#),
        ("json", r#"[{"op":"replace","path":"/data/c","value":"json"}]"#),
        ("strategic", r#"{"data":{"c":"strategic"}}"#),
    ] {
        let mut command = kubectl("patch configmap owned -n kedge-test --type");
        succeeds(command.arg(kind).arg("-p").arg(patch));
        assert_eq!(succeeds(&mut kubectl("get configmap owned -n kedge-test -o jsonpath={.data.c}")), kind);
    }
    created.sandbox.file("wrong.yaml", "apiVersion: cluster.x-k8s.io/v1beta2\nkind: MachineDeployment\nmetadata:\n  name: wrong\n  namespace: eksa-system\nspec:\n  replicas: many\n");
    let refused = fails(&mut kubectl("apply -f wrong.yaml"));
    assert!(refused.contains("replicas"), "{refused}");
    succeeds(&mut kubectl("scale machinedeployment mgmt-md-0 -n eksa-system --replicas=2"));
    succeeds(&mut kubectl(
        "wait --for=jsonpath={.status.readyReplicas}=2 machinedeployment/mgmt-md-0 -n eksa-system --timeout=30s",
    ));
    assert_eq!(succeeds(&mut kubectl("get nodes -o name")).lines().count(), 3);
    succeeds(&mut kubectl("delete namespace kedge-test --timeout=20s"));
    assert!(fails(&mut kubectl("get configmap settings -n kedge-test")).contains("not found"));
    assert!(fails(&mut kubectl("get frobs")).contains("frobs"));
}
