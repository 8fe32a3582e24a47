//! EtcdadmClusters: the first machine initializes, the others join one by one, and the addresses of all are what the control plane connects to.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Fault;
use crate::behaviour::component::{Component, ETCDADM_CONTROLLER};
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::core::template::{self, NewMachine};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{BOOTSTRAP_GROUP, CLUSTER, ETCD_CLUSTER, ETCDADM_CONFIG, MACHINE, SECRET, names};
use crate::behaviour::kubeadm::{Purpose, ensure_secret};
use crate::behaviour::meta::{fresh_name, is_paused, number, own, owner_named, set, set_label, text};
use crate::behaviour::objects::Refused;
use crate::kube::object;

/// Between a member that serves and the health check that sees it.
const CHECK: Duration = Duration::from_secs(5);
const PORT: u16 = 2379;

pub(crate) struct EtcdClusters;

/// The Secret that tells further members where the first one is.
pub(super) fn init_secret(cluster: &Value) -> String {
    format!("{}-etcd-init", object::name(cluster))
}

impl Controller for EtcdClusters {
    fn primary(&self) -> On {
        On::Kind(ETCD_CLUSTER)
    }

    fn component(&self) -> Component {
        ETCDADM_CONTROLLER
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(CLUSTER), Route::All),
            (On::Kind(MACHINE), Route::SameCluster),
            (On::Infrastructure("MachineTemplate"), Route::All),
        ]
    }

    fn follows_nodes(&self) -> bool {
        true
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&ETCD_CLUSTER, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let Some(cluster) = owner_named(&this, "Cluster").and_then(|name| objects.get(&CLUSTER, &key.namespace, name))
        else {
            return Ok(After::Settled);
        };
        if is_paused(Some(&cluster), &this) {
            return Ok(After::Settled);
        }
        let mut machines = objects.controlled_by(&MACHINE, &this);
        machines.sort_by(|a, b| {
            (text(a, "/metadata/creationTimestamp"), object::name(a))
                .cmp(&(text(b, "/metadata/creationTimestamp"), object::name(b)))
        });
        if object::is_deleting(&this) {
            return delete(context, &this, &machines);
        }
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::ETCD_FINALIZER);
            set(this, &["status", "observedGeneration"], json!(object::generation(this)));
        });
        for purpose in [Purpose::ManagedEtcd, Purpose::Etcd, Purpose::EtcdClient] {
            ensure_secret(objects, object::name(&cluster), purpose, &this)?;
        }
        let mut wait = None;
        for machine in &machines {
            match serves(context, machine) {
                Ok(()) => objects.change_this(machine, |machine| set_label(machine, names::ETCD_READY, "true")),
                Err(left) => wait = wait.or(left),
            }
        }
        let members: Vec<&Value> = machines.iter().filter(|machine| serves(context, machine).is_ok()).collect();
        if let Some(first) = members.first() {
            announce(context, &this, &cluster, first)?;
        }
        let template = template::referenced(objects, this.pointer("/spec/infrastructureTemplate"), &key.namespace);
        let wanted = usize::try_from(number(&this, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
        let outdated: Vec<&Value> = machines.iter().filter(|machine| !is_current(context, &this, machine)).collect();
        let settled = members.len() == machines.len() && !machines.iter().any(object::is_deleting);
        if let (true, Some(template)) = (settled, &template) {
            // With something outdated one more is made before the oldest of those goes.
            let room = wanted + usize::from(!outdated.is_empty());
            if machines.len() < room {
                make(context, &this, &cluster, template)?;
            } else if let Some(goes) =
                outdated.first().or(machines.first().as_ref().filter(|_| machines.len() > wanted))
            {
                objects.delete(goes)?;
            }
        }
        for machine in &machines {
            let current = !outdated.iter().any(|one| object::uid(one) == object::uid(machine));
            objects.change_this(machine, |machine| template::up_to_date(machine, current));
        }
        let seen = Seen {
            machines: machines.len(),
            wanted,
            outdated: outdated.len(),
            endpoints: endpoints(&members),
            serving: members.len(),
            template: template.is_some(),
        };
        objects.change_this(&this, |this| report(this, &seen, members.first().copied()));
        Ok(wait.map_or(After::Settled, After::Wait))
    }
}

/// Whether a member answers; if not, how long until the next check, where time alone is missing.
fn serves(context: &Context, machine: &Value) -> Result<(), Option<Duration>> {
    if context.world.faults().has(&Fault::EtcdStuck) {
        return Err(None);
    }
    let there = context.world.machines().by_id(text(machine, "/spec/providerID")).is_some_and(|one| one.booted);
    if !there || object::is_deleting(machine) {
        return Err(None);
    }
    if object::label(machine, names::ETCD_READY) == Some("true") {
        return Ok(());
    }
    context.left(machine, "check", CHECK).map_or(Ok(()), |left| Err(Some(left)))
}

fn member_address(machine: &Value) -> String {
    let list = machine.pointer("/status/addresses").and_then(Value::as_array).into_iter().flatten();
    list.into_iter().find(|one| text(one, "/type") == "InternalIP").map_or("", |one| text(one, "/address")).to_owned()
}

fn endpoints(members: &[&Value]) -> String {
    let mut list: Vec<String> = members
        .iter()
        .map(|one| member_address(one))
        .filter(|one| !one.is_empty())
        .map(|one| format!("https://{one}:{PORT}"))
        .collect();
    list.sort();
    list.join(",")
}

/// Tells further members where the first one is.
fn announce(context: &Context, this: &Value, cluster: &Value, first: &Value) -> Result<(), Refused> {
    let address = member_address(first);
    let data = json!({"address": STANDARD.encode(&address), "clientUrls": STANDARD.encode(format!("https://{address}:{PORT}"))});
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret", "type": names::SECRET_TYPE, "data": data,
        "metadata": {"name": init_secret(cluster), "namespace": object::namespace(this), "labels": {names::CLUSTER_NAME: object::name(cluster)}},
    });
    own(&mut made, cluster, false);
    let there = context.objects.get(&SECRET, object::namespace(this), &init_secret(cluster));
    match there {
        None => context.objects.ensure(made).map(|_| ()),
        Some(there) => {
            // The first member may have been replaced since.
            context.objects.change_this(&there, |there| set(there, &["data"], data.clone()));
            Ok(())
        }
    }
}

/// Whether a member is made from the template and with the configuration that are wanted.
fn is_current(context: &Context, this: &Value, machine: &Value) -> bool {
    let namespace = object::namespace(this);
    let infrastructure = template::referenced(&context.objects, machine.pointer("/spec/infrastructureRef"), namespace);
    let from = text(this, "/spec/infrastructureTemplate/name");
    if infrastructure
        .is_some_and(|one| object::annotation(&one, names::CLONED_FROM_NAME).is_some_and(|name| name != from))
    {
        return false;
    }
    let config = context.objects.get(&ETCDADM_CONFIG, namespace, object::name(machine));
    config.is_none_or(|config| config.get("spec") == this.pointer("/spec/etcdadmConfigSpec"))
}

fn make(context: &Context, this: &Value, cluster: &Value, template: &Value) -> Result<(), Refused> {
    let labels = json!({names::CLUSTER_NAME: object::name(cluster), names::ETCD_CLUSTER: object::name(this)});
    let spec = this.pointer("/spec/etcdadmConfigSpec").cloned().unwrap_or_else(|| json!({}));
    let config =
        json!({"apiVersion": object::api_version(BOOTSTRAP_GROUP, "v1beta1"), "kind": "EtcdadmConfig", "spec": spec});
    let name = fresh_name(object::name(this));
    template::make(
        &context.objects,
        &NewMachine {
            name: &name,
            cluster: object::name(cluster),
            owner: this,
            template,
            config,
            labels,
            annotations: None,
            spec: json!({}),
        },
    )
}

struct Seen {
    machines: usize,
    wanted: usize,
    outdated: usize,
    endpoints: String,
    serving: usize,
    template: bool,
}

fn report(this: &mut Value, seen: &Seen, first: Option<&Value>) {
    let initialized = first.is_some();
    let ready = seen.serving == seen.wanted && seen.machines == seen.wanted && seen.outdated == 0 && initialized;
    set(this, &["status", "replicas"], json!(seen.serving));
    set(
        this,
        &["status", "initialized"],
        json!(initialized || crate::behaviour::meta::flag(this, "/status/initialized")),
    );
    if let (true, Some(first)) = (text(this, "/status/initMachineAddress").is_empty(), first) {
        set(this, &["status", "initMachineAddress"], json!(member_address(first)));
    }
    set(this, &["status", "ready"], json!(ready));
    if ready {
        set(this, &["status", "creationComplete"], json!(true));
        set(this, &["status", "endpoints"], json!(seen.endpoints));
    }
    let selector = format!(
        "{}={},{}={}",
        names::CLUSTER_NAME,
        object::label(this, names::CLUSTER_NAME).unwrap_or_default(),
        names::ETCD_CLUSTER,
        object::name(this)
    );
    set(this, &["status", "selector"], json!(selector));
    let far = format!("{} of {} etcd machines serve", seen.serving, seen.wanted);
    let kind = this.pointer("/spec/infrastructureTemplate").map_or("", object::kind).to_owned();
    let create = if seen.template { far.clone() } else { format!("{kind} does not exist") };
    for (name, holds, reason, message) in [
        ("EtcdCertificatesAvailable", true, "", ""),
        ("Initialized", initialized, "WaitingForFirstMember", far.as_str()),
        ("EtcdMachinesReady", seen.serving == seen.wanted, "MachinesNotReady", far.as_str()),
        ("EtcdMachinesSpecUpToDate", seen.outdated == 0, "EtcdRollingUpdateInProgress", ""),
        ("EtcdClusterHasNoOutdatedMembers", seen.outdated == 0, "OutdatedMembers", ""),
        (
            "EtcdClusterResizeCompleted",
            seen.machines == seen.wanted,
            if seen.machines < seen.wanted { "EtcdScaleUpInProgress" } else { "EtcdScaleDownInProgress" },
            create.as_str(),
        ),
        ("EtcdEndpointsAvailable", ready, "WaitingForEtcdEndpoints", far.as_str()),
        ("Ready", ready, "EtcdNotReady", create.as_str()),
    ] {
        conditions::set_old(this, name, holds, reason, message);
    }
}

fn delete(context: &Context, this: &Value, machines: &[Value]) -> Outcome {
    for machine in machines {
        context.objects.delete(machine)?;
    }
    if machines.is_empty() {
        context.objects.change_this(this, |this| {
            object::remove_finalizer(this, names::ETCD_FINALIZER);
        });
    }
    Ok(After::Settled)
}
