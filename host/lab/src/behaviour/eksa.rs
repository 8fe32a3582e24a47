//! The EKS Anywhere controller, as far as it tells that a cluster is ready. It writes nothing but status: what it would render is there already.

use serde_json::{Value, json};

use crate::kube::{Kind, object};

use super::component::{Component, EKSA};
use super::conditions::is_true;
use super::controller::{After, Controller, Key, On, Outcome, Route};
use super::engine::Context;
use super::kinds::{CLUSTER, EKSA_CLUSTER};
use super::meta::{flag, now, set, text};

const PAUSED: &str = "anywhere.eks.amazonaws.com/paused";
const NAMESPACE: &str = "eksa-system";
const DATACENTERS: &str = "DatacenterConfig";

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![Box::new(EksaClusters)]
}

struct EksaClusters;

impl Controller for EksaClusters {
    fn primary(&self) -> On {
        On::Kind(EKSA_CLUSTER)
    }

    fn component(&self) -> Component {
        EKSA
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(CLUSTER), Route::All)]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&EKSA_CLUSTER, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        if object::annotation(&this, PAUSED).is_some() {
            return Ok(After::Settled);
        }
        let kind = text(&this, "/spec/datacenterRef/kind").to_owned();
        let datacenter = Kind::of(EKSA_CLUSTER.group.as_ref(), kind.clone());
        let found = kind
            .ends_with(DATACENTERS)
            .then(|| objects.get(&datacenter, &key.namespace, text(&this, "/spec/datacenterRef/name")))
            .flatten();
        let behind = objects.get(&CLUSTER, NAMESPACE, &key.name);
        objects.change_this(&this, |this| report(this, found.is_some(), behind.as_ref()));
        Ok(After::Settled)
    }
}

fn report(this: &mut Value, datacenter: bool, behind: Option<&Value>) {
    let generation = object::generation(this);
    for field in ["observedGeneration", "reconciledGeneration", "childrenReconciledGeneration"] {
        set(this, &["status", field], json!(generation));
    }
    if datacenter {
        super::meta::unset(this, &["status", "failureMessage"]);
        super::meta::unset(this, &["status", "failureReason"]);
    } else {
        let (kind, name) =
            (text(this, "/spec/datacenterRef/kind").to_owned(), text(this, "/spec/datacenterRef/name").to_owned());
        set(this, &["status", "failureMessage"], json!(format!("{kind} {name} not found")));
        set(this, &["status", "failureReason"], json!("DatacenterConfigInvalid"));
    }
    let is = |name: &str| behind.is_some_and(|one| is_true(one, name));
    let plane = is("ControlPlaneAvailable");
    let initialized = behind.is_some_and(|one| flag(one, "/status/initialization/controlPlaneInitialized"));
    let workers = is("WorkersAvailable");
    let old = this.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let list: Vec<Value> = [
        ("ControlPlaneInitialized", initialized),
        ("ControlPlaneReady", plane),
        ("DefaultCNIConfigured", initialized),
        ("WorkersReady", workers),
        ("Ready", plane && workers),
    ]
    .into_iter()
    .map(|(name, holds)| {
        let status = if holds { "True" } else { "False" };
        let since = old
            .iter()
            .find(|one| text(one, "/type") == name && text(one, "/status") == status)
            .map(|one| text(one, "/lastTransitionTime").to_owned());
        json!({"type": name, "status": status, "lastTransitionTime": since.unwrap_or_else(now)})
    })
    .collect();
    set(this, &["status", "conditions"], json!(list));
}
