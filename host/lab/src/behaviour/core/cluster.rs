//! Clusters: whose parts are theirs, where the control plane is, and how far everything has come.

use serde_json::{Value, json};

use crate::behaviour::ClusterRole;
use crate::behaviour::component::{CORE, Component};
use crate::behaviour::conditions::{self, is_true};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::infrastructure::contract;
use crate::behaviour::kinds::{CLUSTER, CONTROL_PLANE, ETCD_CLUSTER, MACHINE, MACHINE_DEPLOYMENT, MACHINE_SET, names};
use crate::behaviour::meta::{flag, is_paused, own, remove_annotation, set, set_annotation, set_label, text};
use crate::behaviour::objects::is_controlled_by;
use crate::kube::object;

use super::{remove, rollup, template};

/// Why this controller has paused a control plane: it is held until etcd serves.
const HELD: &str = "waits-for-managed-external-etcd";

pub(crate) struct Clusters;

impl Controller for Clusters {
    fn primary(&self) -> On {
        On::Kind(CLUSTER)
    }

    fn component(&self) -> Component {
        CORE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(MACHINE), Route::ItsCluster),
            (On::Kind(MACHINE_SET), Route::ItsCluster),
            (On::Kind(MACHINE_DEPLOYMENT), Route::ItsCluster),
            (On::Kind(CONTROL_PLANE), Route::All),
            (On::Kind(ETCD_CLUSTER), Route::All),
            (On::Infrastructure("Cluster"), Route::All),
        ]
    }

    fn follows_nodes(&self) -> bool {
        true
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&CLUSTER, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let paused = is_paused(None, &this) || flag(&this, "/spec/paused");
        objects.change_this(&this, |this| {
            conditions::set_paused(this, paused);
            set(this, &["status", "observedGeneration"], json!(object::generation(this)));
        });
        if paused {
            return Ok(After::Settled);
        }
        if object::is_deleting(&this) {
            return remove::delete(context, &this);
        }
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::CLUSTER_FINALIZER);
        });
        let part = |reference: &str| template::referenced(objects, this.pointer(reference), &key.namespace);
        let (infrastructure, control_plane, etcd) =
            (part("/spec/infrastructureRef"), part("/spec/controlPlaneRef"), part("/spec/managedExternalEtcdRef"));
        for one in [&infrastructure, &control_plane, &etcd].into_iter().flatten() {
            objects.change_this(one, |one| {
                own(one, &this, true);
                // What another cluster controls stays that one's.
                if is_controlled_by(one, object::uid(&this)) {
                    set_label(one, names::CLUSTER_NAME, &key.name);
                }
            });
        }
        for kind in [MACHINE_DEPLOYMENT] {
            for one in objects.of_cluster(&kind, &key.namespace, &key.name) {
                objects.change_this(&one, |one| own(one, &this, false));
            }
        }
        hold(
            context,
            &this,
            control_plane
                .as_ref()
                .filter(|one| is_controlled_by(one, object::uid(&this)) || object::owners(one).is_empty()),
            etcd.as_ref(),
        );
        objects
            .change_this(&this, |this| take_over(this, infrastructure.as_ref(), control_plane.as_ref(), etcd.as_ref()));
        let reached = context.world.cluster(ClusterRole::Workload, &key.name).is_some();
        let Some(this) = objects.get(&CLUSTER, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let seen = rollup::Seen {
            infrastructure,
            control_plane,
            etcd,
            machines: objects.of_cluster(&MACHINE, &key.namespace, &key.name),
            deployments: objects.of_cluster(&MACHINE_DEPLOYMENT, &key.namespace, &key.name),
            reached,
        };
        objects.change_this(&this, |this| rollup::report(this, &seen));
        Ok(After::Settled)
    }
}

/// A control plane with a managed external etcd does nothing until that etcd serves.
fn hold(context: &Context, this: &Value, control_plane: Option<&Value>, etcd: Option<&Value>) {
    let Some(control_plane) = control_plane.filter(|_| this.pointer("/spec/managedExternalEtcdRef").is_some()) else {
        return;
    };
    let serves = etcd.is_some_and(|etcd| flag(etcd, "/status/ready"));
    context.objects.change_this(control_plane, |control_plane| {
        if serves {
            if object::annotation(control_plane, names::PAUSED) == Some(HELD) {
                remove_annotation(control_plane, names::PAUSED);
            }
        } else if object::annotation(control_plane, names::PAUSED).is_none() {
            set_annotation(control_plane, names::PAUSED, HELD);
        }
    });
}

/// Copies what the parts have brought.
fn take_over(this: &mut Value, infrastructure: Option<&Value>, control_plane: Option<&Value>, etcd: Option<&Value>) {
    if let Some(infrastructure) = infrastructure.filter(|one| contract::is_provisioned(one)) {
        set(this, &["status", "initialization", "infrastructureProvisioned"], json!(true));
        let endpoint =
            infrastructure.pointer("/spec/controlPlaneEndpoint").filter(|one| !text(one, "/host").is_empty());
        if let (true, Some(endpoint)) = (text(this, "/spec/controlPlaneEndpoint/host").is_empty(), endpoint) {
            let endpoint = json!({"host": endpoint["host"], "port": endpoint["port"]});
            set(this, &["spec", "controlPlaneEndpoint"], endpoint);
        }
        if let Some(domains) = infrastructure.pointer("/status/failureDomains").filter(|one| one.is_array()) {
            set(this, &["status", "failureDomains"], domains.clone());
        }
    }
    if control_plane
        .is_some_and(|one| flag(one, "/status/initialization/controlPlaneInitialized") || is_true(one, "Initialized"))
    {
        set(this, &["status", "initialization", "controlPlaneInitialized"], json!(true));
    }
    if let Some(etcd) = etcd {
        for (from, to) in
            [("/status/initialized", "managedExternalEtcdInitialized"), ("/status/ready", "managedExternalEtcdReady")]
        {
            set(this, &["status", to], json!(flag(etcd, from)));
        }
    }
}
