//! What happens inside of a machine when it boots: etcd serves, or Kubernetes starts and joins as a node.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::behaviour::controller::{After, Outcome};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CONFIG_MAP, KUBEADM_CONFIG, NODE, SECRET};
use crate::behaviour::kubernetes::{node, pod};
use crate::behaviour::machines::{MachineRole, SimulatedMachine};
use crate::behaviour::meta::{set, text};
use crate::behaviour::objects::{Objects, Refused};
use crate::behaviour::{kubeadm, seed};
use crate::kube::object;
use crate::tls::CertificateAuthority;

use super::machine::role;

/// From power on to a node that has registered.
const BOOT: Duration = Duration::from_secs(35);

/// Lets a machine boot; does nothing if it has.
pub(super) fn boot(context: &Context, there: &SimulatedMachine, machine: &Value, cluster: &Value) -> Outcome {
    let (role, group) = role(machine);
    if there.booted || context.world.faults().machine_stuck(role.word(), group.as_deref()) {
        return Ok(After::Settled);
    }
    if let Some(wait) = context.left(machine, "boot", BOOT * context.world.faults().machine_slowness()) {
        return Ok(After::Wait(wait));
    }
    let name = object::name(cluster);
    let world = &context.world;
    if role != MachineRole::Etcd {
        let config = context.objects.get(
            &KUBEADM_CONFIG,
            object::namespace(machine),
            text(machine, "/spec/bootstrap/configRef/name"),
        );
        let config = config.unwrap_or_default();
        let version = text(machine, "/spec/version");
        let running = if role == MachineRole::ControlPlane {
            if waits_for_etcd(&config) {
                return Ok(After::Settled);
            }
            world.workload_or_start(name, version, || authority(&context.objects, cluster))
        } else {
            world.cluster(crate::behaviour::ClusterRole::Workload, name)
        };
        // The start of an API tells everybody who follows nodes.
        let Some(running) = running else { return Ok(After::Settled) };
        let workload = Objects::new(running.store().clone());
        join(&workload, there, role, &config, version)?;
    }
    world.machines().booted(&there.provider_id);
    world.tell_nodes_changed(name);
    Ok(After::Settled)
}

/// An API server whose etcd has no address does not start.
fn waits_for_etcd(config: &Value) -> bool {
    let endpoints = config.pointer("/spec/clusterConfiguration/etcd/external/endpoints").and_then(Value::as_array);
    endpoints.is_some_and(|list| {
        list.is_empty() || list.iter().any(|one| one.as_str().unwrap_or_default().contains("placeholder"))
    })
}

/// The cluster's authority, as its Secret holds it.
fn authority(objects: &Objects, cluster: &Value) -> Option<CertificateAuthority> {
    let secret = objects.get(&SECRET, object::namespace(cluster), &format!("{}-ca", object::name(cluster)))?;
    let part =
        |pointer: &str| STANDARD.decode(text(&secret, pointer)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    CertificateAuthority::from_pem(&part("/data/tls.crt")?, &part("/data/tls.key")?).ok()
}

fn join(
    workload: &Objects,
    there: &SimulatedMachine,
    role: MachineRole,
    config: &Value,
    version: &str,
) -> Result<(), Refused> {
    let control_plane = role == MachineRole::ControlPlane;
    if control_plane && workload.get(&CONFIG_MAP, "kube-system", kubeadm::CONFIG_MAP_NAME).is_none() {
        seed::workload(workload, version, config)?;
    }
    let registration = kubeadm::registration(config, control_plane);
    let kubelet = node::Registration {
        name: &there.name,
        provider_id: &there.provider_id,
        version,
        address: &there.address,
        os_image: "Simulated by kedge",
        labels: registration.labels,
        taints: registration.taints,
    };
    workload.ensure(kubelet.object())?;
    workload.change(&NODE, "", &there.name, |node| {
        if let Value::Object(status) = kubelet.status() {
            for (field, value) in status {
                set(node, &["status", &field], value);
            }
        }
    });
    if control_plane {
        for one in kubeadm::static_pods(config) {
            let image = format!("registry.k8s.io/{one}:{version}");
            workload.ensure(pod::of_node(&there.name, &one, &image))?;
        }
    }
    workload.change(&CONFIG_MAP, "kube-system", kubeadm::CONFIG_MAP_NAME, |map| {
        set(map, &["data", "kubernetesVersion"], json!(version));
    });
    Ok(())
}
