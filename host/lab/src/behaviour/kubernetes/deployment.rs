//! Deployments: a ReplicaSet for each pod template, and whether enough pods are available.

use serde_json::{Value, json};

use crate::behaviour::component::Component;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{DEPLOYMENT, REPLICA_SET};
use crate::behaviour::meta::{hashed, now, number, owner_reference, set, set_annotation, set_label, text};
use crate::kube::object;

/// The label that tells the pods of one template from those of another.
const TEMPLATE_HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(crate) struct Deployments;

impl Controller for Deployments {
    fn primary(&self) -> On {
        On::Kind(DEPLOYMENT)
    }

    fn component(&self) -> Component {
        Component::Kubernetes
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(REPLICA_SET), Route::Owners)]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&DEPLOYMENT, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let wanted = number(&this, "/spec/replicas").unwrap_or(1);
        let template = this.pointer("/spec/template").cloned().unwrap_or_default();
        let hash = hashed(&template.to_string());
        let sets = objects.controlled_by(&REPLICA_SET, &this);
        let newest_name = format!("{}-{hash}", key.name);
        if !sets.iter().any(|set| object::name(set) == newest_name) {
            objects.ensure(replica_set(&this, &newest_name, &hash, template, wanted, sets.len()))?;
            return Ok(After::Settled);
        }
        let mut ready = 0;
        let mut updated = 0;
        for one in &sets {
            let newest = object::name(one) == newest_name;
            let has = number(one, "/spec/replicas").unwrap_or(0);
            let settled = number(one, "/status/availableReplicas").unwrap_or(0);
            ready += number(one, "/status/readyReplicas").unwrap_or(0);
            if newest {
                updated = number(one, "/status/replicas").unwrap_or(0);
            }
            // The old pods go once the new ones are there: a surge of all of them, which is coarser than 25% and ends in the same state.
            let other_available = sets
                .iter()
                .filter(|set| object::name(set) == newest_name)
                .all(|set| number(set, "/status/availableReplicas").unwrap_or(0) >= wanted);
            let should = if newest {
                wanted
            } else if other_available {
                0
            } else {
                has
            };
            if should != has {
                objects.change_this(one, |set_object| set(set_object, &["spec", "replicas"], json!(should)));
            }
            let _ = settled;
        }
        let total: i64 = sets.iter().map(|one| number(one, "/status/replicas").unwrap_or(0)).sum();
        objects.change_this(&this, |this| status(this, wanted, total, updated, ready));
        Ok(After::Settled)
    }
}

fn replica_set(owner: &Value, name: &str, hash: &str, mut template: Value, replicas: i64, before: usize) -> Value {
    set_label(&mut template, TEMPLATE_HASH, hash);
    let mut selector = owner.pointer("/spec/selector").cloned().unwrap_or_default();
    set(&mut selector, &["matchLabels", TEMPLATE_HASH], json!(hash));
    let mut made = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": object::namespace(owner),
            "labels": template.pointer("/metadata/labels").cloned().unwrap_or_default(),
            "ownerReferences": [owner_reference(owner, true)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    set_annotation(&mut made, REVISION, &(before + 1).to_string());
    made
}

fn status(this: &mut Value, wanted: i64, total: i64, updated: i64, ready: i64) {
    let generation = object::generation(this);
    // Kubernetes' default of 25% unavailable rounds down: with one replica none may be missing.
    let enough = ready >= wanted - wanted / 4;
    let complete = updated == wanted && ready == wanted && total == wanted;
    let old = this.get("status").cloned().unwrap_or_default();
    let condition = |name: &str, holds: bool, reason: &str, message: &str| {
        let since = old.pointer("/conditions").and_then(Value::as_array).into_iter().flatten();
        let same = since
            .into_iter()
            .find(|one| text(one, "/type") == name && text(one, "/status") == if holds { "True" } else { "False" });
        let time = same.map_or_else(now, |one| text(one, "/lastTransitionTime").to_owned());
        json!({"type": name, "status": if holds { "True" } else { "False" }, "lastUpdateTime": time, "lastTransitionTime": time, "reason": reason, "message": message})
    };
    let name = object::name(this).to_owned();
    let available = if enough {
        condition("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        condition("Available", false, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let progressing = if complete {
        condition(
            "Progressing",
            true,
            "NewReplicaSetAvailable",
            &format!("Deployment \"{name}\" has successfully progressed."),
        )
    } else {
        condition("Progressing", true, "ReplicaSetUpdated", &format!("Deployment \"{name}\" is progressing."))
    };
    let mut next = json!({"observedGeneration": generation, "conditions": [available, progressing]});
    for (field, count) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("unavailableReplicas", (wanted - ready).max(0)),
    ] {
        if count > 0 {
            set(&mut next, &[field], json!(count));
        }
    }
    set(this, &["status"], next);
}
