//! The fields of the built-in types, read from a table.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value, json};

use crate::kube::schema::{ListType, Schema, Strategy, Type};

const TYPES: &str = include_str!("types.txt");

/// A type as the table has it: one line.
struct Line {
    atomic: bool,
    fields: &'static str,
}

fn lines() -> &'static BTreeMap<&'static str, Line> {
    static LINES: OnceLock<BTreeMap<&'static str, Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        TYPES
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| {
                let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
                let atomic = name.ends_with('@');
                (name.trim_end_matches('@'), Line { atomic, fields })
            })
            .collect()
    })
}

/// One field of a type.
pub(crate) struct Field {
    /// `-`: not a field in JSON, but a type whose fields are taken for this type's own.
    pub(crate) name: &'static str,
    /// The number in protocol buffers.
    pub(crate) number: Option<u64>,
    /// A Go pointer: a zero is a value, not nothing.
    pub(crate) pointer: bool,
    required: bool,
    pub(crate) declared: &'static str,
    keys: Option<Vec<&'static str>>,
    merge_key: Option<&'static str>,
    retain_keys: bool,
    atomic: bool,
}

fn fields(line: &'static str) -> impl Iterator<Item = Field> {
    line.split(' ').filter_map(|field| {
        let (name, rest) = field.split_once(':')?;
        let (name, number) = name.split_once('#').map_or((name, None), |(name, number)| (name, number.parse().ok()));
        let required = name.ends_with('!');
        let name = name.trim_end_matches('!');
        let pointer = name.ends_with('*');
        let (rest, atomic) = rest.strip_suffix('@').map_or((rest, false), |rest| (rest, true));
        let (rest, retain_keys) = rest.strip_suffix('^').map_or((rest, false), |rest| (rest, true));
        let (rest, merge_key) = rest.split_once('~').map_or((rest, None), |(rest, key)| (rest, Some(key)));
        let (declared, keys) = match rest.split_once('{') {
            Some((declared, keys)) => {
                (declared, Some(keys.trim_end_matches('}').split(',').filter(|key| !key.is_empty()).collect()))
            }
            None => (rest, None),
        };
        Some(Field {
            name: name.trim_end_matches('*'),
            number,
            pointer,
            required,
            declared,
            keys,
            merge_key,
            retain_keys,
            atomic,
        })
    })
}

fn json_fields(line: &'static str) -> impl Iterator<Item = Field> {
    fields(line).filter(|field| field.name != "-")
}

/// The fields of a type as protocol buffers number them.
pub(crate) fn wire_fields(name: &str) -> impl Iterator<Item = Field> {
    lines().get(name).into_iter().flat_map(|line| fields(line.fields))
}

/// The schema of a built-in type; nothing is known of a type that the table does not have.
pub(crate) fn schema_of(name: &str) -> Arc<Schema> {
    static MADE: Mutex<Option<HashMap<String, Arc<Schema>>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    build(name, made.get_or_insert_default())
}

fn build(name: &str, made: &mut HashMap<String, Arc<Schema>>) -> Arc<Schema> {
    if let Some(schema) = made.get(name) {
        return Arc::clone(schema);
    }
    let Some(line) = lines().get(name) else {
        return Schema::unknown();
    };
    let mut schema = Schema { value_type: Type::Object, atomic: line.atomic, ..Schema::default() };
    for field in json_fields(line.fields) {
        if field.required {
            schema.required.push(field.name.to_owned());
        }
        let mut made_field = (*declared(field.declared, made)).clone();
        made_field.list = match &field.keys {
            None => ListType::Atomic,
            Some(keys) if keys.is_empty() => ListType::Set,
            Some(keys) => ListType::Map(keys.iter().map(|key| (*key).to_owned()).collect()),
        };
        made_field.atomic |= field.atomic;
        made_field.strategy =
            Strategy { merge_key: field.merge_key.map(str::to_owned), retain_keys: field.retain_keys };
        // The one key with a default: a port without a protocol is a TCP port.
        if field.name == "protocol" && matches!(name, "core.v1.ServicePort" | "core.v1.ContainerPort") {
            made_field.default = Some(Value::String("TCP".to_owned()));
        }
        schema.properties.insert(field.name.to_owned(), Arc::new(made_field));
    }
    let schema = Arc::new(schema);
    made.insert(name.to_owned(), Arc::clone(&schema));
    schema
}

fn simple(value_type: Type, format: Option<&str>) -> Arc<Schema> {
    Arc::new(Schema { value_type, format: format.map(str::to_owned), ..Schema::default() })
}

fn declared(text: &str, made: &mut HashMap<String, Arc<Schema>>) -> Arc<Schema> {
    if let Some(items) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Arc::new(Schema { value_type: Type::Array, items: Some(declared(items, made)), ..Schema::default() });
    }
    if let Some(values) = text.strip_prefix("map(").and_then(|t| t.strip_suffix(')')) {
        return Arc::new(Schema {
            value_type: Type::Object,
            additional: Some(declared(values, made)),
            ..Schema::default()
        });
    }
    match text {
        "string" => simple(Type::String, None),
        // A quantity may be written as a number in YAML; it is kept as it comes.
        "quantity" => simple(Type::Any, None),
        "bytes" => simple(Type::String, Some("byte")),
        "time" => Arc::new(Schema { value_type: Type::String, nullable: true, ..Schema::default() }),
        "int-or-string" => simple(Type::IntOrString, None),
        "int32" => simple(Type::Integer, Some("int32")),
        "int" => simple(Type::Integer, Some("int64")),
        "number" => simple(Type::Number, None),
        "bool" => simple(Type::Boolean, None),
        "any" => Schema::unknown(),
        name => build(name, made),
    }
}

/// The OpenAPI definitions of a type and of all that it is made of, by the types' names; `reference` makes the `$ref`.
pub(crate) fn definitions(name: &str, reference: &dyn Fn(&str) -> String, into: &mut BTreeMap<String, Value>) {
    let Some((name, line)) = lines().get_key_value(name) else {
        return;
    };
    if into.contains_key(*name) {
        return;
    }
    into.insert((*name).to_owned(), Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in json_fields(line.fields) {
        let mut property = open_api(field.declared, reference, into);
        if let Some(map) = property.as_object_mut() {
            if let Some(keys) = &field.keys {
                let list_type = if keys.is_empty() { "set" } else { "map" };
                map.insert("x-kubernetes-list-type".to_owned(), json!(list_type));
                if !keys.is_empty() {
                    map.insert("x-kubernetes-list-map-keys".to_owned(), json!(keys));
                }
            } else if field.declared.starts_with('[') {
                map.insert("x-kubernetes-list-type".to_owned(), json!("atomic"));
            }
            if let Some(key) = field.merge_key {
                let strategy = if field.retain_keys { "merge,retainKeys" } else { "merge" };
                map.insert("x-kubernetes-patch-strategy".to_owned(), json!(strategy));
                if !key.is_empty() {
                    map.insert("x-kubernetes-patch-merge-key".to_owned(), json!(key));
                }
            } else if field.retain_keys {
                map.insert("x-kubernetes-patch-strategy".to_owned(), json!("retainKeys"));
            }
            if field.atomic {
                map.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
            }
        }
        if field.required {
            required.push(field.name);
        }
        properties.insert(field.name.to_owned(), property);
    }
    let mut definition = json!({"type": "object", "properties": properties});
    if let Some(map) = definition.as_object_mut() {
        if !required.is_empty() {
            map.insert("required".to_owned(), json!(required));
        }
        if line.atomic {
            map.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        }
    }
    into.insert((*name).to_owned(), definition);
}

fn open_api(text: &str, reference: &dyn Fn(&str) -> String, into: &mut BTreeMap<String, Value>) -> Value {
    if let Some(items) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return json!({"type": "array", "items": open_api(items, reference, into)});
    }
    if let Some(values) = text.strip_prefix("map(").and_then(|t| t.strip_suffix(')')) {
        return json!({"type": "object", "additionalProperties": open_api(values, reference, into)});
    }
    match text {
        "string" => json!({"type": "string"}),
        "quantity" => json!({"type": "string", "format": "quantity"}),
        "bytes" => json!({"type": "string", "format": "byte"}),
        "time" => json!({"type": "string", "format": "date-time"}),
        "int-or-string" => json!({"type": "string", "format": "int-or-string"}),
        "int32" => json!({"type": "integer", "format": "int32"}),
        "int" => json!({"type": "integer", "format": "int64"}),
        "number" => json!({"type": "number"}),
        "bool" => json!({"type": "boolean"}),
        "any" => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        name => {
            definitions(name, reference, into);
            json!({"$ref": reference(name)})
        }
    }
}
