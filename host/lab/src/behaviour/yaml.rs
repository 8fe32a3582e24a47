//! YAML as Kubernetes reads it, for manifests that are data of ConfigMaps and Secrets.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// The documents of a text, without empty ones.
///
/// # Errors
/// What is wrong with the text, for a person.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|wrong| wrong.to_string())?;
        builder.take(event)?;
    }
    Ok(builder.documents)
}

enum Open {
    Sequence(Vec<Value>, usize),
    Mapping(Map<String, Value>, Option<String>, usize),
}

#[derive(Default)]
struct Builder {
    documents: Vec<Value>,
    open: Vec<Open>,
    anchors: std::collections::HashMap<usize, Value>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if plain && !self.wants_key() { resolve(&text) } else { Value::String(text.into_owned()) };
                self.add(value, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.open.push(Open::Sequence(Vec::new(), anchor));
                Ok(())
            }
            Event::MappingStart(anchor, _) => {
                self.open.push(Open::Mapping(Map::new(), None, anchor));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Sequence(list, anchor)) => self.add(Value::Array(list), anchor),
                Some(Open::Mapping(map, _, anchor)) => self.add(Value::Object(map), anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().ok_or("an alias without its anchor")?;
                self.add(value, 0)
            }
            _ => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping(_, None, _)))
    }

    fn add(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => {
                if !value.is_null() {
                    self.documents.push(value);
                }
            }
            Some(Open::Sequence(list, _)) => list.push(value),
            Some(Open::Mapping(map, key, _)) => match key.take() {
                Some(name) => {
                    map.insert(name, value);
                }
                None => match value {
                    Value::String(name) => *key = Some(name),
                    _ => return Err("a key that is no text".to_owned()),
                },
            },
        }
        Ok(())
    }
}

/// A plain scalar, by the rules of YAML 1.1 that Kubernetes' parser keeps: `true`, `yes` and `on` are booleans only where its decoder takes them as such,
/// which for manifests means `true` and `false`.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        if let Ok(number) = text.trim_start_matches('+').parse::<i64>()
            && (digits == "0" || !digits.starts_with('0'))
        {
            return Value::Number(number.into());
        }
        if digits.len() > 1 && digits.starts_with('0') && digits.chars().all(|one| one.is_digit(8)) {
            // `0640` is octal in YAML 1.1.
            return i64::from_str_radix(digits, 8).map_or_else(|_| Value::String(text.to_owned()), Value::from);
        }
        if digits.chars().all(|one| one.is_ascii_digit() || matches!(one, '.' | 'e' | 'E' | '+' | '-'))
            && digits.chars().filter(|one| *one == '.').count() <= 1
            && let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64)
        {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn manifests_of_every_style_are_read() {
        let text = "# head\napiVersion: v1\nkind: Pod\nspec: {a: [1, -2, 1.5, \"3\"], b: 'true', c: true, d: ~}\n---\n---\nx: &one\n  y: |\n    line\ny: *one\nv: 1.2.3\noct: 0640\n";
        let documents = documents(text).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0]["spec"], json!({"a": [1, -2, 1.5, "3"], "b": "true", "c": true, "d": null}));
        assert_eq!(documents[1], json!({"x": {"y": "line\n"}, "y": {"y": "line\n"}, "v": "1.2.3", "oct": 416}));
    }

    #[test]
    fn every_file_of_the_embedded_release_is_read() {
        for (path, text) in crate::release::embedded().files() {
            let found = documents(text).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
            assert!(!found.is_empty(), "{path} is empty");
            assert!(found.iter().all(|one| one["kind"].is_string()), "{path} has a document without a kind");
        }
    }

    #[test]
    fn a_broken_text_is_refused() {
        assert!(documents("a: [1").is_err());
        assert!(documents("a:\n\tb: 1").is_err());
    }
}
