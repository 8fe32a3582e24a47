//! The status of a Cluster, summed up from its parts.

use serde_json::{Value, json};

use crate::behaviour::conditions::{self, Condition, is_true};
use crate::behaviour::infrastructure::contract;
use crate::behaviour::kinds::names;
use crate::behaviour::meta::{flag, number, set, text};
use crate::kube::object;

/// The parts of a cluster at one moment.
pub(super) struct Seen {
    pub(super) infrastructure: Option<Value>,
    pub(super) control_plane: Option<Value>,
    pub(super) etcd: Option<Value>,
    pub(super) machines: Vec<Value>,
    pub(super) deployments: Vec<Value>,
    /// Whether the cluster's API answers.
    pub(super) reached: bool,
}

fn kind_at<'a>(this: &'a Value, reference: &str) -> &'a str {
    this.pointer(reference).map_or("", object::kind)
}

fn condition_of(part: &Value, name: &str) -> (bool, String) {
    let list = ["/status/conditions", "/status/v1beta2/conditions"]
        .into_iter()
        .filter_map(|at| part.pointer(at)?.as_array())
        .flatten();
    let message = list
        .filter(|one| text(one, "/type") == name)
        .map(|one| text(one, "/message"))
        .find(|one| !one.is_empty())
        .unwrap_or_default();
    (is_true(part, name), message.to_owned())
}

fn infrastructure(this: &Value, seen: &Seen) -> Condition {
    let kind = kind_at(this, "/spec/infrastructureRef");
    match &seen.infrastructure {
        None => Condition::no("InfrastructureReady", "DoesNotExist", format!("{kind} does not exist")),
        Some(part) if contract::is_provisioned(part) => Condition::yes("InfrastructureReady", "Ready"),
        Some(part) => {
            let (_, message) = condition_of(part, "Ready");
            Condition::no(
                "InfrastructureReady",
                "NotReady",
                if message.is_empty() { format!("{kind} status is not ready yet") } else { message },
            )
        }
    }
}

fn control_plane(this: &Value, seen: &Seen) -> Condition {
    let kind = kind_at(this, "/spec/controlPlaneRef");
    match &seen.control_plane {
        None => Condition::no("ControlPlaneAvailable", "DoesNotExist", format!("{kind} does not exist")),
        Some(part) => {
            let (available, message) = condition_of(part, "Available");
            if available {
                Condition::yes("ControlPlaneAvailable", "Available")
            } else {
                let etcd = object::annotation(part, names::PAUSED).is_some();
                let message = if etcd { "the control plane waits for its external etcd".to_owned() } else { message };
                Condition::no("ControlPlaneAvailable", "NotAvailable", message)
            }
        }
    }
}

fn workers(seen: &Seen) -> Condition {
    if seen.deployments.is_empty() {
        return Condition::yes("WorkersAvailable", "NoWorkers");
    }
    let missing: Vec<String> = seen
        .deployments
        .iter()
        .filter(|one| !is_true(one, "Available"))
        .map(|one| format!("* MachineDeployment {}: {}", object::name(one), condition_of(one, "Available").1))
        .collect();
    if missing.is_empty() {
        Condition::yes("WorkersAvailable", "Available")
    } else {
        Condition::no("WorkersAvailable", "NotAvailable", missing.join("\n"))
    }
}

fn every(name: &'static str, word: &'static str, machines: &[&Value]) -> Condition {
    if machines.is_empty() {
        return Condition::yes(name, "NoReplicas");
    }
    let missing: Vec<&str> = machines.iter().filter(|one| !is_true(one, word)).map(|one| object::name(one)).collect();
    if missing.is_empty() {
        Condition::yes(name, word)
    } else {
        Condition::no(name, format!("Not{word}"), format!("* Machines {} are not {word}", missing.join(", ")))
    }
}

fn any(name: &'static str, seen: &Seen) -> Condition {
    let parts = seen.control_plane.iter().chain(&seen.deployments);
    Condition::is(name, parts.into_iter().any(|one| is_true(one, name)))
}

fn counters(of: &[&Value], names: [(&str, &str); 4]) -> Value {
    let mut sum = json!({});
    for (from, to) in names {
        let total: i64 = of.iter().filter_map(|one| number(one, from)).sum();
        set(&mut sum, &[to], json!(total));
    }
    let desired: i64 = of.iter().filter_map(|one| number(one, "/spec/replicas")).sum();
    set(&mut sum, &["desiredReplicas"], json!(desired));
    sum
}

/// Writes what was seen.
pub(super) fn report(this: &mut Value, seen: &Seen) {
    let initialized = flag(this, "/status/initialization/controlPlaneInitialized");
    let provisioned = flag(this, "/status/initialization/infrastructureProvisioned");
    let is_control_plane = |machine: &&Value| object::label(machine, names::CONTROL_PLANE).is_some();
    let is_worker = |machine: &&Value| {
        object::label(machine, names::CONTROL_PLANE).is_none() && object::label(machine, names::ETCD_CLUSTER).is_none()
    };
    let masters: Vec<&Value> = seen.machines.iter().filter(is_control_plane).collect();
    let working: Vec<&Value> = seen.machines.iter().filter(is_worker).collect();
    let probe = if seen.reached {
        Condition::yes("RemoteConnectionProbe", "ProbeSucceeded")
    } else {
        Condition::no(
            "RemoteConnectionProbe",
            "ProbeFailed",
            if initialized { "Remote connection probe failed" } else { "Remote connection not established yet" },
        )
    };
    let parts = [probe, infrastructure(this, seen), control_plane(this, seen), workers(seen)];
    let missing: Vec<String> =
        parts.iter().filter(|one| !one.holds()).map(|one| format!("* {}", one.message())).collect();
    let available = if missing.is_empty() {
        Condition::yes("Available", "Available")
    } else {
        Condition::no("Available", "NotAvailable", missing.join("\n"))
    };
    let initialized_condition = if initialized {
        Condition::yes("ControlPlaneInitialized", "Initialized")
    } else {
        Condition::no("ControlPlaneInitialized", "NotInitialized", "Control plane not yet initialized")
    };
    conditions::set_all(this, parts.iter().chain([&available, &initialized_condition]));
    conditions::set_all(
        this,
        &[
            every("ControlPlaneMachinesReady", "Ready", &masters),
            every("ControlPlaneMachinesUpToDate", "UpToDate", &masters),
            every("WorkerMachinesReady", "Ready", &working),
            every("WorkerMachinesUpToDate", "UpToDate", &working),
            any("RollingOut", seen),
            any("ScalingUp", seen),
            any("ScalingDown", seen),
            Condition::is("Remediating", false),
            Condition::is("Deleting", false),
        ],
    );
    let [_, infrastructure, control_plane, _] = &parts;
    conditions::set_old(
        this,
        "InfrastructureReady",
        infrastructure.holds(),
        "WaitingForInfrastructure",
        infrastructure.message(),
    );
    conditions::set_old(this, "ControlPlaneInitialized", initialized, "WaitingForControlPlaneProviderInitialized", "");
    let ready = control_plane.holds() && initialized;
    conditions::set_old(this, "ControlPlaneReady", ready, "WaitingForControlPlane", control_plane.message());
    let mut etcd_ready = true;
    if let Some(etcd) = &seen.etcd {
        etcd_ready = flag(etcd, "/status/ready");
        conditions::set_old(
            this,
            "ManagedEtcdInitialized",
            flag(etcd, "/status/initialized"),
            "WaitingForManagedEtcd",
            "",
        );
        conditions::set_old(this, "ManagedEtcdReady", etcd_ready, "WaitingForManagedEtcd", "");
    }
    conditions::set_old(this, "Ready", ready && infrastructure.holds() && etcd_ready, "NotReady", "");
    let counted = [
        ("/status/replicas", "replicas"),
        ("/status/readyReplicas", "readyReplicas"),
        ("/status/availableReplicas", "availableReplicas"),
        ("/status/upToDateReplicas", "upToDateReplicas"),
    ];
    let planes: Vec<&Value> = seen.control_plane.iter().collect();
    set(this, &["status", "controlPlane"], counters(&planes, counted));
    set(this, &["status", "workers"], counters(&seen.deployments.iter().collect::<Vec<_>>(), counted));
    let endpoint = !text(this, "/spec/controlPlaneEndpoint/host").is_empty();
    let phase = if provisioned && endpoint {
        "Provisioned"
    } else if seen.infrastructure.is_some() {
        "Provisioning"
    } else {
        "Pending"
    };
    set(this, &["status", "phase"], json!(phase));
}
