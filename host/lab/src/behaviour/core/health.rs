//! MachineHealthChecks: which machines they watch and how many are healthy. The lab remediates nothing: a machine that is stuck here is stuck because it was asked to be.

use serde_json::{Value, json};

use crate::behaviour::component::{CORE, Component};
use crate::behaviour::conditions::{self, Condition, is_true};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, MACHINE, MACHINE_HEALTH_CHECK, names};
use crate::behaviour::meta::{is_paused, own, set, set_label, text};
use crate::kube::{LabelSelector, object};

pub(crate) struct HealthChecks;

impl Controller for HealthChecks {
    fn primary(&self) -> On {
        On::Kind(MACHINE_HEALTH_CHECK)
    }

    fn component(&self) -> Component {
        CORE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(MACHINE), Route::SameCluster), (On::Kind(CLUSTER), Route::OfCluster)]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) =
            objects.get(&MACHINE_HEALTH_CHECK, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let name = text(&this, "/spec/clusterName").to_owned();
        let Some(cluster) = objects.get(&CLUSTER, &key.namespace, &name) else { return Ok(After::Settled) };
        let paused = is_paused(Some(&cluster), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        if paused {
            return Ok(After::Settled);
        }
        let selector = this.get("spec").and_then(|spec| spec.get("selector")).map(LabelSelector::from_object);
        let Some(Ok(selector)) = selector else { return Ok(After::Settled) };
        let targets: Vec<Value> = objects
            .of_cluster(&MACHINE, &key.namespace, &name)
            .into_iter()
            .filter(|machine| selector.matches(machine))
            .collect();
        for target in &targets {
            objects.change_this(target, |target| {
                conditions::set(target, &Condition::yes("HealthCheckSucceeded", "HealthCheckSucceeded"));
            });
        }
        let healthy = targets
            .iter()
            .filter(|one| !text(one, "/status/nodeRef/name").is_empty() && is_true(one, "NodeHealthy"))
            .count();
        let names: Vec<&str> = targets.iter().map(object::name).collect();
        objects.change_this(&this, |this| {
            set_label(this, names::CLUSTER_NAME, &name);
            own(this, &cluster, false);
            for (field, value) in [
                ("expectedMachines", json!(targets.len())),
                ("currentHealthy", json!(healthy)),
                ("remediationsAllowed", json!(healthy)),
                ("targets", json!(names)),
            ] {
                set(this, &["status", field], value);
            }
            set(this, &["status", "observedGeneration"], json!(object::generation(this)));
            conditions::set(this, &Condition::yes("RemediationAllowed", "RemediationAllowed"));
            conditions::set_old(this, "RemediationAllowed", true, "", "");
        });
        Ok(After::Settled)
    }
}
