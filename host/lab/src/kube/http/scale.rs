//! The scale subresource: the number of replicas of anything that has one.

use std::sync::Arc;

use http::{Method, Response};
use serde_json::{Value, json};

use super::objects::{read_body, read_patch, request};
use super::respond::{self, Body};
use super::{Api, Asked, jsonpath};
use crate::kube::error::{ApiError, Cause, Reason};
use crate::kube::object;
use crate::kube::patch;
use crate::kube::resource::{Resource, ScalePaths};
use crate::kube::selector::LabelSelector;
use crate::kube::store::{Address, Patch, in_version};

fn steps(path: &str) -> Vec<&str> {
    path.split('.').filter(|step| !step.is_empty()).collect()
}

fn scale_of(object: &Value, paths: &ScalePaths) -> Value {
    let number = |path: &str| {
        steps(path).iter().try_fold(object, |value, step| value.get(*step)).and_then(Value::as_i64).unwrap_or_default()
    };
    let selector = paths
        .selector
        .as_deref()
        .and_then(|path| jsonpath::first(object, path))
        .map(|selector| match selector {
            Value::String(text) => text,
            object => selector_text(&object),
        })
        .unwrap_or_default();
    let metadata = object.get("metadata");
    let mut kept = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata.and_then(|metadata| metadata.get(field)) {
            kept.insert(field.to_owned(), value.clone());
        }
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept,
        "spec": {"replicas": number(&paths.spec)},
        "status": {"replicas": number(&paths.status), "selector": selector},
    })
}

fn selector_text(selector: &Value) -> String {
    // Only well-formed selectors get into the store; what cannot be read is shown as nothing.
    if LabelSelector::from_object(selector).is_err() {
        return String::new();
    }
    selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .map(|labels| {
            labels
                .iter()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join(",")
        })
        .unwrap_or_default()
}

impl Api {
    pub(super) fn scale(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        place: &Address,
        version: &str,
        paths: &ScalePaths,
    ) -> Result<Response<Body>, ApiError> {
        if asked.method == Method::GET {
            let found =
                self.store.find(resource, place).ok_or_else(|| ApiError::not_found(&resource.key, &place.name))?;
            let found = in_version(resource, version, &found);
            return Ok(respond::json(200, &scale_of(&found, paths)));
        }
        let change = match asked.method {
            Method::PUT => None,
            Method::PATCH => Some(read_patch(asked)?),
            _ => {
                return Err(ApiError::new(
                    Reason::MethodNotAllowed,
                    "the server does not allow this method on the requested resource",
                ));
            }
        };
        let replacement = if change.is_none() { read_body(asked)? } else { Value::Null };
        let request = request(asked, version, false)?;
        let outcome = self.store.change_with(resource, place, &request, &mut |old| {
            let current = scale_of(old, paths);
            let wanted = match &change {
                None => replacement.clone(),
                Some(Patch::Json(operations)) => patch::json(&current, operations, resource, &place.name)?,
                Some(Patch::Merge(part) | Patch::Strategic(part)) => patch::merge(&current, part),
                Some(Patch::Apply { object, .. }) => patch::merge(&current, object),
            };
            let given = object::resource_version(&wanted);
            if !given.is_empty() && given != object::resource_version(old) {
                return Err(ApiError::modified(&resource.key, &place.name));
            }
            let replicas = wanted.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
            if replicas < 0 {
                return Err(ApiError::invalid(
                    "autoscaling",
                    "Scale",
                    &place.name,
                    vec![Cause::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0")],
                ));
            }
            let mut new = old.clone();
            let path = steps(&paths.spec);
            if let Some((last, parents)) = path.split_last() {
                object::ensure_map(&mut new, parents).insert((*last).to_owned(), json!(replicas));
            }
            Ok(new)
        })?;
        Ok(respond::json(200, &scale_of(&outcome.object, paths)))
    }
}
