//! DaemonSets: a pod on each node that it selects and tolerates.

use serde_json::{Value, json};

use crate::behaviour::component::Component;
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route, Same as _};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{DAEMON_SET, NODE, POD};
use crate::behaviour::meta::{fresh_name, owner_reference, set, text};
use crate::kube::{Event, object};

use super::node;

pub(crate) struct DaemonSets;

/// What every pod of a DaemonSet tolerates. Source: the DaemonSet page of Kubernetes' documentation.
const TOLERATED: &[&str] = &[
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/network-unavailable",
    "node.kubernetes.io/unschedulable",
];

impl Controller for DaemonSets {
    fn primary(&self) -> On {
        On::Kind(DAEMON_SET)
    }

    fn component(&self) -> Component {
        Component::Kubernetes
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(POD), Route::Owners), (On::Kind(NODE), Route::All)]
    }

    fn is_concerned(&self, event: &Event) -> bool {
        event.kind != NODE || !event.same_at(&["/spec/taints", "/metadata/labels", "/metadata/deletionTimestamp"])
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&DAEMON_SET, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let template = this.pointer("/spec/template").cloned().unwrap_or_default();
        let nodes: Vec<Value> = objects
            .list(&NODE, "")
            .into_iter()
            .filter(|node| !object::is_deleting(node) && fits(&template, node))
            .collect();
        let generation = object::generation(&this).to_string();
        let mut pods = objects.controlled_by(&POD, &this);
        pods.retain(|pod| !object::is_deleting(pod));
        let (current, outdated): (Vec<_>, Vec<_>) = pods
            .into_iter()
            .partition(|pod| object::label(pod, "pod-template-generation") == Some(generation.as_str()));
        for old in &outdated {
            objects.delete(old)?;
        }
        let on = |pod: &Value, node: &Value| text(pod, "/spec/nodeName") == object::name(node);
        for stray in current.iter().filter(|pod| !nodes.iter().any(|node| on(pod, node))) {
            objects.delete(stray)?;
        }
        let current: Vec<Value> = current.into_iter().filter(|pod| nodes.iter().any(|node| on(pod, node))).collect();
        for missing in nodes.iter().filter(|node| !current.iter().any(|pod| on(pod, node))) {
            objects.ensure(pod(&this, &template, missing, &generation))?;
        }
        let ready = current.iter().filter(|pod| conditions::is_true(pod, "Ready")).count();
        let (desired, scheduled) = (nodes.len(), current.len());
        objects.change_this(&this, |this| {
            let mut status = json!({
                "observedGeneration": object::generation(this), "desiredNumberScheduled": desired, "currentNumberScheduled": scheduled,
                "numberMisscheduled": 0, "numberReady": ready,
            });
            for (field, count) in [("updatedNumberScheduled", scheduled), ("numberAvailable", ready), ("numberUnavailable", desired.saturating_sub(ready))] {
                if count > 0 {
                    set(&mut status, &[field], json!(count));
                }
            }
            set(this, &["status"], status);
        });
        Ok(After::Settled)
    }
}

fn fits(template: &Value, node: &Value) -> bool {
    node::selected(template, node)
        && node::untolerated(template, node).into_iter().all(|taint| TOLERATED.contains(&taint.as_str()))
}

fn pod(owner: &Value, template: &Value, node: &Value, generation: &str) -> Value {
    let mut made = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": fresh_name(object::name(owner)), "generateName": format!("{}-", object::name(owner)), "namespace": object::namespace(owner),
            "labels": template.pointer("/metadata/labels").cloned().unwrap_or_default(),
            "ownerReferences": [owner_reference(owner, true)],
        },
        "spec": template.get("spec").cloned().unwrap_or_default(),
    });
    set(&mut made, &["metadata", "labels", "pod-template-generation"], json!(generation));
    set(&mut made, &["spec", "nodeName"], json!(object::name(node)));
    made
}
