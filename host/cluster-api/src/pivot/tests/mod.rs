//! The move, against two clusters in memory.
#![allow(clippy::needless_pass_by_value, reason = "objects are written where they are used")]

mod cluster;
mod crashes;
mod directory;
mod fake;
mod preflight;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use self::cluster::{NAMESPACE, management};
use self::fake::{Fake, pair};
use super::{Pivot, PivotOptions};
use crate::error::Error;
use crate::object::{describe, flag, items, label, text, uid};
use crate::progress::NoProgress;
use crate::readiness::{CLUSTER_LABEL, Timeout};

/// Merges as a server does.
fn fake_merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(map), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    map.shift_remove(key);
                } else {
                    fake_merge(map.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

fn options(folder: &Path, delete_source: bool) -> PivotOptions {
    PivotOptions {
        namespace: NAMESPACE.into(),
        cluster: Some("prod".into()),
        snapshot_dir: folder.join("move"),
        operation_id: "op-1".into(),
        delete_source,
        timeout: Timeout::after(Duration::from_millis(10)),
    }
}

async fn run(from: &Fake, to: &Fake, folder: &Path, delete_source: bool) -> Result<(), Error> {
    Pivot::between(from, to, options(folder, delete_source)).run(&NoProgress).await.map(drop)
}

/// A folder in memory where there is one: these tests are about order, not about disks.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Kind and name of all that can belong to a cluster.
fn names(side: &Fake) -> BTreeSet<String> {
    let around = ["CustomResourceDefinition", "Provider", "Namespace", "Deployment"];
    side.all().iter().filter(|o| !around.contains(&text(o, "/kind").unwrap())).map(describe).collect()
}

/// Owner names of each object: they have to be the same on both sides, and resolve to objects of that side.
fn owners(side: &Fake) -> BTreeMap<String, BTreeSet<String>> {
    let all = side.all();
    let by_uid: BTreeMap<&str, String> = all.iter().map(|o| (uid(o), describe(o))).collect();
    all.iter()
        .map(|o| {
            let owners = items(o, "/metadata/ownerReferences");
            (
                describe(o),
                owners
                    .iter()
                    .map(|r| by_uid.get(text(r, "/uid").unwrap()).cloned().unwrap_or("nobody".into()))
                    .collect(),
            )
        })
        .collect()
}

fn content(side: &Fake) -> BTreeMap<String, Value> {
    side.all()
        .into_iter()
        .filter(|o| !["CustomResourceDefinition", "Provider", "Namespace"].contains(&text(o, "/kind").unwrap()))
        .map(|mut o| {
            let name = describe(&o);
            let map = o.as_object_mut().unwrap();
            map.shift_remove("status");
            let metadata = map["metadata"].as_object_mut().unwrap();
            for key in ["uid", "generation", "annotations", "ownerReferences", "managedFields"] {
                metadata.shift_remove(key);
            }
            if let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) {
                spec.shift_remove("paused");
            }
            (name, o)
        })
        .collect()
}

#[tokio::test]
async fn a_whole_cluster_moves() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    let count = cluster::cluster(&from, "prod", 3, &[2, 1], 3);
    let others = cluster::cluster(&from, "other", 1, &[1], 0);
    let before = content(&from);
    let owned = owners(&from);
    let folder = folder();

    run(&from, &to, folder.path(), true).await.unwrap();

    let there = content(&to);
    assert_eq!(there.len(), count);
    for (name, object) in &there {
        assert_eq!(Some(object), before.get(name), "{name}");
        assert_eq!(owners(&to)[name], owned[name], "{name}");
    }
    let left = names(&from);
    assert!(left.iter().all(|n| n.contains("other") || n.ends_with("prod-credentials")), "{left:?}");
    // The credentials that nobody owns may serve others.
    assert_eq!(left.len(), others + 1);
    assert!(!flag(&to.find("Cluster", "prod").unwrap(), "/spec/paused"));
    assert!(to.world.lock().unwrap().violations.is_empty());

    let snapshot = std::fs::read_dir(folder.path().join("move/objects")).unwrap().count();
    assert_eq!(snapshot, count);
    let file = folder.path().join(format!("move/objects/Cluster_{NAMESPACE}_prod.yaml"));
    let cluster: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(cluster["spec"]["paused"], json!(true));

    run(&from, &to, folder.path(), true).await.unwrap();
    assert_eq!(content(&to).len(), count);
}

#[tokio::test]
async fn a_source_that_is_thrown_away_stays_paused() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[1], 0);
    let before = names(&from);
    run(&from, &to, folder().path(), false).await.unwrap();
    assert_eq!(names(&from), before);
    assert!(flag(&from.find("Cluster", "prod").unwrap(), "/spec/paused"));
    assert!(!flag(&to.find("Cluster", "prod").unwrap(), "/spec/paused"));
}

#[tokio::test]
async fn what_has_no_namespace_keeps_the_target_s_owner() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[1], 0);
    let forced = json!({"metadata": {"labels": {CLUSTER_LABEL: null, "clusterctl.cluster.x-k8s.io/move-hierarchy": ""}}, "spec": {"secret": 1}});
    let make =
        |side: &Fake| cluster::Make { side, cluster: "prod" }.object("ThingIdentity", "shared", &[], forced.clone());
    let (source, target) = (make(&from), make(&to));
    let child = cluster::Make { side: &from, cluster: "prod" };
    child.object(
        "Secret",
        "of-identity",
        &[("ThingIdentity", "shared", &source)],
        json!({"metadata": {"labels": {CLUSTER_LABEL: null}}}),
    );
    run(&from, &to, folder().path(), true).await.unwrap();
    let moved = to.find("Secret", "of-identity").unwrap();
    assert_eq!(moved["metadata"]["ownerReferences"][0]["uid"], json!(target));
    assert!(from.find("ThingIdentity", "shared").is_some());
    assert_eq!(label(&to.find("ThingIdentity", "shared").unwrap(), "x"), None);
}

#[tokio::test]
async fn an_equal_object_on_the_target_is_taken_over_and_a_different_one_is_an_error() {
    for (password, fits) in [("c2VjcmV0", true), ("b3RoZXI=", false)] {
        let (from, to) = pair();
        management(&from);
        management(&to);
        cluster::cluster(&from, "prod", 1, &[], 0);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod-credentials", "namespace": NAMESPACE}, "data": {"password": password}});
        let known = to.put(secret);
        let result = run(&from, &to, folder().path(), true).await;
        assert_eq!(uid(&to.find("Secret", "prod-credentials").unwrap()), known);
        if fits {
            result.unwrap();
        } else {
            let text = result.unwrap_err().to_string();
            assert!(text.contains("Secret eksa-system/prod-credentials is on the target already"), "{text}");
            assert!(text.contains("`data.password`"), "{text}");
            assert!(!flag(&from.find("Cluster", "prod").unwrap(), "/spec/paused"), "nothing was changed");
        }
    }
}

/// Their controller never says that it has seen the pause of a cluster: they serve many.
#[tokio::test]
async fn resource_sets_go_along_and_leave_the_source_only_if_they_serve_no_other() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[], 0);
    cluster::cluster(&from, "other", 1, &[], 0);
    for name in ["prod", "other"] {
        from.change("Cluster", name, |o| o["metadata"]["labels"]["cni"] = json!("thing"));
    }
    let make = cluster::Make { side: &from, cluster: "prod" };
    for (name, selector) in [("shared", json!({"cni": "thing"})), ("own", json!({CLUSTER_LABEL: "prod"}))] {
        let set = make.object(
            "ClusterResourceSet",
            name,
            &[],
            json!({
                "metadata": {"labels": {CLUSTER_LABEL: null}},
                "spec": {"clusterSelector": {"matchLabels": selector}},
                "status": {"conditions": [{"type": "Paused", "status": "False"}]},
            }),
        );
        let no_label = json!({"metadata": {"labels": {CLUSTER_LABEL: null}}, "data": {"a": "b"}});
        make.object("ConfigMap", &format!("{name}-content"), &[("ClusterResourceSet", name, &set)], no_label);
    }
    run(&from, &to, folder().path(), true).await.unwrap();
    for name in ["shared", "own"] {
        assert!(to.find("ClusterResourceSet", name).is_some());
        assert_eq!(owners(&to)[&format!("ConfigMap {NAMESPACE}/{name}-content")].len(), 1);
        assert_eq!(from.find("ClusterResourceSet", name).is_some(), name == "shared");
        assert_eq!(from.find("ConfigMap", &format!("{name}-content")).is_some(), name == "shared");
    }
}

/// Nothing is committed, let alone deleted, unless all is on the target as it was on the source.
#[tokio::test]
async fn what_is_on_the_target_is_read_back_and_compared() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[1], 0);
    let before = content(&from);
    to.world.lock().unwrap().tampered = Some("prod-ca");
    let folder = folder();
    let error = run(&from, &to, folder.path(), true).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "not all is on the target as it was on the source:\n  - Secret eksa-system/prod-ca has another `data.tls.key`"
    );
    assert!(error.help().contains("nothing was deleted"));
    assert_eq!(content(&from), before);
    assert!(flag(&to.find("Cluster", "prod").unwrap(), "/spec/paused"));
    to.world.lock().unwrap().tampered = None;
    let again = run(&from, &to, folder.path(), true).await.unwrap_err();
    assert!(again.to_string().contains("this move made it, and somebody changed it since"), "{again}");
    Pivot::between(&from, &to, options(folder.path(), true)).roll_back(&NoProgress).await.unwrap();
    assert!(names(&to).is_empty());
    run(&from, &to, folder.path(), true).await.unwrap();
    assert_eq!(content(&to), before);
}
