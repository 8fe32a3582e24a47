//! EtcdadmConfigs: the data with which an etcd machine boots.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::behaviour::component::{Component, ETCDADM_BOOTSTRAP};
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, ETCDADM_CONFIG, MACHINE, SECRET, names};
use crate::behaviour::meta::{cluster_name, flag, is_paused, own, owner_named, set, text};
use crate::kube::object;

const RENDER: Duration = Duration::from_secs(1);

pub(crate) struct EtcdadmConfigs;

impl Controller for EtcdadmConfigs {
    fn primary(&self) -> On {
        On::Kind(ETCDADM_CONFIG)
    }

    fn component(&self) -> Component {
        ETCDADM_BOOTSTRAP
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(CLUSTER), Route::OfCluster),
            (On::Kind(MACHINE), Route::Reference("/spec/bootstrap/configRef")),
            (On::Kind(SECRET), Route::SameCluster),
        ]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) =
            objects.get(&ETCDADM_CONFIG, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let cluster = objects.get(&CLUSTER, &key.namespace, cluster_name(&this));
        if is_paused(cluster.as_ref(), &this) {
            return Ok(After::Settled);
        }
        let machine = owner_named(&this, "Machine").and_then(|name| objects.get(&MACHINE, &key.namespace, name));
        let (Some(machine), Some(cluster)) = (machine, cluster) else { return Ok(After::Settled) };
        if objects.get(&SECRET, &key.namespace, &key.name).is_none() {
            let waits = if !flag(&cluster, "/status/initialization/infrastructureProvisioned") {
                Some(("WaitingForClusterInfrastructure", "the infrastructure of the cluster is not ready"))
            } else if !is_first(context, &machine, &cluster)
                && objects.get(&SECRET, &key.namespace, &super::cluster::init_secret(&cluster)).is_none()
            {
                Some(("WaitingForEtcdClusterInitialized", "the first etcd machine does not serve yet"))
            } else {
                None
            };
            if let Some((reason, message)) = waits {
                objects.change_this(&this, |this| {
                    conditions::set_old(this, "DataSecretAvailable", false, reason, message);
                });
                return Ok(After::Settled);
            }
            if let Some(wait) = context.left(&this, "render", RENDER) {
                return Ok(After::Wait(wait));
            }
            let mut made = json!({
                "apiVersion": "v1", "kind": "Secret", "type": names::SECRET_TYPE,
                "metadata": {"name": key.name, "namespace": key.namespace, "labels": {names::CLUSTER_NAME: object::name(&cluster)}},
                "data": {"value": STANDARD.encode("#cloud-config\n# simulated by the lab: etcdadm runs here\n")},
            });
            own(&mut made, &this, true);
            objects.ensure(made)?;
        }
        objects.change_this(&this, |this| {
            let name = object::name(this).to_owned();
            set(this, &["status", "dataSecretName"], json!(name));
            set(this, &["status", "ready"], json!(true));
            conditions::set_old(this, "DataSecretAvailable", true, "", "");
            conditions::set_old(this, "Ready", true, "", "");
        });
        Ok(After::Settled)
    }
}

/// The oldest machine of an etcd cluster is the one that initializes it.
fn is_first(context: &Context, machine: &Value, cluster: &Value) -> bool {
    let of = object::label(machine, names::ETCD_CLUSTER);
    let all = context.objects.of_cluster(&MACHINE, object::namespace(cluster), object::name(cluster));
    let mut members: Vec<&Value> = all.iter().filter(|one| object::label(one, names::ETCD_CLUSTER) == of).collect();
    members.sort_by_key(|one| text(one, "/metadata/creationTimestamp").to_owned());
    members.len() == 1 || members.first().is_some_and(|first| object::uid(first) == object::uid(machine))
}
