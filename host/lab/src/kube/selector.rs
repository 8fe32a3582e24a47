//! Label and field selectors, in the API's query syntax and in objects.

use serde_json::Value;

use super::object;

/// A selector that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse requirement: {0}")]
pub struct InvalidSelector(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    Compare(String, bool, i64),
}

impl Requirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        let get = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        match self {
            Self::In(key, values) => get(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => get(key).is_none_or(|v| !values.iter().any(|w| w == v)),
            Self::Exists(key) => get(key).is_some(),
            Self::Missing(key) => get(key).is_none(),
            Self::Compare(key, greater, bound) => get(key)
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| if *greater { value > *bound } else { value < *bound }),
        }
    }
}

/// Which objects are meant, by their labels. The default selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Objects whose label `key` is `value`.
    pub fn equals(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { requirements: vec![Requirement::In(key.into(), vec![value.into()])] }
    }

    /// And whose label `key` is `value`.
    #[must_use]
    pub fn and(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.requirements.push(Requirement::In(key.into(), vec![value.into()]));
        self
    }

    /// Reads the query syntax: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// [`InvalidSelector`] with the part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(text) {
            let part = part.trim();
            if !part.is_empty() {
                requirements.push(parse_requirement(part)?);
            }
        }
        Ok(Self { requirements })
    }

    /// Reads a selector object: `matchLabels` and `matchExpressions`.
    ///
    /// # Errors
    /// [`InvalidSelector`] for an operator that does not exist.
    pub fn from_object(selector: &Value) -> Result<Self, InvalidSelector> {
        let mut requirements = Vec::new();
        if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
            for (key, value) in labels {
                let value = value.as_str().unwrap_or_default().to_owned();
                requirements.push(Requirement::In(key.clone(), vec![value]));
            }
        }
        let expressions = selector.get("matchExpressions").and_then(Value::as_array);
        for expression in expressions.into_iter().flatten() {
            let text = |field: &str| expression.get(field).and_then(Value::as_str);
            let key = text("key").unwrap_or_default().to_owned();
            let values = expression
                .get("values")
                .and_then(Value::as_array)
                .map(|values| values.iter().filter_map(Value::as_str).map(str::to_owned))
                .map(Iterator::collect)
                .unwrap_or_default();
            requirements.push(match text("operator").unwrap_or_default() {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Missing(key),
                other => return Err(InvalidSelector(format!("{other:?} is not an operator"))),
            });
        }
        Ok(Self { requirements })
    }

    /// Whether the object has such labels.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(object.pointer("/metadata/labels"))
    }

    /// Whether these labels (a map of strings) are such.
    pub fn matches_labels(&self, labels: Option<&Value>) -> bool {
        self.requirements.iter().all(|r| r.matches(labels))
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn check_key(key: &str, whole: &str) -> Result<String, InvalidSelector> {
    let key = key.trim();
    let good =
        !key.is_empty() && key.len() <= 317 && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if good { Ok(key.to_owned()) } else { Err(InvalidSelector(format!("invalid label key in {whole:?}"))) }
}

fn parse_requirement(part: &str) -> Result<Requirement, InvalidSelector> {
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Missing(check_key(key, part)?));
    }
    if let Some(open) = part.find('(') {
        let (head, tail) = part.split_at(open);
        let values = tail
            .trim()
            .strip_prefix('(')
            .and_then(|tail| tail.strip_suffix(')'))
            .ok_or_else(|| InvalidSelector(format!("found {part:?}, expected: ')'")))?
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let mut words = head.split_whitespace();
        let key = check_key(words.next().unwrap_or_default(), part)?;
        return match (words.next(), words.next()) {
            (Some("in"), None) => Ok(Requirement::In(key, values)),
            (Some("notin"), None) => Ok(Requirement::NotIn(key, values)),
            _ => Err(InvalidSelector(format!("found {part:?}, expected: in, notin"))),
        };
    }
    for (sign, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = part.split_once(sign) {
            let key = check_key(key, part)?;
            let values = vec![value.trim().to_owned()];
            return Ok(if equal { Requirement::In(key, values) } else { Requirement::NotIn(key, values) });
        }
    }
    for (sign, greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = part.split_once(sign) {
            let bound = value
                .trim()
                .parse()
                .map_err(|_| InvalidSelector(format!("for {part:?} the value must be an integer")))?;
            return Ok(Requirement::Compare(check_key(key, part)?, greater, bound));
        }
    }
    if part.contains(char::is_whitespace) {
        return Err(InvalidSelector(format!("found {part:?}, expected: '=', '!=', '==', 'in', notin'")));
    }
    Ok(Requirement::Exists(check_key(part, part)?))
}

/// A field selector: `metadata.name=a,status.phase!=Running`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector {
    requirements: Vec<(String, bool, String)>,
}

impl FieldSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidSelector> {
        let mut requirements = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = part.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = part.split_once("==") {
                (field, true, value)
            } else if let Some((field, value)) = part.split_once('=') {
                (field, true, value)
            } else {
                return Err(InvalidSelector(format!("invalid selector: '{part}'; can't understand '{part}'")));
            };
            requirements.push((field.trim().to_owned(), equal, value.trim().to_owned()));
        }
        Ok(Self { requirements })
    }

    /// And whose name is this one.
    pub(crate) fn with_name(mut self, name: &str) -> Self {
        self.requirements.push(("metadata.name".to_owned(), true, name.to_owned()));
        self
    }

    /// The fields that it asks about.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.requirements.iter().map(|(field, _, _)| field.as_str())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.requirements.iter().all(|(field, equal, wanted)| {
            let actual = field_text(object, field);
            (actual == *wanted) == *equal
        })
    }
}

fn field_text(object: &Value, field: &str) -> String {
    let found = match field {
        "metadata.name" => return object::name(object).to_owned(),
        "metadata.namespace" => return object::namespace(object).to_owned(),
        _ => field.split('.').try_fold(object, |value, step| value.get(step)),
    };
    match found {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_select() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "1", "a.b/c": "d"}}});
        for (text, wanted) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=1", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (web, db)", true),
            ("app notin (web)", false),
            ("app,!other", true),
            ("a.b/c = d", true),
            ("tier>0,tier<2", true),
            ("missing", false),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), wanted, "{text}");
        }
        for wrong in ["a b", "in (x)", "app in (x", "=x", "tier>y"] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["2"]}, {"key": "x", "operator": "DoesNotExist"}]});
        assert!(LabelSelector::from_object(&selector).unwrap().matches(&object));
    }

    #[test]
    fn field_selectors_select() {
        let object = json!({"metadata": {"name": "a", "namespace": "n"}, "status": {"phase": "Running"},
            "spec": {"unschedulable": true}});
        for (text, wanted) in [
            ("metadata.name=a,metadata.namespace=n", true),
            ("status.phase!=Running", false),
            ("spec.unschedulable=true", true),
            ("spec.nodeName=", true),
        ] {
            assert_eq!(FieldSelector::parse(text).unwrap().matches(&object), wanted, "{text}");
        }
        assert!(FieldSelector::parse("nonsense").is_err());
    }
}
