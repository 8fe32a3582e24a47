//! Every field of every kind stands in at least one of the specs: what no spec has, no snapshot shows.

use std::collections::BTreeSet;

use kedge_spec::Source;
use kedge_workflow::commands;
use serde_json::Value;

use super::{options, specs};

/// The kinds of a spec for the providers that come along.
const KINDS: [&str; 8] = [
    "Cluster",
    "OIDCConfig",
    "AWSIamConfig",
    "FluxConfig",
    "GitOpsConfig",
    "VSphereDatacenterConfig",
    "VSphereMachineConfig",
    "DockerDatacenterConfig",
];

/// Fields that no spec can have, and why.
const WITHOUT: &[(&str, &str)] = &[(
    "Cluster spec.etcdEncryption",
    "a create refuses it, as EKS Anywhere does; what is rendered of it has tests in its own crate",
)];

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_in_a_spec() {
    let mut used = BTreeSet::new();
    for (name, text) in specs() {
        for document in kedge_spec::yaml_documents(&Source::new(name, text)).unwrap() {
            let kind = document["kind"].as_str().unwrap_or_default().to_owned();
            walk(&document["spec"], &format!("{kind} spec"), &mut used);
        }
    }
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path(), "none", "");
    let (mut all, mut missing) = (0, Vec::new());
    let mut excused = BTreeSet::new();
    for kind in KINDS {
        let schema = commands::schema(&options, Some(kind)).await.unwrap().schema;
        let mut fields = BTreeSet::new();
        leaves(&schema, &schema["properties"]["spec"], &format!("{kind} spec"), &mut fields);
        for field in fields {
            all += 1;
            if used.contains(&field) {
                continue;
            }
            match WITHOUT.iter().find(|(known, _)| field.starts_with(known)) {
                Some((known, _)) => drop(excused.insert(*known)),
                None => missing.push(field),
            }
        }
    }
    assert!(missing.is_empty(), "of {all} fields no spec has these:\n{}", missing.join("\n"));
    assert_eq!(excused.len(), WITHOUT.len(), "an exception that is none: {WITHOUT:?}");
    assert!(all > 150, "only {all} fields");
}

/// The places of a document.
fn walk(value: &Value, at: &str, used: &mut BTreeSet<String>) {
    used.insert(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| walk(inner, &format!("{at}.{key}"), used)),
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, &format!("{at}[]"), used)),
        _ => {}
    }
}

/// The fields of a schema that have none below them.
fn leaves(root: &Value, schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(place) => root.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("{place} leads nowhere")),
        None => schema,
    };
    if let Some(fields) = schema["properties"].as_object().filter(|fields| !fields.is_empty()) {
        fields.iter().for_each(|(key, inner)| leaves(root, inner, &format!("{at}.{key}"), found));
    } else if schema["items"].is_object() {
        leaves(root, &schema["items"], &format!("{at}[]"), found);
    } else {
        found.insert(at.to_owned());
    }
}
