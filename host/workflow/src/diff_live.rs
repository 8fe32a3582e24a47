//! What a spec would change of a cluster, by the word of its API: every object is applied in a dry run, and what comes back
//! is compared with what is there. So defaults of the API, and fields that others own, are no differences.

use std::collections::BTreeSet;

use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::readiness::CLUSTER_LABEL;
use kedge_cluster_api::render::{Manifests, Rendered, template_references};
use kedge_cluster_api::{FIELD_MANAGER, NAMESPACE, ObjectId, TypeRef, kinds};
use kedge_spec::provider::Placement;
use serde_json::{Value, json};

use crate::step::Failure;
use crate::steps::keep_endpoints;

/// Owners of machines and what looks after them: those that the spec no longer has would be removed.
const REMOVED: [TypeRef; 2] = [kinds::MACHINE_DEPLOYMENT, kinds::MACHINE_HEALTH_CHECK];

/// What the API and its controllers write into every object.
const OWN: [&str; 7] =
    ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "ownerReferences", "finalizers"];

/// The two APIs that have objects of a cluster; they are the same where it manages itself.
pub(crate) struct Sides<'a> {
    /// Where its Cluster API objects are.
    pub(crate) home: &'a Api,
    /// Its own.
    pub(crate) own: &'a Api,
}

/// What is there, and what would be there.
pub(crate) async fn compared(
    sides: &Sides<'_>,
    cluster: &str,
    wanted: &Manifests,
) -> Result<(Manifests, Manifests), Failure> {
    let (mut is, mut would) = (Manifests::default(), Manifests::default());
    let mut known = BTreeSet::new();
    for rendered in &wanted.objects {
        let api = if rendered.placement == Placement::WorkloadCluster { sides.own } else { sides.home };
        let Some(id) = ObjectId::from_object(&rendered.object) else { continue };
        let put = |object: Value| Rendered { object, ..rendered.clone() };
        let live = api.get(&id).await?;
        known.insert(key(&rendered.object));
        if is_bare(&rendered.object) {
            // The values of a Secret are not told, and a namespace is made by more than one manifest: whether they are there
            // is all that counts.
            is.objects.extend(live.map(|_| put(bare(&rendered.object))));
            would.objects.push(put(bare(&rendered.object)));
            continue;
        }
        let mut object = rendered.object.clone();
        keep_endpoints(api, &mut object).await?;
        let applied = api.apply_one(&object, FIELD_MANAGER, Apply { force: true, dry_run: true }).await;
        let applied = match (&live, applied) {
            (_, Ok(applied)) => applied,
            // What is not there can be waiting for what is not there either: its namespace, its definition.
            (None, Err(_)) => object,
            (Some(_), Err(error)) => return Err(error.into()),
        };
        if let Some(live) = live {
            templates(sides.home, wanted, &live, &mut is, &mut known).await?;
            is.objects.push(put(without_own(live)));
        }
        would.objects.push(put(without_own(applied)));
    }
    let selector = format!("{CLUSTER_LABEL}={cluster}");
    for kind in REMOVED {
        for object in sides.home.list(&kind, Some(NAMESPACE), Some(&selector)).await? {
            let mut object = object;
            typed(&mut object, &kind);
            if !known.insert(key(&object)) {
                continue;
            }
            templates(sides.home, wanted, &object, &mut is, &mut known).await?;
            is.objects.push(there(without_own(object)));
        }
    }
    Ok((is, would))
}

/// The templates that an owner has, unless they are among what is looked at. References say no version: it is that of the
/// template which would take their place.
async fn templates(
    api: &Api,
    wanted: &Manifests,
    owner: &Value,
    is: &mut Manifests,
    known: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    for (kind, name) in template_references(owner) {
        let like = wanted.objects.iter().find(|r| r.object.get("kind").is_some_and(|known| known == kind.as_str()));
        let Some(id) = like.and_then(|r| ObjectId::from_object(&r.object)) else { continue };
        let id = ObjectId::namespaced(id.kind, NAMESPACE, &name);
        if wanted.objects.iter().any(|r| ObjectId::from_object(&r.object).as_ref() == Some(&id)) {
            continue;
        }
        if let Some(template) = api.get(&id).await?
            && known.insert(key(&template))
        {
            let mut template = without_own(template);
            // Nothing is rendered into a template's annotations: those that are there, a move wrote or somebody else.
            if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.shift_remove("annotations");
            }
            is.objects.push(there(template));
        }
    }
    Ok(())
}

fn there(object: Value) -> Rendered {
    Rendered { placement: Placement::WithCluster, file_name: String::new(), object }
}

/// Items of a list lack what the list says once.
fn typed(object: &mut Value, kind: &TypeRef) {
    if let Some(map) = object.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| json!(kind.api_version));
        map.entry("kind").or_insert_with(|| json!(kind.kind));
    }
}

fn key(object: &Value) -> String {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// Whether only the existence of an object is compared.
fn is_bare(object: &Value) -> bool {
    object.get("kind").is_some_and(|kind| kind == "Secret" || kind == "Namespace")
}

/// An object without its content.
fn bare(object: &Value) -> Value {
    let text = |at: &str| object.pointer(at).cloned().unwrap_or_default();
    json!({
        "apiVersion": text("/apiVersion"), "kind": text("/kind"),
        "metadata": {"name": text("/metadata/name"), "namespace": text("/metadata/namespace")},
    })
}

fn without_own(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in OWN {
            metadata.shift_remove(field);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_object_has_is_no_difference() {
        let live = json!({"kind": "A", "metadata": {"name": "a", "uid": "1", "labels": {"b": "c"}}, "status": {"x": 1}, "spec": 2});
        assert_eq!(without_own(live), json!({"kind": "A", "metadata": {"name": "a", "labels": {"b": "c"}}, "spec": 2}));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": {"p": "v"}});
        assert!(is_bare(&secret) && !bare(&secret).to_string().contains("stringData"));
    }
}
