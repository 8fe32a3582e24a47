//! MachineSets: as many machines as they ask for, all alike.

use serde_json::{Value, json};

use crate::behaviour::component::{CORE, Component};
use crate::behaviour::conditions::{self, Condition, is_true};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route, Same as _};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, CONTROL_PLANE, MACHINE, MACHINE_DEPLOYMENT, MACHINE_SET, names};
use crate::behaviour::meta::{
    cluster_name, flag, fresh_name, is_paused, number, owner_named, set, set_label, text, unset,
};
use crate::behaviour::objects::Refused;
use crate::kube::{Event, object};

use super::template::{self, NewMachine};

pub(crate) struct MachineSets;

impl Controller for MachineSets {
    fn primary(&self) -> On {
        On::Kind(MACHINE_SET)
    }

    fn component(&self) -> Component {
        CORE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(MACHINE), Route::Owners),
            (On::Kind(CLUSTER), Route::OfCluster),
            (On::Kind(MACHINE_DEPLOYMENT), Route::SameCluster),
            (On::Kind(CONTROL_PLANE), Route::SameCluster),
            (On::Infrastructure("MachineTemplate"), Route::All),
        ]
    }

    fn is_concerned(&self, event: &Event) -> bool {
        // Of a control plane only its version matters here.
        event.kind != CONTROL_PLANE || !event.same_at(&["/spec/version", "/status/version"])
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&MACHINE_SET, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let cluster = objects.get(&CLUSTER, &key.namespace, cluster_name(&this));
        let paused = is_paused(cluster.as_ref(), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        let (false, Some(cluster)) = (paused, cluster) else { return Ok(After::Settled) };
        let mut machines = objects.controlled_by(&MACHINE, &this);
        if object::is_deleting(&this) {
            for machine in &machines {
                objects.delete(machine)?;
            }
            objects.change_this(&this, |this| {
                conditions::set(
                    this,
                    &Condition::new("Deleting", true, "Deleting", format!("Deleting {} Machines", machines.len())),
                );
                set(this, &["status", "replicas"], json!(machines.len()));
                if machines.is_empty() {
                    object::remove_finalizer(this, names::MACHINE_SET_FINALIZER);
                }
            });
            return Ok(After::Settled);
        }
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::MACHINE_SET_FINALIZER);
            set_label(this, names::CLUSTER_NAME, object::name(&cluster));
        });
        let wanted = usize::try_from(number(&this, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
        let live: Vec<Value> = machines.iter().filter(|machine| !object::is_deleting(machine)).cloned().collect();
        let infrastructure =
            template::referenced(objects, this.pointer("/spec/template/spec/infrastructureRef"), &key.namespace);
        let bootstrap =
            template::referenced(objects, this.pointer("/spec/template/spec/bootstrap/configRef"), &key.namespace);
        let blocked = blocked(&this, &cluster, context, infrastructure.is_some(), bootstrap.is_some());
        if let (None, Some(infrastructure), Some(bootstrap)) = (&blocked, &infrastructure, &bootstrap) {
            for _ in live.len()..wanted {
                make(context, &this, &cluster, infrastructure, bootstrap)?;
            }
        }
        if live.len() > wanted {
            for machine in victims(&live, live.len() - wanted) {
                objects.delete(machine)?;
            }
        }
        let current = current(context, &this);
        machines = objects.controlled_by(&MACHINE, &this);
        for machine in &machines {
            objects.change_this(machine, |machine| template::up_to_date(machine, current));
        }
        objects.change_this(&this, |this| report(this, &machines, wanted, current, blocked.as_deref()));
        Ok(After::Settled)
    }
}

/// Those to go first: without a node, then not ready, then the newest.
fn victims(live: &[Value], count: usize) -> Vec<&Value> {
    let mut order: Vec<&Value> = live.iter().collect();
    order.sort_by_key(|one| std::cmp::Reverse(text(one, "/metadata/creationTimestamp").to_owned()));
    order.sort_by_key(|one| {
        (
            !text(one, "/status/nodeRef/name").is_empty(),
            is_true(one, "Ready"),
            object::annotation(one, "cluster.x-k8s.io/delete-machine").is_none(),
        )
    });
    order.sort_by_key(|one| object::annotation(one, "cluster.x-k8s.io/delete-machine").is_none());
    order.into_iter().take(count).collect()
}

/// Whether this is the set that the machine deployment wants now; one on its own always is.
fn current(context: &Context, this: &Value) -> bool {
    let Some(deployment) = owner_named(this, "MachineDeployment")
        .and_then(|name| context.objects.get(&MACHINE_DEPLOYMENT, object::namespace(this), name))
    else {
        return true;
    };
    super::deployment::same_template(this, &deployment)
}

/// Why no machine may be made now.
fn blocked(this: &Value, cluster: &Value, context: &Context, infrastructure: bool, bootstrap: bool) -> Option<String> {
    let spec = this.pointer("/spec/template/spec");
    let kind = |pointer: &str| spec.and_then(|spec| spec.pointer(pointer)).map_or("", object::kind).to_owned();
    if !infrastructure {
        return Some(format!("{} does not exist", kind("/infrastructureRef")));
    }
    if !bootstrap {
        return Some(format!("{} does not exist", kind("/bootstrap/configRef")));
    }
    if !flag(cluster, "/status/initialization/infrastructureProvisioned") {
        return Some("the infrastructure of the cluster is not ready".to_owned());
    }
    // The preflight check of the real controller: no new workers while the control plane changes its version.
    let plane =
        template::referenced(&context.objects, cluster.pointer("/spec/controlPlaneRef"), object::namespace(this))?;
    let (wanted, has) = (text(&plane, "/spec/version"), text(&plane, "/status/version"));
    let upgrading = !has.is_empty() && wanted != has;
    upgrading.then(|| {
        format!(
            "KubeadmControlPlane {} is upgrading to {wanted} (\"ControlPlaneIsStable\" preflight check failed)",
            object::name(&plane)
        )
    })
}

fn make(
    context: &Context,
    this: &Value,
    cluster: &Value,
    infrastructure: &Value,
    bootstrap: &Value,
) -> Result<(), Refused> {
    let name = fresh_name(object::name(this));
    let mut labels = this.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    set(&mut labels, &[names::CLUSTER_NAME], json!(object::name(cluster)));
    set(&mut labels, &[names::SET_NAME], json!(object::name(this)));
    let mut spec = this.pointer("/spec/template/spec").cloned().unwrap_or_default();
    for part in ["bootstrap", "infrastructureRef"] {
        unset(&mut spec, &[part]);
    }
    let mut config = json!({
        "apiVersion": text(bootstrap, "/apiVersion"), "kind": object::kind(bootstrap).trim_end_matches("Template"),
        "metadata": {"annotations": {
            names::CLONED_FROM_NAME: object::name(bootstrap),
            names::CLONED_FROM_KIND: format!("{}.{}", object::kind(bootstrap), object::group_version(bootstrap).0),
        }},
    });
    if let Some(spec) = bootstrap.pointer("/spec/template/spec") {
        set(&mut config, &["spec"], spec.clone());
    }
    let annotations = this.pointer("/spec/template/metadata/annotations").cloned();
    template::make(
        &context.objects,
        &NewMachine {
            name: &name,
            cluster: object::name(cluster),
            owner: this,
            template: infrastructure,
            config,
            labels,
            annotations,
            spec,
        },
    )
}

fn report(this: &mut Value, machines: &[Value], wanted: usize, current: bool, blocked: Option<&str>) {
    let live: Vec<&Value> = machines.iter().filter(|machine| !object::is_deleting(machine)).collect();
    let count = |name: &str| live.iter().filter(|machine| is_true(machine, name)).count();
    let (total, ready, available) = (live.len(), count("Ready"), count("Available"));
    for (field, value) in [
        ("replicas", total),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("upToDateReplicas", if current { total } else { 0 }),
    ] {
        set(this, &["status", field], json!(value));
    }
    let selector = this.pointer("/spec/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let selector: Vec<String> =
        selector.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    set(this, &["status", "selector"], json!(selector.join(",")));
    set(this, &["status", "observedGeneration"], json!(object::generation(this)));
    let up = total < wanted;
    let message = match (up, blocked) {
        (true, Some(why)) => format!("Scaling up from {total} to {wanted} replicas is blocked because:\n* {why}"),
        (true, None) => format!("Scaling up from {total} to {wanted} replicas"),
        _ => String::new(),
    };
    conditions::set_all(
        this,
        &[
            machines_condition("MachinesReady", "Ready", total, ready),
            machines_condition("MachinesUpToDate", "UpToDate", total, if current { total } else { 0 }),
            Condition::new("ScalingUp", up, if up { "ScalingUp" } else { "NotScalingUp" }, message.clone()),
            Condition::is("ScalingDown", total > wanted),
            Condition::is("Remediating", false),
            Condition::is("Deleting", false),
        ],
    );
    conditions::set_old(this, "MachinesCreated", blocked.is_none() || !up, "MachineCreationFailed", &message);
    conditions::set_old(this, "MachinesReady", ready == total, "MachinesNotReady", "");
    conditions::set_old(this, "Resized", total == wanted, if up { "ScalingUp" } else { "ScalingDown" }, &message);
    conditions::set_old(this, "Ready", ready == wanted, "NotReady", "");
}

/// A condition about how many machines are something.
pub(super) fn machines_condition(name: &'static str, word: &str, of: usize, good: usize) -> Condition {
    match (of, good) {
        (0, _) => Condition::yes(name, "NoReplicas"),
        (of, good) if of == good => Condition::yes(name, word),
        (of, good) => Condition::no(name, format!("Not{word}"), format!("{good} of {of} Machines are {word}")),
    }
}
