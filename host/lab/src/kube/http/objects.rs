//! Reading and writing objects over HTTP.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use http::{Method, Response};
use serde_json::{Value, json};

use super::accept::{self, Form};
use super::query::invalid_option;
use super::respond::{self, Body};
use super::route::Target;
use super::{Api, Asked, protobuf, table, yaml};
use crate::kube::error::{ApiError, Reason};
use crate::kube::object;
use crate::kube::resource::Resource;
use crate::kube::store::{
    Address, ListQuery, Listed, Outcome, Patch, Propagation, Request, address, in_version, read_token,
};

impl Api {
    pub(super) fn on_resource(&self, asked: &Asked, target: &Target) -> Result<Response<Body>, ApiError> {
        let resource = self
            .store
            .resource(&target.key)
            .filter(|resource| resource.version(&target.version).is_some())
            .ok_or_else(ApiError::no_such_resource)?;
        if !resource.stored {
            return self.review(asked, &resource, target);
        }
        let response = self.on_stored(asked, &resource, target)?;
        let deprecated = resource.version(&target.version).and_then(|version| version.warning.clone());
        Ok(respond::warn(response, deprecated.as_slice()))
    }

    fn on_stored(&self, asked: &Asked, resource: &Arc<Resource>, target: &Target) -> Result<Response<Body>, ApiError> {
        let in_namespace = target.namespace.is_some();
        // A collection across all namespaces can only be read.
        let all_namespaces = resource.namespaced && !in_namespace;
        if in_namespace && !resource.namespaced {
            return Err(ApiError::no_such_resource());
        }
        let Some(name) = &target.name else {
            return match asked.method {
                Method::GET if target.watch || asked.query.flag("watch") => self.watch(asked, resource, target),
                Method::GET => self.list(asked, resource, target),
                Method::POST if !all_namespaces => self.create(asked, resource, target),
                Method::DELETE if !all_namespaces => self.delete_collection(asked, resource, target),
                _ => Err(not_allowed()),
            };
        };
        if all_namespaces {
            return Err(ApiError::no_such_resource());
        }
        let place = address(resource, target.namespace.as_deref(), name);
        let version = resource.version(&target.version).ok_or_else(ApiError::no_such_resource)?;
        let status = match target.subresource.as_deref() {
            None => false,
            Some("status") if version.status => true,
            Some("scale") => {
                let paths = version.scale.clone().ok_or_else(ApiError::no_such_resource)?;
                return self.scale(asked, resource, &place, &target.version, &paths);
            }
            Some("log") if resource.is("", "pods") && asked.method == Method::GET => {
                self.store.find(resource, &place).ok_or_else(|| ApiError::not_found(&resource.key, name))?;
                return Ok(respond::text("The lab simulates this container: it runs nothing and writes nothing.\n"));
            }
            Some("finalize") if resource.is("", "namespaces") => false,
            Some("token") if resource.is("", "serviceaccounts") => {
                return self.token_request(asked, resource, &place);
            }
            Some(_) => return Err(ApiError::no_such_resource()),
        };
        match asked.method {
            Method::GET if target.watch || asked.query.flag("watch") => self.watch(asked, resource, target),
            Method::GET => {
                let object =
                    self.store.find(resource, &place).ok_or_else(|| ApiError::not_found(&resource.key, name))?;
                let object = in_version(resource, &target.version, &object);
                self.show(asked, 200, resource, &target.version, &object)
            }
            Method::PUT => self.replace(asked, resource, target, &place, status),
            Method::PATCH => self.patch(asked, resource, target, &place, status),
            Method::DELETE if target.subresource.is_none() => self.delete(asked, resource, target, &place),
            _ => Err(not_allowed()),
        }
    }

    /// One object, in the form that the client wants.
    pub(super) fn show(
        &self,
        asked: &Asked,
        code: u16,
        resource: &Resource,
        version: &str,
        object: &Arc<Value>,
    ) -> Result<Response<Body>, ApiError> {
        Ok(match accept::form(&asked.headers)? {
            Form::Object => respond::json(code, object),
            Form::Metadata => respond::json(code, &metadata_only(object)),
            Form::Table => {
                let now = self.store.clock().now();
                let rows = std::slice::from_ref(object);
                let include = asked.query.get("includeObject");
                let version_of = object::resource_version(object);
                let meta = json!({ "resourceVersion": version_of });
                respond::json(code, &table::of(resource, version, rows, &meta, include, true, now))
            }
        })
    }

    fn written(
        &self,
        asked: &Asked,
        resource: &Resource,
        version: &str,
        outcome: &Outcome,
    ) -> Result<Response<Body>, ApiError> {
        let code = if outcome.created { 201 } else { 200 };
        let response = self.show(asked, code, resource, version, &outcome.object)?;
        Ok(respond::warn(response, &outcome.warnings))
    }

    fn list(&self, asked: &Asked, resource: &Resource, target: &Target) -> Result<Response<Body>, ApiError> {
        let query = list_query(asked, target)?;
        for field in query.fields.fields() {
            // Of custom resources only the two that all have.
            if resource.custom && !matches!(field, "metadata.name" | "metadata.namespace") {
                return Err(ApiError::bad_request(format!("field label not supported: {field}")));
            }
        }
        if let Some(wanted) = asked.query.number("resourceVersion")?
            && wanted > self.store.latest()
        {
            return Err(ApiError::new(
                Reason::InternalError,
                format!("Too large resource version: {wanted}, current: {}", self.store.latest()),
            ));
        }
        let Listed { items, resource_version, next, remaining } = self.store.list_with(resource, &query);
        let items: Vec<Arc<Value>> = items.iter().map(|object| in_version(resource, &target.version, object)).collect();
        let mut meta = json!({ "resourceVersion": resource_version.to_string() });
        if let (Some(next), Some(map)) = (next, meta.as_object_mut()) {
            map.insert("continue".to_owned(), json!(next));
            if query.labels.is_everything() && query.fields.fields().next().is_none() {
                map.insert("remainingItemCount".to_owned(), json!(remaining));
            }
        }
        let answer = match accept::form(&asked.headers)? {
            Form::Object => json!({
                "kind": resource.list_kind, "apiVersion": resource.api_version(&target.version),
                "metadata": meta, "items": items,
            }),
            Form::Metadata => json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
                "items": items.iter().map(|object| metadata_only(object)).collect::<Vec<_>>(),
            }),
            Form::Table => {
                let now = self.store.clock().now();
                let include = asked.query.get("includeObject");
                table::of(resource, &target.version, &items, &meta, include, true, now)
            }
        };
        Ok(respond::json(200, &answer))
    }

    fn create(&self, asked: &Asked, resource: &Arc<Resource>, target: &Target) -> Result<Response<Body>, ApiError> {
        let request = request(asked, &target.version, false)?;
        let value = read_body(asked)?;
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let outcome = self.store.create_with(resource, namespace, value, &request)?;
        self.written(asked, resource, &target.version, &outcome)
    }

    fn replace(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        target: &Target,
        place: &Address,
        status: bool,
    ) -> Result<Response<Body>, ApiError> {
        let request = request(asked, &target.version, status)?;
        let value = read_body(asked)?;
        let outcome = self.store.change_with(resource, place, &request, &mut |_| Ok(value.clone()))?;
        self.written(asked, resource, &target.version, &outcome)
    }

    fn patch(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        target: &Target,
        place: &Address,
        status: bool,
    ) -> Result<Response<Body>, ApiError> {
        let request = request(asked, &target.version, status)?;
        let patch = read_patch(asked)?;
        if matches!(patch, Patch::Apply { .. }) && asked.query.get("fieldManager").is_none() {
            return Err(invalid_option("fieldManager", "Required value: is required for apply patch"));
        }
        let outcome = self.store.patch_with(resource, place, &patch, &request)?;
        self.written(asked, resource, &target.version, &outcome)
    }

    fn delete(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        target: &Target,
        place: &Address,
    ) -> Result<Response<Body>, ApiError> {
        let options = DeleteOptions::read(asked)?;
        let (last, gone) = self.store.delete_with(
            resource,
            place,
            options.propagation,
            &mut |object| options.check(resource, object),
            options.dry_run,
        )?;
        if !gone {
            let last = in_version(resource, &target.version, &last);
            return self.show(asked, 200, resource, &target.version, &last);
        }
        let mut details = json!({ "name": place.name, "kind": resource.key.plural, "uid": object::uid(&last) });
        if let (false, Some(map)) = (resource.key.group.is_empty(), details.as_object_mut()) {
            map.insert("group".to_owned(), json!(resource.key.group));
        }
        Ok(respond::json(
            200,
            &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
        ))
    }

    fn delete_collection(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        target: &Target,
    ) -> Result<Response<Body>, ApiError> {
        let options = DeleteOptions::read(asked)?;
        let query = list_query(asked, target)?;
        let listed = self.store.list_with(resource, &query);
        for object in &listed.items {
            let place = Address::of(object);
            let result =
                self.store.delete_with(resource, &place, options.propagation, &mut |_| Ok(()), options.dry_run);
            match result {
                Err(error) if error.reason != Reason::NotFound => return Err(error),
                _ => {}
            }
        }
        let items: Vec<Arc<Value>> =
            listed.items.iter().map(|object| in_version(resource, &target.version, object)).collect();
        Ok(respond::json(
            200,
            &json!({
                "kind": resource.list_kind, "apiVersion": resource.api_version(&target.version),
                "metadata": {"resourceVersion": self.store.latest().to_string()}, "items": items,
            }),
        ))
    }
}

pub(super) fn list_query(asked: &Asked, target: &Target) -> Result<ListQuery, ApiError> {
    let mut fields = asked.query.fields()?;
    if let Some(name) = &target.name {
        fields = fields.with_name(name);
    }
    Ok(ListQuery {
        namespace: target.namespace.clone(),
        labels: asked.query.labels()?,
        fields,
        limit: asked.query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()),
        after: asked.query.get("continue").map(read_token).transpose()?,
    })
}

fn not_allowed() -> ApiError {
    ApiError::new(Reason::MethodNotAllowed, "the server does not allow this method on the requested resource")
}

/// An object as `PartialObjectMetadata`.
pub(super) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// The field manager that a request names, or else the client's program.
fn manager(asked: &Asked) -> String {
    if let Some(manager) = asked.query.get("fieldManager") {
        return manager.to_owned();
    }
    asked
        .headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .and_then(|agent| agent.split('/').next())
        .filter(|program| !program.is_empty())
        .unwrap_or("unknown")
        .to_owned()
}

pub(super) fn request(asked: &Asked, version: &str, status: bool) -> Result<Request, ApiError> {
    Ok(Request {
        manager: manager(asked),
        version: version.to_owned(),
        validation: asked.query.validation()?,
        dry_run: asked.query.dry_run()?,
        status,
    })
}

fn media_type(headers: &HeaderMap) -> String {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or("application/json")
        .trim()
        .to_ascii_lowercase()
}

fn unsupported(accepted: &str) -> ApiError {
    ApiError::new(
        Reason::UnsupportedMediaType,
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
    )
}

const BODIES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

fn parse_json(asked: &Asked) -> Result<Value, ApiError> {
    serde_json::from_slice(&asked.body)
        .map_err(|error| ApiError::bad_request(format!("the object provided is not valid JSON: {error}")))
}

/// The object in a request's body: JSON or YAML.
pub(super) fn read_body(asked: &Asked) -> Result<Value, ApiError> {
    match media_type(&asked.headers).as_str() {
        "" | "application/json" | "*/*" => parse_json(asked),
        "application/yaml" => yaml::read(&asked.body),
        "application/vnd.kubernetes.protobuf" => protobuf::read(&asked.body),
        _ => Err(unsupported(BODIES)),
    }
}

pub(super) fn read_patch(asked: &Asked) -> Result<Patch, ApiError> {
    match media_type(&asked.headers).as_str() {
        "application/json-patch+json" => parse_json(asked).map(Patch::Json),
        "application/merge-patch+json" => parse_json(asked).map(Patch::Merge),
        "application/strategic-merge-patch+json" => parse_json(asked).map(Patch::Strategic),
        "application/apply-patch+yaml" => {
            Ok(Patch::Apply { object: yaml::read(&asked.body)?, force: asked.query.flag("force") })
        }
        _ => Err(unsupported(
            "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml",
        )),
    }
}

/// How something is to be deleted.
struct DeleteOptions {
    propagation: Option<Propagation>,
    dry_run: bool,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl DeleteOptions {
    fn read(asked: &Asked) -> Result<Self, ApiError> {
        let body = if asked.body.is_empty() { Value::Null } else { read_body(asked)? };
        let text = |path: &str| body.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let policy = asked.query.get("propagationPolicy").map(str::to_owned).or_else(|| text("/propagationPolicy"));
        let propagation = match policy.as_deref() {
            None => match body.get("orphanDependents").and_then(Value::as_bool) {
                Some(true) => Some(Propagation::Orphan),
                Some(false) => Some(Propagation::Background),
                None => None,
            },
            Some("Background") => Some(Propagation::Background),
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                return Err(ApiError::new(
                    Reason::Invalid,
                    format!(
                        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: {other:?}: supported values: \"Background\", \"Foreground\", \"Orphan\""
                    ),
                ));
            }
        };
        let dry_run = asked.query.dry_run()? || body.pointer("/dryRun/0").and_then(Value::as_str) == Some("All");
        Ok(Self {
            propagation,
            dry_run,
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
        })
    }

    fn check(&self, resource: &Resource, object: &Value) -> Result<(), ApiError> {
        let name = object::name(object);
        if let Some(uid) = self.uid.as_deref().filter(|uid| *uid != object::uid(object)) {
            return Err(ApiError::conflict(
                &resource.key,
                name,
                &format!(
                    "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                    object::uid(object)
                ),
            ));
        }
        let actual = object::resource_version(object);
        if let Some(wanted) = self.resource_version.as_deref().filter(|wanted| *wanted != actual) {
            return Err(ApiError::conflict(
                &resource.key,
                name,
                &format!(
                    "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({actual}). The object might have been modified"
                ),
            ));
        }
        Ok(())
    }
}
