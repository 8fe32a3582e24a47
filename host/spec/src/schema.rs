//! A walk along a JSON Schema that says what is wrong in the words of a spec's author.
//!
//! The subset: `type` (one or several), `properties`, `required`, `enum`, `minimum`, `maximum`, `pattern`,
//! `minLength`, `maxLength`, `items`, `minItems`, `maxItems`, `additionalProperties` (a boolean or a schema) and
//! `$ref` to `#/$defs/…`. Other keywords are ignored. An object with `properties` and without `additionalProperties`
//! is closed: what an unknown field means is for [`Unknown`] to say. `null` counts as absent, and keys match in any
//! case, as they do for the Go decoder of Kubernetes. As there, too, a number or boolean where text is wanted is its
//! text, which is a warning, and `3.0` is a whole number. `description` is the remedy for a value that is refused.
//!
//! One keyword is this crate's own: `x-text: true` marks text that is often written as a number, without a warning.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use crate::finding::{Finding, ObjectRef};
use crate::{path, suggest};

/// How many `$ref`s may follow one another without a step into the document.
const REFERENCES: usize = 16;

/// How many findings one document gets. Who has more has the wrong file, or means harm.
const MOST: usize = 200;

/// Numbers from here on have an exponent when Go writes them, and are not taken for text.
const PLAIN_NUMBER: f64 = 1e6;

/// What becomes of a field that a schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is an error.
    Refused,
    /// It is a warning, and the field is dropped: what EKS Anywhere's reader does without a word.
    Dropped,
}

/// Everything in a document that its schema does not allow.
pub fn findings(document: &ObjectRef, value: &Value, schema: &Value, unknown: Unknown) -> Vec<Finding> {
    let mut walk = Walk { document, root: schema, unknown, patterns: HashMap::new(), found: Vec::new() };
    walk.value(value, schema, "");
    walk.found
}

/// The same value with keys spelled as the schema has them, nulls dropped, numbers and booleans as text where text is
/// wanted, and without unknown fields if these are to be dropped.
#[must_use]
pub fn normalised(value: Value, schema: &Value, unknown: Unknown) -> Value {
    normalise(value, schema, schema, unknown)
}

struct Walk<'a> {
    document: &'a ObjectRef,
    root: &'a Value,
    unknown: Unknown,
    /// Compiled once a document: a pattern may stand for a thousand values.
    patterns: HashMap<&'a str, Option<regex::Regex>>,
    found: Vec<Finding>,
}

impl<'a> Walk<'a> {
    fn say(&mut self, code: &str, at: &str, message: String, remedy: impl Into<String>) {
        self.found.push(Finding::error(code, message).at(self.document, at).remedy(remedy));
    }

    fn value(&mut self, value: &Value, schema: &'a Value, at: &str) {
        let schema = resolve(self.root, schema);
        if value.is_null() || schema.as_object().is_none() || self.found.len() >= MOST {
            return;
        }
        let value = self.as_text(value, schema, at);
        let value = value.as_ref();
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

    /// The text of a number or boolean that stands where text is wanted. Anything else as it is.
    fn as_text<'v>(&mut self, value: &'v Value, schema: &Value, at: &str) -> Cow<'v, Value> {
        let Some(text) = text_of(value, schema) else { return Cow::Borrowed(value) };
        if schema.get("x-text") != Some(&Value::Bool(true)) {
            let message = format!("`{}` is {}, and is read as the text `{text}`", shown(at), described(value));
            let remedy = format!("put what is meant in quotes, for example `\"{text}\"`");
            self.found.push(Finding::warning("not-quoted", message).at(self.document, at).remedy(remedy));
        }
        Cow::Owned(Value::String(text))
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

    fn restricted(&mut self, value: &Value, schema: &'a Value, at: &str) {
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).filter(|name| !name.is_empty()).collect();
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

    fn text(&mut self, text: &str, schema: &'a Value, at: &str) {
        let length = text.chars().count();
        if length < bound(schema, "minLength", 0) {
            self.say("value-empty", at, format!("`{}` is empty", shown(at)), description(schema));
        } else if length > bound(schema, "maxLength", usize::MAX) {
            let message = format!("`{}` has {length} characters, which is too long", shown(at));
            self.say("value-too-long", at, message, description(schema));
        } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && let Some(regex) = self.pattern(pattern)
            && !regex.is_match(text)
        {
            let remedy = match description(schema) {
                none if none.is_empty() => format!("it has to match `{pattern}`"),
                described => described,
            };
            self.say("value-malformed", at, format!("`{}` can't be `{text}`", shown(at)), remedy);
        }
    }

    fn pattern(&mut self, pattern: &'a str) -> Option<&regex::Regex> {
        let compiled = self.patterns.entry(pattern);
        compiled.or_insert_with(|| regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()).as_ref()
    }

    fn array(&mut self, items: &[Value], schema: &'a Value, at: &str) {
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

    fn object(&mut self, map: &Map<String, Value>, schema: &'a Value, at: &str) {
        let declared = schema.get("properties").and_then(Value::as_object);
        let properties: Properties<'a> = declared.into();
        let additional = schema.get("additionalProperties");
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in map {
            if self.found.len() >= MOST {
                return;
            }
            if let Some((name, inner)) = properties.known(key) {
                let here = path::join(at, name);
                if seen.contains(&name) {
                    let message = format!("`{here}` stands here twice, in two spellings");
                    self.say("duplicate-key", &path::join(at, key), message, "keep one of the two");
                }
                seen.push(name);
                self.value(value, inner, &here);
                continue;
            }
            let here = path::join(at, key);
            match additional {
                Some(Value::Bool(false)) => self.unknown(&properties, key, at),
                Some(inner @ Value::Object(_)) => self.value(value, inner, &here),
                None if declared.is_some() => self.unknown(&properties, key, at),
                _ => {}
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let present = map.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
            // A misspelt field is said to be unknown, with this one as what was meant.
            let misspelt = self.unknown == Unknown::Refused
                && map.keys().any(|key| {
                    properties.known(key).is_none() && suggest::nearest(key, properties.names()) == Some(name)
                });
            if !present && !misspelt {
                let here = path::join(at, name);
                let inner = properties.known(name);
                let remedy = inner.map(|(_, inner)| description(resolve(self.root, inner))).unwrap_or_default();
                let remedy = if remedy.is_empty() { format!("add `{name}`") } else { remedy };
                self.say("missing-field", &here, format!("`{here}` is missing"), remedy);
            }
        }
    }

    fn unknown(&mut self, properties: &Properties<'_>, key: &str, at: &str) {
        let place = if at.is_empty() { "at the top of the document".to_owned() } else { format!("in `{at}`") };
        let remedy = suggest::remedy(key, properties.names());
        let here = path::join(at, key);
        let message = format!("there is no field `{key}` {place}");
        match self.unknown {
            Unknown::Refused => self.say("unknown-field", &here, message, remedy),
            Unknown::Dropped => self.found.push(
                Finding::warning("unknown-field", format!("{message}, and it is left out"))
                    .at(self.document, here)
                    .remedy(remedy),
            ),
        }
    }
}

/// The properties that a schema declares.
struct Properties<'a>(Option<&'a Map<String, Value>>);

impl<'a> From<Option<&'a Map<String, Value>>> for Properties<'a> {
    fn from(declared: Option<&'a Map<String, Value>>) -> Self {
        Self(declared)
    }
}

impl<'a> Properties<'a> {
    /// The schema's own spelling of a key, and what it says about it.
    fn known(&self, key: &str) -> Option<(&'a str, &'a Value)> {
        let map = self.0?;
        let exact = map.get_key_value(key);
        exact.or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))).map(|(n, v)| (n.as_str(), v))
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.into_iter().flat_map(|map| map.keys().map(String::as_str))
    }
}

/// What the Go decoder makes of a number or boolean where text is wanted.
fn text_of(value: &Value, schema: &Value) -> Option<String> {
    let wants = |name: &str| match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|t| t == name),
        _ => false,
    };
    let text = schema.get("x-text") == Some(&Value::Bool(true)) || wants("string") && !wants("integer");
    match value {
        Value::Bool(b) if wants("string") && !wants("boolean") => Some(b.to_string()),
        Value::Number(n) if text && (n.is_i64() || n.is_u64()) => Some(n.to_string()),
        Value::Number(n) if text => n.as_f64().filter(|f| f.abs() < PLAIN_NUMBER).map(|f| f.to_string()),
        _ => None,
    }
}

/// A number without a fraction as an integer.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < PLAIN_NUMBER)?;
    format!("{float:.0}").parse().ok()
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

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64() || matches!(value, Value::Number(n) if whole(n).is_some()),
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

fn normalise(value: Value, schema: &Value, root: &Value, unknown: Unknown) -> Value {
    let schema = resolve(root, schema);
    if let Some(text) = text_of(&value, schema) {
        return Value::String(text);
    }
    match value {
        Value::Object(map) => {
            let declared = schema.get("properties").and_then(Value::as_object);
            let properties: Properties<'_> = declared.into();
            let additional = schema.get("additionalProperties");
            let closed = match additional {
                Some(Value::Bool(open)) => !open,
                Some(_) => false,
                None => declared.is_some(),
            };
            let mut out = Map::with_capacity(map.len());
            for (key, value) in map {
                let known = properties.known(&key);
                let dropped = unknown == Unknown::Dropped && closed && known.is_none();
                if dropped || (declared.is_some() && value.is_null()) {
                    continue;
                }
                let inner = known.map(|(_, inner)| inner).or(additional.filter(|a| a.is_object()));
                let value = match inner {
                    Some(inner) => normalise(value, inner, root, unknown),
                    None => value,
                };
                out.entry(known.map_or(key, |(name, _)| name.to_owned())).or_insert(value);
            }
            Value::Object(out)
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else {
                return Value::Array(items);
            };
            Value::Array(items.into_iter().map(|item| normalise(item, inner, root, unknown)).collect())
        }
        // The Go decoder makes nothing of a null inside a list or map: the zero value.
        Value::Null => match schema.get("type").and_then(Value::as_str) {
            Some("string") => Value::String(String::new()),
            Some("object") => Value::Object(Map::new()),
            _ => Value::Null,
        },
        Value::Number(n) if schema.get("type").is_some_and(|t| t == "integer") && n.is_f64() => {
            whole(&n).map_or(Value::Number(n), Value::from)
        }
        other => other,
    }
}
