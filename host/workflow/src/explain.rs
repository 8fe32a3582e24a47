//! Where each field of the rendered manifests comes from, found by trying: a field of the spec is changed, the manifests are
//! rendered again, and what is different then comes from that field. So what is said can't differ from what is done.

use std::collections::{BTreeMap, BTreeSet};

use kedge_cluster_api::render::{Manifests, Rendered};
use kedge_spec::finding::{Finding, ObjectRef};
use kedge_spec::provider::Contributions;
use kedge_spec::release::ReleaseView;
use kedge_spec::{DefaultedSpec, path};
use serde::Serialize;
use serde_json::Value;

use crate::error::WorkflowError;
use crate::load::Prepared;

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "from")]
pub enum Origin {
    /// A field of the spec that the user wrote.
    Spec {
        /// `FILE:LINE`.
        place: String,
        /// Kind and name of the document.
        document: String,
        /// The field.
        field: String,
    },
    /// A field of the spec that defaults filled.
    Default {
        /// Kind and name of the document.
        document: String,
        /// The field.
        field: String,
        /// Why it has this value.
        reason: String,
    },
    /// The release.
    Release {
        /// What of it: `kubernetesVersion`, or an image by name.
        part: String,
    },
    /// The provider plugin, by its name.
    Plugin {
        /// Its name.
        name: String,
    },
    /// What every cluster has.
    Kedge,
}

/// A part of an object and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedField {
    /// For example `spec.replicas`, or `spec` for all of it.
    pub path: String,
    /// Everything that it depends on.
    pub origins: Vec<Origin>,
}

/// An object and where its parts come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedObject {
    /// The file that it is written to.
    pub file: String,
    /// `KubeadmControlPlane eksa-system/prod`.
    pub object: String,
    /// Neighbours with the same origins are one.
    pub fields: Vec<ExplainedField>,
}

type Leaf = (usize, String);

/// Explains the manifests of a spec, without preflight. One rendering for each field of the spec.
pub(crate) async fn explain(prepared: &Prepared) -> Result<Vec<ExplainedObject>, WorkflowError> {
    let contributions = prepared.contributions(&prepared.spec, &prepared.view, &Value::Null).await?;
    let base = prepared.render_parts(&prepared.spec, &prepared.view, &contributions)?;
    let mut origins: BTreeMap<Leaf, BTreeSet<Origin>> = BTreeMap::new();
    let mut note = |leaves: BTreeSet<Leaf>, origin: &Origin| {
        for leaf in leaves {
            origins.entry(leaf).or_default().insert(origin.clone());
        }
    };
    for (document, pointer, value) in fields(&prepared.spec) {
        let origin = spec_origin(prepared, &document, &pointer);
        for other in others(&value) {
            let Some(spec) = prepared.spec.with_value(&document, &pointer, other) else { continue };
            let Ok(manifests) = prepared.render_other(&spec, &Value::Null).await else { continue };
            note(touched(&base, &manifests), &origin);
            break;
        }
    }
    for (part, view) in releases(&prepared.view) {
        let Ok(given) = prepared.contributions(&prepared.spec, &view, &Value::Null).await else { continue };
        let Ok(manifests) = prepared.render_parts(&prepared.spec, &view, &given) else { continue };
        note(touched(&base, &manifests), &Origin::Release { part });
    }
    let plugin = Origin::Plugin { name: prepared.description().name.clone() };
    if let Ok(manifests) = prepared.render_parts(&prepared.spec, &prepared.view, &altered(&contributions)) {
        note(touched(&base, &manifests), &plugin);
    }
    Ok(base.objects.iter().enumerate().map(|(index, object)| explained(index, object, &origins)).collect())
}

/// Every field of the spec's documents that holds a value: document, JSON pointer, value.
pub fn fields(spec: &DefaultedSpec) -> Vec<(ObjectRef, String, Value)> {
    let mut found = Vec::new();
    for document in spec.documents() {
        let mut leaves = Vec::new();
        leaves_of(&document.body, "", &mut leaves);
        let usable = |pointer: &str| !matches!(pointer, "/apiVersion" | "/kind");
        found.extend(
            leaves
                .into_iter()
                .filter(|(pointer, _)| usable(pointer))
                .map(|(pointer, value)| (document.reference(), pointer, value.clone())),
        );
    }
    found
}

fn leaves_of<'v>(value: &'v Value, at: &str, out: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                leaves_of(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, inner) in items.iter().enumerate() {
                leaves_of(inner, &format!("{at}/{index}"), out);
            }
        }
        leaf => out.push((at.to_owned(), leaf)),
    }
}

/// Values that differ from one, the best guess first: what can't be rendered is passed over.
pub fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![Value::Bool(!flag)],
        Value::Number(number) => vec![number.as_i64().map_or(Value::from(1), |n| Value::from(n + 1))],
        Value::String(text) => {
            let mut guesses: Vec<String> = ["ubuntu", "redhat", "bottlerocket", "linkedClone", "fullClone", "1h7m"]
                .into_iter()
                .filter(|known| {
                    let kin: [&[&str]; 3] =
                        [&["ubuntu", "redhat", "bottlerocket"], &["linkedClone", "fullClone"], &["1h7m"]];
                    let of = |word: &str| kin.iter().position(|group| group.contains(&word));
                    *known != text && of(text).map_or(*known == "1h7m" && is_duration(text), |g| of(known) == Some(g))
                })
                .map(str::to_owned)
                .collect();
            guesses.push(format!("{text}x"));
            guesses.into_iter().map(Value::from).collect()
        }
        _ => Vec::new(),
    }
}

fn is_duration(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h']) && !text.contains([':', '/', '-'])
}

fn spec_origin(prepared: &Prepared, document: &ObjectRef, pointer: &str) -> Origin {
    let field = dotted(pointer);
    let set = prepared.spec.changes().iter().find(|c| c.document == *document && path::related(&c.path, &field));
    let named = document.to_string();
    if let Some(change) = set {
        return Origin::Default { document: named, field, reason: change.reason.clone() };
    }
    let finding = Finding::note("origin", "").at(document, &field);
    let place = prepared.spec.diagnose(&[finding]).first().map(|d| format!("{}:{}", d.file, d.line));
    Origin::Spec { place: place.unwrap_or_default(), document: named, field }
}

fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |at, part| match part.parse::<usize>() {
        Ok(index) => path::item(&at, index),
        Err(_) => path::join(&at, &part.replace("~1", "/").replace("~0", "~")),
    })
}

/// The release with one thing changed each time.
fn releases(view: &ReleaseView) -> Vec<(String, ReleaseView)> {
    let mut all = Vec::new();
    let mut change = |part: &str, change: &dyn Fn(&mut ReleaseView)| {
        let mut other = view.clone();
        change(&mut other);
        for worker in other.workers.values_mut() {
            change(worker);
        }
        all.push((part.to_owned(), other));
    };
    change("kubernetesVersion", &|v| v.kubernetes_version.push('x'));
    change("etcd", &|v| {
        v.etcd_version.push('x');
        v.etcd_url.push('x');
        v.repositories.etcd.tag.push('x');
        v.repositories.etcd.repository.push('x');
    });
    change("kubernetes images", &|v| v.repositories.kubernetes.repository.push('x'));
    change("coredns", &|v| {
        v.repositories.coredns.tag.push('x');
        v.repositories.coredns.repository.push('x');
    });
    change("pause", &|v| {
        v.repositories.pause.tag.push('x');
        v.repositories.pause.name.push('x');
    });
    // By their place in the release; other names stand for the same images.
    let places: Vec<String> = view.images.keys().filter(|name| name.contains('.')).cloned().collect();
    for place in places {
        change(&place, &|v| {
            if let Some(uri) = v.images.get_mut(&place) {
                uri.push('x');
            }
        });
    }
    all
}

/// The same contributions with other texts: what differs then is the provider's.
fn altered(given: &Contributions) -> Contributions {
    let mut other = given.clone();
    for template in &mut other.templates {
        if let Some(spec) = template.object.get_mut("spec") {
            alter(spec);
        }
    }
    for node in other.nodes.values_mut() {
        let files = node.files.iter_mut().map(|file| &mut file.content);
        let arguments = node.arguments.iter_mut().map(|argument| &mut argument.value);
        let users = node.users.iter_mut().flat_map(|u| std::iter::once(&mut u.name).chain(&mut u.ssh_authorized_keys));
        let texts = files.chain(arguments).chain(users);
        let texts = texts.chain(&mut node.pre_commands).chain(&mut node.post_commands).chain(&mut node.node_name);
        for text in texts.chain(&mut node.ntp_servers).chain(&mut node.certificates).chain(&mut node.cert_sans) {
            text.push('x');
        }
    }
    let own = [&mut other.infrastructure.cluster].into_iter();
    let others = other.infrastructure.others.iter_mut().chain(&mut other.addons).map(|manifest| &mut manifest.object);
    for object in own.chain(others) {
        for (key, value) in object.as_object_mut().into_iter().flatten() {
            if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                alter(value);
            }
        }
    }
    other
}

fn alter(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(alter),
        Value::Array(items) => items.iter_mut().for_each(alter),
        leaf => {
            if let Some(other) = others(leaf).pop() {
                *leaf = other;
            }
        }
    }
}

/// The leaves that differ between two renderings. The order of objects is the same for the same roles; a change that makes
/// another list of objects is compared by identity.
fn touched(base: &Manifests, other: &Manifests) -> BTreeSet<Leaf> {
    let mut found = BTreeSet::new();
    let kind = |r: &Rendered| r.object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let aligned = base.objects.len() == other.objects.len()
        && base.objects.iter().zip(&other.objects).all(|(a, b)| kind(a) == kind(b));
    for (index, object) in base.objects.iter().enumerate() {
        let counterpart = if aligned {
            other.objects.get(index)
        } else {
            let id = |r: &Rendered| (kind(r), r.object.pointer("/metadata/name").cloned());
            other.objects.iter().find(|candidate| id(candidate) == id(object))
        };
        let mut leaves = Vec::new();
        leaves_of(&object.object, "", &mut leaves);
        for (pointer, value) in leaves {
            if counterpart.and_then(|c| c.object.pointer(&pointer)) != Some(value) {
                found.insert((index, pointer));
            }
        }
    }
    found
}

fn explained(index: usize, rendered: &Rendered, origins: &BTreeMap<Leaf, BTreeSet<Origin>>) -> ExplainedObject {
    let mut fields = Vec::new();
    group(index, &rendered.object, "", origins, &mut fields);
    let part = |pointer: &str| rendered.object.pointer(pointer).and_then(Value::as_str);
    let (kind, name) = (part("/kind").unwrap_or_default(), part("/metadata/name").unwrap_or_default());
    let object = match part("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    };
    ExplainedObject { file: rendered.file_name.clone(), object, fields }
}

/// One entry for a part whose leaves all have the same origins, else one for each of its parts.
fn group(
    index: usize,
    value: &Value,
    at: &str,
    origins: &BTreeMap<Leaf, BTreeSet<Origin>>,
    out: &mut Vec<ExplainedField>,
) {
    let mut leaves = Vec::new();
    leaves_of(value, at, &mut leaves);
    let of = |pointer: &String| origins.get(&(index, pointer.clone())).cloned().unwrap_or_default();
    let mut sets = leaves.iter().map(|(pointer, _)| of(pointer));
    let first = sets.next().unwrap_or_default();
    if sets.all(|set| set == first) {
        let mut all: Vec<Origin> = first.into_iter().collect();
        if all.is_empty() {
            all.push(Origin::Kedge);
        }
        out.push(ExplainedField { path: dotted(at), origins: all });
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let below = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                group(index, inner, &below, origins, out);
            }
        }
        Value::Array(items) => {
            for (position, inner) in items.iter().enumerate() {
                group(index, inner, &format!("{at}/{position}"), origins, out);
            }
        }
        _ => {}
    }
}
