//! Manifests in a form in which only their meaning is left: lists that are sets or tables in one order, texts that are
//! documents taken apart, generated names alike, secrets by their values.

use std::collections::BTreeMap;

use kedge_spec::Source;
use serde_json::{Map, Value};

/// What secrets are, here and in the referee's environment.
const SECRETS: [(&str, &str); 6] = [
    ("username", "user"),
    ("password", "password"),
    ("cp-username", "user"),
    ("cp-password", "password"),
    ("registry-username", "registry-user"),
    ("registry-password", "registry-password"),
];

/// Objects by kind and name.
pub(crate) struct Rendering {
    pub(crate) objects: BTreeMap<(String, String), Value>,
}

/// One field that differs.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) object: String,
    pub(crate) field: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

impl Rendering {
    pub(crate) fn of(documents: Vec<Value>) -> Self {
        let secrets = secrets(&documents);
        let mut objects = BTreeMap::new();
        for document in documents {
            let kind = document["kind"].as_str().unwrap_or_default().to_owned();
            let name = generic(document["metadata"]["name"].as_str().unwrap_or_default(), &kind);
            let mut normal = normal(&document, "", &kind, &secrets);
            if let Some(metadata) = normal.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("name".into(), Value::from(name.clone()));
            }
            objects.insert((kind, name), normal);
        }
        Self { objects }
    }
}

/// The values of the Secrets among the documents: what files are filled from.
fn secrets(documents: &[Value]) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    for secret in documents.iter().filter(|d| d["kind"] == "Secret") {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        for (key, value) in secret["stringData"].as_object().into_iter().flatten() {
            all.insert((name.to_owned(), key.clone()), filled(value.as_str().unwrap_or_default()));
        }
    }
    all
}

/// A text with the values of the secrets that it refers to.
fn filled(text: &str) -> String {
    let value = |name: &str| SECRETS.iter().find(|(known, _)| *known == name).map_or("?", |(_, value)| *value);
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${kedge.secret/") {
        out.push_str(before);
        let (reference, tail) = after.split_once('}').unwrap();
        match reference.split_once('|') {
            None => out.push_str(value(reference)),
            Some((name, "base64")) => out.push_str(&base64(value(name))),
            Some((name, how)) => match how.strip_prefix("basic:") {
                Some(password) => out.push_str(&base64(&format!("{}:{}", value(name), value(password)))),
                None => out.push_str(value(name)),
            },
        }
        rest = tail;
    }
    out + rest
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(text: &str) -> String {
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            out.push(if place <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    out
}

fn unbase64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'=').collect();
    for chunk in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in chunk {
            bits = (bits << 6) | u32::try_from(ALPHABET.iter().position(|known| known == digit)?).ok()?;
        }
        bits <<= 6 * (4 - chunk.len());
        let whole = bits.to_be_bytes();
        bytes.extend_from_slice(&whole[1..chunk.len()]);
    }
    String::from_utf8(bytes).ok()
}

/// A generated name without the part that is generated.
fn generic(name: &str, kind: &str) -> String {
    let generated = kind.ends_with("Template");
    match name.rsplit_once('-') {
        Some((base, "1")) if generated => format!("{base}-*"),
        Some((base, end)) if generated && end.len() == 8 && end.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{base}-*")
        }
        _ => name.to_owned(),
    }
}

type Secrets = BTreeMap<(String, String), String>;

fn normal(value: &Value, at: &str, kind: &str, secrets: &Secrets) -> Value {
    match value {
        Value::Object(map) => object(map, at, kind, secrets),
        Value::Array(items) => list(items, at, kind, secrets),
        Value::String(text) => Value::from(filled(text)),
        other => other.clone(),
    }
}

fn object(map: &Map<String, Value>, at: &str, kind: &str, secrets: &Secrets) -> Value {
    let mut out = Map::new();
    for (key, value) in map {
        let below = format!("{at}.{key}");
        let mut normal = match (key.as_str(), value) {
            ("stringData" | "data", Value::Object(entries)) if kind == "Secret" && at.is_empty() => {
                let coded = key == "data";
                let entries = entries.iter().map(|(name, text)| {
                    let text = filled(text.as_str().unwrap_or_default());
                    let text = if coded { unbase64(&text).unwrap_or(text) } else { text };
                    (name.clone(), taken_apart(&text, name))
                });
                out.insert("data".into(), Value::Object(entries.collect()));
                continue;
            }
            ("data", Value::Object(entries)) if kind == "ConfigMap" && at.is_empty() => {
                let entries = entries.iter();
                Value::Object(
                    entries.map(|(k, v)| (k.clone(), taken_apart(v.as_str().unwrap_or_default(), k))).collect(),
                )
            }
            ("name", Value::String(name))
                if map.get("kind").is_some_and(|k| k.as_str().is_some_and(|k| k.ends_with("Template"))) =>
            {
                Value::from(generic(name, "Template"))
            }
            _ => normal(value, &below, kind, secrets),
        };
        // Text of one value, whether it was written as a list or not.
        if key == "cipherSuites" {
            normal = Value::from(normal.as_str().map_or_else(|| normal.to_string(), str::to_owned));
        }
        let empty = match &normal {
            Value::Null => true,
            Value::String(text) => text.is_empty() && key != "value" && !at.contains("abels"),
            Value::Array(items) => items.is_empty() && key != "taints",
            Value::Object(fields) => fields.is_empty() && !matches!(key.as_str(), "identity"),
            _ => false,
        };
        if !empty {
            out.insert(key.clone(), normal);
        }
    }
    Value::Object(out)
}

fn list(items: &[Value], at: &str, kind: &str, secrets: &Secrets) -> Value {
    // Files by their path, with what is in them.
    if at.ends_with(".files") {
        let entries = items.iter().map(|file| {
            let path = file["path"].as_str().unwrap_or_default().to_owned();
            let text = match file.pointer("/contentFrom/secret") {
                Some(from) => {
                    let part = |name: &str| from[name].as_str().unwrap_or_default().to_owned();
                    secrets.get(&(part("name"), part("key"))).cloned()
                }
                None => Some(file["content"].as_str().unwrap_or_default().to_owned()),
            };
            let mut entry = file.as_object().cloned().unwrap_or_default();
            if let Some(text) = text {
                entry.remove("contentFrom");
                entry.insert("content".into(), taken_apart(&filled(&text), &path));
            }
            (path, Value::Object(entry))
        });
        return Value::Object(entries.collect());
    }
    // Tables by their key.
    for key in ["name", "key", "registry"] {
        let keyed: Option<BTreeMap<String, Value>> = items
            .iter()
            .map(|item| Some((item.get(key)?.as_str()?.to_owned(), normal(item, &format!("{at}[]"), kind, secrets))))
            .collect();
        if let Some(keyed) = keyed.filter(|keyed| !keyed.is_empty()) {
            return Value::Object(keyed.into_iter().collect());
        }
    }
    Value::Array(items.iter().map(|item| normal(item, &format!("{at}[]"), kind, secrets)).collect())
}

/// A text that is a document, as what it says: YAML and JSON as values, objects of Kubernetes by their names, others by their
/// lines.
fn taken_apart(text: &str, name: &str) -> Value {
    let documented = [".yaml", ".json", ".conf"].iter().any(|end| name.ends_with(end)) || name == "data";
    if documented && let Ok(documents) = kedge_spec::yaml_documents(&Source::new(name, text)) {
        let documents: Vec<Value> = documents.into_iter().filter(|d| !d.is_null()).collect();
        if documents.iter().all(|d| d.is_object() || d.is_array()) && !documents.is_empty() {
            if documents.iter().all(|d| d.get("kind").is_some() && d.pointer("/metadata/name").is_some()) {
                let rendering = Rendering::of(documents);
                let entries = rendering.objects.into_iter();
                return Value::Object(
                    entries.map(|((kind, name), object)| (format!("{kind} {name}"), object)).collect(),
                );
            }
            let mut all: Vec<Value> = documents.iter().map(|d| normal(d, ".document", "", &Secrets::new())).collect();
            return if all.len() == 1 { all.remove(0) } else { Value::Array(all) };
        }
    }
    let lines: Vec<Value> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(Value::from).collect();
    Value::Array(lines)
}

/// Every field in which two renderings differ.
pub(crate) fn differences(theirs: &Rendering, ours: &Rendering) -> Vec<Difference> {
    let mut found = Vec::new();
    let keys: std::collections::BTreeSet<_> = theirs.objects.keys().chain(ours.objects.keys()).collect();
    for key in keys {
        compare(&key.0, "", theirs.objects.get(key), ours.objects.get(key), &key.1, &mut found);
    }
    found
}

fn compare(kind: &str, at: &str, theirs: Option<&Value>, ours: Option<&Value>, name: &str, out: &mut Vec<Difference>) {
    if theirs == ours {
        return;
    }
    let none = Map::new();
    let fields = match (theirs, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => Some((a, b)),
        // Labels and annotations are told one by one.
        (Some(Value::Object(a)), None) if at.contains("metadata") => Some((a, &none)),
        (None, Some(Value::Object(b))) if at.contains("metadata") => Some((&none, b)),
        _ => None,
    };
    if let Some((a, b)) = fields {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let below = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            compare(kind, &below, a.get(key), b.get(key), name, out);
        }
        return;
    }
    let show = |value: Option<&Value>| match value {
        None => "nothing".to_owned(),
        Some(value) => value.to_string().chars().take(160).collect(),
    };
    // A whole object is told by its name.
    let field = if at.is_empty() { name.to_owned() } else { at.to_owned() };
    out.push(Difference { object: kind.to_owned(), field, ours: show(ours), theirs: show(theirs) });
}
