//! What is in the way is said before anything is changed.

use serde_json::{Value, json};

use super::cluster::{self, Make, management};
use super::fake::{Fake, pair};
use super::{folder, names, run};
use crate::object::flag;

type Spoil = fn(&Fake, &Fake);
type Boxed = Box<dyn Fn(&Fake, &Fake)>;

/// Prepares a cluster, lets `spoil` spoil something, and gives what the move says.
async fn refused(spoil: impl Fn(&Fake, &Fake)) -> String {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[2], 1);
    spoil(&from, &to);
    let before = (names(&from), names(&to));
    let paused = flag(&from.find("Cluster", "prod").unwrap_or_default(), "/spec/paused");
    let text = run(&from, &to, folder().path(), true).await.expect_err("it moved").to_string();
    assert_eq!((names(&from), names(&to)), before, "{text}");
    assert_eq!(flag(&from.find("Cluster", "prod").unwrap_or_default(), "/spec/paused"), paused, "{text}");
    text
}

#[tokio::test]
async fn everything_that_is_in_the_way_is_named() {
    let set = |kind: &'static str, name: &'static str, pointer: &'static str, value: Value| {
        move |from: &Fake, _: &Fake| {
            from.change(kind, name, |o| {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                o.pointer_mut(parent).unwrap()[key] = value.clone();
            });
        }
    };
    let owned: Spoil = |from, _| {
        Make { side: from, cluster: "prod" }.object(
            "Secret",
            "odd",
            &[("Deployment", "web", "no-such-uid")],
            json!({}),
        );
        let cluster = from.find("Cluster", "prod").unwrap();
        from.change("Secret", "odd", |o| {
            let more = json!({"kind": "Cluster", "name": "prod", "uid": cluster["metadata"]["uid"]});
            o["metadata"]["ownerReferences"].as_array_mut().unwrap().push(more);
        });
    };
    let circle: Spoil = |from, _| {
        let make = Make { side: from, cluster: "prod" };
        let root = from.find("Cluster", "prod").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        let a = make.object("Secret", "a", &[("Cluster", "prod", &root)], json!({}));
        let b = make.object("Secret", "b", &[("Secret", "a", &a)], json!({}));
        from.change("Secret", "a", |o| o["metadata"]["ownerReferences"][0]["uid"] = json!(b));
        from.change("Secret", "a", |o| {
            let cluster = json!({"kind": "Cluster", "name": "prod", "uid": root});
            o["metadata"]["ownerReferences"].as_array_mut().unwrap().push(cluster);
        });
    };
    let old_provider: Spoil = |_, to| to.change("Provider", "cluster-api", |o| o["version"] = json!("v1.12.9"));
    let no_version: Spoil = |_, to| {
        to.change("CustomResourceDefinition", "thingmachines.infrastructure.cluster.x-k8s.io", |o| {
            o["spec"]["versions"][0]["name"] = json!("v1alpha9");
        });
    };
    let at_work: Spoil = |_, to| {
        cluster::cluster(to, "prod", 1, &[2], 1);
    };
    let other_contract: Spoil = |_, to| {
        to.change("CustomResourceDefinition", "clusters.cluster.x-k8s.io", |o| {
            o["spec"]["versions"] = json!([{"name": "v1beta2", "served": true, "storage": false}, {"name": "v1beta3", "served": true, "storage": true}]);
        });
    };
    let no_cluster_api: Spoil = |_, to| to.forget("CustomResourceDefinition", "clusters.cluster.x-k8s.io");
    let no_provider: Spoil = |_, to| to.forget("Provider", "bootstrap-kubeadm");
    let cases: Vec<(Boxed, &str)> = vec![
        (Box::new(other_contract), "the target stores clusters as v1beta3, and this program knows v1beta2"),
        (Box::new(no_cluster_api), "Cluster API is not installed on the target"),
        (Box::new(no_provider), "the provider bootstrap-kubeadm is not installed on the target"),
        (Box::new(owned), "Secret eksa-system/odd, owned by Deployment web"),
        (Box::new(circle), "own each other in a circle"),
        (Box::new(old_provider), "the provider cluster-api is v1.12.9 on the target, and v1.13.2 on the source"),
        (Box::new(no_version), "the target does not serve ThingMachine (infrastructure.cluster.x-k8s.io/v1beta1)"),
        (Box::new(at_work), "is at work on the target already"),
        (Box::new(set("Cluster", "prod", "/spec/paused", json!(true))), "is paused, and not by this move"),
        (
            Box::new(set("Machine", "prod-md-0-1", "/status/nodeRef", Value::Null)),
            "Machine eksa-system/prod-md-0-1 has no node yet",
        ),
        (
            Box::new(set("MachineDeployment", "prod-md-0", "/status/upToDateReplicas", json!(1))),
            "2 of 2 machines are ready, 1 are up to date",
        ),
        (
            Box::new(set("KubeadmControlPlane", "prod", "/metadata/generation", json!(2))),
            "has not seen its newest version",
        ),
        (
            Box::new(set("EtcdadmCluster", "prod-etcd", "/status/ready", json!(false))),
            "EtcdadmCluster eksa-system/prod-etcd is not ready",
        ),
        (
            Box::new(set("ThingMachine", "prod-cp-0", "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))),
            "is being deleted",
        ),
    ];
    for (spoil, expected) in cases {
        let text = refused(spoil).await;
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn etcd_machines_need_etcd_and_no_node() {
    let text = refused(|from, _| {
        from.change("Machine", "prod-etcd-0", |o| {
            o["metadata"]["labels"].as_object_mut().unwrap().shift_remove("cluster.x-k8s.io/etcd-ready");
        });
    })
    .await;
    assert!(text.contains("etcd on Machine eksa-system/prod-etcd-0 does not answer yet"), "{text}");
}

#[tokio::test]
async fn all_that_is_wrong_comes_at_once() {
    let text = refused(|from, _| {
        from.change("Machine", "prod-cp-0", |o| o["status"] = json!({}));
        from.change("Machine", "prod-md-0-0", |o| o["status"] = json!({}));
        from.change("Cluster", "prod", |o| o["status"]["initialization"] = json!({}));
    })
    .await;
    assert!(text.starts_with("3 things are in the way of the move; nothing was changed:"), "{text}");
}

#[tokio::test]
async fn a_pause_that_nobody_sees_is_given_up_and_can_be_undone() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    cluster::cluster(&from, "prod", 1, &[1], 0);
    from.world.lock().unwrap().deaf = true;
    let folder = folder();
    let error = run(&from, &to, folder.path(), true).await.unwrap_err();
    assert!(error.to_string().contains("objects of cluster eksa-system/prod"), "{error}");
    assert!(!error.help().is_empty());
    assert!(names(&to).is_empty());
    let pivot = super::Pivot::between(&from, &to, super::options(folder.path(), true));
    pivot.roll_back(&crate::NoProgress).await.unwrap();
    assert!(!flag(&from.find("Cluster", "prod").unwrap(), "/spec/paused"));
    from.world.lock().unwrap().deaf = false;
    run(&from, &to, folder.path(), true).await.unwrap();
    assert!(to.find("Cluster", "prod").is_some());
}

/// Each missing right is named before anything is written.
#[tokio::test]
async fn rights_are_asked_for_before_anything_is_written() {
    let text = refused(|from, _| {
        let forbidden = [(0, "list", "CustomResourceDefinition"), (1, "list", "Provider")];
        from.world.lock().unwrap().forbidden.extend(forbidden);
    })
    .await;
    assert!(text.contains("the kubeconfig of the source may not list CustomResourceDefinition objects\n"), "{text}");
    assert!(text.contains("the kubeconfig of the target may not list Provider objects"), "{text}");
    let text = refused(|from, _| {
        let forbidden = [
            (0, "patch", "Cluster"),
            (0, "delete", "Secret"),
            (1, "create", "ThingMachine"),
            (1, "patch", "ThingMachine"),
            (1, "create", "Secret"),
            (1, "delete", "Namespace"),
        ];
        from.world.lock().unwrap().forbidden.extend(forbidden);
    })
    .await;
    assert!(text.starts_with("4 things are in the way"), "{text}");
    for line in [
        "the source may not patch Cluster objects in the namespace eksa-system",
        "the source may not delete Secret objects in the namespace eksa-system",
        "the target may not create, patch ThingMachine objects in the namespace eksa-system",
        "the target may not create Secret objects in the namespace eksa-system",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let text = refused(|from, _| from.world.lock().unwrap().forbidden.push((0, "list", "ThingMachine"))).await;
    assert!(text.contains("the source may not list ThingMachine objects in the namespace eksa-system"), "{text}");
}

/// What has no pod can't be at work, and nobody waits for it.
#[tokio::test]
async fn controllers_that_do_not_run_are_not_waited_for() {
    for (replicas, moves) in [(0, true), (1, false)] {
        let (from, to) = pair();
        management(&from);
        management(&to);
        cluster::cluster(&from, "prod", 1, &[1], 0);
        for side in [&from, &to] {
            side.label_definitions("cluster-api");
            side.put(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "controllers", "namespace": "capi-system", "labels": {"cluster.x-k8s.io/provider": "cluster-api"}},
                "status": {"replicas": replicas},
            }));
        }
        from.world.lock().unwrap().deaf = true;
        assert_eq!(run(&from, &to, folder().path(), true).await.is_ok(), moves, "{replicas} pods");
    }
}

#[tokio::test]
async fn a_rehearsal_touches_nothing_and_says_what_would_move() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    let count = cluster::cluster(&from, "prod", 1, &[1], 0);
    let folder = folder();
    let before = (from.all(), to.all());
    let pivot = super::Pivot::between(&from, &to, super::options(folder.path(), true));
    let plan = pivot.rehearse(&crate::NoProgress).await.unwrap();
    assert_eq!((from.all(), to.all()), before);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    assert_eq!(plan.groups.iter().map(Vec::len).sum::<usize>(), count);
    assert_eq!(plan.groups[0].iter().map(ToString::to_string).collect::<Vec<_>>(), ["Cluster eksa-system/prod"]);
    assert_eq!(plan.namespaces, ["eksa-system"]);
}
