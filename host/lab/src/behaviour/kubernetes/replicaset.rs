//! ReplicaSets: as many pods as they ask for.

use serde_json::{Value, json};

use crate::behaviour::component::Component;
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{POD, REPLICA_SET};
use crate::behaviour::meta::{fresh_name, number, owner_reference, set};
use crate::kube::object;

pub(crate) struct ReplicaSets;

impl Controller for ReplicaSets {
    fn primary(&self) -> On {
        On::Kind(REPLICA_SET)
    }

    fn component(&self) -> Component {
        Component::Kubernetes
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(POD), Route::Owners)]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&REPLICA_SET, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let wanted = usize::try_from(number(&this, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
        let mut pods = objects.controlled_by(&POD, &this);
        pods.retain(|pod| !object::is_deleting(pod));
        for _ in pods.len()..wanted {
            objects.ensure(pod(&this))?;
        }
        // Those that are not ready go first, as Kubernetes has it.
        pods.sort_by_key(|pod| conditions::is_true(pod, "Ready"));
        for extra in pods.iter().take(pods.len().saturating_sub(wanted)) {
            objects.delete(extra)?;
        }
        let ready = pods.iter().filter(|pod| conditions::is_true(pod, "Ready")).count();
        let count = pods.len();
        objects.change_this(&this, |this| {
            let mut status = json!({"replicas": count, "fullyLabeledReplicas": count, "observedGeneration": object::generation(this)});
            if ready > 0 {
                set(&mut status, &["readyReplicas"], json!(ready));
                set(&mut status, &["availableReplicas"], json!(ready));
            }
            set(this, &["status"], status);
        });
        Ok(After::Settled)
    }
}

fn pod(owner: &Value) -> Value {
    let template = owner.pointer("/spec/template").cloned().unwrap_or_default();
    let mut made = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": fresh_name(object::name(owner)), "generateName": format!("{}-", object::name(owner)), "namespace": object::namespace(owner),
            "labels": template.pointer("/metadata/labels").cloned().unwrap_or_default(),
            "ownerReferences": [owner_reference(owner, true)],
        },
        "spec": template.get("spec").cloned().unwrap_or_default(),
    });
    if let Some(annotations) = template.pointer("/metadata/annotations") {
        set(&mut made, &["metadata", "annotations"], annotations.clone());
    }
    made
}
