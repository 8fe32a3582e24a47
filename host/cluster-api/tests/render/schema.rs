//! Whether rendered objects fit the definitions of their kinds: nothing that a server would drop or refuse.

use std::collections::BTreeMap;

use kedge_spec::Source;
use serde_json::Value;

use crate::scene::release_folder;

/// The schemas of all kinds in the release, by kind and version.
pub(crate) fn schemas() -> BTreeMap<(String, String), Value> {
    let mut schemas = BTreeMap::new();
    for file in
        ["cluster-api-core", "bootstrap-kubeadm", "control-plane-kubeadm", "etcdadm-controller", "etcdadm-bootstrap"]
    {
        let text = std::fs::read_to_string(release_folder().join(format!("{file}.yaml"))).unwrap();
        for crd in kedge_spec::yaml_documents(&Source::new(file, text)).unwrap() {
            if crd["kind"] != "CustomResourceDefinition" {
                continue;
            }
            for version in crd["spec"]["versions"].as_array().unwrap() {
                let api_version =
                    format!("{}/{}", crd["spec"]["group"].as_str().unwrap(), version["name"].as_str().unwrap());
                let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
                schemas.insert((kind, api_version), version["schema"]["openAPIV3Schema"].clone());
            }
        }
    }
    schemas
}

/// What does not fit, each with its place.
pub(crate) fn misfits(value: &Value, schema: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let limit = |key: &str| schema.get(key).and_then(Value::as_u64).map(|n| usize::try_from(n).unwrap());
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        wrong.push(format!("{at}: not of type {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        wrong.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    match value {
        Value::Object(map) => {
            if limit("minProperties").is_some_and(|least| map.len() < least) {
                wrong.push(format!("{at}: too few fields"));
            }
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !map.contains_key(key) {
                    wrong.push(format!("{at}: no `{key}`"));
                }
            }
            let open = schema["x-kubernetes-preserve-unknown-fields"] == true
                || at.ends_with(".metadata") && schema.get("properties").is_none();
            for (key, inner) in map {
                let at = format!("{at}.{key}");
                match (schema["properties"].get(key), schema.get("additionalProperties")) {
                    (Some(schema), _) | (None, Some(schema)) => wrong.extend(misfits(inner, schema, &at)),
                    (None, None) if !open => wrong.push(format!("{at}: unknown")),
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            if limit("minItems").is_some_and(|least| items.len() < least)
                || limit("maxItems").is_some_and(|most| items.len() > most)
            {
                wrong.push(format!("{at}: {} items", items.len()));
            }
            for (index, inner) in items.iter().enumerate() {
                wrong.extend(misfits(inner, &schema["items"], &format!("{at}[{index}]")));
            }
        }
        Value::String(text)
            if limit("minLength").is_some_and(|least| text.len() < least)
                || limit("maxLength").is_some_and(|most| text.len() > most) =>
        {
            wrong.push(format!("{at}: {} characters", text.len()));
        }
        _ => {}
    }
    wrong
}
