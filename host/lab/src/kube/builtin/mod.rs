//! The built-in kinds: which there are, and their fields.

mod defaults;
mod rules;
mod types;

use std::sync::{Arc, OnceLock};

use super::kind::ResourceKey;
use super::resource::{Resource, ScalePaths, Version};
use super::schema::{Schema, Type};

pub(crate) use defaults::fill;
pub(crate) use rules::check;
pub(crate) use types::{Field, definitions, schema_of, wire_fields};

const KINDS: &str = include_str!("kinds.txt");

/// A built-in resource and the name of its type.
pub(crate) struct BuiltIn {
    pub(crate) resource: Arc<Resource>,
    pub(crate) type_name: String,
}

/// All built-in resources, in the order of their groups.
pub(crate) fn all() -> &'static [BuiltIn] {
    static ALL: OnceLock<Vec<BuiltIn>> = OnceLock::new();
    ALL.get_or_init(|| {
        KINDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).filter_map(read).collect()
    })
}

fn names(column: &str) -> Vec<String> {
    column.split(',').filter(|name| *name != "-" && !name.is_empty()).map(str::to_owned).collect()
}

fn read(line: &str) -> Option<BuiltIn> {
    let mut columns = line.split(' ');
    let group = columns.next()?;
    let version = columns.next()?;
    let plural = columns.next()?;
    let singular = columns.next()?;
    let kind = columns.next()?;
    let flags: Vec<&str> = columns.next()?.split(',').collect();
    let short_names = names(columns.next()?);
    let categories = names(columns.next()?);
    let type_name = columns.next()?.to_owned();
    let group = if group == "-" { "" } else { group };
    let resource = Resource {
        key: ResourceKey::new(group, plural),
        singular: singular.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        short_names,
        categories,
        namespaced: flags.contains(&"namespaced"),
        versions: vec![Version {
            name: version.to_owned(),
            served: true,
            schema: root_schema(&type_name),
            status: flags.contains(&"status"),
            scale: flags.contains(&"scale").then(|| ScalePaths {
                spec: ".spec.replicas".to_owned(),
                status: ".status.replicas".to_owned(),
                selector: Some(".spec.selector".to_owned()),
            }),
            columns: Vec::new(),
            warning: None,
        }],
        storage: version.to_owned(),
        custom: false,
        generation: flags.contains(&"generation"),
        stored: flags.contains(&"stored"),
    };
    Some(BuiltIn { resource: Arc::new(resource), type_name })
}

/// Declares what every object has: `apiVersion`, `kind` and `metadata`.
pub(crate) fn add_type_and_metadata(schema: &mut Schema) {
    static TEXT: OnceLock<Arc<Schema>> = OnceLock::new();
    let text = TEXT.get_or_init(|| Arc::new(Schema { value_type: Type::String, ..Schema::default() }));
    for name in ["apiVersion", "kind"] {
        schema.properties.insert(name.to_owned(), Arc::clone(text));
    }
    schema.properties.insert("metadata".to_owned(), schema_of("meta.v1.ObjectMeta"));
}

fn root_schema(type_name: &str) -> Arc<Schema> {
    let mut schema = (*schema_of(type_name)).clone();
    add_type_and_metadata(&mut schema);
    Arc::new(schema)
}

/// The name of the type of a built-in resource.
pub(crate) fn type_name(key: &ResourceKey) -> Option<&'static str> {
    all().iter().find(|built_in| built_in.resource.key == *key).map(|built_in| built_in.type_name.as_str())
}

/// The type of a built-in kind that may come in a request's body, stored or only asked for.
pub(crate) fn type_of(api_version: &str, kind: &str) -> Option<String> {
    let extra = match (api_version, kind) {
        (_, "DeleteOptions") => Some("meta.v1.DeleteOptions"),
        ("authentication.k8s.io/v1", "TokenRequest") => Some("authentication.v1.TokenRequest"),
        ("autoscaling/v1", "Scale") => Some("autoscaling.v1.Scale"),
        _ => None,
    };
    if let Some(name) = extra {
        return Some(name.to_owned());
    }
    all()
        .iter()
        .find(|built_in| {
            let resource = &built_in.resource;
            resource.kind == kind && resource.api_version(&resource.storage) == api_version
        })
        .map(|built_in| built_in.type_name.clone())
}
