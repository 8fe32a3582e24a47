//! Clusters that look as if controllers had made them, and that nobody works on: 25 objects each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::apiserver::{ApiServer, Client, base64};
use crate::management::*;

/// How many objects a cluster has.
pub(crate) const OBJECTS: usize = 25;

const SINCE: &str = "2026-01-01T00:00:00Z";

/// Makes clusters `c000`, `c001`, … side by side.
pub(crate) fn paint(server: &ApiServer, count: usize) {
    let client = server.client("harness");
    client.block_on(async {
        let mut running = tokio::task::JoinSet::new();
        for number in 0..count {
            while running.len() >= 8 {
                running.join_next().await.expect("one runs").expect("it is made");
            }
            let client = client.clone();
            running.spawn(async move { Painter { client: &client, cluster: format!("c{number:03}") }.cluster().await });
        }
        while let Some(done) = running.join_next().await {
            done.expect("it is made");
        }
    });
}

struct Painter<'a> {
    client: &'a Client,
    cluster: String,
}

fn condition(kind: &str) -> Value {
    json!([{"type": kind, "status": "True", "reason": "Ok", "message": "", "lastTransitionTime": SINCE}])
}

fn reference(kind: Kind, name: &str) -> Value {
    json!({"apiGroup": kind.api_version.split('/').next(), "kind": kind.kind, "name": name})
}

impl Painter<'_> {
    async fn put(&self, kind: Kind, name: &str, owner: Option<&Value>, mut object: Value, status: Value) -> Value {
        object["apiVersion"] = json!(kind.api_version);
        object["kind"] = json!(kind.kind);
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!(NAMESPACE);
        object["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"] = json!(self.cluster);
        if let Some(owner) = owner {
            object["metadata"]["ownerReferences"] = json!([{
                "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
            }]);
        }
        let json = "application/json";
        let made = self.client.ask("POST", &kind.list(), json, Some(object.to_string())).await;
        let made = made.unwrap_or_else(|(code, text)| panic!("{} {name}: {code} {text}", kind.kind));
        if !status.is_null() {
            let path = format!("{}/{name}/status", kind.list());
            let patch = json!({ "status": status }).to_string();
            let answer = self.client.ask("PATCH", &path, "application/merge-patch+json", Some(patch)).await;
            answer.unwrap_or_else(|(code, text)| panic!("{} {name}: {code} {text}", kind.kind));
        }
        made
    }

    async fn secret(&self, name: &str, owner: &Value) {
        let content = base64(name.repeat(1700 / name.len()).as_bytes());
        let object = json!({"type": "cluster.x-k8s.io/secret", "data": {"tls.crt": content, "tls.key": content}});
        self.put(SECRET, name, Some(owner), object, Value::Null).await;
    }

    async fn cluster(&self) {
        let name = self.cluster.as_str();
        let group = format!("{name}-md-0");
        let endpoint = json!({"host": "127.0.0.1", "port": 6443});
        let root = self
            .put(
                CLUSTER,
                name,
                None,
                json!({
                    "metadata": {"finalizers": ["cluster.cluster.x-k8s.io"]},
                    "spec": {
                        "clusterNetwork": {"pods": {"cidrBlocks": ["192.168.0.0/16"]}}, "controlPlaneEndpoint": endpoint,
                        "infrastructureRef": reference(INFRA_CLUSTER, name), "controlPlaneRef": reference(CONTROL_PLANE, name),
                    },
                }),
                json!({
                    "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
                    "phase": "Provisioned", "conditions": condition("ControlPlaneInitialized"),
                }),
            )
            .await;
        let spec = json!({"spec": {"backend": {"inMemory": {}}, "controlPlaneEndpoint": endpoint}});
        self.put(INFRA_CLUSTER, name, Some(&root), spec, Value::Null).await;
        for template in ["cp", "md-0"] {
            let spec = json!({"spec": {"template": {"spec": {"backend": {"inMemory": {}}}}}});
            self.put(INFRA_TEMPLATE, &format!("{name}-{template}"), Some(&root), spec, Value::Null).await;
        }
        let join = json!({"joinConfiguration": {"nodeRegistration": {"criSocket": "unix:///run/containerd.sock"}}});
        let spec = json!({"spec": {"template": {"spec": join}}});
        self.put(CONFIG_TEMPLATE, &group, Some(&root), spec, Value::Null).await;
        let counted = |n: usize| json!({"replicas": n, "readyReplicas": n, "availableReplicas": n, "upToDateReplicas": n, "observedGeneration": 1});
        let plane = self
            .put(
                CONTROL_PLANE,
                name,
                Some(&root),
                json!({"spec": {
                    "replicas": 1, "version": "v1.34.10",
                    "machineTemplate": {"spec": {"infrastructureRef": reference(INFRA_TEMPLATE, &format!("{name}-cp"))}},
                    "kubeadmConfigSpec": {"files": [{"path": "/etc/content", "content": "x".repeat(3000)}]},
                }}),
                counted(1),
            )
            .await;
        for secret in ["ca", "etcd", "sa", "proxy", "kubeconfig"] {
            self.secret(&format!("{name}-{secret}"), &plane).await;
        }
        let labels = json!({"cluster.x-k8s.io/deployment-name": group});
        let template = json!({"metadata": {"labels": labels}, "spec": {
            "clusterName": name, "version": "v1.34.10",
            "bootstrap": {"configRef": reference(CONFIG_TEMPLATE, &group)},
            "infrastructureRef": reference(INFRA_TEMPLATE, &group),
        }});
        let workers = json!({"spec": {"clusterName": name, "replicas": 2, "selector": {"matchLabels": labels}, "template": template}});
        let deployment = self.put(MACHINE_DEPLOYMENT, &group, Some(&root), workers.clone(), counted(2)).await;
        let set = self.put(MACHINE_SET, &format!("{group}-x"), Some(&deployment), workers, Value::Null).await;
        for (number, owner) in [&plane, &set, &set].into_iter().enumerate() {
            self.machine(&format!("{name}-m{number}"), owner, if number == 0 { json!({}) } else { labels.clone() })
                .await;
        }
    }

    async fn machine(&self, name: &str, owner: &Value, labels: Value) {
        let machine = self
            .put(
                MACHINE,
                name,
                Some(owner),
                json!({
                    "metadata": {"labels": labels, "finalizers": ["machine.cluster.x-k8s.io"]},
                    "spec": {
                        "clusterName": self.cluster, "version": "v1.34.10", "providerID": format!("in-memory://{name}"),
                        "bootstrap": {"configRef": reference(CONFIG, name), "dataSecretName": name},
                        "infrastructureRef": reference(INFRA_MACHINE, name),
                    },
                }),
                json!({"nodeRef": {"name": name}, "phase": "Running", "initialization": {"infrastructureProvisioned": true, "bootstrapDataSecretCreated": true}}),
            )
            .await;
        let join =
            json!({"spec": {"joinConfiguration": {"nodeRegistration": {"criSocket": "unix:///run/containerd.sock"}}}});
        let config = self.put(CONFIG, name, Some(&machine), join, Value::Null).await;
        let spec = json!({"metadata": {"finalizers": ["devmachine.infrastructure.cluster.x-k8s.io"]}, "spec": {"providerID": format!("in-memory://{name}"), "backend": {"inMemory": {}}}});
        self.put(INFRA_MACHINE, name, Some(&machine), spec, Value::Null).await;
        self.secret(name, &config).await;
    }
}

/// Everything of the namespace, by kind and name, without what a server sets itself and with owners by name.
pub(crate) fn contents(server: &ApiServer) -> BTreeMap<String, Value> {
    let client = server.client("harness");
    let mut all = Vec::new();
    for kind in KINDS {
        for mut object in client.items(&kind.list()) {
            object["kind"] = json!(kind.kind);
            all.push(object);
        }
    }
    let title = |o: &Value| format!("{} {}", o["kind"].as_str().unwrap(), o["metadata"]["name"].as_str().unwrap());
    let names: BTreeMap<String, String> =
        all.iter().map(|o| (o["metadata"]["uid"].as_str().unwrap().to_owned(), title(o))).collect();
    all.into_iter()
        .map(|object| {
            let metadata = &object["metadata"];
            let owners: BTreeSet<String> = metadata["ownerReferences"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|o| names.get(o["uid"].as_str().unwrap()).cloned().unwrap_or_else(|| "nobody".to_owned()))
                .collect();
            let mut finalizers = metadata["finalizers"].clone();
            if finalizers.is_null() {
                finalizers = json!([]);
            }
            let mut spec = object["spec"].clone();
            if let Some(spec) = spec.as_object_mut() {
                spec.remove("paused");
            }
            let rest = json!({
                "labels": metadata["labels"], "finalizers": finalizers, "owners": owners, "spec": spec,
                "data": object["data"], "type": object["type"], "going": metadata["deletionTimestamp"],
            });
            (title(&object), rest)
        })
        .collect()
}

/// The clusters that are at work.
pub(crate) fn at_work(server: &ApiServer) -> BTreeSet<String> {
    let clusters = server.client("harness").items(&CLUSTER.list());
    let awake = clusters.iter().filter(|c| c["spec"]["paused"] != json!(true));
    awake.map(|c| c["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Gives moved clusters the status that their controllers would find out again: no move carries it.
pub(crate) fn revive(server: &ApiServer) {
    let client = server.client("harness");
    let counted = |n: usize, generation: &Value| json!({"replicas": n, "readyReplicas": n, "availableReplicas": n, "upToDateReplicas": n, "observedGeneration": generation});
    for kind in [CLUSTER, CONTROL_PLANE, MACHINE_DEPLOYMENT, MACHINE] {
        for object in client.items(&kind.list()) {
            let name = object["metadata"]["name"].as_str().unwrap();
            let generation = &object["metadata"]["generation"];
            let status = match kind.kind {
                "Cluster" => json!({
                    "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
                    "conditions": condition("ControlPlaneInitialized"),
                }),
                "KubeadmControlPlane" => counted(1, generation),
                "MachineDeployment" => counted(2, generation),
                _ => json!({"nodeRef": {"name": name}}),
            };
            client.merge(&format!("{}/{name}/status", kind.list()), &json!({ "status": status }));
        }
    }
}

/// Takes everything away.
pub(crate) fn wipe(server: &ApiServer) {
    let client = server.client("harness");
    for kind in KINDS {
        for object in client.items(&kind.list()) {
            let path = format!("{}/{}", kind.list(), object["metadata"]["name"].as_str().unwrap());
            if object["metadata"]["finalizers"].is_array() {
                let merge = "application/merge-patch+json";
                let patch = json!({"metadata": {"finalizers": []}}).to_string();
                let _ = client.block_on(client.ask("PATCH", &path, merge, Some(patch)));
            }
            client.delete(&path);
        }
    }
}
