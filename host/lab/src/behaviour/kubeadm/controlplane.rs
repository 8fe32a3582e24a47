//! KubeadmControlPlanes: secrets, machines one after another, replacement when something changed.

use serde_json::{Value, json};

use crate::behaviour::ClusterRole;
use crate::behaviour::component::{Component, KUBEADM_CONTROL_PLANE};
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::core::template::{self, NewMachine};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{
    CLUSTER, CONFIG_MAP, CONTROL_PLANE, ETCD_CLUSTER, KUBEADM_CONFIG, MACHINE, SECRET, names,
};
use crate::behaviour::meta::{flag, fresh_name, is_paused, number, owner_named, set, text, unset};
use crate::behaviour::objects::Objects;
use crate::behaviour::objects::Refused;
use crate::kube::object;

use super::report;
use super::secrets::{self, Purpose};
use super::{CONFIG_MAP_NAME, kubeconfig};

pub(crate) struct ControlPlanes;

/// What is known of a control plane at one moment.
pub(super) struct Seen<'a> {
    pub(super) this: &'a Value,
    pub(super) cluster: &'a Value,
    /// Oldest first.
    pub(super) machines: Vec<Value>,
    /// Those of them that differ from what is wanted.
    pub(super) outdated: Vec<Value>,
    pub(super) initialized: bool,
    pub(super) template: Option<Value>,
}

impl Seen<'_> {
    pub(super) fn wanted(&self) -> usize {
        usize::try_from(number(self.this, "/spec/replicas").unwrap_or(1)).unwrap_or(0)
    }
}

impl Controller for ControlPlanes {
    fn primary(&self) -> On {
        On::Kind(CONTROL_PLANE)
    }

    fn component(&self) -> Component {
        KUBEADM_CONTROL_PLANE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(CLUSTER), Route::All),
            (On::Kind(MACHINE), Route::SameCluster),
            (On::Kind(ETCD_CLUSTER), Route::All),
            (On::Infrastructure("MachineTemplate"), Route::All),
            (On::Kind(SECRET), Route::SameCluster),
        ]
    }

    fn follows_nodes(&self) -> bool {
        true
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&CONTROL_PLANE, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let Some(cluster) = owner_named(&this, "Cluster").and_then(|name| objects.get(&CLUSTER, &key.namespace, name))
        else {
            return Ok(After::Settled);
        };
        let paused = is_paused(Some(&cluster), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        if paused {
            return Ok(After::Settled);
        }
        if object::is_deleting(&this) {
            return delete(context, &this, &cluster);
        }
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::CONTROL_PLANE_FINALIZER);
            set(this, &["status", "observedGeneration"], json!(object::generation(this)));
        });
        if !flag(&cluster, "/status/initialization/infrastructureProvisioned")
            || text(&cluster, "/spec/controlPlaneEndpoint/host").is_empty()
        {
            objects.change_this(&this, |this| report::waits(this, "WaitingForClusterInfrastructureReady"));
            return Ok(After::Settled);
        }
        let certificates = certificates(objects, &this, &cluster)?;
        if certificates {
            copy_endpoints(objects, &this, &cluster);
        }
        let this = objects.get(&CONTROL_PLANE, &key.namespace, &key.name).unwrap_or(this);
        let seen = look(context, &this, &cluster);
        if let Some(running) = context.world.cluster(ClusterRole::Workload, object::name(&cluster)) {
            kubeconfig::ensure(objects, object::name(&cluster), &running, &this)?;
        }
        if certificates {
            advance(context, &seen)?;
        }
        mark(context, &seen);
        let seen = look(context, &this, &cluster);
        objects.change_this(&this, |this| report::report(this, &seen, certificates));
        Ok(After::Settled)
    }
}

/// Makes the secrets; says whether all are there. Those of an external etcd are made by whoever makes that etcd.
fn certificates(objects: &Objects, this: &Value, cluster: &Value) -> Result<bool, Refused> {
    let name = object::name(cluster);
    for purpose in [Purpose::Authority, Purpose::Proxy, Purpose::ServiceAccounts] {
        secrets::ensure(objects, name, purpose, this)?;
    }
    if !is_external(this) {
        secrets::ensure(objects, name, Purpose::Etcd, this)?;
        return Ok(true);
    }
    let there = |purpose| objects.get(&SECRET, object::namespace(this), &secrets::name(name, purpose)).is_some();
    Ok(there(Purpose::Etcd) && there(Purpose::EtcdClient))
}

fn is_external(this: &Value) -> bool {
    this.pointer("/spec/kubeadmConfigSpec/clusterConfiguration/etcd/external").is_some()
}

/// The addresses of an external etcd come from the object that manages it.
fn copy_endpoints(objects: &Objects, this: &Value, cluster: &Value) {
    let name = text(cluster, "/spec/managedExternalEtcdRef/name");
    let Some(etcd) = objects.get(&ETCD_CLUSTER, object::namespace(this), name) else { return };
    let endpoints: Vec<&str> = text(&etcd, "/status/endpoints").split(',').filter(|one| !one.is_empty()).collect();
    if flag(&etcd, "/status/ready") && !endpoints.is_empty() {
        objects.change_this(this, |this| {
            set(
                this,
                &["spec", "kubeadmConfigSpec", "clusterConfiguration", "etcd", "external", "endpoints"],
                json!(endpoints),
            );
        });
    }
}

fn look<'a>(context: &Context, this: &'a Value, cluster: &'a Value) -> Seen<'a> {
    let objects = &context.objects;
    let mut machines = objects.controlled_by(&MACHINE, this);
    machines.sort_by(|a, b| {
        (text(a, "/metadata/creationTimestamp"), object::name(a))
            .cmp(&(text(b, "/metadata/creationTimestamp"), object::name(b)))
    });
    let outdated = machines.iter().filter(|machine| !is_current(objects, this, machine)).cloned().collect();
    let workload = context.world.cluster(ClusterRole::Workload, object::name(cluster));
    let initialized = workload
        .is_some_and(|running| running.store().get(&CONFIG_MAP, Some("kube-system"), CONFIG_MAP_NAME).is_some());
    let template = template::referenced(
        objects,
        this.pointer("/spec/machineTemplate/spec/infrastructureRef"),
        object::namespace(this),
    );
    Seen { this, cluster, machines, outdated, initialized, template }
}

/// Whether a machine is as the control plane wants it: version, template and kubeadm configuration. The addresses of etcd may differ.
fn is_current(objects: &Objects, this: &Value, machine: &Value) -> bool {
    let namespace = object::namespace(this);
    if text(machine, "/spec/version") != text(this, "/spec/version") {
        return false;
    }
    let infrastructure = template::referenced(objects, machine.pointer("/spec/infrastructureRef"), namespace);
    let wanted = text(this, "/spec/machineTemplate/spec/infrastructureRef/name");
    if infrastructure
        .is_some_and(|one| object::annotation(&one, names::CLONED_FROM_NAME).is_some_and(|from| from != wanted))
    {
        return false;
    }
    let config = objects.get(&KUBEADM_CONFIG, namespace, text(machine, "/spec/bootstrap/configRef/name"));
    config.is_none_or(|config| {
        let has = comparable(config.get("spec"));
        has == comparable(Some(&spec_for(this, true))) || has == comparable(Some(&spec_for(this, false)))
    })
}

fn comparable(spec: Option<&Value>) -> Value {
    let mut spec = spec.cloned().unwrap_or_default();
    unset(&mut spec, &["clusterConfiguration", "etcd", "external", "endpoints"]);
    spec
}

/// The kubeadm configuration of the first machine, or of one that joins.
fn spec_for(this: &Value, first: bool) -> Value {
    let mut spec = this.pointer("/spec/kubeadmConfigSpec").cloned().unwrap_or_else(|| json!({}));
    if first {
        unset(&mut spec, &["joinConfiguration"]);
        if spec.get("initConfiguration").is_none() {
            set(&mut spec, &["initConfiguration"], json!({"nodeRegistration": {"imagePullPolicy": "IfNotPresent"}}));
        }
    } else {
        unset(&mut spec, &["initConfiguration"]);
        set(&mut spec, &["joinConfiguration", "controlPlane", "localAPIEndpoint", "bindPort"], json!(6443));
    }
    spec
}

/// One step towards what is wanted: at most one machine made or begun to be deleted.
fn advance(context: &Context, seen: &Seen<'_>) -> Result<(), Refused> {
    let (count, wanted) = (seen.machines.len(), seen.wanted());
    if seen.machines.iter().any(object::is_deleting) || seen.template.is_none() {
        return Ok(());
    }
    if count == 0 {
        return if wanted > 0 { make(context, seen, !seen.initialized) } else { Ok(()) };
    }
    // The first one initializes; after that each has to be a node before the next one is begun.
    if !seen.initialized || seen.machines.iter().any(|machine| text(machine, "/status/nodeRef/name").is_empty()) {
        return Ok(());
    }
    let surge = match seen.this.pointer("/spec/rollout/strategy/rollingUpdate/maxSurge") {
        Some(Value::Number(number)) => usize::try_from(number.as_u64().unwrap_or(1)).unwrap_or(1),
        Some(Value::String(text)) => text.parse().unwrap_or(1),
        _ => 1,
    };
    let oldest = |list: &[Value]| list.first().cloned();
    let room = if seen.outdated.is_empty() { wanted } else { wanted + surge };
    if count < room {
        return make(context, seen, false);
    }
    let goes = if seen.outdated.is_empty() {
        if count > wanted { oldest(&seen.machines) } else { None }
    } else {
        oldest(&seen.outdated)
    };
    goes.map_or(Ok(()), |machine| context.objects.delete(&machine))
}

fn make(context: &Context, seen: &Seen<'_>, first: bool) -> Result<(), Refused> {
    let this = seen.this;
    let Some(template) = &seen.template else { return Ok(()) };
    let cluster = object::name(seen.cluster);
    let mut labels = this.pointer("/spec/machineTemplate/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    for (key, value) in
        [(names::CLUSTER_NAME, cluster), (names::CONTROL_PLANE, ""), (names::CONTROL_PLANE_NAME, object::name(this))]
    {
        set(&mut labels, &[key], json!(value));
    }
    let config = json!({
        "apiVersion": object::api_version(KUBEADM_CONFIG.group.as_ref(), "v1beta2"), "kind": "KubeadmConfig", "spec": spec_for(this, first),
    });
    let mut spec = json!({"version": text(this, "/spec/version")});
    for (from, to) in [
        ("/spec/machineTemplate/spec/deletion", "deletion"),
        ("/spec/machineTemplate/spec/readinessGates", "readinessGates"),
    ] {
        if let Some(value) = this.pointer(from) {
            set(&mut spec, &[to], value.clone());
        }
    }
    let annotations = this.pointer("/spec/machineTemplate/metadata/annotations").cloned();
    let name = fresh_name(object::name(this));
    template::make(
        &context.objects,
        &NewMachine { name: &name, cluster, owner: this, template, config, labels, annotations, spec },
    )
}

/// Tells each machine whether it is up to date: that is the owner's to say.
fn mark(context: &Context, seen: &Seen<'_>) {
    for machine in &seen.machines {
        let current = !seen.outdated.iter().any(|one| object::uid(one) == object::uid(machine));
        context.objects.change_this(machine, |machine| template::up_to_date(machine, current));
    }
}

fn delete(context: &Context, this: &Value, cluster: &Value) -> Outcome {
    let objects = &context.objects;
    let all = objects.of_cluster(&MACHINE, object::namespace(this), object::name(cluster));
    let workers = all.iter().any(|machine| {
        object::label(machine, names::CONTROL_PLANE).is_none() && object::label(machine, names::ETCD_CLUSTER).is_none()
    });
    let own = objects.controlled_by(&MACHINE, this);
    objects.change_this(this, |this| report::deleting(this, own.len(), workers));
    if workers {
        return Ok(After::Settled);
    }
    for machine in &own {
        objects.delete(machine)?;
    }
    if own.is_empty() {
        objects.change_this(this, |this| {
            object::remove_finalizer(this, names::CONTROL_PLANE_FINALIZER);
        });
    }
    Ok(After::Settled)
}
