//! The move of a cluster into itself: nothing is made twice, and what no move carries is found again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::behaviour::conditions::is_true;
use crate::behaviour::kinds::{CLUSTER, CONTROL_PLANE, ETCD_CLUSTER, MACHINE, SECRET};
use crate::behaviour::meta::text;
use crate::kube::{Kind, LabelSelector, Patch, Propagation, Store, object};

use super::bed::{Bed, NAMESPACE, Sample, get, install, machines, names, until};

fn pause(store: &Store, paused: &Value) {
    store.patch(&CLUSTER, Some(NAMESPACE), "prod", &Patch::Merge(json!({"spec": {"paused": paused}})), "test").unwrap();
}

fn to_move(store: &Store) -> Vec<Value> {
    let kinds = store.kinds().into_iter().filter(|kind| kind.group.ends_with("cluster.x-k8s.io") || *kind == SECRET);
    kinds.flat_map(|kind: Kind| store.list(&kind, Some(NAMESPACE), &LabelSelector::everything())).collect()
}

/// Creates objects without status, owners first, with the new identities of their owners.
fn carry(objects: &[Value], to: &Store) {
    let mut moved: BTreeMap<String, String> = BTreeMap::new();
    let mut left: Vec<&Value> = objects.iter().collect();
    while !left.is_empty() {
        let (ready, later): (Vec<&Value>, Vec<&Value>) = left
            .into_iter()
            .partition(|one| object::owners(one).iter().all(|owner| moved.contains_key(text(owner, "/uid"))));
        assert!(!ready.is_empty(), "owners that are not moved: {later:?}");
        for one in ready {
            let mut made = one.clone();
            made.as_object_mut().unwrap().shift_remove("status");
            for field in ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"] {
                object::metadata(&mut made).shift_remove(field);
            }
            if let Some(Value::Array(owners)) = object::metadata(&mut made).get_mut("ownerReferences") {
                for owner in owners {
                    owner["uid"] = json!(moved[text(owner, "/uid")]);
                }
            }
            let there = to
                .create(made)
                .unwrap_or_else(|refused| panic!("{} {}: {refused}", object::kind(one), object::name(one)));
            moved.insert(object::uid(one).to_owned(), object::uid(&there).to_owned());
        }
        left = later;
    }
}

/// As a move ends: finalizers are taken off, so that nobody cleans up what lives on elsewhere.
fn forget(objects: &[Value], from: &Store) {
    for one in objects.iter().rev() {
        let (kind, namespace, name) = crate::behaviour::objects::address(one);
        if from.get(&kind, Some(&namespace), &name).is_some() {
            let _ = from.delete(&kind, Some(&namespace), &name, Propagation::Background);
            from.mutate(&kind, Some(&namespace), &name, |one| {
                object::metadata(one).shift_remove("finalizers");
            });
        }
    }
}

#[tokio::test]
async fn after_the_move_everything_is_found_again_and_nothing_made_twice() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample { control_plane: 3, etcd: Some(3), workers: 2, ..Sample::default() }.create(bed.store());
    let workload = bed.network().await;
    bed.available().await;
    let before = bed.world.machines().list();
    install(workload.store(), "vsphere").await;
    pause(bed.store(), &json!(true));
    until(bed.store(), "every machine is paused", |store| machines(store).iter().all(|one| is_true(one, "Paused")))
        .await;
    let objects = to_move(bed.store());
    carry(&objects, workload.store());
    forget(&objects, bed.store());
    assert!(machines(bed.store()).is_empty());
    assert!(
        machines(workload.store())
            .iter()
            .all(|one| one.get("status").is_none_or(|status| status.get("nodeRef").is_none()))
    );
    pause(workload.store(), &Value::Null);
    until(workload.store(), "the cluster manages itself", |store| {
        let cluster = get(store, &CLUSTER, "prod").unwrap();
        is_true(&cluster, "Available") && machines(store).iter().all(|one| text(one, "/status/phase") == "Running")
    })
    .await;
    until(workload.store(), "etcd serves and the control plane is held no more", |store| {
        text(&get(store, &ETCD_CLUSTER, "prod-etcd").unwrap(), "/status/endpoints").split(',').count() == 3
            && !is_true(&get(store, &CONTROL_PLANE, "prod").unwrap(), "Paused")
    })
    .await;
    let moved: BTreeSet<String> =
        names(&objects.iter().filter(|one| object::kind(one) == "Machine").cloned().collect::<Vec<_>>())
            .into_iter()
            .collect();
    assert_eq!(names(&machines(workload.store())).into_iter().collect::<BTreeSet<_>>(), moved);
    assert_eq!(bed.world.machines().list(), before);
    assert_eq!(bed.world.machines().made(), 8);
    // The source had its controllers all the time and touched nothing.
    bed.world.drop_cluster(crate::behaviour::ClusterRole::Bootstrap, "prod").await;
    workload
        .store()
        .patch(
            &crate::behaviour::kinds::MACHINE_DEPLOYMENT,
            Some(NAMESPACE),
            "prod-md-0",
            &Patch::Merge(json!({"spec": {"replicas": 3}})),
            "test",
        )
        .unwrap();
    until(workload.store(), "it scales itself", |store| {
        machines(store).iter().filter(|one| text(one, "/status/phase") == "Running").count() == 9
    })
    .await;
    assert_eq!(bed.world.machines().made(), 9);
}

#[tokio::test]
async fn a_machine_that_is_gone_is_told_from_one_that_is_there() {
    let bed = Bed::new("vsphere", &[]).await;
    Sample::default().create(bed.store());
    bed.network().await;
    bed.available().await;
    let worker = machines(bed.store())
        .into_iter()
        .find(|one| text(one, "/metadata/labels/cluster.x-k8s.io~1deployment-name") == "prod-md-0")
        .unwrap();
    bed.world.machines().destroy(text(&worker, "/spec/providerID")).unwrap();
    let (kind, name) = (Kind::of("infrastructure.cluster.x-k8s.io", "VSphereMachine"), object::name(&worker));
    bed.store()
        .patch(
            &kind,
            Some(NAMESPACE),
            name,
            &Patch::Merge(json!({"metadata": {"annotations": {"look": "again"}}})),
            "test",
        )
        .unwrap();
    until(bed.store(), "the loss is visible", |store| {
        let part = get(store, &kind, name).unwrap();
        part.pointer("/status/conditions").unwrap().to_string().contains("does not exist any more")
    })
    .await;
    assert_eq!(bed.store().list(&MACHINE, None, &LabelSelector::everything()).len(), 2);
}
