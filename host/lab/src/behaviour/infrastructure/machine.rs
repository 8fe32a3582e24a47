//! A machine of the infrastructure: made once its bootstrap data is there, found again by its provider ID, and taken away in the end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::behaviour::component::Component;
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, INFRASTRUCTURE_GROUP, MACHINE, names};
use crate::behaviour::machines::{MachineRole, SimulatedMachine};
use crate::behaviour::meta::{cluster_name, flag, is_paused, owner_named, owner_reference, set, text};
use crate::behaviour::objects::Refused;
use crate::behaviour::world::ClusterRole;
use crate::kube::{Kind, object};

use super::contract::Definition;
use super::guest;

/// Cloning a template and starting it, up to its address.
const PROVISION: Duration = Duration::from_secs(25);
const DESTROY: Duration = Duration::from_secs(6);

pub(crate) struct InfrastructureMachines;

impl Controller for InfrastructureMachines {
    fn primary(&self) -> On {
        On::Infrastructure("Machine")
    }

    fn component(&self) -> Component {
        Component::OfDefinition
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(MACHINE), Route::Reference("/spec/infrastructureRef")), (On::Kind(CLUSTER), Route::OfCluster)]
    }

    fn follows_nodes(&self) -> bool {
        true
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(definition) = context.definition(&key.kind) else { return Ok(After::Settled) };
        let Some(this) = objects.get(&key.kind, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let cluster = objects.get(&CLUSTER, &key.namespace, cluster_name(&this));
        let paused = is_paused(cluster.as_ref(), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        if paused {
            pause_child(context, &definition, &this);
            return Ok(After::Settled);
        }
        if object::is_deleting(&this) {
            return destroy(context, &definition, &this);
        }
        let machine = owner_named(&this, "Machine").and_then(|name| objects.get(&MACHINE, &key.namespace, name));
        let (Some(machine), Some(cluster)) = (machine, cluster) else { return Ok(After::Settled) };
        let finalizer = definition.finalizer();
        objects.change_this(&this, |this| {
            object::add_finalizer(this, &finalizer);
        });
        let there = match find(context, &definition, &this, &machine, &cluster) {
            Ok(there) => there,
            Err(after) => return Ok(after),
        };
        make_child(context, &definition, &this)?;
        objects.change_this(&this, |this| ready(this, &definition, &there));
        guest::boot(context, &there, &machine, &cluster)
    }
}

/// What a machine is for, and the worker node group that it belongs to.
pub(crate) fn role(machine: &Value) -> (MachineRole, Option<String>) {
    if object::label(machine, names::ETCD_CLUSTER).is_some() {
        (MachineRole::Etcd, None)
    } else if object::label(machine, names::CONTROL_PLANE).is_some() {
        (MachineRole::ControlPlane, None)
    } else {
        let prefix = format!("{}-", cluster_name(machine));
        let group = object::label(machine, names::DEPLOYMENT_NAME)
            .map(|name| name.strip_prefix(&prefix).unwrap_or(name).to_owned());
        (MachineRole::Worker, group)
    }
}

fn find(
    context: &Context,
    definition: &Definition,
    this: &Value,
    machine: &Value,
    cluster: &Value,
) -> Result<SimulatedMachine, After> {
    let machines = context.world.machines();
    let waits = |reason: &str, message: &str| {
        context.objects.change_this(this, |this| definition.waits(this, reason, message));
    };
    let id = text(this, "/spec/providerID");
    if !id.is_empty() {
        return machines.by_id(id).ok_or_else(|| {
            waits("NotFound", &format!("the machine behind `{id}` does not exist any more"));
            After::Settled
        });
    }
    if !flag(cluster, "/status/initialization/infrastructureProvisioned") {
        waits("WaitingForClusterInfrastructure", "the infrastructure of the cluster is not ready");
        return Err(After::Settled);
    }
    if text(machine, "/spec/bootstrap/dataSecretName").is_empty() {
        waits("WaitingForBootstrapData", "the machine has no bootstrap data yet");
        return Err(After::Settled);
    }
    let (kind_of_machine, group) = role(machine);
    if context.world.faults().machine_failing(kind_of_machine.word(), group.as_deref()) {
        context.objects.change_this(this, |this| {
            definition.fails(this, "ProvisioningFailed", "the infrastructure refuses to make the machine");
        });
        return Err(After::Settled);
    }
    let slowness = context.world.faults().machine_slowness();
    if machines.by_name(object::name(cluster), object::name(this)).is_none()
        && let Some(wait) = context.left(this, "provision", PROVISION * slowness)
    {
        waits("Provisioning", "the machine is being made");
        return Err(After::Wait(wait));
    }
    Ok(machines.make(
        definition.provider_name(),
        object::name(cluster),
        object::name(this),
        kind_of_machine,
        &definition.kind.kind,
    ))
}

fn addresses(machine: &SimulatedMachine) -> Value {
    json!([
        {"type": "Hostname", "address": machine.name}, {"type": "InternalIP", "address": machine.address},
        {"type": "ExternalIP", "address": machine.address}, {"type": "InternalDNS", "address": machine.name},
    ])
}

fn ready(this: &mut Value, definition: &Definition, machine: &SimulatedMachine) {
    set(this, &["spec", "providerID"], json!(machine.provider_id));
    set(this, &["status", "addresses"], addresses(machine));
    definition.provisioned(this);
}

fn child_kind(definition: &Definition) -> Option<Kind> {
    definition.child.as_ref().map(|child| Kind::of(INFRASTRUCTURE_GROUP, child.clone()))
}

/// Some providers have an object of their own for each machine behind a machine object.
fn make_child(context: &Context, definition: &Definition, this: &Value) -> Result<(), Refused> {
    let Some(kind) = child_kind(definition) else { return Ok(()) };
    let Some(child) = context.definition(&kind) else { return Ok(()) };
    let mut spec = this.get("spec").cloned().unwrap_or_default();
    for own in ["providerID", "failureDomain", "namingStrategy"] {
        crate::behaviour::meta::unset(&mut spec, &[own]);
    }
    let made = context.objects.ensure(json!({
        "apiVersion": child.api_version, "kind": kind.kind,
        "metadata": {
            "name": object::name(this), "namespace": object::namespace(this), "labels": this.pointer("/metadata/labels").cloned().unwrap_or_default(),
            "finalizers": [child.finalizer()], "ownerReferences": [owner_reference(this, true)],
        },
        "spec": spec,
    }))?;
    context.objects.change_this(&made, |made| {
        if object::owners(made).is_empty() {
            crate::behaviour::meta::own(made, this, true);
        }
        child.provisioned(made);
        conditions::set_paused(made, false);
    });
    Ok(())
}

/// The pause holds for the object behind a machine object, too, and it says so; the end of it is said with [`make_child`].
fn pause_child(context: &Context, definition: &Definition, this: &Value) {
    let Some(kind) = child_kind(definition) else { return };
    if let Some(child) = context.objects.get(&kind, object::namespace(this), object::name(this)) {
        context.objects.change_this(&child, |child| conditions::set_paused(child, true));
    }
}

fn destroy(context: &Context, definition: &Definition, this: &Value) -> Outcome {
    let objects = &context.objects;
    if let Some(wait) = context.left(this, "destroy", DESTROY) {
        return Ok(After::Wait(wait));
    }
    if let Some(kind) = child_kind(definition)
        && let Some(child) = objects.get(&kind, object::namespace(this), object::name(this))
    {
        objects.delete(&child)?;
        objects.change_this(&child, |child| {
            object::metadata(child).shift_remove("finalizers");
        });
    }
    if let Some(gone) = context.world.machines().destroy(text(this, "/spec/providerID")) {
        last_one_out(context, &gone);
    }
    objects.change_this(this, |this| {
        object::remove_finalizer(this, &definition.finalizer());
    });
    Ok(After::Settled)
}

/// With its last control plane machine a cluster's API is gone.
fn last_one_out(context: &Context, gone: &SimulatedMachine) {
    let left = context.world.machines().list();
    let more = left.iter().any(|one| one.cluster == gone.cluster && one.role == MachineRole::ControlPlane);
    if gone.role == MachineRole::ControlPlane && !more {
        let (world, name) = (context.world.clone(), gone.cluster.clone());
        tokio::spawn(async move { world.drop_cluster(ClusterRole::Workload, &name).await });
    }
}
