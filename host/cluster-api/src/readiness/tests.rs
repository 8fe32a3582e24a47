//! Waits against a server in memory, and what objects say about how far they are.
#![allow(clippy::needless_pass_by_value, reason = "objects are written where they are used")]

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Said, Server, Trouble};

const NS: &str = "eksa-system";
const SOON: Timeout = Timeout::after(Duration::from_mins(1));

fn object(kind: &TypeRef, name: &str, extra: Value) -> Value {
    let mut object = json!({
        "apiVersion": kind.api_version, "kind": kind.kind,
        "metadata": {"name": name, "namespace": NS, "generation": 2, "labels": {CLUSTER_LABEL: "prod"}},
    });
    for (key, value) in extra.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

use crate::object::TypeRef;

fn cond(kind: &str, status: &str, message: &str) -> Value {
    json!([{"type": kind, "status": status, "reason": "Why", "message": message, "observedGeneration": 2}])
}

fn control_plane(ready: i64, available: &str) -> Value {
    object(
        &kinds::CONTROL_PLANE,
        "prod",
        json!({
            "spec": {"replicas": 3},
            "status": {
                "observedGeneration": 2, "replicas": ready, "readyReplicas": ready, "availableReplicas": ready, "upToDateReplicas": ready,
                "conditions": cond("Available", available, "waiting for etcd"),
            },
        }),
    )
}

/// Runs a wait while objects change one after another.
async fn while_changing<T>(server: &Server, wait: impl Future<Output = T>, changes: Vec<Value>) -> T {
    let changing = async {
        for change in changes {
            tokio::time::sleep(Duration::from_secs(1)).await;
            server.put(change);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = wait => result,
        () = changing => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_is_followed_until_it_is_there() {
    let (server, said) = (Server::new(), Said::default());
    let api = server.api();
    let wait = control_plane_available(&api, NS, "prod", SOON, &said);
    let mut stale = control_plane(3, "True");
    stale["metadata"]["generation"] = json!(3);
    while_changing(
        &server,
        wait,
        vec![stale, control_plane(1, "False"), control_plane(3, "False"), control_plane(3, "True")],
    )
    .await
    .unwrap();
    assert_eq!(
        said.all(),
        [
            "KubeadmControlPlane eksa-system/prod: it is not there yet",
            "KubeadmControlPlane eksa-system/prod: its controller has not seen the newest version of it yet",
            "KubeadmControlPlane eksa-system/prod: 1 of 3 control plane machines ready; `Available` is False (Why): waiting for etcd",
            "KubeadmControlPlane eksa-system/prod: 3 of 3 control plane machines ready; `Available` is False (Why): waiting for etcd",
        ]
    );
    assert_eq!(
        server.requests().iter().filter(|r| !r.contains("watch=true")).count(),
        2,
        "discovery and one list: {:?}",
        server.requests()
    );
}

#[tokio::test(start_paused = true)]
async fn giving_up_names_object_condition_last_word_and_what_to_try() {
    let server = Server::new();
    server.put(control_plane(1, "False"));
    let error = control_plane_available(&server.api(), NS, "prod", SOON, &crate::NoProgress).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "KubeadmControlPlane eksa-system/prod is not there after 60 s: 1 of 3 control plane machines ready; `Available` is False (Why): waiting for etcd; the last word on it was: waiting for etcd"
    );
    assert!(error.help().contains("Machine"));
}

#[tokio::test(start_paused = true)]
async fn what_can_not_come_ends_the_wait_at_once() {
    let server = Server::new();
    let start = tokio::time::Instant::now();
    let mut failed = control_plane(1, "False");
    failed["status"]["deprecated"] = json!({"v1beta1": {"failureReason": "CreateError", "failureMessage": "no disk"}});
    server.put(failed);
    let error = control_plane_available(&server.api(), NS, "prod", SOON, &crate::NoProgress).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "KubeadmControlPlane eksa-system/prod can't get there: its controller gave up (CreateError): no disk"
    );
    let mut deleting = control_plane(3, "True");
    deleting["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    server.put(deleting);
    let error = control_plane_available(&server.api(), NS, "prod", SOON, &crate::NoProgress).await.unwrap_err();
    assert!(error.to_string().contains("being deleted since 2026-01-01"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_away_ends_the_wait() {
    let server = Server::new();
    server.put(control_plane(1, "False"));
    let api = server.api();
    let wait = control_plane_available(&api, NS, "prod", SOON, &crate::NoProgress);
    let removing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.remove(&control_plane(1, "False"));
        std::future::pending::<()>().await;
    };
    let error = tokio::select! { r = wait => r.unwrap_err(), () = removing => unreachable!() };
    assert!(error.to_string().contains("deleted while it was awaited"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_is_started_over() {
    for (code, reason) in [(410, "Expired"), (500, "InternalError"), (429, "TooManyRequests")] {
        let server = Server::new();
        server.trouble(Trouble { method: Method::GET, at: "watch=true", times: 3, code, reason, message: "no" });
        server.put(control_plane(1, "False"));
        let api = server.api();
        let wait = control_plane_available(&api, NS, "prod", SOON, &crate::NoProgress);
        while_changing(&server, wait, vec![control_plane(3, "True")]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_longer_than_a_request_is_waited_for() {
    let (server, said) = (Server::new(), Said::default());
    server.put(control_plane(3, "True"));
    server.trouble(Trouble {
        method: Method::GET,
        at: "kubeadmcontrolplanes",
        times: 60,
        code: 503,
        reason: "ServiceUnavailable",
        message: "away",
    });
    control_plane_available(&server.api(), NS, "prod", Timeout::after(Duration::from_hours(1)), &said).await.unwrap();
    assert!(said.all().iter().any(|s| s.contains("does not answer")), "{:?}", said.all());
    server.trouble(Trouble {
        method: Method::GET,
        at: "kubeadmcontrolplanes",
        times: usize::MAX,
        code: 503,
        reason: "ServiceUnavailable",
        message: "away",
    });
    let error =
        control_plane_available(&server.api(), NS, "prod", Timeout::after(Duration::from_mins(10)), &crate::NoProgress)
            .await
            .unwrap_err();
    assert!(matches!(error, Error::GaveUp { .. }) && error.to_string().contains("away"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn clusters_etcd_workers_and_machines() {
    let (server, said) = (Server::new(), Said::default());
    let api = server.api();
    let cluster = |init: Value, available: &str| {
        object(
            &kinds::CLUSTER,
            "prod",
            json!({"spec": {}, "status": {"observedGeneration": 2, "initialization": init, "conditions": cond("Available", available, "m")}}),
        )
    };
    let wait = infrastructure_ready(&api, NS, "prod", SOON, &said);
    while_changing(
        &server,
        wait,
        vec![cluster(json!({}), "False"), cluster(json!({"infrastructureProvisioned": true}), "False")],
    )
    .await
    .unwrap();
    let wait = control_plane_initialized(&api, NS, "prod", SOON, &said);
    while_changing(&server, wait, vec![cluster(json!({"controlPlaneInitialized": true}), "False")]).await.unwrap();
    let wait = cluster_available(&api, NS, "prod", SOON, &said);
    while_changing(&server, wait, vec![cluster(json!({}), "True")]).await.unwrap();

    let etcd = |ready: bool, endpoints: &str| {
        object(
            &kinds::ETCD_CLUSTER,
            "prod-etcd",
            json!({"spec": {"replicas": 3}, "status": {"ready": ready, "endpoints": endpoints}}),
        )
    };
    let wait = external_etcd_ready(&api, NS, "prod-etcd", SOON, &said);
    while_changing(
        &server,
        wait,
        vec![etcd(true, ""), etcd(false, "https://a:2379"), etcd(true, "https://a:2379,https://b:2379,https://c:2379")],
    )
    .await
    .unwrap();
    assert!(said.all().iter().any(|s| s.contains("1 of 3 etcd members answer")), "{:?}", said.all());

    let group = |name: &str, ready: i64| {
        object(
            &kinds::MACHINE_DEPLOYMENT,
            name,
            json!({"spec": {"replicas": 2}, "status": {
                "observedGeneration": 2, "replicas": 2, "readyReplicas": ready, "availableReplicas": ready, "upToDateReplicas": 2,
                "conditions": cond("Available", if ready == 2 { "True" } else { "False" }, "m"),
            }}),
        )
    };
    let wait = workers_available(&api, NS, "prod", 2, SOON, &said);
    while_changing(&server, wait, vec![group("a", 2), group("b", 1), group("b", 2)]).await.unwrap();
    assert!(
        said.all().iter().any(|s| s.contains("1 of 2 worker node groups are ready; b: 1 of 2 machines ready")),
        "{:?}",
        said.all()
    );

    let machine =
        |name: &str, node: Value| object(&kinds::MACHINE, name, json!({"spec": {}, "status": {"nodeRef": node}}));
    let mut etcd_machine = machine("e", Value::Null);
    etcd_machine["metadata"]["labels"][ETCD_LABEL] = json!("prod-etcd");
    let mut etcd_ready = etcd_machine.clone();
    etcd_ready["metadata"]["labels"][ETCD_READY_LABEL] = json!("true");
    let wait = machines_have_nodes(&api, NS, "prod", Some(2), SOON, &said);
    while_changing(&server, wait, vec![etcd_machine, machine("m", json!({"name": "n"})), etcd_ready]).await.unwrap();
    assert!(said.all().iter().any(|s| s.contains("1 of 2 machines are there")), "{:?}", said.all());
}

#[tokio::test(start_paused = true)]
async fn kubeconfigs_nodes_and_deployments() {
    let (server, said) = (Server::new(), Said::default());
    let api = server.api();
    assert_eq!(kubeconfig_secret(&api, NS, "prod").await.unwrap(), None);
    let secret = |data: Value| object(&kinds::SECRET, "prod-kubeconfig", json!({ "data": data }));
    let wait = kubeconfig_available(&api, NS, "prod", SOON, &said);
    let text =
        while_changing(&server, wait, vec![secret(json!({})), secret(json!({"value": "Y29uZmln"}))]).await.unwrap();
    assert_eq!(text, "config");
    assert_eq!(kubeconfig_secret(&api, NS, "prod").await.unwrap().as_deref(), Some("config"));

    let node = |name: &str, status: &str| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": status, "message": "cni plugin not initialized"}]}});
    let wait = nodes_ready(&api, 2, SOON, &said);
    while_changing(&server, wait, vec![node("a", "True"), node("b", "False"), node("b", "True")]).await.unwrap();
    assert!(
        said.all().iter().any(|s| s.contains("1 of 2 nodes are ready; b: `Ready` is False: cni plugin")),
        "{:?}",
        said.all()
    );

    let deployment = |available: &str, updated: i64, progressing: &str| {
        let conditions = json!([{"type": "Available", "status": available, "message": "too few"}, {"type": "Progressing", "status": "False", "reason": progressing, "message": "stuck"}]);
        object(
            &kinds::DEPLOYMENT,
            "d",
            json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}}, "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": updated, "conditions": conditions}}),
        )
    };
    let wait = deployment_available(&api, NS, "d", SOON, &said);
    while_changing(
        &server,
        wait,
        vec![deployment("False", 1, ""), deployment("True", 0, ""), deployment("True", 1, "")],
    )
    .await
    .unwrap();
    server.put(deployment("False", 1, "ProgressDeadlineExceeded"));
    let error = deployment_available(&api, NS, "d", SOON, &said).await.unwrap_err();
    assert!(matches!(error, Error::Hopeless { .. }), "{error}");
    assert!(!error.to_string().contains("pod d-1"), "{error}");
    server.put(deployment("False", 1, ""));
    server.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d-1", "namespace": NS, "labels": {"app": "d"}}, "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}}));
    let error = deployment_available(&api, NS, "d", SOON, &said).await.unwrap_err();
    assert!(error.to_string().ends_with("pod d-1 is in `ImagePullBackOff`: not found"), "{error}");
    let told: Vec<_> =
        said.all().into_iter().filter(|s| s.contains("d-1 is in `ImagePullBackOff`: not found")).collect();
    assert_eq!(told.len(), 1, "while it was awaited, and once: {told:?}");
    server.put(deployment("False", 1, "ProgressDeadlineExceeded"));
    let error = deployment_available(&api, NS, "d", SOON, &said).await.unwrap_err();
    assert!(error.to_string().contains("stuck; pod d-1 is in `ImagePullBackOff`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_is_waited_for_until_it_answers_and_not_when_it_refuses() {
    let server = Server::new();
    let trouble =
        |times, code, message| Trouble { method: Method::GET, at: "/version", times, code, reason: "", message };
    server.trouble(trouble(5, 503, "starting"));
    api_answers(&server.api(), SOON, &crate::NoProgress).await.unwrap();
    server.trouble(trouble(usize::MAX, 401, "no"));
    assert_eq!(api_answers(&server.api(), SOON, &crate::NoProgress).await.unwrap_err().code(), Some(401));
    let server = Server::new();
    server.trouble(trouble(usize::MAX, 503, "starting"));
    let error = api_answers(&server.api(), SOON, &crate::NoProgress).await.unwrap_err();
    assert!(matches!(error, Error::GaveUp { .. }), "{error}");
}

#[test]
fn a_condition_of_the_newer_form_wins_and_an_old_one_is_stale() {
    let object = json!({
        "metadata": {"generation": 3},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "True", "observedGeneration": 2}],
            "v1beta2": {"conditions": [{"type": "Ready", "status": "False", "observedGeneration": 3}]},
        },
    });
    assert!(condition_is(&object, "Ready", "False"));
    assert!(!condition_is(&object, "Old", "True"));
    assert_eq!(condition(&object, "None"), None);
}
