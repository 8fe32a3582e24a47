//! MachineDeployments: a machine set for each template, and the replacement of one by the next.

use serde_json::{Value, json};

use crate::behaviour::component::{CORE, Component};
use crate::behaviour::conditions::{self, Condition, is_true};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, MACHINE, MACHINE_DEPLOYMENT, MACHINE_SET, names};
use crate::behaviour::meta::{
    cluster_name, fresh_name, hashed, is_paused, number, own, set, set_annotation, set_label, text,
};
use crate::behaviour::objects::Refused;
use crate::kube::object;

use super::set::machines_condition;
use super::template;

const REVISION: &str = "machinedeployment.clusters.x-k8s.io/revision";

pub(crate) struct MachineDeployments;

impl Controller for MachineDeployments {
    fn primary(&self) -> On {
        On::Kind(MACHINE_DEPLOYMENT)
    }

    fn component(&self) -> Component {
        CORE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(MACHINE_SET), Route::Owners),
            (On::Kind(CLUSTER), Route::OfCluster),
            (On::Kind(MACHINE), Route::Label(names::DEPLOYMENT_NAME)),
        ]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&MACHINE_DEPLOYMENT, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let cluster = objects.get(&CLUSTER, &key.namespace, cluster_name(&this));
        let paused = is_paused(cluster.as_ref(), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        let (false, Some(cluster)) = (paused, cluster) else { return Ok(After::Settled) };
        let sets = objects.controlled_by(&MACHINE_SET, &this);
        if object::is_deleting(&this) {
            for one in &sets {
                objects.delete(one)?;
            }
            objects.change_this(&this, |this| {
                conditions::set(
                    this,
                    &Condition::new("Deleting", true, "Deleting", format!("Deleting {} MachineSets", sets.len())),
                );
                set(this, &["status", "phase"], json!("Deleting"));
                if sets.is_empty() {
                    object::remove_finalizer(this, names::MACHINE_DEPLOYMENT_FINALIZER);
                }
            });
            return Ok(After::Settled);
        }
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::MACHINE_DEPLOYMENT_FINALIZER);
            set_label(this, names::CLUSTER_NAME, object::name(&cluster));
            own(this, &cluster, false);
        });
        for pointer in ["/spec/template/spec/infrastructureRef", "/spec/template/spec/bootstrap/configRef"] {
            if let Some(part) = template::referenced(objects, this.pointer(pointer), &key.namespace) {
                objects.change_this(&part, |part| own(part, &cluster, false));
            }
        }
        let wanted = number(&this, "/spec/replicas").unwrap_or(1);
        let Some(newest) = sets.iter().find(|one| same_template(one, &this)) else {
            make(context, &this, &sets, wanted)?;
            return Ok(After::Settled);
        };
        if text(&this, "/spec/rollout/strategy/type") != "OnDelete" {
            roll(context, &this, &sets, newest, wanted);
        }
        let machines: Vec<Value> = sets.iter().flat_map(|one| objects.controlled_by(&MACHINE, one)).collect();
        objects.change_this(&this, |this| report(this, &sets, object::uid(newest), &machines, wanted));
        Ok(After::Settled)
    }
}

/// Whether a set has the template that a deployment wants, in what machines are made from.
pub(super) fn same_template(one: &Value, deployment: &Value) -> bool {
    let part = |of: &Value| {
        let spec = of.pointer("/spec/template/spec").cloned().unwrap_or_default();
        ["version", "bootstrap", "infrastructureRef", "failureDomain"]
            .map(|field| spec.get(field).cloned().unwrap_or_default())
    };
    part(one) == part(deployment)
}

fn make(context: &Context, this: &Value, before: &[Value], wanted: i64) -> Result<(), Refused> {
    let template = this.pointer("/spec/template").cloned().unwrap_or_default();
    let name = fresh_name(object::name(this));
    let hash = format!("{}-{}", hashed(&template.to_string()), name.rsplit('-').next().unwrap_or_default());
    let mut labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    for (key, value) in [
        (names::CLUSTER_NAME, cluster_name(this)),
        (names::DEPLOYMENT_NAME, object::name(this)),
        (names::TEMPLATE_HASH, hash.as_str()),
    ] {
        set(&mut labels, &[key], json!(value));
    }
    let mut selector = this.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    set(&mut selector, &["matchLabels", names::TEMPLATE_HASH], json!(hash));
    // The first set starts whole; a later one starts with what may be there on top.
    let replicas = if before.is_empty() { wanted } else { surge(this, wanted).min(wanted) };
    let mut made = json!({
        "apiVersion": text(this, "/apiVersion"), "kind": "MachineSet",
        "metadata": {"name": name, "namespace": object::namespace(this), "labels": labels, "finalizers": [names::MACHINE_SET_FINALIZER]},
        "spec": {"clusterName": cluster_name(this), "replicas": replicas, "selector": selector, "template": template},
    });
    set(&mut made, &["spec", "template", "metadata", "labels"], labels.clone());
    set_annotation(&mut made, REVISION, &(before.len() + 1).to_string());
    set_annotation(&mut made, "machinedeployment.clusters.x-k8s.io/desired-replicas", &wanted.to_string());
    own(&mut made, this, true);
    context.objects.ensure(made)?;
    context.objects.change_this(this, |this| set_annotation(this, REVISION, &(before.len() + 1).to_string()));
    Ok(())
}

fn surge(this: &Value, wanted: i64) -> i64 {
    share(this, "maxSurge", wanted, true).unwrap_or(1)
}

/// A number of machines, given as such or as a share of all.
fn share(this: &Value, field: &str, wanted: i64, up: bool) -> Option<i64> {
    match this.pointer(&format!("/spec/rollout/strategy/rollingUpdate/{field}"))? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => match text.strip_suffix('%') {
            Some(percent) => percent
                .parse::<i64>()
                .ok()
                .map(|percent| if up { (wanted * percent + 99) / 100 } else { wanted * percent / 100 }),
            None => text.parse().ok(),
        },
        _ => None,
    }
}

/// Moves replicas from the old sets to the newest one, as far as the strategy allows at this moment.
fn roll(context: &Context, this: &Value, sets: &[Value], newest: &Value, wanted: i64) {
    let spec = |one: &Value| number(one, "/spec/replicas").unwrap_or(0);
    let scale = |one: &Value, to: i64| {
        if spec(one) != to {
            context.objects.change_this(one, |one| set(one, &["spec", "replicas"], json!(to)));
        }
    };
    let old: Vec<&Value> = sets.iter().filter(|one| object::uid(one) != object::uid(newest)).collect();
    let others: i64 = old.iter().map(|one| spec(one).max(number(one, "/status/replicas").unwrap_or(0))).sum();
    let room = wanted + if others > 0 { surge(this, wanted) } else { 0 };
    scale(newest, (room - others).clamp(spec(newest).min(wanted), wanted));
    let missing = share(this, "maxUnavailable", wanted, false).unwrap_or(0);
    let available: i64 =
        sets.iter().map(|one| number(one, "/status/availableReplicas").unwrap_or(0).min(spec(one))).sum();
    let mut spare = available - (wanted - missing);
    for one in old {
        let goes = spare.clamp(0, spec(one));
        // What is not available can go at once.
        let idle = (spec(one) - number(one, "/status/availableReplicas").unwrap_or(0)).max(0);
        scale(one, (spec(one) - goes.max(idle)).max(0));
        spare -= goes;
    }
}

fn report(this: &mut Value, sets: &[Value], newest: &str, machines: &[Value], wanted: i64) {
    let sum = |field: &str| -> i64 { sets.iter().filter_map(|one| number(one, &format!("/status/{field}"))).sum() };
    let (total, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let current: i64 =
        sets.iter().filter(|one| object::uid(one) == newest).filter_map(|one| number(one, "/status/replicas")).sum();
    for (field, value) in
        [("replicas", total), ("readyReplicas", ready), ("availableReplicas", available), ("upToDateReplicas", current)]
    {
        set(this, &["status", field], json!(value));
    }
    let selector = this.pointer("/spec/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let selector: Vec<String> =
        selector.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    set(this, &["status", "selector"], json!(selector.join(",")));
    set(this, &["status", "observedGeneration"], json!(object::generation(this)));
    let enough = available >= wanted - share(this, "maxUnavailable", wanted, false).unwrap_or(0);
    let message =
        if enough { String::new() } else { format!("{available} available replicas, at least {wanted} required") };
    let rolling = current != total
        || sets.iter().any(|one| object::uid(one) != newest && number(one, "/spec/replicas").unwrap_or(0) > 0);
    let blocks = sets.iter().filter_map(|one| {
        one.pointer("/status/conditions")?
            .as_array()?
            .iter()
            .find(|one| text(one, "/type") == "ScalingUp")
            .map(|one| text(one, "/message").to_owned())
    });
    let blocks: Vec<String> = blocks.filter(|one| one.contains("blocked")).collect();
    let up = total < wanted;
    let why = if up {
        blocks.first().cloned().unwrap_or_else(|| format!("Scaling up from {total} to {wanted} replicas"))
    } else {
        String::new()
    };
    let live: Vec<&Value> = machines.iter().filter(|one| !object::is_deleting(one)).collect();
    let are = |word: &str| live.iter().filter(|one| is_true(one, word)).count();
    conditions::set_all(
        this,
        &[
            Condition::new("Available", enough, if enough { "Available" } else { "NotAvailable" }, message.clone()),
            machines_condition("MachinesReady", "Ready", live.len(), are("Ready")),
            machines_condition("MachinesUpToDate", "UpToDate", live.len(), are("UpToDate")),
            Condition::new(
                "RollingOut",
                rolling,
                if rolling { "RollingOut" } else { "NotRollingOut" },
                if rolling {
                    format!("Rolling out {} not up-to-date replicas", total - current)
                } else {
                    String::new()
                },
            ),
            Condition::new("ScalingUp", up, if up { "ScalingUp" } else { "NotScalingUp" }, why.clone()),
            Condition::is("ScalingDown", total > wanted),
            Condition::is("Remediating", false),
            Condition::is("Deleting", false),
        ],
    );
    conditions::set_old(this, "Available", enough, "WaitingForAvailableMachines", &message);
    conditions::set_old(this, "MachineSetReady", ready == wanted, "MachineSetNotReady", &why);
    conditions::set_old(this, "Ready", enough && ready == wanted, "NotReady", &message);
    let phase = if up {
        "ScalingUp"
    } else if total > wanted {
        "ScalingDown"
    } else if ready == wanted {
        "Running"
    } else {
        "ScalingUp"
    };
    set(this, &["status", "phase"], json!(phase));
    for (field, value) in [
        ("updatedReplicas", current),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (wanted - available).max(0)),
    ] {
        set(this, &["status", "deprecated", "v1beta1", field], json!(value));
    }
}
