//! YAML written so that every reader reads the same: block style, two spaces, quotes wherever a plain word could be
//! taken for something else.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalar;

/// Several documents, each after its `---`.
pub(crate) fn documents<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    let mut out = String::new();
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push_str("---\n");
        }
        out.push_str(&document(value));
    }
    out
}

/// One document.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        other => {
            inline(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn mapping(out: &mut String, map: &Map<String, Value>, depth: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        // The first key of a mapping inside a sequence stands behind the dash.
        if index > 0 || out.ends_with('\n') || out.is_empty() {
            indent(out, depth);
        }
        let _ = write!(out, "{}:", word(key));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(out, inner, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, depth);
            }
            other => {
                out.push(' ');
                inline(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn sequence(out: &mut String, items: &[Value], depth: usize) {
    for item in items {
        if out.ends_with('\n') || out.is_empty() {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(out, inner, depth + 1),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, depth + 1),
            other => {
                inline(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn inline(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => number(out, n),
        Value::String(text) => match block(text) {
            Some(chomping) => {
                let _ = write!(out, "|{chomping}");
                for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                    out.push('\n');
                    if !line.is_empty() {
                        indent(out, depth);
                        out.push_str(line);
                    }
                }
            }
            None => out.push_str(&word(text)),
        },
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// A float always keeps a sign of being one.
fn number(out: &mut String, n: &serde_json::Number) {
    let text = n.to_string();
    out.push_str(&text);
    if n.is_f64() && !text.contains(['.', 'e', 'E']) {
        out.push_str(".0");
    }
}

/// The chomping indicator if a text can stand as a literal block.
fn block(text: &str) -> Option<&'static str> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let simple = body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with(['\n', ' ', '\t'])
        && !body.split('\n').any(|line| line.ends_with([' ', '\t']) || line.starts_with('\t'))
        && body.chars().all(|c| c == '\n' || c == '\t' || (' '..='~').contains(&c) || is_letter(c));
    simple.then_some(if text.ends_with('\n') { "" } else { "-" })
}

fn is_letter(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric()
}

/// A text as a plain word where that is safe, in quotes everywhere else.
fn word(text: &str) -> String {
    let safe_start = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_' || c == '.');
    let safe = safe_start
        && scalar::is_plain_text(text)
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:+=@,() ".contains(c))
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !text.starts_with("---")
        && !text.starts_with("...");
    if safe { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ if is_letter(c) => out.push(c),
            _ if u32::from(c) <= 0xff => {
                let _ = write!(out, "\\x{:02X}", u32::from(c));
            }
            _ if u32::from(c) <= 0xffff => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            _ => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}
