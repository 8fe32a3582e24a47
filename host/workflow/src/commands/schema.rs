//! The JSON Schemas of what a spec may hold, for editors and other programs.

use std::collections::BTreeMap;

use kedge_plugin::Origin;
use kedge_spec::{cluster, published};
use serde_json::Value;

use crate::error::WorkflowError;
use crate::load::{catalog, plugin_error, schemas};
use crate::options::Options;
use crate::outcome::SchemaOutcome;

/// The schema of a kind, or of a whole spec file: the host's kinds and those of every plugin that there is.
///
/// # Errors
/// When a plugin can't be asked, or nobody knows the kind.
pub async fn schema(options: &Options, kind: Option<&str>) -> Result<SchemaOutcome, WorkflowError> {
    let host_kinds = cluster::HOST_KINDS.into_iter().chain([cluster::KIND]);
    let mut kinds: BTreeMap<String, Value> =
        host_kinds.filter_map(|kind| Some((kind.to_owned(), cluster::schema::of(kind)?))).collect();
    let (host, catalog) = catalog(options, None)?;
    for entry in catalog.list() {
        // What the user asks for by kind alone needs no plugin, if it is the host's.
        if kind.is_some_and(|kind| kinds.contains_key(kind)) && entry.origin == Origin::BuiltIn {
            break;
        }
        let plugin = host.load(entry).await.map_err(|e| plugin_error(&entry.name, e))?;
        options.plugin_rules.admit(&plugin, None).map_err(|e| plugin_error(&entry.name, e))?;
        for (kind, schema) in schemas(&plugin).await? {
            kinds.entry(kind).or_insert(schema);
        }
    }
    let Some(wanted) = kind else { return Ok(SchemaOutcome { schema: published::of_file(&kinds) }) };
    if let Some((kind, schema)) = kinds.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(wanted)) {
        return Ok(SchemaOutcome { schema: published::of_kind(kind, schema) });
    }
    let known: Vec<String> = kinds.keys().map(|kind| format!("`{kind}`")).collect();
    Err(WorkflowError::Input {
        message: format!("nobody here knows the kind `{wanted}`"),
        help: format!("there are {}; name a plugin's file with `--plugin FILE`", known.join(", ")),
    })
}
