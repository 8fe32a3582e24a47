//! YAML for tests: enough for specs, strict about nothing. The host reads a user's file with more care.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// All documents of a text.
pub(super) fn parse(text: &str) -> Vec<Value> {
    let mut open: Vec<Open> = vec![];
    let mut documents = vec![];
    for event in Parser::new_from_str(text) {
        let (event, _) = event.unwrap_or_else(|error| unreadable(&error.to_string()));
        let value = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(vec![]));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::Array(list),
                Some(Open::Map(map, _)) => Value::Object(map),
                None => unreadable("a collection ends that did not start"),
            },
            Event::Scalar(text, style, _, _) => scalar(&text, style),
            Event::Alias(_) => unreadable("aliases are not for tests"),
            _ => continue,
        };
        match open.last_mut() {
            None => documents.push(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => {
                    map.insert(key, value);
                }
                None => *key = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            },
        }
    }
    documents.retain(|document| !document.is_null());
    documents
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}

#[expect(clippy::panic, reason = "a test's own text is wrong: nobody is served by going on")]
fn unreadable(why: &str) -> ! {
    panic!("the text is no YAML: {why}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_specs_are_made_of() {
        let text = "a: {b: [1, 'x', \"1.31\"]}\nc: |\n  two\n  lines\n---\nd: ~\ne: true\n";
        assert_eq!(
            parse(text),
            [json!({"a": {"b": [1, "x", "1.31"]}, "c": "two\nlines\n"}), json!({"d": null, "e": true})]
        );
    }
}
