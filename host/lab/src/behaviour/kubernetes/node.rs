//! Nodes: ready once a container network is up on them, and what they keep off until then.

use serde_json::{Value, json};

use crate::Fault;
use crate::behaviour::component::Component;
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route, Same as _};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{DAEMON_SET, NODE, POD};
use crate::behaviour::meta::{now, set, text};
use crate::kube::{Event, object};

/// The folder in which a container network tells the kubelet that it is there.
const NETWORK_FOLDER: &str = "/etc/cni/net.d";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Kept by a node until its cloud provider has looked at it.
pub(crate) const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

pub(crate) struct Nodes;

impl Controller for Nodes {
    fn primary(&self) -> On {
        On::Kind(NODE)
    }

    fn component(&self) -> Component {
        Component::Kubernetes
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(POD), Route::All), (On::Kind(DAEMON_SET), Route::All)]
    }

    fn is_concerned(&self, event: &Event) -> bool {
        !event.same_at(&["/status/phase", "/spec/nodeName"])
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let pods = objects.each(&POD, "");
        let Some(this) = objects.get(&NODE, "", &key.name) else {
            // A node that is gone takes its pods along.
            for pod in pods.iter().filter(|pod| text(pod, "/spec/nodeName") == key.name) {
                objects.delete(pod)?;
            }
            return Ok(After::Settled);
        };
        let running: Vec<&Value> =
            pods.iter().map(|pod| &**pod).filter(|pod| text(pod, "/status/phase") == "Running").collect();
        // The fault is about clusters that are made; a bootstrap cluster comes with a network that works.
        let missing =
            context.world.faults().has(&Fault::CniMissing) && !text(&this, "/spec/providerID").starts_with("kind://");
        let network =
            !missing && running.iter().any(|pod| text(pod, "/spec/nodeName") == key.name && brings_network(pod));
        // The cloud provider initializes nodes from wherever it runs.
        let cloud = running.iter().any(|pod| is_cloud_provider(pod));
        objects.change_this(&this, |this| update(this, network, cloud));
        Ok(After::Settled)
    }
}

/// Whether a pod brings the container network of its node: it writes into the folder where the kubelet looks for one.
fn brings_network(pod: &Value) -> bool {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    volumes.into_iter().any(|volume| text(volume, "/hostPath/path").trim_end_matches('/') == NETWORK_FOLDER)
}

fn is_cloud_provider(pod: &Value) -> bool {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    containers.into_iter().any(|one| {
        text(one, "/name").contains("cloud-controller-manager") || text(one, "/image").contains("cloud-provider")
    })
}

fn update(this: &mut Value, network: bool, cloud: bool) {
    let was = conditions::is_true(this, "Ready");
    let old = this.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    if was != network || old.is_empty() {
        let time = now();
        let entry = |name: &str, status: bool, reason: &str, message: &str| json!({"type": name, "status": if status { "True" } else { "False" }, "lastHeartbeatTime": time, "lastTransitionTime": time, "reason": reason, "message": message});
        let ready = if network {
            entry("Ready", true, "KubeletReady", "kubelet is posting ready status")
        } else {
            entry(
                "Ready",
                false,
                "KubeletNotReady",
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
            )
        };
        let list = json!([
            entry("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            entry("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            entry("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ready,
        ]);
        set(this, &["status", "conditions"], list);
    }
    let mut taints: Vec<Value> = this.pointer("/spec/taints").and_then(Value::as_array).cloned().unwrap_or_default();
    let before = taints.clone();
    taints.retain(|taint| match text(taint, "/key") {
        UNINITIALIZED => !cloud,
        NOT_READY => !network,
        _ => true,
    });
    if !network && !taints.iter().any(|taint| text(taint, "/key") == NOT_READY) {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
    if taints != before {
        if taints.is_empty() {
            crate::behaviour::meta::unset(this, &["spec", "taints"]);
        } else {
            set(this, &["spec", "taints"], json!(taints));
        }
    }
}

/// Whether a node has the labels that a pod template selects by.
pub(crate) fn selected(template: &Value, node: &Value) -> bool {
    let selector = template.pointer("/spec/nodeSelector").and_then(Value::as_object).into_iter().flatten();
    selector.into_iter().all(|(key, value)| object::label(node, key) == value.as_str())
}

/// The keys of a node's taints that keep a pod off.
pub(crate) fn untolerated(template: &Value, node: &Value) -> Vec<String> {
    let tolerations = template.pointer("/spec/tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    let taints = node.pointer("/spec/taints").and_then(Value::as_array).into_iter().flatten();
    let keeping = taints.into_iter().filter(|taint| text(taint, "/effect") != "PreferNoSchedule");
    keeping
        .filter(|taint| !tolerations.iter().any(|one| tolerates(one, taint)))
        .map(|taint| text(taint, "/key").to_owned())
        .collect()
}

fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let effect = text(toleration, "/effect");
    if !effect.is_empty() && effect != text(taint, "/effect") {
        return false;
    }
    let key = text(toleration, "/key");
    match text(toleration, "/operator") {
        "Exists" => key.is_empty() || key == text(taint, "/key"),
        _ => key == text(taint, "/key") && text(toleration, "/value") == text(taint, "/value"),
    }
}

/// A node as its kubelet registers it.
pub(crate) struct Registration<'a> {
    pub(crate) name: &'a str,
    pub(crate) provider_id: &'a str,
    pub(crate) version: &'a str,
    pub(crate) address: &'a str,
    pub(crate) os_image: &'a str,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) taints: Vec<Value>,
}

impl Registration<'_> {
    pub(crate) fn object(&self) -> Value {
        let mut node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": self.name, "labels": {
                "kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
            }},
            "spec": {"providerID": self.provider_id, "taints": self.taints},
        });
        for (key, value) in &self.labels {
            crate::behaviour::meta::set_label(&mut node, key, value);
        }
        node
    }

    /// What the kubelet reports of itself.
    pub(crate) fn status(&self) -> Value {
        json!({
            "addresses": [{"type": "InternalIP", "address": self.address}, {"type": "ExternalIP", "address": self.address}, {"type": "Hostname", "address": self.name}],
            "capacity": {"cpu": "2", "memory": "8145444Ki", "pods": "110"}, "allocatable": {"cpu": "2", "memory": "8043044Ki", "pods": "110"},
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.8.0", "kubeProxyVersion": "", "kubeletVersion": self.version,
                "machineID": "", "operatingSystem": "linux", "osImage": self.os_image, "systemUUID": self.provider_id.rsplit('/').next().unwrap_or_default(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_keep_off_what_does_not_tolerate_them() {
        let node = json!({"metadata": {"labels": {"kubernetes.io/os": "linux"}}, "spec": {"taints": [
            {"key": "a", "effect": "NoSchedule"}, {"key": "b", "value": "x", "effect": "NoExecute"}, {"key": "c", "effect": "PreferNoSchedule"},
        ]}});
        let with = |tolerations: Value| untolerated(&json!({"spec": {"tolerations": tolerations}}), &node);
        assert_eq!(with(json!([])), ["a", "b"]);
        assert_eq!(
            with(json!([{"key": "a", "effect": "NoSchedule"}, {"key": "b", "value": "x"}])),
            Vec::<String>::new()
        );
        assert_eq!(with(json!([{"operator": "Exists"}])), Vec::<String>::new());
        assert_eq!(with(json!([{"key": "b", "operator": "Exists", "effect": "NoSchedule"}])), ["a", "b"]);
        assert!(selected(&json!({"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}}), &node));
        assert!(!selected(&json!({"spec": {"nodeSelector": {"gpu": "yes"}}}), &node));
    }

    #[test]
    fn a_node_without_a_network_is_tainted_and_with_one_is_ready() {
        let mut node = json!({"apiVersion": "v1", "metadata": {"name": "n"}, "spec": {"taints": [{"key": UNINITIALIZED, "effect": "NoSchedule"}]}});
        update(&mut node, false, false);
        assert!(!conditions::is_true(&node, "Ready"));
        assert_eq!(untolerated(&json!({}), &node), [UNINITIALIZED, NOT_READY]);
        update(&mut node, true, true);
        assert!(conditions::is_true(&node, "Ready"));
        assert!(node.pointer("/spec/taints").is_none());
        let before = node.clone();
        update(&mut node, true, true);
        assert_eq!(node, before);
    }
}
