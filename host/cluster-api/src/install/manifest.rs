//! From the text of a component manifest to the objects that are applied: variables, namespace, labels, order.

use std::collections::BTreeMap;

use kedge_spec::Source;
use kedge_spec::release::Component;
use serde_json::{Map, Value, json};

use super::ComponentManifests;
use super::envsubst::{self, Flaw};
use super::inventory::{CERT_MANAGER_VERSION, CLUSTERCTL_LABEL, CORE_LABEL, PROVIDER_LABEL, provider_label};
use crate::error::Error;
use crate::object::{ObjectId, annotation, text};

/// Kinds without namespaces that manifests of components hold; the list clusterctl decides by, too.
const CLUSTER_SCOPED: &[&str] = &[
    "APIService",
    "CertificateSigningRequest",
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "ComponentStatus",
    "CustomResourceDefinition",
    "FlowSchema",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PodSecurityPolicy",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

/// The annotations by which cert-manager's injector is told where to take a certificate authority from.
const INJECTION: [&str; 3] =
    ["cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca"];

/// A component, ready to be applied.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) component: Component,
    pub(super) namespaces: Vec<Value>,
    pub(super) definitions: Vec<Value>,
    /// Everything else, in the file's order.
    pub(super) rest: Vec<Value>,
}

impl Prepared {
    /// Deployments, as namespace and name.
    pub(super) fn deployments(&self) -> Vec<(String, String)> {
        self.named("Deployment")
    }

    /// cert-manager's Certificates, as namespace and name.
    pub(super) fn certificates(&self) -> Vec<(String, String)> {
        self.named("Certificate")
    }

    /// The objects into which a certificate authority is injected.
    pub(super) fn injected(&self) -> impl Iterator<Item = &Value> {
        self.definitions.iter().chain(&self.rest).filter(|o| INJECTION.iter().any(|key| annotation(o, key).is_some()))
    }

    fn named(&self, kind: &str) -> Vec<(String, String)> {
        let part = |o: &Value, pointer| text(o, pointer).unwrap_or_default().to_owned();
        self.rest
            .iter()
            .filter(|o| text(o, "/kind") == Some(kind))
            .map(|o| (part(o, "/metadata/namespace"), part(o, "/metadata/name")))
            .collect()
    }
}

/// Makes a component's manifest ready.
pub(super) fn prepare(manifests: &ComponentManifests, variables: &BTreeMap<String, String>) -> Result<Prepared, Error> {
    let ComponentManifests { component, yaml, images } = manifests;
    let known_as = provider_label(component).unwrap_or_else(|| component.name.clone());
    let bad = |reason: String| Error::Component { component: component.name.clone(), reason };
    let filled = envsubst::substitute(yaml, variables).map_err(|flaw| match flaw {
        Flaw::Form(form) => bad(format!("`{form}` is not a form of variable that is known")),
        Flaw::Missing(names) => bad(format!("it needs values for `{}`", names.join("`, `"))),
    })?;
    let source = Source::new(component.components_url.clone(), filled);
    let documents = kedge_spec::yaml_documents(&source).map_err(|rejected| bad(rejected.to_string()))?;
    let mut objects: Vec<Value> = documents.into_iter().flat_map(members).collect();
    if objects.is_empty() {
        return Err(bad("it holds no object".to_owned()));
    }
    let own: Vec<String> = objects
        .iter()
        .filter(|o| text(o, "/kind") == Some("Namespace"))
        .filter_map(|o| text(o, "/metadata/name").map(str::to_owned))
        .collect();
    let old = match own.as_slice() {
        [] => {
            objects
                .insert(0, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": component.namespace}}));
            component.namespace.clone()
        }
        [one] => one.clone(),
        several => {
            return Err(bad(format!(
                "it holds {} namespaces (`{}`), and one is allowed",
                several.len(),
                several.join("`, `")
            )));
        }
    };
    for object in &mut objects {
        if ObjectId::from_object(object).is_none() {
            return Err(bad("an object in it lacks `apiVersion`, `kind` or `metadata.name`".to_owned()));
        }
        images.apply(&known_as, object);
        into_namespace(object, &old, &component.namespace);
        mark(object, component);
        drop_placeholder_authorities(object);
    }
    let is = |kind: &'static str| move |o: &Value| text(o, "/kind") == Some(kind);
    let (namespaces, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(is("Namespace"));
    let (definitions, mut rest): (Vec<_>, Vec<_>) = others.into_iter().partition(is("CustomResourceDefinition"));
    // Certificates first: they take time, and pods wait for their secrets.
    rest.sort_by_key(|o| !text(o, "/apiVersion").is_some_and(|v| v.starts_with("cert-manager.io/")));
    Ok(Prepared { component: component.clone(), namespaces, definitions, rest })
}

/// The objects of a document: one, or those of a `List`.
fn members(document: Value) -> Vec<Value> {
    if document.is_null() {
        return Vec::new();
    }
    match (text(&document, "/kind"), document.get("items")) {
        (Some(kind), Some(Value::Array(items))) if kind.ends_with("List") => items.clone(),
        _ => vec![document],
    }
}

/// Puts an object into the component's namespace, and turns what names the old one.
fn into_namespace(object: &mut Value, old: &str, new: &str) {
    let kind = text(object, "/kind").unwrap_or_default().to_owned();
    let scoped = CLUSTER_SCOPED.contains(&kind.as_str());
    if let (false, Some(metadata)) = (scoped, object.get_mut("metadata").and_then(Value::as_object_mut)) {
        // Objects that belong elsewhere on purpose (a Role in kube-system) stay there.
        let elsewhere = metadata.get("namespace").and_then(Value::as_str).is_some_and(|n| n != old && !n.is_empty());
        if !elsewhere {
            metadata.insert("namespace".to_owned(), new.into());
        }
    }
    if old == new {
        return;
    }
    let rename = |value: Option<&mut Value>| {
        if let Some(value) = value.filter(|v| v.as_str() == Some(old)) {
            *value = new.into();
        }
    };
    if kind == "Namespace" {
        rename(object.pointer_mut("/metadata/name"));
    }
    if let Some(from) =
        annotation(object, "cert-manager.io/inject-ca-from").and_then(|v| v.strip_prefix(old)?.strip_prefix('/'))
    {
        let moved = format!("{new}/{from}");
        if let Some(at) = object.pointer_mut("/metadata/annotations/cert-manager.io~1inject-ca-from") {
            *at = moved.into();
        }
    }
    for list in ["/subjects", "/webhooks"] {
        let Some(entries) = object.pointer_mut(list).and_then(Value::as_array_mut) else { continue };
        for entry in entries {
            let at = if list == "/subjects" { "/namespace" } else { "/clientConfig/service/namespace" };
            rename(entry.pointer_mut(at));
        }
    }
    rename(object.pointer_mut("/spec/conversion/webhook/clientConfig/service/namespace"));
    if let Some(names) = object.pointer_mut("/spec/dnsNames").and_then(Value::as_array_mut) {
        for name in names {
            if let Some(moved) = name.as_str().map(|n| n.replace(&format!(".{old}."), &format!(".{new}."))) {
                *name = moved.into();
            }
        }
    }
}

/// The labels by which clusterctl finds what was installed.
fn mark(object: &mut Value, component: &Component) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let labels = map_at(metadata, "labels");
    labels.insert(CLUSTERCTL_LABEL.to_owned(), "".into());
    if let Some(label) = provider_label(component) {
        labels.insert(PROVIDER_LABEL.to_owned(), label.into());
    } else {
        labels.insert(CORE_LABEL.to_owned(), "cert-manager".into());
        map_at(metadata, "annotations").insert(CERT_MANAGER_VERSION.to_owned(), component.version.clone().into());
    }
}

/// Old manifests carry `caBundle: Cg==` (a newline) where the authority will be injected; applied again, it would take the
/// injected one away.
fn drop_placeholder_authorities(object: &mut Value) {
    if !INJECTION.iter().any(|key| annotation(object, key).is_some()) {
        return;
    }
    let clean = |config: Option<&mut Value>| {
        if let Some(config) = config.and_then(Value::as_object_mut)
            && config.get("caBundle").and_then(Value::as_str).is_some_and(|ca| ca.len() <= 4)
        {
            config.remove("caBundle");
        }
    };
    clean(object.pointer_mut("/spec/conversion/webhook/clientConfig"));
    for webhook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        clean(webhook.get_mut("clientConfig"));
    }
}

/// The map at a key, made if it is missing or null.
fn map_at<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = object.entry(key).or_insert(Value::Null);
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    match entry {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object just now"),
    }
}
