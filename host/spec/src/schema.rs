//! A walk along a JSON Schema that says what is wrong in the words of a spec's author.
//!
//! The subset: `type` (one or several), `properties`, `required`, `enum`, `minimum`, `maximum`, `pattern`,
//! `minLength`, `maxLength`, `items`, `minItems`, `maxItems`, `additionalProperties` (a boolean or a schema) and
//! `$ref` to `#/$defs/…`. Other keywords are ignored. An object with `properties` and without `additionalProperties`
//! is closed: an unknown field is an error. `null` counts as absent, and keys match in any case, as they do for the Go
//! decoder of Kubernetes. `description` is the remedy for a value that is refused.
//!
//! One keyword is this crate's own: `x-text: true` turns a number into its text.

use serde_json::{Map, Value};

use crate::finding::{Finding, ObjectRef};
use crate::{path, suggest};

/// How many `$ref`s may follow one another without a step into the document.
const REFERENCES: usize = 16;

/// Everything in a document that its schema does not allow.
pub fn findings(document: &ObjectRef, value: &Value, schema: &Value) -> Vec<Finding> {
    let mut walk = Walk { document, root: schema, found: Vec::new() };
    walk.value(value, schema, "");
    walk.found
}

/// The same value with keys spelled as the schema has them, nulls dropped, and `x-text` honoured.
#[must_use]
pub fn normalised(value: Value, schema: &Value) -> Value {
    normalise(value, schema, schema)
}

struct Walk<'a> {
    document: &'a ObjectRef,
    root: &'a Value,
    found: Vec<Finding>,
}

impl Walk<'_> {
    fn say(&mut self, code: &str, at: &str, message: String, remedy: impl Into<String>) {
        self.found.push(Finding::error(code, message).at(self.document, at).remedy(remedy));
    }

    fn value(&mut self, value: &Value, schema: &Value, at: &str) {
        let schema = resolve(self.root, schema);
        if value.is_null() || schema.as_object().is_none() {
            return;
        }
        if !self.typed(value, schema, at) {
            return;
        }
        self.restricted(value, schema, at);
        match value {
            Value::Object(map) => self.object(map, schema, at),
            Value::Array(items) => self.array(items, schema, at),
            _ => {}
        }
    }

    /// Whether the value has the type that the schema asks for.
    fn typed(&mut self, value: &Value, schema: &Value, at: &str) -> bool {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        if types.iter().any(|t| is_type(value, t)) {
            return true;
        }
        let wanted = types.iter().filter(|t| **t != "null").map(|t| type_words(t)).collect::<Vec<_>>().join(" or ");
        let message = format!("`{}` must be {wanted}, but here is {}", shown(at), described(value));
        let remedy = match value {
            Value::Number(n) if types.contains(&"string") => format!("put it in quotes: `\"{n}\"`"),
            Value::Bool(_) if types.contains(&"string") => {
                "`yes`, `no`, `on`, `off`, `y`, `n`, `true` and `false` are booleans in YAML: put it in quotes"
                    .to_owned()
            }
            Value::String(text) if types.contains(&"integer") && text.parse::<i64>().is_ok() => {
                "write the number without quotes".to_owned()
            }
            Value::String(_) if types.contains(&"boolean") => "write `true` or `false` without quotes".to_owned(),
            _ if types.contains(&"array") => "start each item on a line of its own with `- `".to_owned(),
            _ => match (description(schema), types.first()) {
                (none, Some(&"object")) if none.is_empty() => "write its fields below it, indented".to_owned(),
                (none, _) if none.is_empty() => format!("write {wanted} here"),
                (described, _) => described,
            },
        };
        self.say("wrong-type", at, message, remedy);
        false
    }

    fn restricted(&mut self, value: &Value, schema: &Value, at: &str) {
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            let remedy = match value.as_str().and_then(|text| suggest::nearest(text, names.iter().copied())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of {}", suggest::list(names.iter().copied()).unwrap_or_default()),
            };
            self.say("value-not-allowed", at, format!("`{}` can't be {}", shown(at), described(value)), remedy);
        }
        if let Some(number) = value.as_f64() {
            for (keyword, wrong, word) in
                [("minimum", (|n, b| n < b) as fn(f64, f64) -> bool, "at least"), ("maximum", |n, b| n > b, "at most")]
            {
                if let Some(bound) = schema.get(keyword).and_then(Value::as_f64)
                    && wrong(number, bound)
                {
                    let message = format!("`{}` must be {word} {bound}, but is {value}", shown(at));
                    self.say("value-out-of-range", at, message, description(schema));
                }
            }
        }
        if let Some(text) = value.as_str() {
            self.text(text, schema, at);
        }
    }

    fn text(&mut self, text: &str, schema: &Value, at: &str) {
        let length = text.chars().count();
        if length < bound(schema, "minLength", 0) {
            self.say("value-empty", at, format!("`{}` is empty", shown(at)), description(schema));
        } else if length > bound(schema, "maxLength", usize::MAX) {
            let message = format!("`{}` has {length} characters, which is too long", shown(at));
            self.say("value-too-long", at, message, description(schema));
        } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && let Ok(regex) = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build()
            && !regex.is_match(text)
        {
            let remedy = match description(schema) {
                none if none.is_empty() => format!("it has to match `{pattern}`"),
                described => described,
            };
            self.say("value-malformed", at, format!("`{}` can't be `{text}`", shown(at)), remedy);
        }
    }

    fn array(&mut self, items: &[Value], schema: &Value, at: &str) {
        let (least, most) = (bound(schema, "minItems", 0), bound(schema, "maxItems", usize::MAX));
        if items.len() < least || items.len() > most {
            let wanted = if items.len() < least { format!("at least {least}") } else { format!("at most {most}") };
            let message = format!("`{}` must have {wanted} items, but has {}", shown(at), items.len());
            self.say("wrong-length", at, message, description(schema));
        }
        if let Some(inner) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.value(item, inner, &path::item(at, index));
            }
        }
    }

    fn object(&mut self, map: &Map<String, Value>, schema: &Value, at: &str) {
        let empty = Map::new();
        let declared = schema.get("properties").and_then(Value::as_object);
        let properties = declared.unwrap_or(&empty);
        let additional = schema.get("additionalProperties");
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in map {
            if let Some(name) = known(properties, key) {
                let here = path::join(at, name);
                if seen.contains(&name) {
                    let message = format!("`{here}` stands here twice, in two spellings");
                    self.say("duplicate-key", &path::join(at, key), message, "keep one of the two");
                }
                seen.push(name);
                if let Some(inner) = properties.get(name) {
                    self.value(value, inner, &here);
                }
                continue;
            }
            let here = path::join(at, key);
            match additional {
                Some(Value::Bool(false)) => self.unknown(properties, key, at),
                Some(inner @ Value::Object(_)) => self.value(value, inner, &here),
                None if declared.is_some() => self.unknown(properties, key, at),
                _ => {}
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let present = map.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
            // A misspelt field is said to be unknown, with this one as what was meant.
            let misspelt = map.keys().any(|key| {
                known(properties, key).is_none()
                    && suggest::nearest(key, properties.keys().map(String::as_str)) == Some(name)
            });
            if !present && !misspelt {
                let here = path::join(at, name);
                let remedy =
                    properties.get(name).map(|inner| description(resolve(self.root, inner))).unwrap_or_default();
                let remedy = if remedy.is_empty() { format!("add `{name}`") } else { remedy };
                self.say("missing-field", &here, format!("`{here}` is missing"), remedy);
            }
        }
    }

    fn unknown(&mut self, properties: &Map<String, Value>, key: &str, at: &str) {
        let place = if at.is_empty() { "at the top of the document".to_owned() } else { format!("in `{at}`") };
        let remedy = suggest::remedy(key, properties.keys().map(String::as_str));
        self.say("unknown-field", &path::join(at, key), format!("there is no field `{key}` {place}"), remedy);
    }
}

fn shown(at: &str) -> &str {
    if at.is_empty() { "the document" } else { at }
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn bound(schema: &Value, keyword: &str, otherwise: usize) -> usize {
    schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise)
}

/// The schema's own spelling of a key.
fn known<'a>(properties: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    match properties.get_key_value(key) {
        Some((name, _)) => Some(name),
        None => properties.keys().find(|name| name.eq_ignore_ascii_case(key)).map(String::as_str),
    }
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn type_words(name: &str) -> &str {
    match name {
        "object" => "an object with fields",
        "array" => "a list",
        "string" => "text",
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        other => other,
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(b) => format!("the boolean `{b}`"),
        Value::Number(n) => format!("the number `{n}`"),
        Value::String(text) if text.chars().count() > 60 => {
            format!("the text `{}…`", text.chars().take(57).collect::<String>())
        }
        Value::String(text) => format!("the text `{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Follows `$ref`s inside the schema.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..REFERENCES {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn normalise(value: Value, schema: &Value, root: &Value) -> Value {
    let schema = resolve(root, schema);
    match value {
        Value::Object(map) => {
            let empty = Map::new();
            let declared = schema.get("properties").and_then(Value::as_object);
            let properties = declared.unwrap_or(&empty);
            let additional = schema.get("additionalProperties").filter(|a| a.is_object());
            let mut out = Map::with_capacity(map.len());
            for (key, value) in map {
                let name = known(properties, &key).map(str::to_owned);
                if declared.is_some() && value.is_null() {
                    continue;
                }
                let inner = name.as_ref().and_then(|name| properties.get(name)).or(additional);
                let value = match inner {
                    Some(inner) => normalise(value, inner, root),
                    None => value,
                };
                out.entry(name.unwrap_or(key)).or_insert(value);
            }
            Value::Object(out)
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else {
                return Value::Array(items);
            };
            Value::Array(items.into_iter().map(|item| normalise(item, inner, root)).collect())
        }
        // The Go decoder makes nothing of a null inside a list or map: the zero value.
        Value::Null => match schema.get("type").and_then(Value::as_str) {
            Some("string") => Value::String(String::new()),
            Some("object") => Value::Object(Map::new()),
            _ => Value::Null,
        },
        Value::Number(n) if schema.get("x-text") == Some(&Value::Bool(true)) => Value::String(n.to_string()),
        other => other,
    }
}
