//! Pods: given a node, given their volumes, and then running; nothing runs in them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Fault;
use crate::behaviour::component::{self, Component};
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route, Same as _};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CONFIG_MAP, NODE, POD, SECRET, names};
use crate::behaviour::meta::{flag, now, number, set, text};
use crate::kube::{Event, EventType, object};

use super::node;

/// Pulling an image and starting it.
const START: Duration = Duration::from_secs(8);
/// The name of a simulated address, for pods that are not on their node's own network.
const POD_NETWORK: &str = "198.19";

pub(crate) struct Pods;

impl Controller for Pods {
    fn primary(&self) -> On {
        On::Kind(POD)
    }

    fn component(&self) -> Component {
        Component::Kubernetes
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(NODE), Route::All), (On::Kind(SECRET), Route::All), (On::Kind(CONFIG_MAP), Route::All)]
    }

    fn is_concerned(&self, event: &Event) -> bool {
        // Of a node its readiness and its taints; a volume is waited for until it is there.
        !event.same_at(&["/spec", "/status/conditions", "/metadata/labels"]) || event.event_type != EventType::Modified
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&POD, &key.namespace, &key.name).filter(|one| !object::is_deleting(one)) else {
            return Ok(After::Settled);
        };
        if text(&this, "/status/phase") == "Running" && conditions::is_true(&this, "Ready") {
            return Ok(After::Settled);
        }
        let nodes = objects.each(&NODE, "");
        let bound = text(&this, "/spec/nodeName");
        let place = if bound.is_empty() {
            nodes.iter().find(|node| {
                node::selected(&this, node)
                    && node::untolerated(&this, node).is_empty()
                    && !flag(node, "/spec/unschedulable")
            })
        } else {
            nodes.iter().find(|node| object::name(node) == bound)
        };
        let Some(place) = place else {
            objects.change_this(&this, |pod| pending(pod, &unschedulable(&this, &nodes)));
            return Ok(After::Settled);
        };
        let networked = conditions::is_true(place, "Ready");
        if !networked && !flag(&this, "/spec/hostNetwork") {
            objects.change_this(&this, |pod| {
                starting(pod, place, "ContainerCreating", "waits for the container network of its node");
            });
            return Ok(After::Settled);
        }
        if let Some(missing) = missing_volume(context, &this) {
            objects.change_this(&this, |pod| starting(pod, place, "ContainerCreating", &missing));
            return Ok(After::Settled);
        }
        if crashes(context, &this) {
            objects.change_this(&this, |pod| {
                starting(pod, place, "CrashLoopBackOff", "back-off 5m0s restarting failed container");
            });
            return Ok(After::Settled);
        }
        if let Some(wait) = context.left(&this, "start", START) {
            objects.change_this(&this, |pod| starting(pod, place, "ContainerCreating", ""));
            return Ok(After::Wait(wait));
        }
        objects.change_this(&this, |pod| running(pod, place));
        Ok(After::Settled)
    }
}

fn unschedulable(pod: &Value, nodes: &[Arc<Value>]) -> String {
    let mut why: Vec<String> = nodes
        .iter()
        .flat_map(|node| node::untolerated(pod, node))
        .map(|taint| format!("1 node(s) had untolerated taint {{{taint}: }}"))
        .collect();
    why.sort();
    why.dedup();
    if why.is_empty() && !nodes.is_empty() {
        why.push("no node matched the pod's node selector".to_owned());
    }
    let tail = if why.is_empty() {
        "no nodes available to schedule pods".to_owned()
    } else {
        format!("0/{} nodes are available: {}", nodes.len(), why.join(", "))
    };
    format!("{tail}.")
}

/// A Secret or ConfigMap that a volume needs and that is not there.
fn missing_volume(context: &Context, pod: &Value) -> Option<String> {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array)?;
    volumes.iter().find_map(|volume| {
        let (kind, word, name, optional) = match (volume.get("secret"), volume.get("configMap")) {
            (Some(secret), _) => (SECRET, "secret", text(secret, "/secretName"), flag(secret, "/optional")),
            (_, Some(map)) => (CONFIG_MAP, "configmap", text(map, "/name"), flag(map, "/optional")),
            _ => return None,
        };
        let there = optional || context.objects.get(&kind, object::namespace(pod), name).is_some();
        (!there).then(|| {
            format!("MountVolume.SetUp failed for volume \"{}\" : {word} \"{name}\" not found", text(volume, "/name"))
        })
    })
}

fn crashes(context: &Context, pod: &Value) -> bool {
    let labels = [names::PROVIDER, "app.kubernetes.io/name", "control-plane"];
    let known: Vec<&str> = labels.into_iter().filter_map(|key| object::label(pod, key)).collect();
    context.world.faults().all().iter().any(|fault| match fault {
        Fault::ProviderCrashloop(which) => known.iter().any(|name| component::means(which, name)),
        _ => false,
    })
}

fn condition(name: &str, holds: bool, reason: &str, message: &str) -> Value {
    let mut entry = json!({"type": name, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now()});
    for (field, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            set(&mut entry, &[field], json!(value));
        }
    }
    entry
}

fn pending(pod: &mut Value, message: &str) {
    if text(pod, "/status/conditions/0/message") != message {
        set(
            pod,
            &["status"],
            json!({"phase": "Pending", "qosClass": "BestEffort", "conditions": [condition("PodScheduled", false, "Unschedulable", message)]}),
        );
    }
}

fn containers(pod: &Value, state: &Value, ready: bool, restarts: i64) -> Value {
    let list = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let one = |container: &Value| {
        json!({
            "name": text(container, "/name"), "image": text(container, "/image"), "imageID": if ready { text(container, "/image") } else { "" },
            "ready": ready, "started": ready, "restartCount": restarts, "state": state, "lastState": {},
        })
    };
    list.into_iter().map(one).collect()
}

fn starting(pod: &mut Value, node: &Value, reason: &str, message: &str) {
    if text(pod, "/status/containerStatuses/0/state/waiting/reason") == reason
        && text(pod, "/status/containerStatuses/0/state/waiting/message") == message
    {
        return;
    }
    set(pod, &["spec", "nodeName"], json!(object::name(node)));
    let mut waiting = json!({"reason": reason});
    if !message.is_empty() {
        set(&mut waiting, &["message"], json!(message));
    }
    let crashing = reason == "CrashLoopBackOff";
    let names: Vec<&str> = pod
        .pointer("/spec/containers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|one| text(one, "/name"))
        .collect();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let list = json!([
        condition("PodScheduled", true, "", ""),
        condition("Initialized", true, "", ""),
        condition("ContainersReady", false, "ContainersNotReady", &unready),
        condition("Ready", false, "ContainersNotReady", &unready),
    ]);
    let statuses = containers(pod, &json!({"waiting": waiting}), false, if crashing { 4 } else { 0 });
    let host = text(node, "/status/addresses/0/address").to_owned();
    let phase = if crashing { "Running" } else { "Pending" };
    set(
        pod,
        &["status"],
        json!({"phase": phase, "qosClass": "BestEffort", "hostIP": host, "startTime": now(), "conditions": list, "containerStatuses": statuses}),
    );
}

fn running(pod: &mut Value, node: &Value) {
    set(pod, &["spec", "nodeName"], json!(object::name(node)));
    let list = json!([
        condition("PodScheduled", true, "", ""),
        condition("Initialized", true, "", ""),
        condition("ContainersReady", true, "", ""),
        condition("Ready", true, "", "")
    ]);
    let statuses = containers(pod, &json!({"running": {"startedAt": now()}}), true, 0);
    let host = text(node, "/status/addresses/0/address").to_owned();
    let own = if flag(pod, "/spec/hostNetwork") { host.clone() } else { address(object::uid(pod)) };
    let start = Some(text(pod, "/status/startTime")).filter(|time| !time.is_empty()).map_or_else(now, str::to_owned);
    let observed = number(pod, "/metadata/generation").unwrap_or(1);
    set(
        pod,
        &["status"],
        json!({
            "phase": "Running", "qosClass": "BestEffort", "hostIP": host, "podIP": own, "podIPs": [{"ip": own}], "startTime": start, "observedGeneration": observed,
            "conditions": list, "containerStatuses": statuses,
        }),
    );
}

fn address(uid: &str) -> String {
    let mut bytes = uid.bytes().rev();
    let mut part = || u32::from(bytes.next().unwrap_or_default()) * 7 % 250 + 2;
    format!("{POD_NETWORK}.{}.{}", part(), part())
}

/// A pod that a node runs by itself, from a file: the control plane's own.
pub(crate) fn of_node(node: &str, name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{name}-{node}"), "namespace": "kube-system", "labels": {"component": name, "tier": "control-plane"}, "annotations": {"kubernetes.io/config.source": "file"}},
        "spec": {"hostNetwork": true, "nodeName": node, "priorityClassName": "system-node-critical", "tolerations": [{"operator": "Exists"}], "containers": [{"name": name, "image": image}]},
    })
}
