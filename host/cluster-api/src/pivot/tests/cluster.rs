//! Clusters to move: one as the controllers would have made it, with what lies around it.

use serde_json::{Value, json};

use super::fake::Fake;
use crate::readiness::CLUSTER_LABEL;

pub(super) const NAMESPACE: &str = "eksa-system";
const CORE: &str = "cluster.x-k8s.io/v1beta2";
const INFRA: &str = "infrastructure.cluster.x-k8s.io/v1beta1";

/// Kind, group and version, whether it has no namespaces.
const KINDS: [(&str, &str, bool); 17] = [
    ("Cluster", CORE, false),
    ("ClusterClass", CORE, false),
    ("Machine", CORE, false),
    ("MachineSet", CORE, false),
    ("MachineDeployment", CORE, false),
    ("MachineHealthCheck", CORE, false),
    ("KubeadmControlPlane", "controlplane.cluster.x-k8s.io/v1beta2", false),
    ("KubeadmConfig", "bootstrap.cluster.x-k8s.io/v1beta2", false),
    ("KubeadmConfigTemplate", "bootstrap.cluster.x-k8s.io/v1beta2", false),
    ("EtcdadmCluster", "etcdcluster.cluster.x-k8s.io/v1beta1", false),
    ("EtcdadmConfig", "bootstrap.cluster.x-k8s.io/v1beta1", false),
    ("ClusterResourceSetBinding", "addons.cluster.x-k8s.io/v1beta2", false),
    ("ClusterResourceSet", "addons.cluster.x-k8s.io/v1beta2", false),
    ("ThingCluster", INFRA, false),
    ("ThingMachine", INFRA, false),
    ("ThingMachineTemplate", INFRA, false),
    ("ThingIdentity", INFRA, true),
];

/// What a management cluster has before any cluster is on it.
pub(super) fn management(side: &Fake) {
    for (kind, api_version, global) in KINDS {
        let (group, version) = api_version.split_once('/').unwrap();
        side.put(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}s.{group}", kind.to_lowercase()), "labels": {"clusterctl.cluster.x-k8s.io": ""}},
            "spec": {
                "group": group, "names": {"kind": kind}, "scope": if global { "Cluster" } else { "Namespaced" },
                "versions": [{"name": version, "served": true, "storage": true}],
            },
        }));
    }
    for (name, version) in [("cluster-api", "v1.13.2"), ("bootstrap-kubeadm", "v1.13.2+abc")] {
        side.put(json!({
            "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3", "kind": "Provider",
            "metadata": {"name": name, "namespace": "capi-system"}, "version": version,
        }));
    }
}

/// An object of a cluster.
pub(super) struct Make<'a> {
    pub(super) side: &'a Fake,
    pub(super) cluster: &'a str,
}

impl Make<'_> {
    pub(super) fn object(&self, kind: &str, name: &str, owners: &[(&str, &str, &str)], extra: Value) -> String {
        let (_, api_version, global) = KINDS.into_iter().find(|(k, ..)| *k == kind).unwrap_or((
            if kind == "Secret" { "Secret" } else { "ConfigMap" },
            "v1",
            false,
        ));
        let mut object = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "labels": {CLUSTER_LABEL: self.cluster}},
        });
        if !global {
            object["metadata"]["namespace"] = json!(NAMESPACE);
        }
        if !owners.is_empty() {
            object["metadata"]["ownerReferences"] = owners
                .iter()
                .map(|(kind, name, uid)| json!({"apiVersion": "x/v1", "kind": kind, "name": name, "uid": uid, "controller": true}))
                .collect();
        }
        super::fake_merge(&mut object, &extra);
        self.side.put(object)
    }
}

fn paused() -> Value {
    json!([{"type": "Paused", "status": "False", "observedGeneration": 1}])
}

/// A settled cluster with control plane, workers, perhaps external etcd. Gives how many objects belong to it.
pub(super) fn cluster(side: &Fake, name: &str, control_planes: usize, workers: &[usize], etcd: usize) -> usize {
    let make = Make { side, cluster: name };
    let mut count = 0;
    let mut add = |kind: &str, object: &str, owners: &[(&str, &str, &str)], extra: Value| {
        count += 1;
        make.object(kind, object, owners, extra)
    };
    let root = add(
        "Cluster",
        name,
        &[],
        json!({
            "metadata": {"finalizers": ["cluster.cluster.x-k8s.io"]},
            "spec": {"controlPlaneRef": {"kind": "KubeadmControlPlane", "name": name}, "infrastructureRef": {"kind": "ThingCluster", "name": name}},
            "status": {"initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true}, "conditions": paused()},
        }),
    );
    let of_root = [("Cluster", name, root.as_str())];
    add(
        "ThingCluster",
        name,
        &of_root,
        json!({
            "metadata": {"finalizers": ["thing"]},
            "spec": {"identityRef": {"kind": "Secret", "name": format!("{name}-credentials")}},
            "status": {"ready": true, "conditions": paused()},
        }),
    );
    // Nobody has said yet whose it is.
    add(
        "Secret",
        &format!("{name}-credentials"),
        &[],
        json!({"metadata": {"labels": null}, "data": {"password": "c2VjcmV0"}}),
    );
    for secret in ["ca", "sa", "etcd"] {
        add("Secret", &format!("{name}-{secret}"), &[], json!({"data": {"tls.key": "a2V5"}}));
    }
    let settled = |n: usize| json!({"replicas": n, "readyReplicas": n, "upToDateReplicas": n, "observedGeneration": 1, "conditions": paused()});
    let plane = add(
        "KubeadmControlPlane",
        name,
        &of_root,
        json!({
            "metadata": {"finalizers": ["kcp"]},
            "spec": {"replicas": control_planes, "machineTemplate": {"infrastructureRef": {"kind": "ThingMachineTemplate", "name": format!("{name}-cp")}}},
            "status": settled(control_planes),
        }),
    );
    add(
        "Secret",
        &format!("{name}-kubeconfig"),
        &[("KubeadmControlPlane", name, &plane)],
        json!({"data": {"value": "Y29uZmln"}}),
    );
    add("ThingMachineTemplate", &format!("{name}-cp"), &of_root, json!({"spec": {"template": {"spec": {"cpus": 2}}}}));
    for n in 0..control_planes {
        count += machine(
            &make,
            &format!("{name}-cp-{n}"),
            ("KubeadmControlPlane", name, &plane),
            "KubeadmConfig",
            json!({}),
        );
    }
    for (group, machines) in workers.iter().enumerate() {
        let group = format!("{name}-md-{group}");
        let mut add = |kind: &str, object: &str, owners: &[(&str, &str, &str)], extra: Value| {
            count += 1;
            make.object(kind, object, owners, extra)
        };
        let deployment = add(
            "MachineDeployment",
            &group,
            &of_root,
            json!({"spec": {"replicas": machines}, "status": settled(*machines)}),
        );
        let set = add(
            "MachineSet",
            &group,
            &[("MachineDeployment", &group, &deployment)],
            json!({"spec": {}, "status": {"conditions": paused()}}),
        );
        add("KubeadmConfigTemplate", &group, &of_root, json!({"spec": {}}));
        add("ThingMachineTemplate", &group, &of_root, json!({"spec": {}}));
        add("MachineHealthCheck", &group, &of_root, json!({"spec": {}, "status": {"conditions": paused()}}));
        for n in 0..*machines {
            count += machine(&make, &format!("{group}-{n}"), ("MachineSet", &group, &set), "KubeadmConfig", json!({}));
        }
    }
    if etcd > 0 {
        let etcd_name = format!("{name}-etcd");
        let owner = make.object("EtcdadmCluster", &etcd_name, &of_root, json!({
            "metadata": {"finalizers": ["etcdcluster"]},
            "spec": {"replicas": etcd}, "status": {"ready": true, "observedGeneration": 1, "endpoints": "https://10.0.0.1:2379"},
        }));
        for secret in ["managed-etcd", "apiserver-etcd-client"] {
            make.object(
                "Secret",
                &format!("{name}-{secret}"),
                &[("EtcdadmCluster", &etcd_name, &owner)],
                json!({"data": {"tls.key": "a2V5"}}),
            );
        }
        make.object("Secret", &format!("{name}-etcd-init"), &of_root, json!({"data": {"address": "MTA="}}));
        make.object("ThingMachineTemplate", &etcd_name, &of_root, json!({"spec": {}}));
        count += 5;
        for n in 0..etcd {
            let labels = json!({"metadata": {"labels": {"cluster.x-k8s.io/etcd-cluster": etcd_name, "cluster.x-k8s.io/etcd-ready": "true"}}, "status": {"nodeRef": null}});
            count += machine(
                &make,
                &format!("{etcd_name}-{n}"),
                ("EtcdadmCluster", &etcd_name, &owner),
                "EtcdadmConfig",
                labels,
            );
        }
    }
    count
}

/// A machine with its bootstrap config, its secret and its infrastructure.
fn machine(make: &Make<'_>, name: &str, owner: (&str, &str, &str), config_kind: &str, extra: Value) -> usize {
    let mut body = json!({
        "metadata": {"finalizers": ["machine.cluster.x-k8s.io"]},
        "spec": {"clusterName": make.cluster},
        "status": {"nodeRef": {"name": name}, "conditions": paused()},
    });
    super::fake_merge(&mut body, &extra);
    let machine = make.object("Machine", name, &[owner], body);
    let of_machine = [("Machine", name, machine.as_str())];
    let config = make.object(config_kind, name, &of_machine, json!({"spec": {}, "status": {"dataSecretName": name}}));
    make.object("Secret", name, &[(config_kind, name, &config)], json!({"data": {"value": "Y2xvdWQ="}}));
    make.object("ThingMachine", name, &of_machine, json!({
        "metadata": {"finalizers": ["thing"]}, "spec": {"providerID": name}, "status": {"ready": true, "conditions": paused()},
    }));
    4
}
