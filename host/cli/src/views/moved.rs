//! What a move did or would do.

use std::fmt::Write as _;

use kedge_workflow::commands::{Act, MoveOptions, MoveOutcome, Way};

pub(crate) fn moved(options: &MoveOptions, outcome: &MoveOutcome) -> String {
    match options.act {
        Act::Rehearse => rehearsed(outcome),
        Act::Undo if outcome.undone => "The move was taken back; the source works on\n".to_owned(),
        Act::Undo => "There is no move to be taken back\n".to_owned(),
        Act::Move => done(options, outcome),
    }
}

fn done(options: &MoveOptions, outcome: &MoveOutcome) -> String {
    let what = format!("{}, {} objects", count(outcome.clusters.len(), "cluster"), outcome.objects);
    let folder = outcome.snapshot.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
    let mut text = match &options.way {
        Way::Between { .. } if outcome.objects == 0 => "Nothing was left to be moved\n".to_owned(),
        Way::Between { .. } => format!("Moved {what}; a snapshot of them is in `{folder}`, secrets in the clear\n"),
        Way::ToDirectory { .. } => format!("Written to `{folder}`: {what}, secrets in the clear\n"),
        Way::FromDirectory { .. } => format!("Made from `{folder}`: {what}\n"),
    };
    if !outcome.kept.is_empty() {
        let _ = writeln!(text, "These stay on the source, too, because others may need them:");
        for object in &outcome.kept {
            let _ = writeln!(text, "  {object}");
        }
    }
    text
}

fn rehearsed(outcome: &MoveOutcome) -> String {
    let mut text = format!(
        "A move would take {} with {} objects along; nothing was touched:\n",
        count(outcome.clusters.len(), "cluster"),
        outcome.objects
    );
    for namespace in &outcome.namespaces {
        let _ = writeln!(text, "  the namespace {namespace} would be made; what goes there can't be checked before");
    }
    for (number, group) in outcome.groups.iter().enumerate() {
        let _ = writeln!(text, "{:>3}. {} objects side by side", number + 1, group.len());
        for object in group {
            let place = object.namespace.as_deref().map_or_else(String::new, |n| format!("{n}/"));
            let _ = writeln!(text, "       {} {place}{}", object.kind, object.name);
        }
    }
    text
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
