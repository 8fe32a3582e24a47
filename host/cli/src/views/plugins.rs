//! Plugins as people read them.

use std::fmt::Write as _;

use kedge_plugin::ImportClass;

use super::table::table;
use crate::commands::plugin::{Inspected, Listed};

/// The list of plugins.
pub(crate) fn plugins(listed: &[Listed]) -> String {
    let mut rows = vec![vec!["NAME".to_owned(), "VERSION".into(), "FROM".into(), "DIGEST".into(), "KINDS".into()]];
    for plugin in listed {
        rows.push(vec![
            plugin.name.clone(),
            plugin.version.clone(),
            plugin.origin.clone(),
            plugin.digest.chars().take(19).collect(),
            plugin.kinds.join(", "),
        ]);
    }
    table(&rows)
}

/// One plugin, for the person who decides whether it may run.
pub(crate) fn inspected(inspected: &Inspected) -> String {
    let file = &inspected.file;
    let mut rows = vec![
        vec!["From".to_owned(), inspected.origin.clone()],
        vec!["Digest".into(), format!("sha256:{}", file.digest)],
        vec!["Contract".into(), file.contract.clone().unwrap_or_else(|| "none that is known".into())],
        vec![
            "Size".into(),
            format!(
                "{} KiB, {} functions, the largest {} bytes",
                file.size / 1024,
                file.functions,
                file.largest_function
            ),
        ],
        vec!["Memory".into(), format!("starts with {} KiB", file.initial_memory / 1024)],
    ];
    if !file.producers.is_empty() {
        rows.push(vec!["Made with".into(), file.producers.join(", ")]);
    }
    let mut text = table(&rows);
    if let Some(why) = &file.refused {
        let _ = writeln!(text, "\nThis plugin would be REFUSED: {why}");
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
    let Some(description) = &inspected.description else { return text };
    let _ = writeln!(
        text,
        "\nWhat it says of itself (only `describe` was called, with nothing linked but the log)\n  {} {}, for {}",
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
