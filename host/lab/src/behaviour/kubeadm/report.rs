//! The status of a control plane.

use serde_json::{Value, json};

use crate::behaviour::conditions::{self, Condition, is_true};
use crate::behaviour::core::template::versions;
use crate::behaviour::kinds::names;
use crate::behaviour::meta::{set, text, unset};
use crate::kube::object;

use super::controlplane::Seen;

/// Nothing can be done yet.
pub(super) fn waits(this: &mut Value, reason: &str) {
    conditions::set_all(
        this,
        &[
            Condition::unknown("CertificatesAvailable", reason, ""),
            Condition::no("Initialized", "NotInitialized", ""),
            Condition::no("Available", "NotAvailable", "Control plane not yet initialized"),
        ],
    );
    conditions::set_old(this, "Available", false, reason, "");
    conditions::set_old(this, "Ready", false, reason, "");
}

pub(super) fn deleting(this: &mut Value, machines: usize, workers: bool) {
    let (reason, message) = if workers {
        ("WaitingForWorkersDeletion", "Waiting for worker machines to be deleted".to_owned())
    } else {
        ("WaitingForMachineDeletion", format!("Deleting {machines} Machines"))
    };
    conditions::set_all(
        this,
        &[Condition::new("Deleting", true, reason, message.clone()), Condition::no("Available", "Deleting", message)],
    );
    set(this, &["status", "replicas"], json!(machines));
}

/// Writes what was seen.
pub(super) fn report(this: &mut Value, seen: &Seen<'_>, certificates: bool) {
    let wanted = seen.wanted();
    let live: Vec<&Value> = seen.machines.iter().filter(|machine| !object::is_deleting(machine)).collect();
    let total = seen.machines.len();
    let count = |name: &str| live.iter().filter(|machine| is_true(machine, name)).count();
    let (ready, available) = (count("Ready"), count("Available"));
    let current = total - seen.outdated.len();
    let nodes = live.iter().filter(|machine| !text(machine, "/status/nodeRef/name").is_empty()).count();
    let cluster = object::name(seen.cluster);
    let latched =
        seen.initialized || crate::behaviour::meta::flag(this, "/status/initialization/controlPlaneInitialized");
    for (field, value) in
        [("replicas", total), ("readyReplicas", ready), ("availableReplicas", available), ("upToDateReplicas", current)]
    {
        set(this, &["status", field], json!(value));
    }
    set(this, &["status", "selector"], json!(format!("{}={cluster},{}", names::CLUSTER_NAME, names::CONTROL_PLANE)));
    if latched {
        set(this, &["status", "initialization", "controlPlaneInitialized"], json!(true));
    }
    let (version, versions) = (lowest(&seen.machines), versions(&seen.machines));
    for (field, value) in [("version", version.map(Value::String)), ("versions", versions)] {
        match value {
            Some(value) => set(this, &["status", field], value),
            None => unset(this, &["status", field]),
        }
    }
    // A control plane serves while most of its machines are nodes; the pod network plays no part in it.
    let quorum = seen.initialized && nodes > 0 && nodes * 2 > live.len().max(1).min(wanted.max(1));
    let block = if seen.template.is_none() {
        let kind = text(seen.this, "/spec/machineTemplate/spec/infrastructureRef/kind");
        format!("Scaling up from {total} to {wanted} replicas is blocked because {kind} does not exist")
    } else {
        format!("Scaling up from {total} to {wanted} replicas")
    };
    let external = seen.this.pointer("/spec/kubeadmConfigSpec/clusterConfiguration/etcd/external").is_some();
    let up = total < wanted;
    let down = total > wanted;
    let rolling = !seen.outdated.is_empty();
    let mut list = vec![
        if certificates {
            Condition::yes("CertificatesAvailable", "Available")
        } else {
            Condition::no(
                "CertificatesAvailable",
                "NotAvailable",
                "the certificates of the external etcd do not exist yet",
            )
        },
        Condition::new("Initialized", latched, if latched { "Initialized" } else { "NotInitialized" }, ""),
        Condition::new(
            "Available",
            quorum,
            if quorum { "Available" } else { "NotAvailable" },
            if quorum { "" } else { "Control plane not yet initialized" },
        ),
        components("ControlPlaneComponentsHealthy", live.len(), nodes),
        machines("MachinesReady", live.len(), ready, "Ready"),
        machines("MachinesUpToDate", live.len(), live.len().min(current), "UpToDate"),
        Condition::new(
            "RollingOut",
            rolling,
            if rolling { "RollingOut" } else { "NotRollingOut" },
            if rolling {
                format!("Rolling out {} not up-to-date replicas", seen.outdated.len())
            } else {
                String::new()
            },
        ),
        Condition::new(
            "ScalingUp",
            up,
            if up { "ScalingUp" } else { "NotScalingUp" },
            if up { block.clone() } else { String::new() },
        ),
        Condition::is("ScalingDown", down),
        Condition::is("Remediating", false),
        Condition::is("Deleting", false),
    ];
    if !external {
        list.push(components("EtcdClusterHealthy", live.len(), nodes));
    }
    conditions::set_all(this, &list);
    let all = live.len() == wanted && nodes == wanted && wanted > 0;
    conditions::set_old(this, "CertificatesAvailable", certificates, "CertificatesNotAvailable", "");
    conditions::set_old(this, "Available", latched, "WaitingForKubeadmInit", "");
    conditions::set_old(
        this,
        "MachinesCreated",
        seen.template.is_some(),
        "InfrastructureTemplateCloningFailed",
        &block,
    );
    conditions::set_old(this, "MachinesReady", ready == wanted, "WaitingForMachines", "");
    conditions::set_old(this, "MachinesSpecUpToDate", !rolling, "RollingUpdateInProgress", "");
    conditions::set_old(this, "Resized", !up && !down, if up { "ScalingUp" } else { "ScalingDown" }, "");
    conditions::set_old(this, "ControlPlaneComponentsHealthy", all, "ControlPlaneComponentsUnhealthy", "");
    conditions::set_old(this, "Ready", all && !rolling, "ControlPlaneNotReady", "");
    let old = ["status", "deprecated", "v1beta1"];
    for (field, value) in
        [("updatedReplicas", current), ("readyReplicas", ready), ("unavailableReplicas", total.saturating_sub(ready))]
    {
        set(this, &[old[0], old[1], old[2], field], json!(value));
    }
}

fn components(name: &'static str, of: usize, healthy: usize) -> Condition {
    if of == 0 || healthy == 0 {
        Condition::unknown(name, "HealthUnknown", "Waiting for Cluster control plane to be initialized")
    } else if healthy < of {
        Condition::unknown(name, "HealthUnknown", format!("{} of {of} Machines have no node yet", of - healthy))
    } else {
        Condition::yes(name, "Healthy")
    }
}

fn machines(name: &'static str, of: usize, good: usize, word: &str) -> Condition {
    match (of, good) {
        (0, _) => Condition::yes(name, "NoReplicas"),
        (of, good) if good == of => Condition::yes(name, word),
        (of, good) => Condition::no(name, format!("Not{word}"), format!("{good} of {of} Machines are {word}")),
    }
}

fn lowest(machines: &[Value]) -> Option<String> {
    let mut versions: Vec<&str> =
        machines.iter().map(|one| text(one, "/spec/version")).filter(|one| !one.is_empty()).collect();
    versions.sort_by_key(|one| crate::behaviour::admission::version(one));
    versions.first().map(|one| (*one).to_owned())
}
