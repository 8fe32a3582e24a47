//! Fields that are understood, checked, and not honoured yet: errors, so that nothing is dropped silently.

use serde_json::Value;

use crate::defaulted::DefaultedSpec;
use crate::document::Document;
use crate::finding::Finding;
use crate::path;

/// Fields of the Cluster by their path; `*` is every item of a list.
const FIELDS: [&str; 3] = ["spec.packages.controller", "spec.packages.cronjob", "spec.etcdEncryption"];

pub(crate) fn findings(spec: &DefaultedSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(document) = spec.documents().iter().find(|d| d.kind == crate::cluster::KIND) else { return found };
    for field in FIELDS {
        let parts: Vec<&str> = field.split('.').collect();
        visit(&document.body, &parts, "", &mut |at| found.push(refused(document, at)));
    }
    for (index, reference) in spec.cluster().spec.identity_provider_refs.iter().enumerate() {
        if reference.kind == "AWSIamConfig" {
            found.push(refused(document, &path::item("spec.identityProviderRefs", index)));
        }
    }
    found
}

fn refused(document: &Document, at: &str) -> Finding {
    let (message, remedy) = match at {
        // Their controller wants a registry that asks for credentials of AWS, and none of that can be tried out here.
        _ if at.starts_with("spec.packages.") => (
            format!("`{at}` is not supported yet: this version installs no curated packages"),
            "remove it; the packages' own chart can be installed on the finished cluster",
        ),
        _ => (format!("`{at}` is not supported by this version yet"), "remove it, if the cluster can do without"),
    };
    Finding::error("not-supported-yet", message).at(&document.reference(), at).remedy(remedy)
}

/// Calls with the path of every value that is set. What says the same as its absence counts as not set.
fn visit(value: &Value, parts: &[&str], at: &str, say: &mut dyn FnMut(&str)) {
    match parts.split_first() {
        None => {
            let unset = match value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            if !unset {
                say(at);
            }
        }
        Some((&"*", rest)) => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                visit(item, rest, &path::item(at, index), say);
            }
        }
        Some((key, rest)) => {
            if let Some(inner) = value.get(*key) {
                visit(inner, rest, &path::join(at, key), say);
            }
        }
    }
}
