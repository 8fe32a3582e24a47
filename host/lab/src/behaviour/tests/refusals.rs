//! What is refused, by whom, and when.

use serde_json::{Value, json};

use crate::behaviour::conditions::is_true;
use crate::behaviour::kinds::{CLUSTER, CONTROL_PLANE, DEPLOYMENT, MACHINE_DEPLOYMENT, POD};
use crate::behaviour::meta::text;
use crate::kube::{LabelSelector, Store, object};

use super::bed::{Bed, NAMESPACE, Sample, apply, apply_file, get, machines, until, world};

fn find<'a>(objects: &'a mut [Value], kind: &str) -> &'a mut Value {
    objects.iter_mut().find(|one| object::kind(one) == kind).unwrap()
}

fn refused(store: &Store, change: impl FnOnce(&mut Vec<Value>) -> usize) -> String {
    let mut objects = Sample::default().objects();
    let index = change(&mut objects);
    apply(store, objects.swap_remove(index)).expect_err("it was taken").to_string()
}

/// A kind, what is broken in it, and what the refusal has to name.
type Case = (&'static str, fn(&mut Value), &'static str);

fn index(objects: &[Value], kind: &str) -> usize {
    objects.iter().position(|one| object::kind(one) == kind).unwrap()
}

#[tokio::test]
async fn broken_objects_are_refused_by_schema_or_by_webhook() {
    let bed = Bed::new("vsphere", &[]).await;
    let table: &[Case] = &[
        (
            "Cluster",
            |one| {
                one["spec"].as_object_mut().unwrap().shift_remove("infrastructureRef");
            },
            "spec.infrastructureRef",
        ),
        ("Cluster", |one| one["spec"]["clusterNetwork"]["pods"]["cidrBlocks"] = json!(["nonsense"]), "CIDR"),
        ("Cluster", |one| one["spec"]["clusterNetwork"] = json!("flat"), "clusterNetwork"),
        ("KubeadmControlPlane", |one| one["spec"]["replicas"] = json!(2), "even number"),
        ("KubeadmControlPlane", |one| one["spec"]["version"] = json!("latest"), "semantic version"),
        ("KubeadmControlPlane", |one| one["spec"]["replicas"] = json!("three"), "spec.replicas"),
        ("KubeadmControlPlane", |one| one["spec"]["kubeadmConfigSpec"]["format"] = json!("floppy"), "format"),
        (
            "KubeadmControlPlane",
            |one| {
                one["spec"].as_object_mut().unwrap().shift_remove("machineTemplate");
            },
            "machineTemplate",
        ),
        (
            "MachineDeployment",
            |one| one["spec"]["selector"]["matchLabels"] = json!({"no": "match"}),
            "must match spec.selector",
        ),
        (
            "MachineDeployment",
            |one| {
                one["spec"].as_object_mut().unwrap().shift_remove("clusterName");
            },
            "clusterName",
        ),
        (
            "VSphereMachineTemplate",
            |one| {
                one["spec"]["template"]["spec"].as_object_mut().unwrap().shift_remove("network");
            },
            "network",
        ),
        ("VSphereMachineTemplate", |one| one["spec"]["template"]["spec"]["cloneMode"] = json!("copy"), "cloneMode"),
        (
            "VSphereMachineTemplate",
            |one| one["spec"]["template"]["spec"]["providerID"] = json!("x://1"),
            "cannot be set in templates",
        ),
        ("VSphereCluster", |one| one["spec"]["identityRef"]["kind"] = json!("Password"), "identityRef.kind"),
        ("MachineHealthCheck", |one| one["spec"]["selector"] = json!({"matchLabels": {}}), "selector"),
        ("ClusterResourceSet", |one| one["spec"]["clusterSelector"] = json!({"matchLabels": {}}), "clusterSelector"),
    ];
    for (kind, change, wanted) in table {
        let message = refused(bed.store(), |objects| {
            change(find(objects, kind));
            index(objects, kind)
        });
        assert!(message.contains(wanted), "{kind}: {message}");
    }
}

#[tokio::test]
async fn a_template_that_is_in_use_stays_as_it_is() {
    let bed = Bed::new("vsphere", &[]).await;
    let mut objects = Sample::default().objects();
    let template = find(&mut objects, "VSphereMachineTemplate").clone();
    apply(bed.store(), template.clone()).unwrap();
    let mut bigger = template;
    bigger["spec"]["template"]["spec"]["numCPUs"] = json!(8);
    assert!(apply(bed.store(), bigger).unwrap_err().to_string().contains("immutable"));
}

#[tokio::test]
async fn what_is_missing_is_said_in_conditions() {
    let bed = Bed::new("vsphere", &[]).await;
    let left_out = ["prod-control-plane-1", "prod-md-0-1"];
    for one in Sample::default().objects().into_iter().filter(|one| !left_out.contains(&object::name(one))) {
        apply(bed.store(), one).unwrap();
    }
    let says = |one: Value, name: &str, words: &str| {
        let list = one.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().any(|entry| text(entry, "/type") == name && text(entry, "/message").contains(words))
    };
    until(bed.store(), "the control plane says what is missing", |store| {
        get(store, &CONTROL_PLANE, "prod")
            .is_some_and(|one| says(one, "ScalingUp", "VSphereMachineTemplate does not exist"))
    })
    .await;
    until(bed.store(), "the workers say what is missing", |store| {
        get(store, &MACHINE_DEPLOYMENT, "prod-md-0").is_some_and(|one| says(one, "ScalingUp", "does not exist"))
    })
    .await;
    assert!(machines(bed.store()).is_empty());
    let mut lost = find(&mut Sample::default().objects(), "Cluster").clone();
    lost["metadata"]["name"] = json!("lost");
    lost["spec"]["infrastructureRef"]["name"] = json!("lost");
    apply(bed.store(), lost).unwrap();
    until(bed.store(), "a cluster without its infrastructure says so", |store| {
        get(store, &CLUSTER, "lost")
            .is_some_and(|one| says(one, "InfrastructureReady", "VSphereCluster does not exist"))
    })
    .await;
}

#[tokio::test]
async fn nothing_happens_where_nothing_is_installed() {
    let world = world(&[], 0.0);
    let cluster = world.start_bootstrap("prod", "v1.34.6").await.unwrap();
    apply_file(cluster.store(), "cert-manager.yaml");
    until(cluster.store(), "cert-manager is available", |store| {
        store
            .list(&DEPLOYMENT, Some("cert-manager"), &LabelSelector::everything())
            .iter()
            .all(|one| is_true(one, "Available"))
    })
    .await;
    let sample = Sample::default();
    assert!(
        apply(cluster.store(), sample.control_plane_object()).unwrap_err().to_string().contains("no matches for kind")
    );
}

#[tokio::test]
async fn a_provider_that_crashes_never_becomes_available_and_its_webhooks_refuse() {
    let world = world(&["provider-crashloop:cluster-api"], 0.0);
    let cluster = world.start_bootstrap("prod", "v1.34.6").await.unwrap();
    let store = cluster.store();
    apply_file(store, "cert-manager.yaml");
    until(store, "cert-manager is available", |store| {
        let all = store.list(&DEPLOYMENT, Some("cert-manager"), &LabelSelector::everything());
        all.len() == 3 && all.iter().all(|one| is_true(one, "Available"))
    })
    .await;
    until(store, "the webhook has its authority", |store| {
        store
            .get(&crate::behaviour::kinds::VALIDATING, None, "cert-manager-webhook")
            .unwrap()
            .pointer("/webhooks/0/clientConfig/caBundle")
            .is_some()
    })
    .await;
    apply_file(store, "cluster-api-core.yaml");
    until(store, "the pod crashes", |store| {
        store
            .list(&POD, Some("capi-system"), &LabelSelector::everything())
            .iter()
            .any(|pod| pod.to_string().contains("CrashLoopBackOff"))
    })
    .await;
    apply(store, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})).unwrap();
    let cluster_object = find(&mut Sample::default().objects(), "Cluster").clone();
    let message = apply(store, cluster_object).unwrap_err().to_string();
    assert!(message.contains("failed calling webhook") && message.contains("connection refused"), "{message}");
}
