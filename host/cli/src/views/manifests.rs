//! Manifests and their differences as people read them.

use std::fmt::Write as _;

use kedge_spec::provider::Role;
use kedge_workflow::explain::Origin;
use kedge_workflow::outcome::{DiffOutcome, ExplainOutcome};
use serde_json::Value;

/// Values longer than this are shortened, in characters.
const WIDE: usize = 60;

/// What `diff` shows.
pub(crate) fn differences(outcome: &DiffOutcome) -> String {
    let difference = &outcome.difference;
    let mut text = String::new();
    if difference.is_empty() && outcome.refused.is_empty() {
        let _ = writeln!(text, "no difference: `{}` and {} give the same manifests", outcome.cluster, outcome.with);
        return text;
    }
    for refused in &outcome.refused {
        let _ = writeln!(text, "! {} {} can't be changed: {}", refused.document, refused.path, refused.reason);
    }
    for object in &difference.created {
        let _ = writeln!(text, "+ {object}");
    }
    for object in &difference.removed {
        let _ = writeln!(text, "- {object}");
    }
    for change in &difference.changed {
        let _ = match &change.replaced_by {
            Some(other) => writeln!(text, "~ {} -> {other}", change.object),
            None => writeln!(text, "~ {}", change.object),
        };
        for field in &change.fields {
            let (old, new) = (field.old.as_ref().map(short), field.new.as_ref().map(short));
            let _ = match (old, new) {
                (Some(old), Some(new)) => writeln!(text, "    {}: {old} -> {new}", field.path),
                (Some(old), None) => writeln!(text, "    {}: {old} removed", field.path),
                (None, new) => writeln!(text, "    {}: {} added", field.path, new.unwrap_or_default()),
            };
        }
    }
    for rolled in &difference.rolled {
        let _ = writeln!(text, "machines of {} would be replaced:", role(&rolled.role));
        for because in &rolled.because {
            let _ = writeln!(text, "    {because}");
        }
    }
    if difference.rolled.is_empty() {
        text.push_str("no machine would be replaced\n");
    }
    text
}

fn role(role: &Role) -> String {
    match role {
        Role::Etcd => "etcd".to_owned(),
        Role::ControlPlane => "the control plane".to_owned(),
        Role::Worker(group) => format!("the worker node group `{group}`"),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.replace('\n', "\\n"),
        other => other.to_string(),
    };
    if text.chars().count() > WIDE { format!("{}…", text.chars().take(WIDE).collect::<String>()) } else { text }
}

/// What `render --explain` shows.
pub(crate) fn explained(outcome: &ExplainOutcome) -> String {
    let mut text = String::new();
    for object in &outcome.objects {
        let _ = writeln!(text, "{} ({})", object.object, object.file);
        for field in &object.fields {
            let path = if field.path.is_empty() { "all of it" } else { &field.path };
            let _ = writeln!(text, "    {path}");
            for origin in &field.origins {
                let _ = writeln!(text, "        {}", sentence(origin));
            }
        }
    }
    text
}

fn sentence(origin: &Origin) -> String {
    match origin {
        Origin::Spec { place, document, field } => format!("{place}: {document} {field}"),
        Origin::Default { document, field, reason } => format!("default of {document} {field}: {reason}"),
        Origin::Release { part } => format!("release: {part}"),
        Origin::Plugin { name } => format!("plugin {name}"),
        Origin::Kedge => "the same for every cluster".to_owned(),
    }
}
