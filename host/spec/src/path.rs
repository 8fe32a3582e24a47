//! Paths to fields, as Kubernetes writes them: `spec.a[0].b`, `metadata.labels[example.com/team]`.

use std::fmt::Write as _;

use crate::source::Span;
use crate::yaml::{Node, NodeKind};

/// The path of a key below another path.
pub fn join(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (plain, parent.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{parent}.{key}"),
        (false, _) => format!("{parent}[{key}]"),
    }
}

/// The path of an item of a list.
pub fn item(parent: &str, index: usize) -> String {
    let mut path = parent.to_owned();
    let _ = write!(path, "[{index}]");
    path
}

/// The keys and indices of a path, in order.
pub fn segments(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (segment, after) = inner.split_once(']').unwrap_or((inner, ""));
            found.push(segment);
            rest = after;
        } else {
            let body = rest.strip_prefix('.').unwrap_or(rest);
            let end = body.find(['.', '[']).unwrap_or(body.len());
            let (segment, after) = body.split_at(end);
            if !segment.is_empty() {
                found.push(segment);
            } else if after.is_empty() || after.len() == rest.len() {
                break;
            }
            rest = after;
        }
    }
    found
}

/// Whether one path is the other or leads to it.
pub fn related(a: &str, b: &str) -> bool {
    segments(a).iter().zip(segments(b).iter()).all(|(x, y)| x == y)
}

/// Where a field stands: its value, or for a field that is not there, the key of what should have had it.
pub(crate) fn locate(root: &Node, path: &str) -> Span {
    let mut node = root;
    let mut span = first_key(root);
    let parts = segments(path);
    for (depth, part) in parts.iter().enumerate() {
        let last = depth + 1 == parts.len();
        match &node.kind {
            NodeKind::Mapping(_) => {
                let Some(entry) = node.entry(part) else {
                    return span;
                };
                node = &entry.value;
                span = if last && is_leaf(node) && !node.span.is_empty() { node.span } else { entry.key_span };
            }
            NodeKind::Sequence(items) => {
                let Some(next) = part.parse::<usize>().ok().and_then(|index| items.get(index)) else {
                    return span;
                };
                node = next;
                span = if is_leaf(node) { node.span } else { first_key(node) };
            }
            _ => return span,
        }
    }
    span
}

/// The place of the key itself, for findings about the key.
pub(crate) fn locate_key(root: &Node, path: &str) -> Span {
    let parts = segments(path);
    let Some((last, parents)) = parts.split_last() else {
        return first_key(root);
    };
    let mut node = root;
    for part in parents {
        let next = match &node.kind {
            NodeKind::Mapping(_) => node.entry(part).map(|e| &e.value),
            NodeKind::Sequence(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        let Some(next) = next else {
            return locate(root, path);
        };
        node = next;
    }
    match node.entry(last) {
        Some(entry) => entry.key_span,
        None => locate(root, path),
    }
}

/// The path of the key at a place.
pub(crate) fn of_key(node: &Node, span: Span, at: &str) -> Option<String> {
    let within = |node: &Node| node.span.start <= span.start && span.end <= node.span.end;
    match &node.kind {
        NodeKind::Mapping(entries) => entries.iter().find_map(|entry| {
            let here = join(at, &entry.key);
            if entry.key_span == span {
                return Some(here);
            }
            if within(&entry.value) { of_key(&entry.value, span, &here) } else { None }
        }),
        NodeKind::Sequence(items) => {
            let (index, inner) = items.iter().enumerate().find(|(_, inner)| within(inner))?;
            of_key(inner, span, &item(at, index))
        }
        _ => None,
    }
}

fn is_leaf(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Mapping(_) | NodeKind::Sequence(_) => false,
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(..) | NodeKind::Text(_) => true,
    }
}

/// A collection is shown by its first key: its whole text would be too much.
fn first_key(node: &Node) -> Span {
    match &node.kind {
        NodeKind::Mapping(entries) => {
            entries.first().map_or(Span::new(node.span.start, node.span.start), |e| e.key_span)
        }
        NodeKind::Sequence(items) => items.first().map_or(node.span, first_key),
        _ => node.span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_they_are_put_together() {
        for path in ["spec.a[0].b", "metadata.labels[example.com/team]", "a", "[x.y]", "a-b_c[1][2]"] {
            let mut again = String::new();
            for part in segments(path) {
                again = match part.parse::<usize>() {
                    Ok(index) => item(&again, index),
                    Err(_) => join(&again, part),
                };
            }
            assert_eq!(again, path);
        }
        assert!(segments("").is_empty());
        assert_eq!(segments("..a"), ["a"]);
        assert_eq!(segments("a[b"), ["a", "b"]);
        assert!(related("spec.a", "spec.a[0].b") && !related("spec.a", "spec.ab"));
    }
}
