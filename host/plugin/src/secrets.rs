//! Secrets: values that the host knows and no component sees.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kedge_spec::provider::{Description, SecretNeed};
use serde_json::Value;

use crate::error::SecretError;

/// How a value is written where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As it is.
    Plain,
    /// Escaped for XML text and attributes.
    Xml,
    /// Escaped for the inside of a JSON string.
    Json,
    /// Base64 with padding.
    Base64,
}

impl Encoding {
    /// By the name it has in references.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "plain" => Some(Self::Plain),
            "xml" => Some(Self::Xml),
            "json" => Some(Self::Json),
            "base64" => Some(Self::Base64),
            _ => None,
        }
    }

    fn encode(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Base64 => BASE64.encode(value),
            Self::Json => {
                let quoted = Value::from(value).to_string();
                quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
            }
            Self::Xml => {
                let mut out = String::with_capacity(value.len());
                for c in value.chars() {
                    match c {
                        '&' => out.push_str("&amp;"),
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '"' => out.push_str("&quot;"),
                        '\'' => out.push_str("&apos;"),
                        // A parser would turn these into something else.
                        '\r' | '\n' | '\t' => {
                            let _ = write!(out, "&#{};", u32::from(c));
                        }
                        c => out.push(c),
                    }
                }
                out
            }
        }
    }
}

/// What stands where a value stood.
const MASK: &str = "***";
/// Values of at least this many bytes are masked wherever they stand; shorter ones as whole words alone.
const UNMISTAKABLE: usize = 8;
/// Values shorter than this are never masked: they would be everywhere.
const TOO_SHORT: usize = 3;
const OPEN: &str = "${kedge.secret/";

/// The secrets of one provider, by their names in its description.
#[derive(Default)]
pub struct SecretStore {
    needs: Vec<SecretNeed>,
    values: BTreeMap<String, String>,
    /// All written forms of all values, longest first, made once.
    forms: Vec<String>,
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStore").field("available", &self.values.keys()).finish_non_exhaustive()
    }
}

impl SecretStore {
    /// Reads the secrets of a description, through `lookup` from the name of an environment variable to its value. The
    /// first variable that is set and not empty wins.
    pub fn from_lookup(description: &Description, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut values = BTreeMap::new();
        for need in &description.secrets {
            if let Some(value) = need.environment.iter().filter_map(|e| lookup(e)).find(|v| !v.is_empty()) {
                values.insert(need.name.clone(), value);
            }
        }
        let mut forms: Vec<String> = values
            .values()
            .flat_map(|v| [Encoding::Plain, Encoding::Xml, Encoding::Json, Encoding::Base64].map(|e| e.encode(v)))
            .filter(|form| form.len() >= TOO_SHORT)
            .collect();
        // Two secrets of one endpoint may have gone out as `user:password`.
        for (a, user) in &values {
            for (b, password) in &values {
                if a != b {
                    forms.push(BASE64.encode(format!("{user}:{password}")));
                }
            }
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { needs: description.secrets.clone(), values, forms }
    }

    /// The secrets that a create can't go without and that have no value.
    pub fn missing_required(&self) -> Vec<&SecretNeed> {
        self.needs.iter().filter(|n| n.required && !self.values.contains_key(&n.name)).collect()
    }

    /// All secrets of the description.
    pub fn needs(&self) -> &[SecretNeed] {
        &self.needs
    }

    /// Whether there is a value.
    pub fn available(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether two secrets have values, and the same one.
    pub fn same(&self, a: &str, b: &str) -> bool {
        matches!((self.values.get(a), self.values.get(b)), (Some(a), Some(b)) if a == b)
    }

    /// The value for a request to an endpoint.
    pub(crate) fn for_endpoint(&self, name: &str, endpoint: &str, encoding: Encoding) -> Result<String, SecretError> {
        let need = self.need(name)?;
        if need.endpoint.as_deref() != Some(endpoint) {
            return Err(SecretError::WrongEndpoint { name: name.to_owned(), endpoint: endpoint.to_owned() });
        }
        self.value(need).map(|v| encoding.encode(v))
    }

    fn need(&self, name: &str) -> Result<&SecretNeed, SecretError> {
        self.needs.iter().find(|n| n.name == name).ok_or_else(|| SecretError::Undeclared(name.to_owned()))
    }

    fn value(&self, need: &SecretNeed) -> Result<&str, SecretError> {
        self.values
            .get(&need.name)
            .map(String::as_str)
            .ok_or_else(|| SecretError::Missing { name: need.name.clone(), environment: need.environment.clone() })
    }

    /// Puts values in where a Secret object refers to them: `${kedge.secret/NAME}`, `${kedge.secret/NAME|ENCODING}` or
    /// `${kedge.secret/USER|basic:PASSWORD}` in a value of `stringData`. Objects without references stay as they are; a reference anywhere else is an error,
    /// and then nothing is changed.
    pub fn fill(&self, object: &mut Value) -> Result<(), SecretError> {
        let is_secret = object.get("kind").and_then(Value::as_str) == Some("Secret")
            && object.get("apiVersion").and_then(Value::as_str) == Some("v1");
        let mut filled = Vec::new();
        self.walk(object, "", is_secret, &mut filled)?;
        if let Some(data) = object.get_mut("stringData").and_then(Value::as_object_mut) {
            for (key, value) in filled {
                data.insert(key, Value::from(value));
            }
        }
        Ok(())
    }

    fn walk(
        &self,
        value: &Value,
        path: &str,
        is_secret: bool,
        filled: &mut Vec<(String, String)>,
    ) -> Result<(), SecretError> {
        match value {
            Value::String(text) if text.contains(OPEN) => match path.strip_prefix("stringData.") {
                Some(key) if is_secret => {
                    filled.push((key.to_owned(), self.expand(text, path)?));
                    Ok(())
                }
                _ => Err(SecretError::Misplaced(path.to_owned())),
            },
            Value::Array(items) => {
                items.iter().enumerate().try_for_each(|(i, v)| self.walk(v, &format!("{path}[{i}]"), false, filled))
            }
            Value::Object(fields) => fields.iter().try_for_each(|(key, v)| {
                if key.contains(OPEN) {
                    return Err(SecretError::Misplaced(path.to_owned()));
                }
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                // Directly in `stringData`, not deeper.
                self.walk(v, &below, is_secret && (path.is_empty() || path == "stringData"), filled)
            }),
            _ => Ok(()),
        }
    }

    fn expand(&self, text: &str, path: &str) -> Result<String, SecretError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            out.push_str(before);
            let (reference, tail) = after.split_once('}').ok_or_else(|| SecretError::Unclosed(path.to_owned()))?;
            let (name, encoding) = reference.split_once('|').unwrap_or((reference, "plain"));
            let value = self.value(self.need(name)?)?;
            // `user:password` in base64, the password by its own name.
            if let Some(password) = encoding.strip_prefix("basic:") {
                let password = self.value(self.need(password)?)?;
                out.push_str(&BASE64.encode(format!("{value}:{password}")));
            } else {
                let encoding =
                    Encoding::named(encoding).ok_or_else(|| SecretError::UnknownEncoding(encoding.to_owned()))?;
                out.push_str(&encoding.encode(value));
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// A text without the values of secrets, in whatever encoding they stand in it. For everything that is shown or
    /// written, and for what a component reads from servers.
    ///
    /// Values shorter than eight bytes are masked as whole words only, and not where they are the name of an XML tag
    /// or of a JSON field: a user called `user` must not make replies unreadable. Shorter than three: never.
    pub fn redact(&self, text: &str) -> String {
        match self.redact_bytes(text.as_bytes()) {
            // Only whole forms are replaced, and those begin and end at character borders.
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text.to_owned(),
        }
    }

    /// The same for bytes; none if there is nothing to mask.
    pub(crate) fn redact_bytes(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        for form in &self.forms {
            let current = out.as_deref().unwrap_or(text);
            if let Some(masked) = mask(current, form.as_bytes()) {
                out = Some(masked);
            }
        }
        out
    }
}

fn mask(text: &[u8], form: &[u8]) -> Option<Vec<u8>> {
    let first = *form.first()?;
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(tail) = text.get(at..) {
        let Some(step) = tail.iter().position(|b| *b == first) else { break };
        at += step;
        let after = text.get(at..).unwrap_or_default();
        if after.starts_with(form) && stands_alone(text, at, form.len()) {
            out.extend_from_slice(text.get(copied..at).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
            at += form.len();
            copied = at;
        } else {
            at += 1;
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Some(out)
}

fn stands_alone(text: &[u8], at: usize, length: usize) -> bool {
    if length >= UNMISTAKABLE {
        return true;
    }
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-' || *b >= 0x80;
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at + length..).unwrap_or_default();
    if before.last().is_some_and(word) || after.first().is_some_and(word) {
        return false;
    }
    let tag =
        before.ends_with(b"<") || before.ends_with(b"</") || (before.ends_with(b":") && after.first() == Some(&b'>'));
    let field = before.ends_with(b"\"") && {
        let mut rest = after.iter().skip(1).skip_while(|b| b.is_ascii_whitespace());
        after.first() == Some(&b'"') && rest.next() == Some(&b':')
    };
    let attribute = after.first() == Some(&b'=') && before.last().is_some_and(u8::is_ascii_whitespace);
    !(tag || field || attribute)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::sample::description;

    fn store() -> SecretStore {
        SecretStore::from_lookup(&description(), |name| match name {
            "LAB_USER" => Some("user".into()),
            "LAB_PASSWORD" => Some("p<&\"ss'wörd".into()),
            _ => None,
        })
    }

    #[test]
    fn values_come_in_the_encoding_asked_for_and_to_their_endpoint_alone() {
        let store = store();
        let get = |e| store.for_endpoint("password", "lab", e).unwrap();
        assert_eq!(get(Encoding::Plain), "p<&\"ss'wörd");
        assert_eq!(get(Encoding::Xml), "p&lt;&amp;&quot;ss&apos;wörd");
        assert_eq!(get(Encoding::Json), "p<&\\\"ss'wörd");
        assert_eq!(get(Encoding::Base64), BASE64.encode("p<&\"ss'wörd"));
        assert!(matches!(
            store.for_endpoint("password", "other", Encoding::Plain),
            Err(SecretError::WrongEndpoint { .. })
        ));
        assert!(matches!(store.for_endpoint("nope", "lab", Encoding::Plain), Err(SecretError::Undeclared(_))));
        assert!(matches!(
            store.for_endpoint("cp-password", "lab", Encoding::Plain),
            Err(SecretError::WrongEndpoint { .. })
        ));
    }

    #[test]
    fn a_secret_object_is_filled_and_nothing_else() {
        let store = store();
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {
            "basic": "Basic ${kedge.secret/username|basic:password}",
            "username": "${kedge.secret/username}", "both": "u=${kedge.secret/username} p=\"${kedge.secret/password|json}\"", "plain": "x"}});
        store.fill(&mut secret).unwrap();
        assert_eq!(
            secret["stringData"],
            json!({
                "basic": format!("Basic {}", BASE64.encode("user:p<&\"ss'wörd")),
                "username": "user",
                "both": "u=user p=\"p<&\\\"ss'wörd\"",
                "plain": "x",
            })
        );

        for (bad, wanted) in [
            (
                json!({"apiVersion": "v1", "kind": "ConfigMap", "stringData": {"a": "${kedge.secret/username}"}}),
                SecretError::Misplaced("stringData.a".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "${kedge.secret/username}"}}),
                SecretError::Misplaced("metadata.name".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": {"b": "${kedge.secret/username}"}}}),
                SecretError::Misplaced("stringData.a.b".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": ["${kedge.secret/username}"]}}),
                SecretError::Misplaced("data.a[0]".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "${kedge.secret/nope}"}}),
                SecretError::Undeclared("nope".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "${kedge.secret/username|rot13}"}}),
                SecretError::UnknownEncoding("rot13".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "${kedge.secret/username"}}),
                SecretError::Unclosed("stringData.a".into()),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "${kedge.secret/cp-password}"}}),
                SecretError::Missing { name: "cp-password".into(), environment: vec!["LAB_CP_PASSWORD".into()] },
            ),
        ] {
            let mut object = bad.clone();
            assert_eq!(store.fill(&mut object).unwrap_err(), wanted, "{bad}");
            assert_eq!(object, bad);
        }
    }

    #[test]
    fn values_are_masked_in_every_encoding_and_markup_survives() {
        let store = store();
        let password = "p<&\"ss'wörd";
        for form in [Encoding::Plain, Encoding::Xml, Encoding::Json, Encoding::Base64].map(|e| e.encode(password)) {
            assert_eq!(store.redact(&format!("x{form}y")), "x***y");
        }
        assert_eq!(store.redact(&BASE64.encode(format!("user:{password}"))), "***");
        assert_eq!(store.redact("<userName>user</userName>"), "<userName>***</userName>");
        assert_eq!(store.redact("<user>user</user>"), "<user>***</user>");
        assert_eq!(store.redact(r#"{"user": "user"}"#), r#"{"user": "***"}"#);
        assert_eq!(store.redact("superuser users"), "superuser users");
        assert!(store.redact_bytes(b"nothing here").is_none());
    }

    #[test]
    fn the_debug_form_holds_no_value() {
        assert!(!format!("{:?}", store()).contains("wörd"));
        assert_eq!(store().missing_required().len(), 0);
        let none = SecretStore::from_lookup(&description(), |_| Some(String::new()));
        assert_eq!(
            none.missing_required().iter().map(|n| n.name.as_str()).collect::<Vec<_>>(),
            ["username", "password"]
        );
    }
}
