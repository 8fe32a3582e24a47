//! The infrastructure of a cluster: an address for its control plane, and the identity that the provider works with.

use std::time::Duration;

use serde_json::{Value, json};

use crate::behaviour::component::Component;
use crate::behaviour::conditions;
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::names;
use crate::behaviour::kinds::{CLUSTER, SECRET};
use crate::behaviour::meta::{is_paused, own, owner_named, set, set_label, text};
use crate::kube::{Event, EventType, object};

use super::contract::Definition;

/// Looking around in the infrastructure, or starting a load balancer.
const PROVISION: Duration = Duration::from_secs(8);
const DESTROY: Duration = Duration::from_secs(5);
const PORT: i64 = 6443;

pub(crate) struct InfrastructureClusters;

impl Controller for InfrastructureClusters {
    fn primary(&self) -> On {
        On::Infrastructure("Cluster")
    }

    fn component(&self) -> Component {
        Component::OfDefinition
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![
            (On::Kind(CLUSTER), Route::All),
            (On::Infrastructure("Machine"), Route::SameCluster),
            (On::Kind(SECRET), Route::All),
        ]
    }

    fn is_concerned(&self, event: &Event) -> bool {
        // Machines matter once they are gone, and a Secret if it is one that somebody brought.
        !event.kind.kind.ends_with("Machine") || event.event_type == EventType::Deleted
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(definition) = context.definition(&key.kind) else { return Ok(After::Settled) };
        let Some(this) = objects.get(&key.kind, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let Some(owner) = owner_named(&this, "Cluster") else { return Ok(After::Settled) };
        let cluster = objects.get(&CLUSTER, &key.namespace, owner);
        let paused = is_paused(cluster.as_ref(), &this);
        objects.change_this(&this, |this| conditions::set_paused(this, paused));
        if paused {
            return Ok(After::Settled);
        }
        if object::is_deleting(&this) {
            return Ok(destroy(context, &definition, &this, owner));
        }
        let finalizer = definition.finalizer();
        let owner = owner.to_owned();
        objects.change_this(&this, |this| {
            object::add_finalizer(this, &finalizer);
            set_label(this, names::CLUSTER_NAME, &owner);
        });
        if let Some(missing) = take_identity(context, &definition, &this) {
            objects.change_this(&this, |this| definition.waits(this, "IdentityNotFound", &missing));
            return Ok(After::Settled);
        }
        if let (false, Some(wait)) =
            (super::contract::is_provisioned(&this), context.left(&this, "provision", PROVISION))
        {
            objects.change_this(&this, |this| {
                definition.waits(this, "Provisioning", "the infrastructure of the cluster is being made");
            });
            return Ok(After::Wait(wait));
        }
        let host = text(&this, "/spec/controlPlaneEndpoint/host");
        let address = if host.is_empty() { balancer(object::uid(&this)) } else { host.to_owned() };
        objects.change_this(&this, |this| {
            if text(this, "/spec/controlPlaneEndpoint/host").is_empty() {
                set(this, &["spec", "controlPlaneEndpoint"], json!({"host": address, "port": PORT}));
            }
            definition.provisioned(this);
        });
        Ok(After::Settled)
    }
}

/// The address of a load balancer that a provider made by itself.
fn balancer(uid: &str) -> String {
    let sum: u32 = uid.bytes().map(u32::from).sum();
    format!("198.19.255.{}", 2 + sum % 250)
}

/// Makes the Secret with the provider's credentials the cluster's own; says which one is missing.
fn take_identity(context: &Context, definition: &Definition, this: &Value) -> Option<String> {
    if text(this, "/spec/identityRef/kind") != "Secret" {
        return None;
    }
    let name = text(this, "/spec/identityRef/name");
    let Some(secret) = context.objects.get(&SECRET, object::namespace(this), name) else {
        return Some(format!("secret `{}/{name}` not found", object::namespace(this)));
    };
    context.objects.change_this(&secret, |secret| {
        own(secret, this, false);
        object::add_finalizer(secret, &identity_finalizer(definition));
    });
    None
}

fn identity_finalizer(definition: &Definition) -> String {
    format!("{}/infrastructure.cluster.x-k8s.io", definition.kind.kind.to_lowercase())
}

fn destroy(context: &Context, definition: &Definition, this: &Value, cluster: &str) -> After {
    let objects = &context.objects;
    let kinds = context.definitions();
    let machines = kinds.iter().filter(|one| one.kind.kind.ends_with("Machine"));
    if machines.flat_map(|one| objects.of_cluster(&one.kind, object::namespace(this), cluster)).next().is_some() {
        return After::Settled;
    }
    if let Some(wait) = context.left(this, "destroy", DESTROY) {
        return After::Wait(wait);
    }
    if text(this, "/spec/identityRef/kind") == "Secret" {
        let finalizer = identity_finalizer(definition);
        objects.change(&SECRET, object::namespace(this), text(this, "/spec/identityRef/name"), |secret| {
            object::remove_finalizer(secret, &finalizer);
        });
    }
    objects.change_this(this, |this| {
        object::remove_finalizer(this, &definition.finalizer());
    });
    After::Settled
}
