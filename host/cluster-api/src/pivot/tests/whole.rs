//! All clusters of a namespace at once, and moves that come after other moves.

use serde_json::json;

use super::cluster::{self, Make, NAMESPACE, management};
use super::fake::{Fake, pair};
use super::{content, folder, names, options, owners};
use crate::NoProgress;
use crate::object::{annotation, flag};
use crate::pivot::{Pivot, PivotOptions, Standing};
use crate::readiness::CLUSTER_LABEL;

fn whole(folder: &std::path::Path, operation: &str) -> PivotOptions {
    PivotOptions { cluster: None, operation_id: operation.into(), ..options(folder, true) }
}

/// Two clusters of one class, resource sets with their bindings, a class that nobody uses.
fn scene(from: &Fake) {
    let make = Make { side: from, cluster: "prod" };
    let no_label = || json!({"metadata": {"labels": {CLUSTER_LABEL: null}}});
    for name in ["used", "unused"] {
        let class = make.object("ClusterClass", name, &[], no_label());
        make.object("ThingMachineTemplate", &format!("{name}-template"), &[("ClusterClass", name, &class)], no_label());
    }
    for name in ["prod", "other"] {
        cluster::cluster(from, name, 1, &[1], 0);
        from.change("Cluster", name, |o| {
            o["spec"]["topology"] = json!({"classRef": {"name": "used"}});
            o["metadata"]["labels"]["cni"] = json!("thing");
        });
    }
    let set = make.object("ClusterResourceSet", "cni", &[], json!({"metadata": {"labels": {CLUSTER_LABEL: null}}, "spec": {"clusterSelector": {"matchLabels": {"cni": "thing"}}}}));
    for name in ["prod", "other"] {
        make.object(
            "ClusterResourceSetBinding",
            name,
            &[("ClusterResourceSet", "cni", &set)],
            json!({"metadata": {"labels": {CLUSTER_LABEL: null}}, "spec": {"clusterName": name}}),
        );
    }
}

#[tokio::test]
async fn a_whole_namespace_moves() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    scene(&from);
    let (before, owned) = (content(&from), owners(&from));
    let folder = folder();
    let summary = Pivot::between(&from, &to, whole(folder.path(), "op")).run(&NoProgress).await.unwrap();
    assert_eq!(summary.clusters.len(), 2);
    assert_eq!(summary.objects, before.len());
    let there = content(&to);
    assert_eq!(there, before);
    for name in there.keys() {
        assert_eq!(owners(&to)[name], owned[name], "{name}");
    }
    for name in ["prod", "other"] {
        assert!(!flag(&to.find("Cluster", name).unwrap(), "/spec/paused"), "{name}");
    }
    for name in ["used", "unused"] {
        assert_eq!(annotation(&to.find("ClusterClass", name).unwrap(), "cluster.x-k8s.io/paused"), None, "{name}");
    }
    let left: Vec<String> = names(&from).into_iter().collect();
    assert_eq!(left, [format!("Secret {NAMESPACE}/other-credentials"), format!("Secret {NAMESPACE}/prod-credentials")]);
    let kept: Vec<String> = summary.kept;
    assert_eq!(kept, left);
}

/// A class that clusters of another namespace use stays, awake; the one that moves alone takes its class along and leaves it.
#[tokio::test]
async fn a_class_that_others_use_stays_and_is_not_paused() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    scene(&from);
    from.put(json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "far", "namespace": "elsewhere"},
        "spec": {"topology": {"classRef": {"name": "used", "namespace": NAMESPACE}}},
    }));
    let folder = folder();
    Pivot::between(&from, &to, whole(folder.path(), "op")).run(&NoProgress).await.unwrap();
    assert!(to.find("ClusterClass", "used").is_some());
    let stayed = from.find("ClusterClass", "used").unwrap();
    assert_eq!(annotation(&stayed, "cluster.x-k8s.io/paused"), None);
    assert!(from.find("ThingMachineTemplate", "used-template").is_some());
    assert!(from.find("ClusterClass", "unused").is_none());
    assert!(from.find("Cluster", "far").is_some());
}

/// Of a class in another namespace a copy goes along, with its templates.
#[tokio::test]
async fn a_class_in_another_namespace_goes_along() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[], 0);
    from.change("Cluster", "prod", |o| {
        o["spec"]["topology"] = json!({"classRef": {"name": "shared", "namespace": "classes"}});
    });
    let class = from.put(json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "ClusterClass", "metadata": {"name": "shared", "namespace": "classes"},
        "spec": {"infrastructure": {"templateRef": {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "ThingMachineTemplate", "name": "shared"}}},
    }));
    from.put(json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "ThingMachineTemplate",
        "metadata": {"name": "shared", "namespace": "classes", "ownerReferences": [{"kind": "ClusterClass", "name": "shared", "uid": class}]},
        "spec": {},
    }));
    let folder = folder();
    Pivot::between(&from, &to, whole(folder.path(), "op")).run(&NoProgress).await.unwrap();
    let owner = to.find("ClusterClass", "shared").unwrap()["metadata"]["uid"].clone();
    assert_eq!(to.find("ThingMachineTemplate", "shared").unwrap()["metadata"]["ownerReferences"][0]["uid"], owner);
    assert!(from.find("ClusterClass", "shared").is_some());
}

#[tokio::test]
async fn an_empty_namespace_is_an_error_and_not_a_move_of_nothing() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    let folder = folder();
    let error = Pivot::between(&from, &to, whole(folder.path(), "op")).run(&NoProgress).await.unwrap_err();
    assert_eq!(error.to_string(), format!("there is no cluster in the namespace {NAMESPACE} of the source"));
}

/// There and back and there again, with the folders of the first time.
#[tokio::test]
async fn a_move_can_be_done_again_after_it_was_undone_by_moving_back() {
    let (one, two) = pair();
    management(&one);
    management(&two);
    cluster::cluster(&one, "prod", 1, &[1], 0);
    let (before, status) = (content(&one), one.all());
    let (there, back) = (folder(), folder());
    for round in 0..2 {
        Pivot::between(&one, &two, whole(there.path(), &format!("there-{round}"))).run(&NoProgress).await.unwrap();
        assert_eq!(content(&two), before);
        two.revive(&status);
        Pivot::between(&two, &one, whole(back.path(), &format!("back-{round}"))).run(&NoProgress).await.unwrap();
        assert_eq!(content(&one), before);
        one.revive(&status);
    }
}

#[tokio::test]
async fn how_far_a_move_has_come_is_known() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[], 0);
    let folder = folder();
    let pivot = Pivot::between(&from, &to, whole(folder.path(), "op"));
    assert_eq!(pivot.standing().unwrap(), Standing::Untouched);
    to.world.lock().unwrap().tampered = Some("prod-ca");
    pivot.run(&NoProgress).await.unwrap_err();
    assert_eq!(pivot.standing().unwrap(), Standing::Undoable);
    assert!(pivot.roll_back(&NoProgress).await.unwrap());
    assert!(!pivot.roll_back(&NoProgress).await.unwrap(), "there is nothing left to undo");
    to.world.lock().unwrap().tampered = None;
    pivot.run(&NoProgress).await.unwrap();
    assert_eq!(pivot.standing().unwrap(), Standing::Committed);
}

/// The bound that the benchmark with real servers holds against clusterctl's thirteen requests an object.
#[tokio::test]
async fn four_requests_an_object() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    let objects: usize = (0..20).map(|n| cluster::cluster(&from, &format!("c{n}"), 1, &[2], 0)).sum();
    let folder = folder();
    Pivot::between(&from, &to, whole(folder.path(), "op")).run(&NoProgress).await.unwrap();
    let requests = from.world.lock().unwrap().requests;
    assert!(requests < objects * 4 + 100, "{requests} requests for {objects} objects");
}

/// Who wrote what is what the next one who applies goes by.
#[tokio::test]
async fn the_writers_of_fields_are_those_of_the_source() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[], 0);
    let by = |manager: &str, operation: &str, subresource: Option<&str>| {
        let mut entry = json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {}}});
        if let Some(subresource) = subresource {
            entry["subresource"] = json!(subresource);
        }
        entry
    };
    let several = json!([by("capi-topology", "Apply", None), by("manager", "Update", None)]);
    from.change("KubeadmControlPlane", "prod", |o| o["metadata"]["managedFields"] = several.clone());
    from.change("ThingCluster", "prod", |o| {
        o["metadata"]["managedFields"] =
            json!([by("kubectl", "Update", None), by("manager", "Update", Some("status"))]);
    });
    let folder = folder();
    Pivot::between(&from, &to, whole(folder.path(), "op")).run(&NoProgress).await.unwrap();
    assert_eq!(to.find("KubeadmControlPlane", "prod").unwrap()["metadata"]["managedFields"], several);
    let alone = to.find("ThingCluster", "prod").unwrap();
    assert_eq!(alone["metadata"]["managedFields"][0]["manager"], json!("kubectl"));
}
