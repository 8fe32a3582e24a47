//! Whether the components of a release serve what was rendered: every kind in its version, every field. A field that a kind
//! does not have is dropped by the API server without a word, so it has to be found before.

use std::collections::{BTreeMap, BTreeSet};

use kedge_spec::Source;
use kedge_spec::provider::Placement;
use serde_json::Value;

use crate::error::Error;
use crate::install::ComponentManifests;
use crate::object::{items, text};
use crate::render::Manifests;

/// The groups whose kinds are Cluster API's and its providers'.
const GROUPS: &str = "cluster.x-k8s.io";

/// Refuses manifests that the components of a release can't take.
///
/// # Errors
/// [`Error::Render`] with all kinds and fields that are not served, or [`Error::Component`] for a definition that can't be
/// read.
pub fn check(manifests: &Manifests, components: &[ComponentManifests]) -> Result<(), Error> {
    let definitions = definitions(components)?;
    let mut missing = BTreeSet::new();
    for rendered in manifests.objects.iter().filter(|r| r.placement != Placement::WorkloadCluster) {
        let object = &rendered.object;
        let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let (Some(api_version), Some(kind)) = (api_version, kind) else { continue };
        let Some((group, version)) = api_version.split_once('/').filter(|(group, _)| group.ends_with(GROUPS)) else {
            continue;
        };
        match definitions.get(&(group.to_owned(), kind.to_owned(), version.to_owned())) {
            None => {
                missing.insert(format!("`{kind}` of `{api_version}`"));
            }
            Some(schema) => {
                for field in unknown(object, schema) {
                    missing.insert(format!("the field `{field}` of `{kind}`"));
                }
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = missing.into_iter().collect();
    Err(Error::render(
        format!("the components of this release do not serve {}", all.join(", ")),
        "use a release whose Cluster API has them, such as one of EKS Anywhere, or leave out of the spec what asks for them",
    ))
}

type Definitions = BTreeMap<(String, String, String), Value>;

/// The schemas that are served, by group, kind and version.
fn definitions(components: &[ComponentManifests]) -> Result<Definitions, Error> {
    let mut all = Definitions::new();
    for ComponentManifests { component, yaml, .. } in components {
        // Definitions have no variables in them, so that each can be read as it stands.
        let definitions = yaml.split("\n---").filter(|part| part.contains("kind: CustomResourceDefinition"));
        for definition in definitions {
            let source = Source::new(component.components_url.clone(), definition);
            let documents = kedge_spec::yaml_documents(&source).map_err(|rejected| Error::Component {
                component: component.name.clone(),
                reason: rejected.to_string(),
            })?;
            for document in documents {
                let part = |pointer| text(&document, pointer).unwrap_or_default().to_owned();
                for version in items(&document, "/spec/versions").iter().filter(|v| v["served"] == true) {
                    let name = text(version, "/name").unwrap_or_default().to_owned();
                    let schema = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_default();
                    all.insert((part("/spec/group"), part("/spec/names/kind"), name), schema);
                }
            }
        }
    }
    Ok(all)
}

/// The fields of an object that a schema does not know. Lists and objects within are looked into.
fn unknown(object: &Value, schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        // These are every object's.
        if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            walk(value, schema.pointer(&format!("/properties/{key}")), schema, key, &mut found);
        }
    }
    found
}

fn walk(value: &Value, schema: Option<&Value>, parent: &Value, at: &str, found: &mut BTreeSet<String>) {
    let Some(schema) = schema else {
        if !open(parent) {
            found.insert(at.to_owned());
        }
        return;
    };
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let known = schema.get("properties").and_then(|p| p.get(key));
                let known = known.or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()));
                walk(inner, known, schema, &format!("{at}.{key}"), found);
            }
        }
        Value::Array(items) => {
            for inner in items {
                walk(inner, schema.get("items"), schema, &format!("{at}[]"), found);
            }
        }
        _ => {}
    }
}

/// Whether a schema takes fields that it does not name.
fn open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["additionalProperties"] == true
        || (schema.get("properties").is_none() && schema.get("additionalProperties").is_none())
}

#[cfg(test)]
mod tests {
    use crate::install::ImageOverrides;
    use kedge_spec::release::{Component, ComponentKind};
    use serde_json::json;

    use super::*;
    use crate::render::Rendered;

    fn core(fields: &str) -> Vec<ComponentManifests> {
        let component = Component {
            name: "cluster-api".into(),
            kind: ComponentKind::Core,
            version: "v1.14.0".into(),
            namespace: "capi-system".into(),
            components_url: "core.yaml".into(),
            metadata_url: None,
        };
        let yaml = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: a}}\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  group: cluster.x-k8s.io\n  names: {{kind: Cluster}}\n  versions:\n  - name: v1beta2\n    served: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          spec:\n            type: object\n            properties: {{paused: {{type: boolean}}{fields}}}\n  - {{name: v1alpha3, served: false}}\n"
        );
        vec![ComponentManifests { component, yaml, images: ImageOverrides::default() }]
    }

    fn manifests(version: &str) -> Manifests {
        let object = json!({"apiVersion": format!("cluster.x-k8s.io/{version}"), "kind": "Cluster", "metadata": {"name": "a"},
            "spec": {"paused": false, "managedExternalEtcdRef": {"kind": "EtcdadmCluster"}}});
        Manifests { objects: vec![Rendered { placement: Placement::WithCluster, file_name: "f".into(), object }] }
    }

    #[test]
    fn a_field_that_the_release_does_not_serve_is_named() {
        let error = check(&manifests("v1beta2"), &core("")).unwrap_err().to_string();
        assert!(error.contains("`spec.managedExternalEtcdRef` of `Cluster`"), "{error}");
        check(
            &manifests("v1beta2"),
            &core(", managedExternalEtcdRef: {type: object, x-kubernetes-preserve-unknown-fields: true}"),
        )
        .unwrap();
    }

    #[test]
    fn a_version_that_is_not_served_is_named() {
        let error = check(&manifests("v1alpha3"), &core("")).unwrap_err().to_string();
        assert!(error.contains("`Cluster` of `cluster.x-k8s.io/v1alpha3`"), "{error}");
    }
}
