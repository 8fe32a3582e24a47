//! What is done to every object that comes in, whatever its kind.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Value, json};

use super::builtin;
use super::error::{ApiError, Cause};
use super::object;
use super::resource::{Resource, Version};
use super::schema;
use super::store::{FieldValidation, Request};

/// Checks that an object is what its URL says, and fills in what it leaves to the URL.
pub(crate) fn check_identity(
    resource: &Resource,
    version: &str,
    namespace: &str,
    name: Option<&str>,
    value: &mut Value,
) -> Result<(), ApiError> {
    let wanted = resource.api_version(version);
    if !value.is_object() || value.get("metadata").is_some_and(|m| !m.is_object() && !m.is_null()) {
        return Err(ApiError::bad_request(format!(
            "{} in version {version:?} cannot be handled as a {}: the object and its metadata have to be maps",
            resource.kind, resource.kind
        )));
    }
    let given = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if !given.is_empty() && given != wanted {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({given}) does not match the expected API version ({wanted})"
        )));
    }
    let given = object::kind(value);
    if !given.is_empty() && given != resource.kind {
        return Err(ApiError::bad_request(format!(
            "{given} in version {version:?} cannot be handled as a {}: the kind in the data does not match",
            resource.kind
        )));
    }
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(wanted));
        map.insert("kind".to_owned(), json!(resource.kind));
    }
    let given = object::namespace(value).to_owned();
    let metadata = object::metadata(value);
    if resource.namespaced {
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        if given.is_empty() {
            metadata.insert("namespace".to_owned(), json!(namespace));
        } else if given != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    } else {
        metadata.shift_remove("namespace");
    }
    if let Some(name) = name {
        let given = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
        if given.is_empty() {
            metadata.insert("name".to_owned(), json!(name));
        } else if given != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
    }
    Ok(())
}

/// Drops what the schema does not know, as `request.validation` wants it told.
pub(crate) fn decode(
    resource: &Resource,
    request: &Request,
    value: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let version = resource.version(&request.version).ok_or_else(ApiError::no_such_resource)?;
    let mut unknown = Vec::new();
    schema::prune(value, &version.schema, true, &mut unknown);
    match request.validation {
        FieldValidation::Strict if !unknown.is_empty() => {
            let fields: Vec<String> = unknown.iter().map(|f| format!("unknown field {f:?}")).collect();
            return Err(ApiError::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                resource.kind,
                request.version,
                resource.kind,
                fields.join(", ")
            )));
        }
        FieldValidation::Warn => {
            warnings.extend(unknown.iter().map(|f| format!("unknown field {f:?}")));
        }
        _ => {}
    }
    if !resource.custom {
        drop_nulls(value);
        let wrong = schema::validate(value, &version.schema, "")
            .into_iter()
            .find(|cause| cause.reason == "FieldValueTypeInvalid");
        if let Some(wrong) = wrong {
            return Err(ApiError::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: json: cannot unmarshal field {:?}: {}",
                resource.kind, request.version, resource.kind, wrong.field, wrong.message
            )));
        }
    } else if let Some(metadata) = value.get_mut("metadata") {
        drop_nulls(metadata);
    }
    Ok(())
}

/// A null in a built-in object is as good as nothing there.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Takes away what a new object may not bring along.
pub(crate) fn reset_new(resource: &Resource, version: &Version, value: &mut Value) {
    let metadata = object::metadata(value);
    for field in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        metadata.shift_remove(field);
    }
    // Nodes and volumes register themselves with their status.
    let brings_status =
        matches!(resource.key.plural.as_str(), "nodes" | "persistentvolumes") && resource.key.group.is_empty();
    if version.status
        && !brings_status
        && let Some(map) = value.as_object_mut()
    {
        map.shift_remove("status");
    }
}

/// Keeps what no client may change.
pub(crate) fn keep_identity(resource: &Resource, stored: &Value, next: &mut Value) -> Result<(), ApiError> {
    let name = object::name(stored);
    let given = object::uid(next);
    if !given.is_empty() && given != object::uid(stored) {
        return Err(ApiError::conflict(
            &resource.key,
            name,
            &format!("Precondition failed: UID in precondition: {given}, UID in object meta: {}", object::uid(stored)),
        ));
    }
    if object::is_deleting(stored) {
        let before = object::finalizers(stored);
        let added: Vec<&str> =
            object::finalizers(next).into_iter().filter(|finalizer| !before.contains(finalizer)).collect();
        if !added.is_empty() {
            return Err(ApiError::invalid(
                &resource.key.group,
                &resource.kind,
                name,
                vec![Cause::forbidden(
                    "metadata.finalizers",
                    &format!(
                        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                        added.iter().map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ")
                    ),
                )],
            ));
        }
    }
    let metadata = object::metadata(next);
    for field in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generateName",
    ] {
        match stored.get("metadata").and_then(|metadata| metadata.get(field)) {
            Some(value) => {
                metadata.insert(field.to_owned(), value.clone());
            }
            None => {
                metadata.shift_remove(field);
            }
        }
    }
    Ok(())
}

/// A write of `status` changes nothing else, and a write of the object leaves `status` alone.
pub(crate) fn keep_other_half(version: &Version, status: bool, stored: &Value, next: &mut Value) {
    if !version.status {
        return;
    }
    if status {
        let mut result = stored.clone();
        let given = next.get("status").cloned();
        let managed = next.pointer("/metadata/managedFields").cloned();
        if let Some(map) = result.as_object_mut() {
            match given {
                Some(given) => map.insert("status".to_owned(), given),
                None => map.shift_remove("status"),
            };
        }
        if let Some(managed) = managed {
            object::metadata(&mut result).insert("managedFields".to_owned(), managed);
        }
        *next = result;
    } else if let Some(map) = next.as_object_mut() {
        match stored.get("status") {
            Some(status) => map.insert("status".to_owned(), status.clone()),
            None => map.shift_remove("status"),
        };
    }
}

/// Counts a change of what is wanted.
pub(crate) fn count_generation(resource: &Resource, version: &Version, stored: &Value, next: &mut Value) {
    if !resource.generation {
        return;
    }
    let ignored = |field: &str| {
        matches!(field, "metadata" | "apiVersion" | "kind")
            || (field == "status" && (version.status || !resource.custom))
    };
    let empty = serde_json::Map::new();
    let old = stored.as_object().unwrap_or(&empty);
    let new = next.as_object().unwrap_or(&empty);
    let changed = old.iter().any(|(field, value)| !ignored(field) && new.get(field) != Some(value))
        || new.keys().any(|field| !ignored(field) && !old.contains_key(field));
    if changed {
        let generation = object::generation(stored) + 1;
        object::metadata(next).insert("generation".to_owned(), json!(generation));
    }
}

/// Checks an object that is about to be stored.
pub(crate) fn validate(
    resource: &Resource,
    version: &Version,
    value: &Value,
    old: Option<&Value>,
) -> Result<(), ApiError> {
    let mut causes = check_metadata(resource, value);
    causes.extend(schema::validate(value, &version.schema, ""));
    if !resource.custom {
        causes.extend(builtin::check(resource, value, old));
    }
    // What was wrong before and has not been touched does not hinder a change of something else.
    if let Some(old) = old
        && !causes.is_empty()
    {
        let before = schema::validate(old, &version.schema, "");
        causes.retain(|cause| !before.contains(cause));
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&resource.key.group, &resource.kind, object::name(value), causes))
}

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

fn pattern(source: &'static str, cell: &'static OnceLock<Option<Regex>>, text: &str) -> bool {
    cell.get_or_init(|| Regex::new(source).ok()).as_ref().is_none_or(|pattern| pattern.is_match(text))
}

fn check_metadata(resource: &Resource, value: &Value) -> Vec<Cause> {
    static SUBDOMAIN: OnceLock<Option<Regex>> = OnceLock::new();
    static PLAIN: OnceLock<Option<Regex>> = OnceLock::new();
    static LABEL_VALUE: OnceLock<Option<Regex>> = OnceLock::new();
    let mut causes = Vec::new();
    let name = object::name(value);
    let by_path = resource.key.group == "rbac.authorization.k8s.io";
    if by_path {
        if name.contains(['/', '%']) || matches!(name, "." | "..") {
            causes.push(Cause::invalid("metadata.name", &json!(name), "may not contain '/' or '%'"));
        }
    } else if resource.is("", "namespaces") || resource.is("", "services") {
        if name.len() > 63 || !pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", &PLAIN, name) {
            causes.push(Cause::invalid("metadata.name", &json!(name), &format!(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')")));
        }
    } else if name.len() > 253
        || (!resource.is("apiregistration.k8s.io", "apiservices")
            && !pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", &SUBDOMAIN, name))
    {
        causes.push(Cause::invalid("metadata.name", &json!(name), &format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{LABEL}(\\.{LABEL})*')")));
    }
    let labels = value.pointer("/metadata/labels").and_then(Value::as_object);
    for label in labels.into_iter().flat_map(|labels| labels.values()) {
        let Some(text) = label.as_str() else { continue };
        if text.len() > 63 || !pattern(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", &LABEL_VALUE, text) {
            causes.push(Cause::invalid("metadata.labels", label,
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"));
        }
    }
    let mut controllers = 0;
    for (at, owner) in object::owners(value).iter().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                causes.push(Cause::invalid(
                    format!("metadata.ownerReferences[{at}].{field}"),
                    &json!(""),
                    &format!("{field} must not be empty"),
                ));
            }
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            controllers += 1;
        }
    }
    if controllers > 1 {
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            &json!(object::owners(value)),
            "Only one reference can have Controller set to true",
        ));
    }
    causes
}
