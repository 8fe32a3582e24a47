//! From text to a [`Spec`].

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::check;
use crate::cluster::{self, Cluster, ClusterSpec};
use crate::diagnostic::{self, Diagnostic, Rejected};
use crate::document::Document;
use crate::finding::{Finding, ObjectRef, Severity};
use crate::schema::{self, Unknown};
use crate::source::{Source, Span};
use crate::spec::{Spec, place_in, rejected};
use crate::yaml::{self, Node, NodeKind};
use crate::{path, suggest};

struct Reader {
    source: Source,
    shared: std::sync::Arc<miette::NamedSource<std::sync::Arc<str>>>,
    found: Vec<Diagnostic>,
}

impl Reader {
    fn say(&mut self, finding: Finding, span: Option<Span>) {
        self.found.push(Diagnostic::shared(finding, &self.source, &self.shared, span));
    }
}

pub(crate) fn parse(source: Source) -> Result<Spec, Rejected> {
    let (nodes, flaws) = yaml::read(&source, yaml::SPEC);
    let mut reader = Reader { shared: diagnostic::shared_source(&source), source, found: Vec::new() };
    let mut broken = false;
    let unreadable = flaws.iter().any(|flaw| flaw.finding.code == yaml::TOO_LARGE);
    for flaw in flaws {
        let mut diagnostic = Diagnostic::shared(flaw.finding, &reader.source, &reader.shared, flaw.span);
        diagnostic.related = flaw.related;
        if diagnostic.finding.code == "duplicate-key"
            && let Some((document, path)) = flaw.span.and_then(|span| lax_key(&nodes, span))
        {
            diagnostic.finding.severity = Severity::Warning;
            diagnostic.finding.message.push_str(", and this one counts");
            diagnostic.finding = diagnostic.finding.at(&document, path);
        }
        broken |= diagnostic.is_error();
        reader.found.push(diagnostic);
    }
    if unreadable {
        return Err(rejected(reader.source, reader.found));
    }
    if nodes.is_empty() && !broken {
        let finding = Finding::error("empty-file", "the file holds no document")
            .remedy("write a Cluster into it; `kedge generate clusterconfig NAME -p PROVIDER` makes one to start from");
        reader.say(finding, None);
        return Err(rejected(reader.source, reader.found));
    }
    let mut documents = Vec::new();
    let mut unnamed_cluster = false;
    for node in nodes {
        match document(&mut reader, node) {
            Some(document) => documents.push(document),
            None => unnamed_cluster = true,
        }
    }
    duplicates(&mut reader, &documents);
    let clusters: Vec<usize> =
        documents.iter().enumerate().filter(|(_, d)| d.kind == cluster::KIND).map(|(index, _)| index).collect();
    if clusters.is_empty() && !broken && !unnamed_cluster {
        no_cluster(&mut reader, &documents);
    }
    for second in clusters.iter().skip(1).filter_map(|index| documents.get(*index)) {
        let finding = Finding::error("two-clusters", format!("`{}` is a second Cluster in one file", second.name))
            .at(&second.reference(), "kind")
            .remedy("put each Cluster into a file of its own");
        reader.say(finding, Some(path::locate(&second.node, "kind")));
    }
    let mut datacenter_kind = String::new();
    for index in &clusters {
        if let Some(document) = documents.get_mut(*index) {
            shape(&mut reader, document);
            let named = document.body.pointer("/spec/datacenterRef/kind").and_then(Value::as_str);
            named.unwrap_or_default().clone_into(&mut datacenter_kind);
        }
    }
    let Reader { source, found, .. } = reader;
    match clusters.first() {
        Some(cluster) if !found.iter().any(Diagnostic::is_error) => {
            let warnings = found.into_iter().map(|d| d.finding).collect();
            Ok(Spec { source, documents, cluster: *cluster, datacenter_kind, warnings })
        }
        _ => Err(rejected(source, found)),
    }
}

/// The key at a place, if its document is another than the Cluster: there the last of two equal keys counts.
fn lax_key(nodes: &[Node], span: Span) -> Option<(ObjectRef, String)> {
    let node = nodes.iter().find(|node| node.span.start <= span.start && span.end <= node.span.end)?;
    let text = |node: &Node, key: &str| match &node.entry(key)?.value.kind {
        NodeKind::Text(text) => Some(text.clone()),
        _ => None,
    };
    let kind = text(node, "kind").filter(|kind| kind != cluster::KIND)?;
    let name = text(&node.entry("metadata")?.value, "name")?;
    Some((ObjectRef::new(kind, name), path::of_key(node, span, "")?))
}

/// A document with its kind and name; none if it lacks what every document has.
fn document(reader: &mut Reader, node: Node) -> Option<Document> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        let what = match node.kind {
            NodeKind::Sequence(_) => "a list",
            _ => "plain text",
        };
        let finding = Finding::error("not-an-object", format!("the document is {what}, not an object with fields"))
            .remedy("a document starts with `apiVersion`, `kind` and `metadata`; is this the right file?");
        reader.say(finding, Some(node.span));
        return None;
    }
    let kind = field(reader, &node, &["kind"], "a document says what it is: `kind: Cluster`, for example");
    let version_remedy = format!("add `apiVersion: {}/v1alpha1`", cluster::GROUP);
    let api_version = field(reader, &node, &["apiVersion"], &version_remedy);
    let name = field(reader, &node, &["metadata", "name"], "add `metadata.name`");
    let (kind, api_version, name) = (kind?, api_version?, name?);
    let body = schema::normalised(node.to_value(), &head(), Unknown::Refused);
    let namespace = Document::namespace_of(&body);
    Some(Document { api_version, kind, name, namespace, body, node })
}

/// What every document has, for the spelling of its keys.
fn head() -> Value {
    let metadata = serde_json::json!({
        "properties": { "name": {}, "namespace": {}, "labels": {}, "annotations": {}, "creationTimestamp": {} }
    });
    serde_json::json!({ "properties": { "apiVersion": {}, "kind": {}, "metadata": metadata, "spec": {} } })
}

fn field(reader: &mut Reader, node: &Node, keys: &[&str], remedy: &str) -> Option<String> {
    let mut at = node;
    let mut span = path::locate(node, "");
    let mut path = String::new();
    for key in keys {
        path = path::join(&path, key);
        match at.entry(key) {
            Some(entry) if !matches!(entry.value.kind, NodeKind::Null) => {
                span = entry.value.span;
                at = &entry.value;
            }
            Some(entry) => {
                missing(reader, &keys.join("."), remedy, entry.key_span);
                return None;
            }
            None => {
                missing(reader, &keys.join("."), remedy, span);
                return None;
            }
        }
    }
    // Go's reader takes a number or boolean for its text in `metadata`, and nowhere else up here.
    let text = match &at.kind {
        NodeKind::Text(text) => Some(text.clone()),
        NodeKind::Number(number, _) if keys.len() > 1 => Some(number.to_string()),
        NodeKind::Bool(value) if keys.len() > 1 => Some(value.to_string()),
        _ => None,
    };
    match text {
        Some(text) if text.is_empty() => {
            missing(reader, &path, remedy, span);
            None
        }
        Some(text) => Some(text),
        None => {
            let finding = Finding::error("wrong-type", format!("`{path}` must be text")).remedy("put it in quotes");
            reader.say(finding, Some(path::locate(node, &path)));
            None
        }
    }
}

fn missing(reader: &mut Reader, path: &str, remedy: &str, span: Span) {
    let mut finding = Finding::error("missing-field", format!("`{path}` is missing or empty")).remedy(remedy);
    path.clone_into(&mut finding.path);
    reader.say(finding, Some(span));
}

/// Two documents of one kind and name. Those of others than EKS Anywhere are left alone anyhow.
fn duplicates(reader: &mut Reader, documents: &[Document]) {
    let mut seen: HashMap<(&str, &str), &Document> = HashMap::new();
    for document in documents.iter().filter(|d| d.group() == cluster::GROUP || d.kind == cluster::KIND) {
        let Some(first) = seen.insert((&document.kind, &document.name), document) else { continue };
        seen.insert((&document.kind, &document.name), first);
        let reference = document.reference();
        let finding = Finding::error("duplicate-document", format!("there are two documents `{reference}`"))
            .at(&reference, "metadata.name")
            .remedy("give one of them another name, or remove it");
        let place = path::locate(&document.node, "metadata.name");
        let mut diagnostic = Diagnostic::shared(finding, &reader.source, &reader.shared, Some(place));
        diagnostic.related = Some((path::locate(&first.node, "metadata.name"), "first here".to_owned()));
        reader.found.push(diagnostic);
    }
}

fn no_cluster(reader: &mut Reader, documents: &[Document]) {
    let near = documents.iter().find(|d| suggest::nearest(&d.kind, [cluster::KIND]).is_some());
    let (finding, span) = match near {
        Some(near) => (
            Finding::error("unknown-kind", format!("`{}` is not a kind of document", near.kind))
                .at(&near.reference(), "kind")
                .remedy("did you mean `Cluster`?"),
            Some(path::locate(&near.node, "kind")),
        ),
        None => (
            Finding::error("no-cluster", "the file has no document of kind `Cluster`")
                .remedy("add one, or check that this is the right file"),
            None,
        ),
    };
    reader.say(finding, span);
}

/// The shape of a Cluster: fields and types. Where that fails, whatever rules can be looked at are looked at too, so
/// that the user sees all errors in one run.
fn shape(reader: &mut Reader, document: &mut Document) {
    let reference = document.reference();
    let schema = cluster::schema::schema();
    let shape = schema::findings(&reference, &document.body, &schema, Unknown::Refused);
    for finding in &shape {
        let span = place_in(document, finding);
        reader.say(finding.clone(), Some(span));
    }
    document.body = schema::normalised(std::mem::take(&mut document.body), &schema, Unknown::Refused);
    let usual = format!("{}/v1alpha1", cluster::GROUP);
    if document.api_version != usual {
        let message = format!("`{}` is not an API version of `{}`", document.api_version, cluster::KIND);
        let finding =
            Finding::error("api-version", message).at(&reference, "apiVersion").remedy(format!("use `{usual}`"));
        let span = place_in(document, &finding);
        reader.say(finding, Some(span));
    }
    let version = document.body.pointer("/spec/eksaVersion").and_then(Value::as_str);
    if let Some(text) = version.filter(|text| !check::eksa_version(text)) {
        let finding = Finding::error("eksa-version", format!("`{text}` is not a version of EKS Anywhere"))
            .at(&reference, "spec.eksaVersion")
            .remedy("write it as `v0.26.1`, or leave it out");
        let span = place_in(document, &finding);
        reader.say(finding, Some(span));
    }
    let set = |field: &str| document.body.pointer(field).is_some_and(|value| !value.is_null());
    if set("/spec/bundlesRef") && !set("/spec/eksaVersion") {
        let finding =
            Finding::warning("bundles-ref", "`bundlesRef` is not used: the release in use has its own bundles")
                .at(&reference, "spec.bundlesRef")
                .remedy("remove it; `--bundles-override` names another release");
        let span = place_in(document, &finding);
        reader.say(finding, Some(span));
    }
    if !reader.found.iter().any(Diagnostic::is_error) {
        return;
    }
    let broken: Vec<&str> = shape.iter().filter(|f| f.is_error()).map(|f| f.path.as_str()).collect();
    let mut usable = document.body.clone();
    for at in &broken {
        remove(&mut usable, &path::segments(at));
    }
    cluster::apply_defaults(&mut usable, &reference, None);
    let Some(cluster) = typed(&usable) else {
        return;
    };
    for finding in check::cluster_rules(&cluster, &reference) {
        if !broken.iter().any(|at| path::related(at, &finding.path)) {
            let span = place_in(document, &finding);
            reader.say(finding, Some(span));
        }
    }
}

/// Takes a field out. Items of lists become empty objects, so that the others keep their places.
fn remove(value: &mut Value, parts: &[&str]) {
    let Some((first, rest)) = parts.split_first() else {
        return;
    };
    match value {
        Value::Object(map) => {
            if rest.is_empty() {
                map.shift_remove(*first);
            } else if let Some(inner) = map.get_mut(*first) {
                remove(inner, rest);
            }
        }
        Value::Array(items) => {
            if let Some(item) = first.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                if rest.is_empty() {
                    *item = if item.is_object() { Value::Object(Map::new()) } else { Value::String(String::new()) };
                } else {
                    remove(item, rest);
                }
            }
        }
        _ => {}
    }
}

/// The typed Cluster of a body that has passed its schema.
pub(crate) fn typed(body: &Value) -> Option<Cluster> {
    let metadata = body.get("metadata");
    let strings = |key: &str| {
        let map = metadata.and_then(|m| m.get(key)).and_then(Value::as_object);
        map.into_iter()
            .flatten()
            .filter_map(|(k, v)| v.as_str().map(|v| (k.clone(), v.to_owned())))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let spec: ClusterSpec = serde_json::from_value(body.get("spec")?.clone()).ok()?;
    Some(Cluster {
        name: metadata?.get("name")?.as_str()?.to_owned(),
        namespace: Document::namespace_of(body),
        labels: strings("labels"),
        annotations: strings("annotations"),
        spec,
    })
}

/// The reference of a Cluster by its name.
pub(crate) fn reference(cluster: &Cluster) -> ObjectRef {
    ObjectRef::new(cluster::KIND, &cluster.name)
}
