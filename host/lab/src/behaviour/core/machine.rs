//! Machines: from bootstrap data and infrastructure to a node, and back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::behaviour::ClusterRole;
use crate::behaviour::component::{CORE, Component};
use crate::behaviour::conditions::{self, Condition, is_true};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::infrastructure::contract;
use crate::behaviour::kinds::{CLUSTER, ETCDADM_CONFIG, KUBEADM_CONFIG, MACHINE, NODE, names};
use crate::behaviour::meta::{cluster_name, is_paused, now, own, set, set_annotation, set_label, text};
use crate::kube::object;

use super::template;

/// Draining a node.
const DRAIN: Duration = Duration::from_secs(4);

pub(crate) struct MachineController;

impl Controller for MachineController {
    fn primary(&self) -> On {
        On::Kind(MACHINE)
    }

    fn component(&self) -> Component {
        CORE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(CLUSTER), Route::OfCluster),
            (On::Kind(KUBEADM_CONFIG), Route::Owners),
            (On::Kind(ETCDADM_CONFIG), Route::Owners),
            (On::Infrastructure("Machine"), Route::Owners),
        ]
    }

    fn follows_nodes(&self) -> bool {
        true
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&MACHINE, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let cluster = objects.get(&CLUSTER, &key.namespace, cluster_name(&this));
        let paused = is_paused(cluster.as_ref(), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        let (false, Some(cluster)) = (paused, cluster) else { return Ok(After::Settled) };
        let config = template::referenced(objects, this.pointer("/spec/bootstrap/configRef"), &key.namespace);
        let infrastructure = template::referenced(objects, this.pointer("/spec/infrastructureRef"), &key.namespace);
        if object::is_deleting(&this) {
            return delete(context, &this, &cluster, config.as_ref(), infrastructure.as_ref());
        }
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::MACHINE_FINALIZER);
            set_label(this, names::CLUSTER_NAME, object::name(&cluster));
            if object::owners(this).is_empty() {
                own(this, &cluster, false);
            }
        });
        for part in [&config, &infrastructure].into_iter().flatten() {
            objects.change_this(part, |part| {
                own(part, &this, true);
                drop_former(part, &this);
                set_label(part, names::CLUSTER_NAME, object::name(&cluster));
            });
        }
        let node = node_of(context, &this, infrastructure.as_ref(), &cluster);
        objects.change_this(&this, |this| {
            take_over(this, config.as_ref(), infrastructure.as_ref());
            report(this, config.as_ref(), infrastructure.as_ref(), node.as_ref(), &cluster);
        });
        Ok(After::Settled)
    }
}

/// What made the parts of a machine hands them over to it.
fn drop_former(part: &mut Value, machine: &Value) {
    let makers: Vec<Value> = object::owners(machine).iter().filter_map(|owner| owner.get("uid").cloned()).collect();
    let owners: Vec<Value> = object::owners(part)
        .iter()
        .filter(|owner| owner.get("uid").is_none_or(|uid| !makers.contains(uid)))
        .cloned()
        .collect();
    object::metadata(part).insert("ownerReferences".to_owned(), Value::Array(owners));
}

/// The node of a machine, by provider ID; it is told whose it is.
fn node_of(context: &Context, this: &Value, infrastructure: Option<&Value>, cluster: &Value) -> Option<Value> {
    let id = text(infrastructure?, "/spec/providerID");
    if id.is_empty() {
        return None;
    }
    let workload = context.world.cluster(ClusterRole::Workload, object::name(cluster))?;
    let workload = crate::behaviour::objects::Objects::new(workload.store().clone());
    let node = workload.list(&NODE, "").into_iter().find(|node| text(node, "/spec/providerID") == id)?;
    workload.change_this(&node, |node| {
        for (key, value) in [
            ("cluster-name", object::name(cluster)),
            ("cluster-namespace", object::namespace(cluster)),
            ("machine", object::name(this)),
        ] {
            set_annotation(node, &format!("cluster.x-k8s.io/{key}"), value);
        }
        if let Some(owner) = object::owners(this).iter().find(|owner| owner.get("controller").is_some()) {
            set_annotation(node, "cluster.x-k8s.io/owner-kind", text(owner, "/kind"));
            set_annotation(node, "cluster.x-k8s.io/owner-name", text(owner, "/name"));
        }
        let labels = this.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        for (key, value) in labels.filter(|(key, _)| synchronized(key)) {
            set_label(node, key, value.as_str().unwrap_or_default());
        }
    });
    Some(node)
}

/// Labels of a machine that its node gets too. Source: the Cluster API book, "Metadata propagation".
fn synchronized(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let under =
        |parent: &str| domain == parent || domain.strip_suffix(parent).is_some_and(|before| before.ends_with('.'));
    domain == "node-role.kubernetes.io" || under("node-restriction.kubernetes.io") || under("node.cluster.x-k8s.io")
}

/// Copies what the parts have brought.
fn take_over(this: &mut Value, config: Option<&Value>, infrastructure: Option<&Value>) {
    if let Some(config) = config {
        let secret = text(config, "/status/dataSecretName");
        if !secret.is_empty() {
            set(this, &["spec", "bootstrap", "dataSecretName"], json!(secret));
            set(this, &["status", "initialization", "bootstrapDataSecretCreated"], json!(true));
        }
    }
    if let Some(infrastructure) = infrastructure.filter(|one| contract::is_provisioned(one)) {
        set(this, &["spec", "providerID"], json!(text(infrastructure, "/spec/providerID")));
        if let Some(addresses) = infrastructure.pointer("/status/addresses") {
            set(this, &["status", "addresses"], addresses.clone());
        }
        set(this, &["status", "initialization", "infrastructureProvisioned"], json!(true));
    }
}

fn mirrored(name: &'static str, part: Option<&Value>, reference: Option<&Value>, done: bool) -> Condition {
    let kind = reference.map_or("", |one| object::kind(one));
    match part {
        None => Condition::no(name, "DoesNotExist", format!("{kind} does not exist")),
        Some(_) if done => Condition::yes(name, "Ready"),
        Some(part) => {
            let list = ["/status/conditions", "/status/v1beta2/conditions"]
                .into_iter()
                .filter_map(|at| part.pointer(at)?.as_array())
                .flatten();
            let message = list
                .filter(|one| text(one, "/type") == "Ready")
                .map(|one| text(one, "/message"))
                .find(|one| !one.is_empty());
            Condition::no(
                name,
                "NotReady",
                message.map_or_else(|| format!("{kind} status is not ready yet"), str::to_owned),
            )
        }
    }
}

fn report(
    this: &mut Value,
    config: Option<&Value>,
    infrastructure: Option<&Value>,
    node: Option<&Value>,
    cluster: &Value,
) {
    let etcd = object::label(this, names::ETCD_CLUSTER).is_some();
    let secret = !text(this, "/spec/bootstrap/dataSecretName").is_empty();
    let bootstrap = if this.pointer("/spec/bootstrap/configRef").is_none() && secret {
        Condition::yes("BootstrapConfigReady", "DataSecretProvided")
    } else {
        mirrored("BootstrapConfigReady", config, this.pointer("/spec/bootstrap/configRef"), secret)
    };
    let made = infrastructure.is_some_and(contract::is_provisioned);
    let machine = mirrored("InfrastructureReady", infrastructure, this.pointer("/spec/infrastructureRef"), made);
    let node_ready = node.is_some_and(|node| is_true(node, "Ready"));
    let (health, ready_node) = if etcd {
        (Condition::yes("NodeHealthy", "NotApplicable"), Condition::yes("NodeReady", "NotApplicable"))
    } else {
        node_conditions(node, node_ready, cluster)
    };
    if let Some(node) = node {
        set(this, &["status", "nodeRef"], json!({"name": object::name(node)}));
        if let Some(info) = node.pointer("/status/nodeInfo") {
            set(this, &["status", "nodeInfo"], info.clone());
        }
    }
    let serves = object::label(this, names::ETCD_READY) == Some("true");
    let parts = [&bootstrap, &machine, &health];
    let missing: Vec<String> =
        parts.iter().filter(|one| !one.holds()).map(|one| format!("* {}", one.message())).collect();
    let ready = if etcd && !serves && missing.is_empty() {
        Condition::no("Ready", "NotReady", "* etcd does not answer yet")
    } else if missing.is_empty() {
        Condition::yes("Ready", "Ready")
    } else {
        Condition::no("Ready", "NotReady", missing.join("\n"))
    };
    let available = if ready.holds() {
        Condition::yes("Available", "Available")
    } else {
        Condition::no("Available", "NotReady", "")
    };
    let running = node.is_some() || (etcd && serves);
    let phase = if running {
        "Running"
    } else if made {
        "Provisioned"
    } else if secret {
        "Provisioning"
    } else {
        "Pending"
    };
    conditions::set_all(
        this,
        &[
            bootstrap.clone(),
            machine.clone(),
            health.clone(),
            ready_node,
            ready.clone(),
            available,
            Condition::is("Deleting", false),
            Condition::is("Updating", false),
        ],
    );
    conditions::set_old(this, "BootstrapReady", bootstrap.holds(), "WaitingForDataSecret", bootstrap.message());
    if let Some((reason, message)) = infrastructure.and_then(|one| conditions::old_error(one, "Ready")) {
        conditions::set_old_error(this, "InfrastructureReady", reason, message);
    } else {
        let (holds, message) = (machine.holds(), machine.message());
        conditions::set_old(this, "InfrastructureReady", holds, "WaitingForInfrastructure", message);
    }
    conditions::set_old(this, "NodeHealthy", health.holds(), "NodeNotFound", health.message());
    conditions::set_old(this, "Ready", ready.holds(), "NotReady", ready.message());
    set(this, &["status", "observedGeneration"], json!(object::generation(this)));
    if text(this, "/status/phase") != phase {
        set(this, &["status", "phase"], json!(phase));
        set(this, &["status", "lastUpdated"], json!(now()));
    }
}

fn node_conditions(node: Option<&Value>, ready: bool, cluster: &Value) -> (Condition, Condition) {
    let Some(node) = node else {
        let message = if crate::behaviour::meta::flag(cluster, "/status/initialization/controlPlaneInitialized") {
            "Waiting for a Node with the machine's spec.providerID to exist"
        } else {
            "Waiting for Cluster control plane to be initialized"
        };
        return (
            Condition::unknown("NodeHealthy", "InspectionFailed", message),
            Condition::unknown("NodeReady", "InspectionFailed", message),
        );
    };
    if ready {
        return (Condition::yes("NodeHealthy", "NodeHealthy"), Condition::yes("NodeReady", "NodeReady"));
    }
    let list = node.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let why =
        list.into_iter().find(|one| text(one, "/type") == "Ready").map_or("", |one| text(one, "/message")).to_owned();
    let message = format!("* Node.Ready: {why}");
    (
        Condition::no("NodeHealthy", "NodeNotHealthy", message.clone()),
        Condition::no("NodeReady", "NodeNotReady", message),
    )
}

fn delete(
    context: &Context,
    this: &Value,
    cluster: &Value,
    config: Option<&Value>,
    infrastructure: Option<&Value>,
) -> Outcome {
    let objects = &context.objects;
    objects.change_this(this, |this| {
        set(this, &["status", "phase"], json!("Deleting"));
        set(this, &["status", "observedGeneration"], json!(object::generation(this)));
        conditions::set_all(
            this,
            &[
                Condition::new("Deleting", true, "WaitingForInfrastructureDeletion", "Machine deletion in progress"),
                Condition::no("Ready", "NotReady", "* Deleting: Machine deletion in progress"),
                Condition::no("Available", "NotReady", ""),
            ],
        );
    });
    let has_node = !text(this, "/status/nodeRef/name").is_empty();
    if has_node
        && infrastructure.is_some_and(|one| !object::is_deleting(one))
        && let Some(wait) = context.left(this, "drain", DRAIN)
    {
        return Ok(After::Wait(wait));
    }
    if let Some(part) = infrastructure {
        objects.delete(part)?;
        return Ok(After::Settled);
    }
    if let Some(part) = config {
        objects.delete(part)?;
        if template::referenced(objects, this.pointer("/spec/bootstrap/configRef"), object::namespace(this)).is_some() {
            return Ok(After::Settled);
        }
    }
    if has_node && let Some(workload) = context.world.cluster(ClusterRole::Workload, object::name(cluster)) {
        let workload = crate::behaviour::objects::Objects::new(workload.store().clone());
        if let Some(node) = workload.get(&NODE, "", text(this, "/status/nodeRef/name")) {
            workload.delete(&node)?;
        }
    }
    objects.change_this(this, |this| {
        object::remove_finalizer(this, names::MACHINE_FINALIZER);
    });
    Ok(After::Settled)
}
