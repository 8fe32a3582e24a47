//! A cluster from its manifests to its end.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::behaviour::MachineRole;
use crate::behaviour::conditions::is_true;
use crate::behaviour::kinds::{
    CLUSTER, CONTROL_PLANE, ETCD_CLUSTER, INFRASTRUCTURE_GROUP, MACHINE_DEPLOYMENT, NODE, POD, RESOURCE_SET_BINDING,
    SECRET, names as names_of,
};
use crate::behaviour::meta::{number, text};
use crate::kube::{Kind, LabelSelector, Patch, Propagation, Store, object};

use super::bed::{Bed, NAMESPACE, Sample, apply, get, machines, names, until};

fn everything() -> LabelSelector {
    LabelSelector::everything()
}

/// Every custom resource, written back as it is: the API takes it, so its status fits its schema too.
fn assert_all_valid(store: &Store) {
    for kind in store.kinds().into_iter().filter(|kind| kind.group.ends_with("cluster.x-k8s.io")) {
        for one in store.list(&kind, None, &everything()) {
            let what = format!("{kind} {}", object::name(&one));
            store.update(one.clone()).unwrap_or_else(|refused| panic!("{what}: {refused}"));
            store.update_status(one).unwrap_or_else(|refused| panic!("the status of {what}: {refused}"));
        }
    }
}

#[tokio::test]
async fn a_whole_cluster_with_external_etcd_becomes_available() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample { control_plane: 3, etcd: Some(3), workers: 3, ..Sample::default() }.create(bed.store());
    let workload = bed.network().await;
    bed.available().await;
    let store = bed.store();
    let made = bed.world.machines().list();
    let count = |role: MachineRole| made.iter().filter(|one| one.role == role).count();
    assert_eq!([MachineRole::Etcd, MachineRole::ControlPlane, MachineRole::Worker].map(count), [3, 3, 3]);
    assert_eq!(bed.world.machines().made(), 9);
    until(store, "all counters agree", |store| {
        let plane = get(store, &CONTROL_PLANE, "prod").unwrap();
        let workers = get(store, &MACHINE_DEPLOYMENT, "prod-md-0").unwrap();
        [&plane, &workers].iter().all(|one| {
            ["replicas", "readyReplicas", "availableReplicas", "upToDateReplicas"]
                .iter()
                .all(|field| number(one, &format!("/status/{field}")) == Some(3))
        })
    })
    .await;
    let etcd = get(store, &ETCD_CLUSTER, "prod-etcd").unwrap();
    let endpoints = text(&etcd, "/status/endpoints");
    assert_eq!(endpoints.split(',').count(), 3);
    let plane = get(store, &CONTROL_PLANE, "prod").unwrap();
    let configured: Vec<&str> = plane
        .pointer("/spec/kubeadmConfigSpec/clusterConfiguration/etcd/external/endpoints")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    assert_eq!(configured.join(","), endpoints);
    let nodes = workload.store().list(&NODE, None, &everything());
    assert_eq!(nodes.len(), 6);
    assert!(nodes.iter().all(|node| is_true(node, "Ready")
        && node.pointer("/spec/taints").is_none_or(|taints| !taints.to_string().contains("cloudprovider"))));
    for secret in ["ca", "sa", "proxy", "etcd", "managed-etcd", "apiserver-etcd-client", "etcd-init", "kubeconfig"] {
        assert!(get(store, &SECRET, &format!("prod-{secret}")).is_some(), "prod-{secret}");
    }
    let kubeconfig = get(store, &SECRET, "prod-kubeconfig").unwrap();
    assert_eq!(text(&kubeconfig, "/metadata/ownerReferences/0/kind"), "KubeadmControlPlane");
    assert!(get(store, &RESOURCE_SET_BINDING, "prod").is_some());
    assert_all_valid(store);
}

#[tokio::test]
async fn owners_are_as_the_move_needs_them() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample { etcd: Some(1), ..Sample::default() }.create(bed.store());
    bed.network().await;
    bed.available().await;
    let store = bed.store();
    // Everything hangs from the Cluster: what does not is left behind by a move.
    let root = object::uid(&get(store, &CLUSTER, "prod").unwrap()).to_owned();
    let mut reached = BTreeSet::from([root]);
    let kinds = store.kinds().into_iter().filter(|kind| kind.group.ends_with("cluster.x-k8s.io") || *kind == SECRET);
    let all: Vec<Value> = kinds.flat_map(|kind| store.list(&kind, Some(NAMESPACE), &everything())).collect();
    loop {
        let before = reached.len();
        for one in &all {
            if object::owners(one).iter().any(|owner| reached.contains(text(owner, "/uid"))) {
                reached.insert(object::uid(one).to_owned());
            }
        }
        if reached.len() == before {
            break;
        }
    }
    let left: Vec<String> = all
        .iter()
        .filter(|one| !reached.contains(object::uid(one)))
        .map(|one| format!("{} {}", object::kind(one), object::name(one)))
        .collect();
    // A resource set is moved by its kind. Templates hang from the Cluster through what uses them, or are moved by name.
    let expected = |one: &String| one.starts_with("ClusterResourceSet") || one.starts_with("VSphereMachineTemplate");
    assert!(left.iter().all(expected), "{left:?}");
    let credentials = get(store, &SECRET, "prod-vsphere-credentials").unwrap();
    assert_eq!(text(&credentials, "/metadata/ownerReferences/0/kind"), "VSphereCluster");
    for machine in machines(store) {
        let kind = Kind::of(INFRASTRUCTURE_GROUP, "VSphereMachine");
        let part = get(store, &kind, object::name(&machine)).unwrap();
        assert_eq!(object::owners(&part).len(), 1);
        assert_eq!(text(&part, "/metadata/ownerReferences/0/uid"), object::uid(&machine));
    }
}

#[tokio::test]
async fn without_a_container_network_nodes_are_not_ready_and_workers_not_available() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample { control_plane: 3, workers: 2, ..Sample::default() }.create(bed.store());
    until(bed.store(), "the control plane is there without a network", |store| {
        get(store, &CONTROL_PLANE, "prod")
            .is_some_and(|one| is_true(&one, "Available") && number(&one, "/status/replicas") == Some(3))
    })
    .await;
    until(bed.store(), "all five have a node", |store| {
        machines(store).iter().filter(|one| !text(one, "/status/nodeRef/name").is_empty()).count() == 5
    })
    .await;
    let workers = get(bed.store(), &MACHINE_DEPLOYMENT, "prod-md-0").unwrap();
    assert!(!is_true(&workers, "Available"));
    let workload = bed.workload();
    let pending = |store: &Store| {
        store
            .list(&POD, Some("kube-system"), &LabelSelector::equals("k8s-app", "kube-dns"))
            .iter()
            .filter(|pod| text(pod, "/status/phase") == "Pending")
            .count()
    };
    until(workload.store(), "DNS waits for the network", |store| pending(store) == 2).await;
    bed.network().await;
    bed.available().await;
    until(workload.store(), "DNS runs", |store| pending(store) == 0).await;
}

#[tokio::test]
async fn a_paused_cluster_says_so_and_does_nothing() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample::default().create(bed.store());
    bed.network().await;
    bed.available().await;
    let store = bed.store();
    let merge = |kind: &Kind, name: &str, patch: Value| {
        store.patch(kind, Some(NAMESPACE), name, &Patch::Merge(patch), "test").unwrap()
    };
    merge(&CLUSTER, "prod", json!({"spec": {"paused": true}}));
    let observed = |one: &Value| {
        let list = ["/status/conditions", "/status/v1beta2/conditions"]
            .into_iter()
            .filter_map(|at| one.pointer(at)?.as_array())
            .flatten();
        list.into_iter().any(|entry| {
            text(entry, "/type") == "Paused"
                && text(entry, "/status") == "True"
                && number(entry, "/observedGeneration") == Some(object::generation(one))
        })
    };
    until(store, "the pause is observed everywhere", |store| {
        let kinds =
            ["Cluster", "Machine", "MachineSet", "MachineDeployment"].map(|kind| Kind::of("cluster.x-k8s.io", kind));
        let others = [
            CONTROL_PLANE,
            Kind::of(INFRASTRUCTURE_GROUP, "VSphereCluster"),
            Kind::of(INFRASTRUCTURE_GROUP, "VSphereMachine"),
        ];
        kinds
            .iter()
            .chain(&others)
            .flat_map(|kind| store.list(kind, Some(NAMESPACE), &everything()))
            .all(|one| observed(&one))
    })
    .await;
    merge(&MACHINE_DEPLOYMENT, "prod-md-0", json!({"spec": {"replicas": 3}}));
    until(store, "the scaled deployment is observed as paused", |store| {
        get(store, &MACHINE_DEPLOYMENT, "prod-md-0").is_some_and(|one| observed(&one))
    })
    .await;
    assert_eq!(machines(store).len(), 2);
    merge(&CLUSTER, "prod", json!({"spec": {"paused": null}}));
    until(store, "the scaling goes on", |store| machines(store).len() == 4).await;
    bed.available().await;
}

#[tokio::test]
async fn scaling_up_and_down_ends_with_as_many_machines_and_nodes() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample::default().create(bed.store());
    let workload = bed.network().await;
    bed.available().await;
    let store = bed.store();
    let scale = |planes: i64, workers: i64| {
        for (kind, name, replicas) in [(CONTROL_PLANE, "prod", planes), (MACHINE_DEPLOYMENT, "prod-md-0", workers)] {
            store
                .patch(&kind, Some(NAMESPACE), name, &Patch::Merge(json!({"spec": {"replicas": replicas}})), "test")
                .unwrap();
        }
    };
    for (planes, workers) in [(3, 3), (1, 0)] {
        scale(planes, workers);
        let wanted = usize::try_from(planes + workers).unwrap();
        until(store, "as many machines as wanted", |store| {
            let all = machines(store);
            all.len() == wanted && all.iter().all(|one| text(one, "/status/phase") == "Running")
        })
        .await;
        until(workload.store(), "as many nodes as machines", |store| {
            store.list(&NODE, None, &everything()).len() == wanted
        })
        .await;
        assert_eq!(bed.world.machines().list().len(), wanted);
    }
}

#[tokio::test]
async fn a_new_version_replaces_every_machine_one_after_another() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample { control_plane: 3, workers: 2, ..Sample::default() }.create(bed.store());
    let workload = bed.network().await;
    bed.available().await;
    let store = bed.store();
    let before: BTreeSet<String> = names(&machines(store)).into_iter().collect();
    let next = Sample { control_plane: 3, workers: 2, version: "v1.35.3-eks-1-35-10", ..Sample::default() };
    apply(store, next.control_plane_object()).unwrap();
    apply(store, next.deployment_object()).unwrap();
    let mut most = 0;
    until(store, "all machines have the new version", |store| {
        let all = machines(store);
        most = most.max(all.len());
        all.len() == 5
            && all
                .iter()
                .all(|one| text(one, "/spec/version") == next.version && text(one, "/status/phase") == "Running")
    })
    .await;
    assert!(most <= 7, "{most} machines at once: each of the two groups may have one more than it wants");
    let after: BTreeSet<String> = names(&machines(store)).into_iter().collect();
    assert!(before.is_disjoint(&after));
    until(store, "the control plane says so", |store| {
        text(&get(store, &CONTROL_PLANE, "prod").unwrap(), "/status/version") == next.version
    })
    .await;
    let versions: BTreeSet<String> = workload
        .store()
        .list(&NODE, None, &everything())
        .iter()
        .map(|node| text(node, "/status/nodeInfo/kubeletVersion").to_owned())
        .collect();
    assert_eq!(versions, BTreeSet::from([next.version.to_owned()]));
}

#[tokio::test]
async fn a_deleted_cluster_takes_its_machines_along_and_its_api_goes() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample { control_plane: 3, etcd: Some(3), workers: 2, ..Sample::default() }.create(bed.store());
    bed.network().await;
    bed.available().await;
    let store = bed.store();
    store.delete(&CLUSTER, Some(NAMESPACE), "prod", Propagation::Background).unwrap();
    let mut early = false;
    until(store, "the cluster is gone", |store| {
        let left = machines(store);
        let going =
            |label: &str| left.iter().any(|one| object::label(one, label).is_some() && object::is_deleting(one));
        let workers = left.iter().any(|one| object::label(one, names_of::DEPLOYMENT_NAME).is_some());
        let planes = left.iter().any(|one| object::label(one, names_of::CONTROL_PLANE).is_some());
        early |= workers && going(names_of::CONTROL_PLANE) || planes && going(names_of::ETCD_CLUSTER);
        get(store, &CLUSTER, "prod").is_none()
    })
    .await;
    assert!(!early, "workers go first, then the control plane, then etcd");
    assert!(machines(store).is_empty());
    assert!(bed.world.machines().list().is_empty());
    for kind in store.kinds().into_iter().filter(|kind| kind.group.ends_with("cluster.x-k8s.io")) {
        let left = names(&store.list(&kind, Some(NAMESPACE), &everything()));
        // Resource sets and unused templates are nobody's; everything else was the cluster's.
        assert!(
            left.is_empty() || kind.kind.ends_with("Template") || kind.kind.starts_with("ClusterResourceSet"),
            "{kind}: {left:?}"
        );
    }
    assert!(get(store, &SECRET, "prod-kubeconfig").is_none());
    let mut nodes = bed.world.node_changes();
    while bed.world.clusters().len() > 1 {
        nodes.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_stuck_machine_holds_up_its_group_alone() {
    let bed = Bed::new("vsphere", &["machine-stuck:md-0"]).await;
    Sample { control_plane: 1, workers: 2, ..Sample::default() }.create(bed.store());
    bed.network().await;
    until(bed.store(), "the control plane is available", |store| {
        get(store, &CONTROL_PLANE, "prod").is_some_and(|one| is_true(&one, "Available"))
    })
    .await;
    until(bed.store(), "the workers are provisioned", |store| {
        machines(store).iter().filter(|one| text(one, "/status/phase") == "Provisioned").count() == 2
    })
    .await;
    let cluster = get(bed.store(), &CLUSTER, "prod").unwrap();
    assert!(
        !is_true(&cluster, "Available")
            && !is_true(&cluster, "WorkersAvailable")
            && is_true(&cluster, "ControlPlaneInitialized")
    );
}

#[tokio::test]
async fn etcd_that_never_serves_holds_the_control_plane() {
    let bed = Bed::new("vsphere", &["etcd-stuck"]).await;
    Sample { etcd: Some(3), ..Sample::default() }.create(bed.store());
    until(bed.store(), "the first etcd machine is provisioned", |store| {
        machines(store).iter().any(|one| text(one, "/status/phase") == "Provisioned")
    })
    .await;
    until(bed.store(), "the control plane is held", |store| {
        get(store, &CONTROL_PLANE, "prod").is_some_and(|one| is_true(&one, "Paused"))
    })
    .await;
    let etcd =
        machines(bed.store()).into_iter().filter(|one| object::label(one, names_of::ETCD_CLUSTER).is_some()).count();
    let planes =
        machines(bed.store()).into_iter().filter(|one| object::label(one, names_of::CONTROL_PLANE).is_some()).count();
    assert_eq!((etcd, planes), (1, 0));
}

#[tokio::test]
async fn another_provider_works_by_contract_alone() {
    let bed = Bed::new("docker", &[]).await;
    let version = "v1.34.6-eks-1-34-19";
    let sample = Sample { version, ..Sample::default() };
    for mut one in sample.objects() {
        let text = one
            .to_string()
            .replace("VSphere", "Docker")
            .replace("infrastructure.cluster.x-k8s.io/v1beta1", "infrastructure.cluster.x-k8s.io/v1beta2");
        one = serde_json::from_str(&text).unwrap();
        match object::kind(&one) {
            "DockerMachineTemplate" => one["spec"]["template"]["spec"] = json!({"customImage": "kindest/node"}),
            "DockerCluster" => one["spec"] = json!({}),
            "Cluster" => {
                one["spec"].as_object_mut().unwrap().shift_remove("controlPlaneEndpoint");
            }
            _ => {}
        }
        apply(bed.store(), one).unwrap();
    }
    bed.network().await;
    bed.available().await;
    let cluster = get(bed.store(), &CLUSTER, "prod").unwrap();
    let made = get(bed.store(), &Kind::of(INFRASTRUCTURE_GROUP, "DockerCluster"), "prod").unwrap();
    assert!(!text(&cluster, "/spec/controlPlaneEndpoint/host").is_empty());
    assert_eq!(cluster.pointer("/spec/controlPlaneEndpoint/host"), made.pointer("/spec/controlPlaneEndpoint/host"));
    assert_eq!(made.pointer("/status/initialization/provisioned"), Some(&json!(true)));
    assert_all_valid(bed.store());
}

#[tokio::test]
async fn a_missing_network_is_missing_on_the_new_cluster_alone() {
    let bed = Bed::new("vsphere", &["cni-missing"]).await;
    Sample::default().create(bed.store());
    let workload = bed.network().await;
    until(bed.store(), "both machines have a node", |store| {
        machines(store).iter().filter(|one| !text(one, "/status/nodeRef/name").is_empty()).count() == 2
    })
    .await;
    assert!(bed.store().list(&NODE, None, &everything()).iter().all(|node| is_true(node, "Ready")));
    assert!(workload.store().list(&NODE, None, &everything()).iter().all(|node| !is_true(node, "Ready")));
}
