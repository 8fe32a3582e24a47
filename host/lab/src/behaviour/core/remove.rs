//! Deleting a cluster: workers first, then the control plane, then etcd, then the infrastructure, and the Cluster itself last.

use serde_json::{Value, json};

use crate::behaviour::conditions::{self, Condition};
use crate::behaviour::controller::{After, Outcome};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{MACHINE, MACHINE_DEPLOYMENT, MACHINE_SET, names};
use crate::behaviour::meta::{set, text};
use crate::kube::{Kind, object};

use super::template;

pub(super) fn delete(context: &Context, this: &Value) -> Outcome {
    let objects = &context.objects;
    let (namespace, name) = (object::namespace(this), object::name(this));
    objects.change_this(this, |this| {
        set(this, &["status", "phase"], json!("Deleting"));
        set(this, &["status", "observedGeneration"], json!(object::generation(this)));
    });
    let waits = |reason: &'static str, message: String| {
        objects.change_this(this, |this| {
            conditions::set_all(
                this,
                &[
                    Condition::new("Deleting", true, reason, message.clone()),
                    Condition::no("Available", "NotAvailable", format!("* Deleting: {message}")),
                ],
            );
        });
        Ok(After::Settled)
    };
    let of = |kind: &Kind| objects.of_cluster(kind, namespace, name);
    let is_worker = |machine: &Value| {
        object::label(machine, names::CONTROL_PLANE).is_none() && object::label(machine, names::ETCD_CLUSTER).is_none()
    };
    let workers: Vec<Value> = of(&MACHINE_DEPLOYMENT)
        .into_iter()
        .chain(of(&MACHINE_SET))
        .chain(of(&MACHINE).into_iter().filter(is_worker))
        .collect();
    if !workers.is_empty() {
        // What another object controls is deleted by that one.
        for one in
            workers.iter().filter(|one| object::owners(one).iter().all(|owner| owner.get("controller").is_none()))
        {
            objects.delete(one)?;
        }
        return waits("WaitingForWorkersDeletion", format!("{} worker objects are being deleted", workers.len()));
    }
    for (reference, reason, what) in [
        ("/spec/controlPlaneRef", "WaitingForControlPlaneDeletion", "control plane"),
        ("/spec/managedExternalEtcdRef", "WaitingForEtcdDeletion", "etcd cluster"),
    ] {
        if let Some(part) = template::referenced(objects, this.pointer(reference), namespace) {
            objects.delete(&part)?;
            return waits(reason, format!("the {what} {} is being deleted", object::name(&part)));
        }
    }
    let left = of(&MACHINE);
    if !left.is_empty() {
        for machine in &left {
            objects.delete(machine)?;
        }
        return waits("WaitingForMachinesDeletion", format!("{} machines are being deleted", left.len()));
    }
    if let Some(part) = template::referenced(objects, this.pointer("/spec/infrastructureRef"), namespace) {
        objects.delete(&part)?;
        return waits(
            "WaitingForInfrastructureDeletion",
            format!("{} {} is being deleted", object::kind(&part), text(&part, "/metadata/name")),
        );
    }
    objects.change_this(this, |this| {
        object::remove_finalizer(this, names::CLUSTER_FINALIZER);
    });
    Ok(After::Settled)
}
