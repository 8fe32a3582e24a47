//! OpenAPI documents: version 3 for each group version, and version 2 as one document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use http::Response;
use http::header::ACCEPT;
use serde_json::{Map, Value, json};

use super::respond::{self, Body};
use super::{Api, Asked};
use crate::kube::builtin;
use crate::kube::error::{ApiError, Reason};
use crate::kube::kind::Kind;
use crate::kube::object;
use crate::kube::resource::{Resource, Version};

const GVK: &str = "x-kubernetes-group-version-kind";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "meta.v1.ListMeta";

/// Which of the two formats a document is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    V2,
    V3,
}

impl Format {
    fn reference(self, name: &str) -> String {
        match self {
            Self::V2 => format!("#/definitions/{name}"),
            Self::V3 => format!("#/components/schemas/{name}"),
        }
    }
}

/// The full name of a built-in type, as in Kubernetes' documents.
fn full_name(short: &str) -> String {
    let prefix = if short.starts_with("meta.") {
        "io.k8s.apimachinery.pkg.apis."
    } else if short.starts_with("apiextensions.") {
        "io.k8s.apiextensions-apiserver.pkg.apis."
    } else if short.starts_with("apiregistration.") {
        "io.k8s.kube-aggregator.pkg.apis."
    } else {
        "io.k8s.api."
    };
    format!("{prefix}{short}")
}

/// `example.com` as Go packages turn it around: `com.example`.
fn reversed(group: &str) -> String {
    group.rsplit('.').collect::<Vec<_>>().join(".")
}

impl Api {
    pub(super) fn open_api_v3_index(&self) -> Response<Body> {
        let mut paths = Map::new();
        for (group, versions) in self.groups() {
            for version in versions {
                let path = if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
                let hash = self.definitions_hash(&group);
                let url = format!("/openapi/v3/{path}?hash={hash}");
                paths.insert(path, json!({ "serverRelativeURL": url }));
            }
        }
        respond::json(200, &json!({ "paths": paths }))
    }

    /// Changes when the definitions of a group do; the built-in groups never change.
    fn definitions_hash(&self, group: &str) -> String {
        use sha2::Digest;
        let mut digest = sha2::Sha256::new();
        for resource in self.store.resources() {
            if resource.custom && resource.key.group == group {
                let kind = Kind::new("apiextensions.k8s.io", "CustomResourceDefinition");
                let name = format!("{}.{}", resource.key.plural, resource.key.group);
                let version = self
                    .store
                    .get(&kind, None, &name)
                    .map(|definition| object::generation(&definition))
                    .unwrap_or_default();
                digest.update(format!("{name}/{version}"));
            }
        }
        digest.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        })
    }

    pub(super) fn open_api_v3(&self, path: &str) -> Result<Response<Body>, ApiError> {
        let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
            ["api", version] => (String::new(), (*version).to_owned()),
            ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
            _ => return Err(ApiError::no_such_resource()),
        };
        let mut schemas = BTreeMap::new();
        let mut paths = Map::new();
        for resource in self.store.resources() {
            if resource.key.group == group
                && let Some(declared) = resource.version(&version)
            {
                self.describe(&resource, declared, Format::V3, &mut schemas, &mut paths);
            }
        }
        if paths.is_empty() {
            return Err(ApiError::no_such_resource());
        }
        Ok(respond::json(
            200,
            &json!({
                "openapi": "3.0.0",
                "info": {"title": "Kubernetes", "version": self.version},
                "paths": paths,
                "components": {"schemas": schemas},
            }),
        ))
    }

    pub(super) fn open_api_v2(&self, asked: &Asked) -> Result<Response<Body>, ApiError> {
        let accepted = asked.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
        if !accepted.contains("json") && !accepted.contains('*') {
            return Err(ApiError::new(
                Reason::NotAcceptable,
                "only the following media types are accepted: application/json",
            ));
        }
        let mut definitions = BTreeMap::new();
        let mut paths = Map::new();
        for resource in self.store.resources() {
            for version in resource.versions.iter().filter(|version| version.served) {
                self.describe(&resource, version, Format::V2, &mut definitions, &mut paths);
            }
        }
        Ok(respond::json(
            200,
            &json!({
                "swagger": "2.0",
                "info": {"title": "Kubernetes", "version": self.version},
                "paths": paths,
                "definitions": definitions,
            }),
        ))
    }

    fn describe(
        &self,
        resource: &Arc<Resource>,
        version: &Version,
        format: Format,
        schemas: &mut BTreeMap<String, Value>,
        paths: &mut Map<String, Value>,
    ) {
        let reference = |short: &str| format.reference(&full_name(short));
        let mut types = BTreeMap::new();
        builtin::definitions("meta.v1.ObjectMeta", &reference, &mut types);
        builtin::definitions(LIST_META, &reference, &mut types);
        let type_name = if resource.custom {
            let name = format!("{}.{}.{}", reversed(&resource.key.group), version.name, resource.kind);
            if let Some(schema) = self.declared_schema(resource, version, format) {
                schemas.insert(name.clone(), schema);
            }
            name
        } else {
            let short = builtin::type_name(&resource.key).unwrap_or_default();
            builtin::definitions(short, &reference, &mut types);
            if let Some(definition) = types.get_mut(short) {
                complete(definition, resource, version, format);
            }
            full_name(short)
        };
        for (short, definition) in types {
            let name = full_name(&short);
            // A kind's own definition carries more than the same type where another one refers to it.
            if definition.get(GVK).is_some() || !schemas.contains_key(&name) {
                schemas.insert(name, definition);
            }
        }
        add_paths(resource, version, format, &type_name, paths);
    }

    /// The schema of a custom resource as its definition has it, with what every object has.
    fn declared_schema(&self, resource: &Resource, version: &Version, format: Format) -> Option<Value> {
        let kind = Kind::new("apiextensions.k8s.io", "CustomResourceDefinition");
        let name = format!("{}.{}", resource.key.plural, resource.key.group);
        let definition = self.store.get(&kind, None, &name)?;
        let declared = definition
            .pointer("/spec/versions")?
            .as_array()?
            .iter()
            .find(|declared| declared.get("name").and_then(Value::as_str) == Some(&version.name))?;
        let mut schema = declared.pointer("/schema/openAPIV3Schema")?.clone();
        if format == Format::V2 {
            to_v2(&mut schema);
        }
        complete(&mut schema, resource, version, format);
        Some(schema)
    }
}

/// Declares `apiVersion`, `kind` and `metadata`, and says which kind it is.
fn complete(schema: &mut Value, resource: &Resource, version: &Version, format: Format) {
    let properties = object::ensure_map(schema, &["properties"]);
    properties.insert(
        "apiVersion".to_owned(),
        json!({"type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an object."}),
    );
    properties.insert(
        "kind".to_owned(),
        json!({"type": "string",
        "description": "Kind is a string value representing the REST resource this object represents."}),
    );
    properties.insert(
        "metadata".to_owned(),
        match format {
            Format::V2 => json!({ "$ref": format.reference(META) }),
            Format::V3 => json!({ "allOf": [{ "$ref": format.reference(META) }], "default": {},
            "description": "Standard object's metadata." }),
        },
    );
    if let Some(map) = schema.as_object_mut() {
        map.insert(GVK.to_owned(), json!([gvk(resource, version)]));
    }
}

fn gvk(resource: &Resource, version: &Version) -> Value {
    json!({"group": resource.key.group, "version": version.name, "kind": resource.kind})
}

/// OpenAPI 2 has no alternatives and no nulls.
fn to_v2(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for field in ["anyOf", "oneOf", "not", "nullable"] {
        map.shift_remove(field);
    }
    if map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true)) && !map.contains_key("properties") {
        map.shift_remove("type");
    }
    for field in ["properties"] {
        if let Some(Value::Object(parts)) = map.get_mut(field) {
            parts.values_mut().for_each(to_v2);
        }
    }
    for field in ["items", "additionalProperties"] {
        if let Some(part) = map.get_mut(field) {
            to_v2(part);
        }
    }
}

/// The paths of a kind, with the little that clients read there: the kind, and that writes take these parameters.
fn add_paths(resource: &Resource, version: &Version, format: Format, type_name: &str, paths: &mut Map<String, Value>) {
    let prefix = if resource.key.group.is_empty() {
        format!("/api/{}", version.name)
    } else {
        format!("/apis/{}/{}", resource.key.group, version.name)
    };
    let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("{prefix}{scope}/{}", resource.key.plural);
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
        .iter()
        .map(|name| match format {
            Format::V2 => json!({"name": name, "in": "query", "type": "string", "uniqueItems": true}),
            Format::V3 => json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}),
        })
        .collect();
    let schema = json!({ "$ref": format.reference(type_name) });
    let operation = |verb: &str, action: &str| {
        let answer = match format {
            Format::V2 => json!({"200": {"description": "OK", "schema": schema}}),
            Format::V3 => {
                json!({"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}})
            }
        };
        let mut operation = json!({
            "operationId": format!("{verb}{}{}", version.name, resource.kind),
            "responses": answer,
            "x-kubernetes-action": action,
            GVK: gvk(resource, version),
        });
        if let (true, Some(map)) = (action != "get" && action != "list", operation.as_object_mut()) {
            map.insert("parameters".to_owned(), json!(parameters));
        }
        operation
    };
    let mut of_collection = Map::new();
    of_collection.insert("post".to_owned(), operation("create", "post"));
    if resource.stored {
        of_collection.insert("get".to_owned(), operation("list", "list"));
        paths.insert(
            format!("{collection}/{{name}}"),
            json!({
                "get": operation("read", "get"),
                "put": operation("replace", "put"),
                "patch": operation("patch", "patch"),
                "delete": operation("delete", "delete"),
            }),
        );
    }
    paths.insert(collection, Value::Object(of_collection));
}
