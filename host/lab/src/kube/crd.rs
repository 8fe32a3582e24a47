//! CustomResourceDefinitions: what they declare, and what the API says about them in turn.

use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin;
use super::error::Cause;
use super::kind::ResourceKey;
use super::resource::{Column, Resource, ScalePaths, Version};
use super::schema::Schema;

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list(value: &Value, path: &str) -> Vec<String> {
    value
        .pointer(path)
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned))
        .map(Iterator::collect)
        .unwrap_or_default()
}

/// Fills in what the API fills in: names, the conversion strategy, and the status of an accepted definition.
pub(crate) fn complete(definition: &mut Value, now: &str) {
    let kind = text(definition, "/spec/names/kind").to_owned();
    let names = super::object::ensure_map(definition, &["spec", "names"]);
    if !kind.is_empty() {
        names.entry("singular").or_insert_with(|| json!(kind.to_lowercase()));
        names.entry("listKind").or_insert_with(|| json!(format!("{kind}List")));
    }
    let accepted = Value::Object(names.clone());
    let spec = super::object::ensure_map(definition, &["spec"]);
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    let mut stored = list(definition, "/status/storedVersions");
    let storage = storage_version(definition).unwrap_or_default();
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    let conditions = if definition.pointer("/status/conditions/0").is_some() {
        definition.pointer("/status/conditions").cloned().unwrap_or_default()
    } else {
        json!([
            {"type": "NamesAccepted", "status": "True", "lastTransitionTime": now,
             "reason": "NoConflicts", "message": "no conflicts found"},
            {"type": "Established", "status": "True", "lastTransitionTime": now,
             "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
        ])
    };
    let status = super::object::ensure_map(definition, &["status"]);
    status.insert("conditions".to_owned(), conditions);
    status.insert("acceptedNames".to_owned(), accepted);
    status.insert("storedVersions".to_owned(), json!(stored));
}

fn versions(definition: &Value) -> &[Value] {
    definition.pointer("/spec/versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn storage_version(definition: &Value) -> Option<String> {
    versions(definition)
        .iter()
        .find(|version| version.get("storage").and_then(Value::as_bool) == Some(true))
        .map(|version| text(version, "/name").to_owned())
}

/// What is wrong with a definition.
pub(crate) fn check(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let group = text(definition, "/spec/group");
    let plural = text(definition, "/spec/names/plural");
    let name = text(definition, "/metadata/name");
    if name != format!("{plural}.{group}") {
        causes.push(Cause::invalid("metadata.name", &json!(name), "must be spec.names.plural+\".\"+spec.group"));
    }
    if !matches!(text(definition, "/spec/scope"), "Namespaced" | "Cluster") {
        causes.push(Cause {
            reason: "FieldValueNotSupported".to_owned(),
            message: format!(
                "Unsupported value: {:?}: supported values: \"Cluster\", \"Namespaced\"",
                text(definition, "/spec/scope")
            ),
            field: "spec.scope".to_owned(),
        });
    }
    let declared = versions(definition);
    if declared.is_empty() {
        causes.push(Cause::required("spec.versions", "must have at least one version"));
    }
    let storage =
        declared.iter().filter(|version| version.get("storage").and_then(Value::as_bool) == Some(true)).count();
    if storage != 1 {
        causes.push(Cause::invalid(
            "spec.versions",
            &json!(declared.iter().map(|v| text(v, "/name")).collect::<Vec<_>>()),
            "must have exactly one version marked as storage version",
        ));
    }
    for (at, version) in declared.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            causes.push(Cause::required(format!("spec.versions[{at}].schema.openAPIV3Schema"), "schemas are required"));
        }
    }
    causes
}

/// The resource that a definition declares; none when it is not complete.
pub(crate) fn resource(definition: &Value) -> Option<Resource> {
    let group = text(definition, "/spec/group");
    let kind = text(definition, "/spec/names/kind");
    let plural = text(definition, "/spec/names/plural");
    if group.is_empty() || kind.is_empty() || plural.is_empty() {
        return None;
    }
    Some(Resource {
        key: ResourceKey::new(group, plural),
        singular: text(definition, "/spec/names/singular").to_owned(),
        kind: kind.to_owned(),
        list_kind: text(definition, "/spec/names/listKind").to_owned(),
        short_names: list(definition, "/spec/names/shortNames"),
        categories: list(definition, "/spec/names/categories"),
        namespaced: text(definition, "/spec/scope") != "Cluster",
        versions: versions(definition).iter().map(|v| version(v, group, kind)).collect(),
        storage: storage_version(definition)?,
        custom: true,
        generation: true,
        stored: true,
    })
}

fn version(declared: &Value, group: &str, kind: &str) -> Version {
    let mut schema =
        declared.pointer("/schema/openAPIV3Schema").map_or_else(|| (*Schema::unknown()).clone(), Schema::read);
    builtin::add_type_and_metadata(&mut schema);
    let name = text(declared, "/name");
    let flag = |field: &str| declared.get(field).and_then(Value::as_bool).unwrap_or(false);
    let warning = flag("deprecated").then(|| {
        declared
            .get("deprecationWarning")
            .and_then(Value::as_str)
            .map_or_else(|| format!("{group}/{name} {kind} is deprecated"), str::to_owned)
    });
    Version {
        name: name.to_owned(),
        served: flag("served"),
        schema: Arc::new(schema),
        status: declared.pointer("/subresources/status").is_some(),
        scale: declared.pointer("/subresources/scale").map(|scale| ScalePaths {
            spec: text(scale, "/specReplicasPath").to_owned(),
            status: text(scale, "/statusReplicasPath").to_owned(),
            selector: scale.get("labelSelectorPath").and_then(Value::as_str).map(str::to_owned),
        }),
        columns: columns(declared),
        warning,
    }
}

fn columns(declared: &Value) -> Vec<Column> {
    declared
        .get("additionalPrinterColumns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|column| Column {
            name: text(column, "/name").to_owned(),
            type_name: text(column, "/type").to_owned(),
            format: text(column, "/format").to_owned(),
            description: text(column, "/description").to_owned(),
            priority: column.get("priority").and_then(Value::as_i64).unwrap_or_default(),
            path: text(column, "/jsonPath").to_owned(),
        })
        .collect()
}
