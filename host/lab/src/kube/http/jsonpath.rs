//! The part of JSONPath that printer columns use: fields, indexes, `[*]` and `[?(@.a=="b")]`.

use serde_json::Value;

enum Step {
    Field(String),
    Index(i64),
    All,
    Where(Vec<String>, String),
}

/// The first value that a path leads to.
pub(super) fn first(value: &Value, path: &str) -> Option<Value> {
    all(value, path).into_iter().next()
}

/// The values that a path leads to.
pub(super) fn all(value: &Value, path: &str) -> Vec<Value> {
    let mut current = vec![value];
    for step in parse(path) {
        let mut next = Vec::new();
        for value in current {
            match &step {
                Step::Field(name) => next.extend(value.get(name)),
                Step::Index(at) => {
                    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    let at = if *at < 0 { at + i64::try_from(list.len()).unwrap_or_default() } else { *at };
                    next.extend(usize::try_from(at).ok().and_then(|at| list.get(at)));
                }
                Step::All => match value {
                    Value::Array(list) => next.extend(list),
                    Value::Object(map) => next.extend(map.values()),
                    _ => {}
                },
                Step::Where(path, wanted) => {
                    next.extend(value.as_array().into_iter().flatten().filter(|item| {
                        let found = path.iter().try_fold(*item, |value, step| value.get(step));
                        match found {
                            Some(Value::String(text)) => text == wanted,
                            Some(Value::Bool(flag)) => wanted == if *flag { "true" } else { "false" },
                            Some(Value::Number(number)) => wanted.parse().ok().as_ref() == Some(number),
                            _ => false,
                        }
                    }));
                }
            }
        }
        current = next;
    }
    current.into_iter().cloned().collect()
}

fn parse(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('.') {
            let mut name = String::new();
            let mut end = tail.len();
            let mut escaped = false;
            for (at, character) in tail.char_indices() {
                match character {
                    _ if escaped => {
                        name.push(character);
                        escaped = false;
                    }
                    '\\' => escaped = true,
                    '.' | '[' => {
                        end = at;
                        break;
                    }
                    _ => name.push(character),
                }
            }
            if !name.is_empty() {
                steps.push(if name == "*" { Step::All } else { Step::Field(name) });
            }
            rest = tail.get(end..).unwrap_or_default();
        } else if let Some(tail) = rest.strip_prefix('[') {
            let filter = tail.starts_with('?');
            let close = if filter { tail.find(")]").map(|at| at + 1) } else { tail.find(']') };
            let Some(close) = close else { return steps };
            steps.extend(bracket(tail.get(..close).unwrap_or_default()));
            rest = tail.get(close + 1..).unwrap_or_default();
        } else {
            rest = rest.get(rest.find(['.', '[']).unwrap_or(rest.len())..).unwrap_or_default();
        }
    }
    steps
}

fn bracket(text: &str) -> Option<Step> {
    let quoted = |text: &str| text.trim().trim_matches(['"', '\'']).replace("\\.", ".");
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (left, right) = filter.split_once("==")?;
        let path = left.trim().strip_prefix("@.")?;
        let path = path.split('.').map(str::to_owned).collect();
        return Some(Step::Where(path, quoted(right)));
    }
    if let Ok(at) = text.parse() {
        return Some(Step::Index(at));
    }
    Some(Step::Field(quoted(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_printer_columns() {
        let value = json!({
            "metadata": {"labels": {"a.b/c": "x"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
            "spec": {"list": [1, 2]},
        });
        assert_eq!(first(&value, ".metadata.labels.a\\.b/c"), Some(json!("x")));
        assert_eq!(first(&value, ".metadata.labels['a\\.b/c']"), Some(json!("x")));
        assert_eq!(first(&value, ".status.conditions[?(@.type==\"Ready\")].status"), Some(json!("True")));
        assert_eq!(first(&value, ".status.conditions[?(@.type=='Other')].status"), Some(json!("False")));
        assert_eq!(all(&value, ".spec.list[*]"), vec![json!(1), json!(2)]);
        assert_eq!(first(&value, ".spec.list[1]"), Some(json!(2)));
        assert_eq!(first(&value, ".spec.missing.deep"), None);
    }
}
