//! How an object gets into the store: decoding, defaults, admission, validation, ownership, and the commit.

use std::sync::Arc;

use serde_json::{Value, json};

use super::request::{Outcome, Request};
use super::state::Address;
use super::{Patch, Propagation, Store};
use crate::kube::admission::Operation;
use crate::kube::apply::{self, Owner};
use crate::kube::body;
use crate::kube::builtin;
use crate::kube::error::{ApiError, Cause};
use crate::kube::kind::ResourceKey;
use crate::kube::object;
use crate::kube::patch;
use crate::kube::resource::{Resource, Version};
use crate::kube::schema;

/// How often a write begins again because another one came between; the other one has made progress each time.
const ATTEMPTS: usize = 1000;

impl Store {
    pub(crate) fn create_with(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        mut value: Value,
        request: &Request,
    ) -> Result<Outcome, ApiError> {
        let mut warnings = Vec::new();
        body::check_identity(resource, &request.version, namespace, None, &mut value)?;
        body::decode(resource, request, &mut value, &mut warnings)?;
        let metadata = object::metadata(&mut value);
        if metadata.get("resourceVersion").and_then(Value::as_str).is_some_and(|v| !v.is_empty()) {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let generated = object::name(&value).is_empty();
        let prefix = value.pointer("/metadata/generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
        if generated && prefix.is_empty() {
            return Err(ApiError::invalid(
                &resource.key.group,
                &resource.kind,
                "",
                vec![Cause::required("metadata.name", "name or generateName is required")],
            ));
        }
        for _ in 0..ATTEMPTS {
            let mut value = value.clone();
            if generated {
                let name = format!("{prefix}{}", self.clock().suffix());
                object::metadata(&mut value).insert("name".to_owned(), json!(name));
            }
            let address = Address::of(&value);
            let owner = Owner::update(&request.manager, resource, request);
            let next = self.prepare_new(resource, value, request, Some(&owner))?;
            match self.commit(resource, &address, None, next, request.dry_run) {
                Some(object) => return Ok(outcome(resource, request, &object, true, warnings)),
                None if generated => {}
                None => return Err(ApiError::already_exists(&resource.key, &address.name)),
            }
        }
        Err(busy(resource, &prefix))
    }

    /// Makes a decoded object ready to be stored for the first time. `owner`: who is to own all its fields.
    fn prepare_new(
        &self,
        resource: &Resource,
        mut value: Value,
        request: &Request,
        owner: Option<&Owner>,
    ) -> Result<Value, ApiError> {
        let version = served(resource, &request.version)?;
        self.check_namespace(resource, object::namespace(&value), object::name(&value))?;
        body::reset_new(resource, version, &mut value);
        let now = self.read().now();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("uid".to_owned(), json!(self.clock().uid()));
            metadata.insert("creationTimestamp".to_owned(), json!(now));
            if resource.generation {
                metadata.insert("generation".to_owned(), json!(1));
            }
        }
        fill(resource, version, &mut value, None, &now);
        to_storage(resource, &mut value);
        let mut value = self.admit(resource, Operation::Create, Some(value), None)?;
        fill(resource, version, &mut value, None, &now);
        body::validate(resource, version, &value, None)?;
        if let Some(owner) = owner {
            apply::track(None, &mut value, &version.schema, owner, &now);
        }
        Ok(value)
    }

    /// Changes an object that exists: `build` makes the new object, in the version of the request, from the old one.
    pub(crate) fn change_with(
        &self,
        resource: &Arc<Resource>,
        address: &Address,
        request: &Request,
        build: &mut dyn FnMut(&Value) -> Result<Value, ApiError>,
    ) -> Result<Outcome, ApiError> {
        let owner = Owner::update(&request.manager, resource, request);
        self.change(resource, address, request, Some(&owner), build)
    }

    fn change(
        &self,
        resource: &Arc<Resource>,
        address: &Address,
        request: &Request,
        owner: Option<&Owner>,
        build: &mut dyn FnMut(&Value) -> Result<Value, ApiError>,
    ) -> Result<Outcome, ApiError> {
        for _ in 0..ATTEMPTS {
            let stored = self.read().get(&resource.key, address).cloned();
            let Some(stored) = stored else {
                return Err(ApiError::not_found(&resource.key, &address.name));
            };
            let mut warnings = Vec::new();
            let current = in_version(resource, &request.version, &stored);
            let next = build(&current)?;
            let next = self.prepare_change(resource, &stored, next, request, owner, &mut warnings)?;
            if same(&stored, &next) {
                return Ok(outcome(resource, request, &stored, false, warnings));
            }
            if let Some(object) = self.commit(resource, address, Some(&stored), next, request.dry_run) {
                return Ok(outcome(resource, request, &object, false, warnings));
            }
        }
        Err(busy(resource, &address.name))
    }

    fn prepare_change(
        &self,
        resource: &Resource,
        stored: &Value,
        mut next: Value,
        request: &Request,
        owner: Option<&Owner>,
        warnings: &mut Vec<String>,
    ) -> Result<Value, ApiError> {
        let version = served(resource, &request.version)?;
        let namespace = object::namespace(stored);
        body::check_identity(resource, &request.version, namespace, Some(object::name(stored)), &mut next)?;
        body::decode(resource, request, &mut next, warnings)?;
        let given = object::resource_version(&next);
        if !given.is_empty() && given != object::resource_version(stored) {
            return Err(ApiError::modified(&resource.key, object::name(stored)));
        }
        body::keep_identity(resource, stored, &mut next)?;
        body::keep_other_half(version, request.status, stored, &mut next);
        let now = self.read().now();
        fill(resource, version, &mut next, Some(stored), &now);
        to_storage(resource, &mut next);
        let mut next = if request.status {
            next
        } else {
            let mut admitted = self.admit(resource, Operation::Update, Some(next), Some(stored))?;
            fill(resource, version, &mut admitted, Some(stored), &now);
            admitted
        };
        body::count_generation(resource, version, stored, &mut next);
        body::validate(resource, version, &next, Some(stored))?;
        if let Some(owner) = owner {
            apply::track(Some(stored), &mut next, &version.schema, owner, &now);
        }
        Ok(next)
    }

    pub(crate) fn patch_with(
        &self,
        resource: &Arc<Resource>,
        address: &Address,
        change: &Patch,
        request: &Request,
    ) -> Result<Outcome, ApiError> {
        let version = served(resource, &request.version)?;
        match change {
            Patch::Apply { object, force } => self.apply_with(resource, address, object, *force, request),
            Patch::Json(operations) => self.change_with(resource, address, request, &mut |old| {
                patch::json(old, operations, resource, &address.name)
            }),
            Patch::Merge(part) => self.change_with(resource, address, request, &mut |old| Ok(patch::merge(old, part))),
            Patch::Strategic(part) => {
                if resource.custom {
                    return Err(ApiError::new(
                        crate::kube::error::Reason::UnsupportedMediaType,
                        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                    ));
                }
                self.change_with(resource, address, request, &mut |old| patch::strategic(old, part, &version.schema))
            }
        }
    }

    fn apply_with(
        &self,
        resource: &Arc<Resource>,
        address: &Address,
        wanted: &Value,
        force: bool,
        request: &Request,
    ) -> Result<Outcome, ApiError> {
        let version = served(resource, &request.version)?;
        let mut warnings = Vec::new();
        let mut wanted = wanted.clone();
        if wanted.pointer("/metadata/managedFields/0").is_some() {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        body::check_identity(resource, &request.version, &address.namespace, Some(&address.name), &mut wanted)?;
        body::decode(resource, request, &mut wanted, &mut warnings)?;
        if version.status
            && !request.status
            && let Some(map) = wanted.as_object_mut()
        {
            map.shift_remove("status");
        }
        let owner = Owner::apply(&request.manager, resource, request);
        for _ in 0..ATTEMPTS {
            let exists = self.read().get(&resource.key, address).is_some();
            let now = self.read().now();
            let merged = |live: Option<&Value>| {
                apply::apply(live, &wanted, &version.schema, &owner, force, &now)
                    .map_err(|error| error.for_object(resource, &address.name))
            };
            if exists {
                let result = self.change(resource, address, request, None, &mut |old| merged(Some(old)));
                match result {
                    Ok(mut outcome) => {
                        outcome.warnings.extend(warnings);
                        return Ok(outcome);
                    }
                    // Deleted since: it is created below, on the next turn.
                    Err(error)
                        if error.reason == crate::kube::error::Reason::NotFound
                            && self.read().get(&resource.key, address).is_none() => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            if request.status {
                return Err(ApiError::not_found(&resource.key, &address.name));
            }
            if !object::resource_version(&wanted).is_empty() || !object::uid(&wanted).is_empty() {
                return Err(ApiError::modified(&resource.key, &address.name));
            }
            let next = merged(None)?;
            let next = self.prepare_new(resource, next, request, None)?;
            if let Some(object) = self.commit(resource, address, None, next, request.dry_run) {
                return Ok(outcome(resource, request, &object, true, warnings));
            }
        }
        Err(busy(resource, &address.name))
    }

    pub(crate) fn mutate_with(
        &self,
        resource: &Arc<Resource>,
        address: &Address,
        manager: &str,
        change: &mut dyn FnMut(&mut Value),
    ) -> Option<Arc<Value>> {
        let version = resource.storage_version()?;
        loop {
            let stored = self.read().get(&resource.key, address).cloned()?;
            let mut next = (*stored).clone();
            change(&mut next);
            if next == *stored {
                return Some(stored);
            }
            body::count_generation(resource, version, &stored, &mut next);
            let now = self.read().now();
            let mut request = Request::by(manager, &resource.storage);
            for status in [false, true] {
                request.status = status;
                let owner = Owner::update(manager, resource, &request);
                apply::track_half(&stored, &mut next, version, &owner, &now);
            }
            if let Some(object) = self.commit(resource, address, Some(&stored), next, false) {
                return Some(object);
            }
        }
    }

    pub(crate) fn delete_with(
        &self,
        resource: &Arc<Resource>,
        address: &Address,
        propagation: Option<Propagation>,
        precondition: &mut dyn FnMut(&Value) -> Result<(), ApiError>,
        dry_run: bool,
    ) -> Result<(Arc<Value>, bool), ApiError> {
        let missing = || ApiError::not_found(&resource.key, &address.name);
        let stored = self.read().get(&resource.key, address).cloned().ok_or_else(missing)?;
        precondition(&stored)?;
        if resource.is("", "namespaces") && matches!(address.name.as_str(), "default" | "kube-system" | "kube-public") {
            return Err(ApiError::forbidden(&resource.key, &address.name, "this namespace may not be deleted"));
        }
        self.admit(resource, Operation::Delete, None, Some(&stored))?;
        if dry_run {
            return Ok((stored, true));
        }
        let mut state = self.write();
        let result = state.delete(resource, address, propagation);
        self.publish(state);
        result.ok_or_else(missing)
    }

    /// Stores `next` in the place of `expected`. `None`: something else is there by now.
    fn commit(
        &self,
        resource: &Resource,
        address: &Address,
        expected: Option<&Arc<Value>>,
        next: Value,
        dry_run: bool,
    ) -> Option<Arc<Value>> {
        let mut state = self.write();
        let current = state.get(&resource.key, address);
        let unchanged = match (current, expected) {
            (None, None) => true,
            (Some(current), Some(expected)) => Arc::ptr_eq(current, expected),
            _ => false,
        };
        if !unchanged {
            return None;
        }
        if dry_run {
            return Some(Arc::new(next));
        }
        let stored = state.put(resource, next);
        state.follow_up(resource, &stored, expected.map(|old| &**old));
        self.publish(state);
        Some(stored)
    }

    fn check_namespace(&self, resource: &Resource, namespace: &str, name: &str) -> Result<(), ApiError> {
        if !resource.namespaced {
            return Ok(());
        }
        let key = ResourceKey::new("", "namespaces");
        let place = Address { namespace: String::new(), name: namespace.to_owned() };
        let state = self.read();
        let Some(found) = state.get(&key, &place) else {
            return Err(ApiError::not_found(&key, namespace));
        };
        if object::is_deleting(found) {
            let mut error = ApiError::forbidden(
                &resource.key,
                name,
                &format!("unable to create new content in namespace {namespace} because it is being terminated"),
            );
            error.causes.push(Cause {
                reason: "NamespaceTerminating".to_owned(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            });
            return Err(error);
        }
        Ok(())
    }

    fn admit(
        &self,
        resource: &Resource,
        operation: Operation,
        new: Option<Value>,
        old: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let mut value = new;
        for admission in self.admissions_for(&resource.type_of()) {
            let reviewed = admission.review(operation, value.as_ref(), old).map_err(|why| {
                // A webhook that does not answer has refused nothing: the server says so with another code.
                if why.starts_with("failed calling webhook") {
                    let message = format!("Internal error occurred: {why}");
                    return ApiError::new(crate::kube::error::Reason::InternalError, message);
                }
                let hook = format!(
                    "{}.{}.{}",
                    if operation == Operation::Delete { "validation" } else { "default" },
                    resource.singular,
                    resource.key.group
                );
                ApiError::new(
                    crate::kube::error::Reason::Forbidden,
                    format!("admission webhook {hook:?} denied the request: {why}"),
                )
            })?;
            if operation != Operation::Delete {
                value = Some(reviewed);
            }
        }
        Ok(value.unwrap_or_default())
    }
}

/// Fills in defaults: of the schema for custom resources, of the kind for built-in ones.
fn fill(resource: &Resource, version: &Version, value: &mut Value, old: Option<&Value>, now: &str) {
    if resource.custom {
        schema::coerce_defaults(value, &version.schema);
    } else {
        builtin::fill(value, &resource.key.plural, &resource.key.group, old);
        if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
            crate::kube::crd::complete(value, now);
        }
    }
}

fn served<'a>(resource: &'a Resource, version: &str) -> Result<&'a Version, ApiError> {
    resource.version(version).ok_or_else(ApiError::no_such_resource)
}

fn busy(resource: &Resource, name: &str) -> ApiError {
    ApiError::conflict(&resource.key, name, "the object changes faster than it can be written")
}

/// The object as a client of `version` sees it: conversion changes nothing but `apiVersion`.
pub(crate) fn in_version(resource: &Resource, version: &str, object: &Arc<Value>) -> Arc<Value> {
    if version == resource.storage {
        return Arc::clone(object);
    }
    let mut converted = (**object).clone();
    if let Some(map) = converted.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(resource.api_version(version)));
    }
    Arc::new(converted)
}

fn to_storage(resource: &Resource, value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(resource.api_version(&resource.storage)));
    }
}

fn outcome(
    resource: &Resource,
    request: &Request,
    object: &Arc<Value>,
    created: bool,
    warnings: Vec<String>,
) -> Outcome {
    Outcome { object: in_version(resource, &request.version, object), created, warnings }
}

/// Whether two states differ in nothing but the times at which managers set their fields.
fn same(old: &Value, new: &Value) -> bool {
    if old == new {
        return true;
    }
    let timeless = |value: &Value| {
        let mut value = value.clone();
        if let Some(Value::Array(entries)) = value.pointer_mut("/metadata/managedFields") {
            for entry in entries {
                if let Some(entry) = entry.as_object_mut() {
                    entry.shift_remove("time");
                }
            }
        }
        value
    };
    timeless(old) == timeless(new)
}
