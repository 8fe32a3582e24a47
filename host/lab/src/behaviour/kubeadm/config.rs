//! KubeadmConfigs: the data with which a machine boots.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::behaviour::component::{Component, KUBEADM_BOOTSTRAP};
use crate::behaviour::conditions::{self, Condition};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, KUBEADM_CONFIG, MACHINE, SECRET, names};
use crate::behaviour::meta::{cluster_name, flag, is_paused, own, owner_named, set, text};
use crate::kube::object;

const RENDER: Duration = Duration::from_secs(1);

pub(crate) struct KubeadmConfigs;

impl Controller for KubeadmConfigs {
    fn primary(&self) -> On {
        On::Kind(KUBEADM_CONFIG)
    }

    fn component(&self) -> Component {
        KUBEADM_BOOTSTRAP
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(CLUSTER), Route::OfCluster), (On::Kind(MACHINE), Route::Reference("/spec/bootstrap/configRef"))]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) =
            objects.get(&KUBEADM_CONFIG, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let cluster = objects.get(&CLUSTER, &key.namespace, cluster_name(&this));
        let paused = is_paused(cluster.as_ref(), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        let machine = owner_named(&this, "Machine").and_then(|name| objects.get(&MACHINE, &key.namespace, name));
        let (false, Some(machine), Some(cluster)) = (paused, machine, cluster) else { return Ok(After::Settled) };
        let secret = objects.get(&SECRET, &key.namespace, &key.name);
        if secret.is_none() {
            if let Some((reason, message)) = waits_for(&this, &machine, &cluster) {
                objects.change_this(&this, |this| unavailable(this, reason, message));
                return Ok(After::Settled);
            }
            if let Some(wait) = context.left(&this, "render", RENDER) {
                return Ok(After::Wait(wait));
            }
            objects.ensure(data(&this, object::name(&cluster)))?;
        } else if let Some(secret) = &secret
            && !object::owners(secret).iter().any(|owner| text(owner, "/uid") == object::uid(&this))
        {
            objects.change_this(secret, |secret| own(secret, &this, true));
        }
        objects.change_this(&this, |this| {
            let name = object::name(this).to_owned();
            set(this, &["status", "dataSecretName"], json!(name));
            set(this, &["status", "initialization", "dataSecretCreated"], json!(true));
            set(this, &["status", "observedGeneration"], json!(object::generation(this)));
            conditions::set_all(
                this,
                &[
                    Condition::yes("CertificatesAvailable", "Available"),
                    Condition::yes("DataSecretAvailable", "Available"),
                    Condition::yes("Ready", "Ready"),
                ],
            );
            for old in ["CertificatesAvailable", "DataSecretAvailable", "Ready"] {
                conditions::set_old(this, old, true, "", "");
            }
        });
        Ok(After::Settled)
    }
}

fn waits_for(this: &Value, machine: &Value, cluster: &Value) -> Option<(&'static str, &'static str)> {
    if !flag(cluster, "/status/initialization/infrastructureProvisioned") {
        return Some((
            "WaitingForClusterInfrastructureReady",
            "Waiting for Cluster status.initialization.infrastructureProvisioned to be true",
        ));
    }
    let first =
        this.pointer("/spec/initConfiguration").is_some() && object::label(machine, names::CONTROL_PLANE).is_some();
    if !first && !flag(cluster, "/status/initialization/controlPlaneInitialized") {
        return Some(("WaitingForControlPlaneInitialized", "Waiting for Cluster control plane to be initialized"));
    }
    None
}

fn unavailable(this: &mut Value, reason: &str, message: &str) {
    conditions::set_all(
        this,
        &[
            Condition::no("DataSecretAvailable", reason, message),
            Condition::no("Ready", "NotReady", format!("* DataSecretAvailable: {message}")),
        ],
    );
    conditions::set_old(this, "DataSecretAvailable", false, reason, message);
    conditions::set_old(this, "Ready", false, reason, message);
}

/// The bootstrap data. It says what it would do, and does nothing: no machine runs it.
fn data(this: &Value, cluster: &str) -> Value {
    let format = Some(text(this, "/spec/format")).filter(|one| !one.is_empty()).unwrap_or("cloud-config");
    let init = this.pointer("/spec/initConfiguration").is_some();
    let text = format!(
        "## template: jinja\n#cloud-config\n# simulated by the lab: kubeadm {} runs here\n",
        if init { "init" } else { "join" }
    );
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret", "type": names::SECRET_TYPE,
        "metadata": {"name": object::name(this), "namespace": object::namespace(this), "labels": {names::CLUSTER_NAME: cluster}},
        "data": {"value": STANDARD.encode(text), "format": STANDARD.encode(format)},
    });
    own(&mut made, this, true);
    made
}
