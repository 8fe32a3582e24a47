//! ClusterResourceSets: manifests that are applied to each cluster that they select, once its control plane is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::behaviour::ClusterRole;
use crate::behaviour::component::{CORE, Component};
use crate::behaviour::conditions::{self, Condition};
use crate::behaviour::controller::{After, Controller, Key, On, Outcome, Route};
use crate::behaviour::engine::Context;
use crate::behaviour::kinds::{CLUSTER, CONFIG_MAP, RESOURCE_SET, RESOURCE_SET_BINDING, SECRET, names};
use crate::behaviour::meta::{flag, hashed, is_paused, now, own, set, text};
use crate::behaviour::objects::{Refused, address};
use crate::behaviour::yaml;
use crate::kube::{KubeCluster, LabelSelector, object};

/// The type of secrets that hold manifests.
const SECRET_TYPE: &str = "addons.cluster.x-k8s.io/resource-set";
const MANAGER: &str = "capi-clusterresourceset";

pub(crate) struct ResourceSets;

impl Controller for ResourceSets {
    fn primary(&self) -> On {
        On::Kind(RESOURCE_SET)
    }

    fn component(&self) -> Component {
        CORE
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(CLUSTER), Route::All), (On::Kind(CONFIG_MAP), Route::All), (On::Kind(SECRET), Route::All)]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&RESOURCE_SET, &key.namespace, &key.name) else { return Ok(After::Settled) };
        let Some(Ok(selector)) = this.pointer("/spec/clusterSelector").map(LabelSelector::from_object) else {
            return Ok(After::Settled);
        };
        if object::is_deleting(&this) {
            objects.change_this(&this, |this| {
                object::remove_finalizer(this, names::RESOURCE_SET_FINALIZER);
            });
            return Ok(After::Settled);
        }
        let paused = is_paused(None, &this);
        objects.change_this(&this, |this| {
            object::add_finalizer(this, names::RESOURCE_SET_FINALIZER);
            conditions::set_paused(this, paused);
        });
        if paused || selector.is_everything() {
            return Ok(After::Settled);
        }
        let mut wrong = Vec::new();
        for cluster in objects
            .list(&CLUSTER, &key.namespace)
            .iter()
            .filter(|cluster| selector.matches(cluster) && !object::is_deleting(cluster))
        {
            if flag(cluster, "/spec/paused") || !flag(cluster, "/status/initialization/controlPlaneInitialized") {
                continue;
            }
            let Some(workload) = context.world.cluster(ClusterRole::Workload, object::name(cluster)) else { continue };
            wrong.extend(apply_to(context, &this, cluster, &workload)?);
        }
        objects.change_this(&this, |this| {
            set(this, &["status", "observedGeneration"], json!(object::generation(this)));
            let fine = wrong.is_empty();
            let condition = if fine {
                Condition::yes("ResourcesApplied", "Applied")
            } else {
                Condition::no("ResourcesApplied", "NotApplied", wrong.join("; "))
            };
            conditions::set(this, &condition);
            conditions::set_old(this, "ResourcesApplied", fine, "ApplyFailed", &wrong.join("; "));
        });
        Ok(After::Settled)
    }
}

/// The texts that a ConfigMap or a Secret holds, or why there are none.
fn manifests(context: &Context, namespace: &str, resource: &Value) -> Result<(Value, Vec<String>), String> {
    let (kind, name) = (object::kind(resource), text(resource, "/name"));
    let holding = if kind == "Secret" { SECRET } else { CONFIG_MAP };
    let holder = context
        .objects
        .get(&holding, namespace, name)
        .ok_or_else(|| format!("{kind} {namespace}/{name} does not exist"))?;
    let data = holder.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    if kind != "Secret" {
        return Ok((holder, data.values().filter_map(Value::as_str).map(str::to_owned).collect()));
    }
    if text(&holder, "/type") != SECRET_TYPE {
        return Err(format!(
            "Secret {namespace}/{name} has type {:?}, only {SECRET_TYPE} is applied",
            text(&holder, "/type")
        ));
    }
    let texts = data
        .values()
        .filter_map(Value::as_str)
        .filter_map(|one| STANDARD.decode(one).ok())
        .filter_map(|one| String::from_utf8(one).ok());
    Ok((holder, texts.collect()))
}

fn apply_to(context: &Context, this: &Value, cluster: &Value, workload: &KubeCluster) -> Result<Vec<String>, Refused> {
    let objects = &context.objects;
    let (namespace, name) = (object::namespace(this), object::name(cluster));
    let binding = objects.get(&RESOURCE_SET_BINDING, namespace, name);
    let always = text(this, "/spec/strategy") == "Reconcile";
    let mut wrong = Vec::new();
    let mut entries = Vec::new();
    for resource in this.pointer("/spec/resources").and_then(Value::as_array).into_iter().flatten() {
        let (kind, resource_name) = (object::kind(resource), text(resource, "/name"));
        let (holder, texts) = match manifests(context, namespace, resource) {
            Ok(found) => found,
            Err(why) => {
                wrong.push(why);
                continue;
            }
        };
        objects.change_this(&holder, |holder| own(holder, this, false));
        let hash = format!("sha256:{}", hashed(&texts.concat()));
        let before = binding.as_ref().and_then(|one| recorded(one, object::name(this), kind, resource_name));
        let done = before.as_ref().is_some_and(|one| flag(one, "/applied") && (!always || text(one, "/hash") == hash));
        if let (true, Some(before)) = (done, before) {
            entries.push(before);
            continue;
        }
        let refused: Vec<String> = texts.iter().flat_map(|one| apply(workload, one)).collect();
        let applied = refused.is_empty();
        wrong.extend(refused.into_iter().map(|why| format!("{kind} {resource_name}: {why}")));
        entries.push(
            json!({"kind": kind, "name": resource_name, "hash": hash, "lastAppliedTime": now(), "applied": applied}),
        );
    }
    record(context, this, cluster, binding.as_ref(), &entries)?;
    Ok(wrong)
}

/// Applies the manifests of a text; says what was refused.
fn apply(workload: &KubeCluster, text: &str) -> Vec<String> {
    let documents = match yaml::documents(text) {
        Ok(documents) => documents,
        Err(wrong) => return vec![wrong],
    };
    let refused = documents.into_iter().filter_map(|one| {
        let (kind, namespace, name) = address(&one);
        let refused = workload.store().apply(one, MANAGER).err()?;
        Some(format!("{kind} {namespace}/{name}: {refused}"))
    });
    refused.collect()
}

fn recorded(binding: &Value, set_name: &str, kind: &str, name: &str) -> Option<Value> {
    let bindings = binding.pointer("/spec/bindings")?.as_array()?;
    let mine = bindings.iter().find(|one| text(one, "/clusterResourceSetName") == set_name)?;
    mine.get("resources")?
        .as_array()?
        .iter()
        .find(|one| object::kind(one) == kind && text(one, "/name") == name)
        .cloned()
}

fn record(
    context: &Context,
    this: &Value,
    cluster: &Value,
    binding: Option<&Value>,
    entries: &[Value],
) -> Result<(), Refused> {
    let objects = &context.objects;
    let (namespace, name) = (object::namespace(this), object::name(cluster));
    let entry = json!({"clusterResourceSetName": object::name(this), "resources": entries});
    let Some(binding) = binding else {
        let mut made = json!({
            "apiVersion": text(this, "/apiVersion"), "kind": "ClusterResourceSetBinding",
            "metadata": {"name": name, "namespace": namespace, "labels": {names::CLUSTER_NAME: name}},
            "spec": {"clusterName": name, "bindings": [entry]},
        });
        own(&mut made, this, false);
        return objects.ensure(made).map(|_| ());
    };
    objects.change_this(binding, |binding| {
        own(binding, this, false);
        let mut list = binding.pointer("/spec/bindings").and_then(Value::as_array).cloned().unwrap_or_default();
        match list.iter_mut().find(|one| text(one, "/clusterResourceSetName") == object::name(this)) {
            Some(there) => *there = entry.clone(),
            None => list.push(entry.clone()),
        }
        set(binding, &["spec", "bindings"], json!(list));
    });
    Ok(())
}
