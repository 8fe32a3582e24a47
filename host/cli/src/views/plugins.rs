//! Plugins as people read them.

use std::fmt::Write as _;

use kedge_plugin::{ImportClass, Replayed};

use super::table::table;
use crate::commands::plugin::{Inspected, Listed};

/// The list of plugins.
pub(crate) fn plugins(listed: &[Listed]) -> String {
    let mut rows = vec![vec!["NAME".to_owned(), "VERSION".into(), "FROM".into(), "DIGEST".into(), "KINDS".into()]];
    for plugin in listed {
        rows.push(vec![
            plugin.name.clone(),
            plugin.version.clone(),
            plugin.source.clone().unwrap_or_else(|| plugin.origin.clone()),
            plugin.digest.chars().take(19).collect(),
            plugin.kinds.join(", "),
        ]);
    }
    table(&rows)
}

/// One plugin, for the person who decides whether it may run.
pub(crate) fn inspected(inspected: &Inspected, colour: bool) -> String {
    let red = |text: &str| if colour { format!("\x1b[31m{text}\x1b[0m") } else { text.to_owned() };
    let file = &inspected.file;
    let mut rows = vec![
        vec!["From".to_owned(), inspected.origin.clone()],
        vec!["Digest".into(), format!("sha256:{}", file.digest)],
        vec!["Signed by".into(), file.signer.clone()],
        vec!["Contract".into(), file.contract.clone().unwrap_or_else(|| "none that is known".into())],
        vec![
            "Size".into(),
            format!(
                "{} KiB, {} modules, {} functions, the largest {} bytes",
                file.size / 1024,
                file.modules,
                file.functions,
                file.largest_function
            ),
        ],
        vec!["Memory".into(), memory(file)],
    ];
    if !file.producers.is_empty() {
        rows.push(vec!["Made with".into(), file.producers.join(", ")]);
    }
    let mut text = table(&rows);
    if let Some(why) = &file.refused {
        let _ = writeln!(text, "\n{}", red(&format!("This plugin would be REFUSED: {why}")));
    }
    if !file.unusual.is_empty() {
        text.push_str("\nUnusual\n");
    }
    for unusual in &file.unusual {
        let _ = writeln!(text, "  {}: {}", red(&unusual.what), unusual.why);
    }
    text.push_str("\nWhat it can call (there is nothing else: no file, no socket, no environment)\n");
    let mut rows = Vec::new();
    for import in &file.imports {
        let class = match import.class {
            ImportClass::Contract => "audited",
            ImportClass::Inert => "inert: a stand-in that does nothing",
            ImportClass::Refused => "REFUSED: not part of the contract",
        };
        rows.push(vec![format!("  {}", import.name), class.to_owned()]);
    }
    text.push_str(&table(&rows));
    text.push_str("\nWhat it answers\n");
    for export in &file.exports {
        let _ = writeln!(text, "  {export}");
    }
    let (description, how) = match (&file.description, &inspected.described) {
        (Some(description), _) => {
            (description, "from its file; the host loads no plugin that says another thing when it runs")
        }
        (None, Some(description)) => (description, "only `describe` was called, with nothing linked but the log"),
        (None, None) => {
            text.push_str(
                "\nWhat it asks for is not in its file; `--describe` asks it, with nothing linked but the log\n",
            );
            return text;
        }
    };
    let _ = writeln!(
        text,
        "\nWhat it says of itself ({how})\n  {} {}, for {}",
        description.name,
        description.version,
        description.kinds.iter().map(|claim| claim.kind.as_str()).collect::<Vec<_>>().join(", ")
    );
    text.push_str("\nServers it asks for\n");
    if description.endpoints.is_empty() {
        text.push_str("  none\n");
    }
    for endpoint in &description.endpoints {
        let _ = writeln!(
            text,
            "  {}: {}\n    named by {} {}",
            endpoint.name, endpoint.purpose, endpoint.kind, endpoint.server_field
        );
    }
    text.push_str("\nSecrets it refers to and never sees\n");
    if description.secrets.is_empty() {
        text.push_str("  none\n");
    }
    for secret in &description.secrets {
        let to = secret
            .endpoint
            .as_ref()
            .map_or_else(|| "Secret objects only".to_owned(), |e| format!("towards {e}, and Secret objects"));
        let needed = if secret.required { "required" } else { "optional" };
        let _ = writeln!(
            text,
            "  {}: {}\n    from {} ({needed}; {to})",
            secret.name,
            secret.purpose,
            secret.environment.join(" or ")
        );
    }
    text
}

fn memory(file: &kedge_plugin::Inspection) -> String {
    let start = file.initial_memory / 1024;
    match file.most_memory {
        Some(most) => format!("starts with {start} KiB, says that it needs {} KiB at most", most / 1024),
        None => format!("starts with {start} KiB, names no bound of its own (the host has one)"),
    }
}

/// What a replay came to.
pub(crate) fn replayed(replayed: &Replayed) -> String {
    let mut text = format!("{} sessions with {} calls are the same\n", replayed.same, replayed.calls);
    if let Some(difference) = &replayed.difference {
        let _ = writeln!(text, "session {} ({}), {}:", difference.session, difference.function, difference.place);
        let shown = |value: Option<&serde_json::Value>| {
            value.map_or_else(|| "nothing".to_owned(), |v| serde_json::to_string_pretty(v).unwrap_or_default())
        };
        let (recorded, now) = (shown(difference.recorded.as_ref()), shown(difference.now.as_ref()));
        for (mark, line) in changed_lines(&recorded, &now) {
            let _ = writeln!(text, "  {mark} {line}");
        }
    }
    text
}

/// The lines that differ, with three of context before them.
fn changed_lines<'a>(old: &'a str, new: &'a str) -> Vec<(char, &'a str)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old.iter().skip(same).rev().zip(new.iter().skip(same).rev()).take_while(|(a, b)| a == b).count();
    let part = |lines: &[&'a str], mark: char| -> Vec<(char, &'a str)> {
        lines.iter().take(lines.len() - tail).skip(same).map(|line| (mark, *line)).collect()
    };
    let mut out: Vec<(char, &str)> =
        old.iter().take(same).skip(same.saturating_sub(3)).map(|line| (' ', *line)).collect();
    out.extend(part(&old, '-'));
    out.extend(part(&new, '+'));
    out
}
