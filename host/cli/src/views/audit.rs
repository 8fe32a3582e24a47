//! What plugins did, as people read it.

use std::fmt::Write as _;
use std::path::Path;

use kedge_plugin::{AuditEvent, CallResult, Decision, Record, Summary, Verified};

use super::table::table;
use crate::commands::audit::Shown;

/// What checking a file came to.
pub(crate) fn verified(file: &Path, verified: &Verified) -> String {
    let mut text = format!("`{}` is whole: {} lines of {} runs\n", file.display(), verified.lines, verified.runs);
    let _ = writeln!(text, "  head {}", verified.head);
    if verified.unended > 0 {
        let _ = writeln!(
            text,
            "  {} of the runs have no end: they were killed or still run, or lines are missing behind them",
            verified.unended
        );
    }
    if verified.torn > 0 {
        let _ = writeln!(
            text,
            "  {} lines are parts of lines, cut off as when a machine goes down; the records after them vouch for what is there",
            verified.torn
        );
    }
    text.push_str(&figures(&verified.summary));
    text
}

/// The lines of a file, and the figures.
pub(crate) fn audit(shown: &Shown) -> String {
    let mut rows = vec![
        ["LINE", "TIME", "PLUGIN", "DURING", "CALL", "TARGET", "DECISION", "RESULT", "OUT", "IN", "µS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for line in &shown.lines {
        let mut row = vec![line.n.to_string(), line.time.to_string()];
        match &line.record {
            Record::Begin(version) => {
                row.extend(["kedge".to_owned(), String::new(), format!("run of {version} began")]);
            }
            Record::End(summary) => {
                row.extend(["kedge".to_owned(), String::new(), format!("run ended after {} calls", summary.calls)]);
            }
            Record::Torn { bytes, .. } => {
                let words =
                    format!("line {} is a part of one, {bytes} bytes: it was cut off", line.n.saturating_sub(1));
                row.extend(["kedge".to_owned(), String::new(), words]);
            }
            Record::Call(event) => row.extend(call(event)),
        }
        rows.push(row);
    }
    let mut text = table(&rows);
    text.push_str(&figures(&shown.verified.summary));
    text
}

fn call(event: &AuditEvent) -> Vec<String> {
    let (decision, result) = match (&event.decision, &event.result) {
        (Decision::Refused(why), _) => ("REFUSED".to_owned(), why.clone()),
        (Decision::Allowed, CallResult::Ok) => ("allowed".to_owned(), "ok".to_owned()),
        (Decision::Allowed, CallResult::Status(status)) => ("allowed".to_owned(), status.to_string()),
        (Decision::Allowed, CallResult::Error(why)) => ("allowed".to_owned(), why.clone()),
    };
    let secrets =
        if event.secrets.is_empty() { String::new() } else { format!(" (with {})", event.secrets.join(", ")) };
    vec![
        event.plugin.clone(),
        event.during.clone(),
        format!("{}.{}", event.interface, event.function),
        format!("{}{secrets}", event.target),
        decision,
        result,
        event.bytes_out.to_string(),
        event.bytes_in.to_string(),
        event.duration_us.to_string(),
    ]
}

fn figures(summary: &Summary) -> String {
    let mut text = format!(
        "{} calls, {} refused, {} failed; {} bytes out, {} bytes in, {} ms in the host\n",
        summary.calls,
        summary.refused,
        summary.failed,
        summary.bytes_out,
        summary.bytes_in,
        summary.duration_us / 1000
    );
    for (function, calls) in &summary.by_function {
        let _ = writeln!(text, "  {function} {calls}");
    }
    text
}
