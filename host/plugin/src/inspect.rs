//! What a plugin may do, read off its file: nothing is compiled, nothing runs.

use kedge_spec::provider::Description;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::contract::{self, Contract, PACKAGE};
use crate::error::PluginError;
use crate::limits::Limits;
use crate::scan::{self, Class, Scan};
use crate::trust::Signer;
use crate::{log_line, manifest};

/// What an import means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportClass {
    /// A part of the contract: it works as granted and is audited.
    Contract,
    /// A stand-in for what a standard library asks for: it does nothing.
    Inert,
    /// Not there: the plugin is not loaded.
    Refused,
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// For example `kedge:provider/endpoints@0.1.0`.
    pub name: String,
    /// What it means.
    pub class: ImportClass,
}

/// Something that an honest plugin rarely has, with why it matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusual {
    /// What was found.
    pub what: String,
    /// Why it is worth a second look.
    pub why: String,
}

/// A plugin's file, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Who vouches for it, by the keys of the policy.
    pub signer: String,
    /// Bytes.
    pub size: u64,
    /// The version of the contract it is built for, from the names of its exports and imports.
    pub contract: Option<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it asks for.
    pub imports: Vec<Import>,
    /// Functions of all its core modules.
    pub functions: u64,
    /// Bytes of the largest one.
    pub largest_function: u64,
    /// Core modules.
    pub modules: u64,
    /// Components inside it.
    pub components: u64,
    /// Bytes of memory it starts with.
    pub initial_memory: u64,
    /// The most bytes of memory it says it will have; none if it names no bound. The host's own limit holds either way.
    pub most_memory: Option<u64>,
    /// Languages and tools it was made with, as it says itself.
    pub producers: Vec<String>,
    /// What its section says that it is and asks for. The host compares it with what the plugin itself says, and loads
    /// none that says something else. None if the file has no such section.
    pub description: Option<Description>,
    /// What an honest plugin rarely has.
    pub unusual: Vec<Unusual>,
    /// Why this kedge would not load it; none if it would.
    pub refused: Option<String>,
}

/// Larger functions than this come from interpreters alone.
const LARGE_FUNCTION: u64 = 64 << 10;
/// Larger sections that the engine passes over are more than names and notes.
const LARGE_SECTION: u64 = 256 << 10;

/// # Errors
/// What is no component, or is too large to look at.
pub(crate) fn inspect(plugin: &str, bytes: &[u8], limits: &Limits) -> Result<Inspection, PluginError> {
    let scan = scan::scan(plugin, bytes, limits)?;
    let names = || scan.exports.iter().chain(&scan.imports).map(String::as_str);
    let version = scan::contract_version(names());
    let contract = version.as_ref().and_then(contract::for_version);
    let described = scan.manifest.as_deref().map(|text| manifest::read(plugin, text));
    let unusual = unusual(&scan, contract, described.as_ref());
    let (description, unreadable) = match described {
        Some(Ok(description)) => (Some(description), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let judged = scan::judge(plugin, &scan.imports, &scan.exports).err();
    let refused = judged.or(unreadable).map(|e| e.to_string());
    Ok(Inspection {
        digest: digest(bytes),
        signer: Signer::None.to_string(),
        size: bytes.len() as u64,
        contract: version.map(|v| format!("{PACKAGE}@{v}")),
        imports: scan
            .imports
            .iter()
            .map(|name| Import {
                name: name.clone(),
                class: match scan::classify(contract, name) {
                    Class::Contract => ImportClass::Contract,
                    Class::Inert => ImportClass::Inert,
                    Class::Refused => ImportClass::Refused,
                },
            })
            .collect(),
        exports: scan.exports,
        functions: scan.functions,
        largest_function: scan.largest_function,
        modules: scan.modules,
        components: scan.components,
        initial_memory: scan.initial_pages * 65_536,
        most_memory: scan.most_pages.map(|pages| pages.saturating_mul(65_536)),
        producers: scan.producers.into_iter().map(|p| log_line::clean(&p)).collect(),
        description,
        unusual,
        refused,
    })
}

fn unusual(
    scan: &Scan,
    contract: Option<&dyn Contract>,
    described: Option<&Result<Description, PluginError>>,
) -> Vec<Unusual> {
    let mut found = Vec::new();
    let mut note = |what: String, why: &str| found.push(Unusual { what, why: why.to_owned() });
    for import in scan.imports.iter().filter(|i| scan::classify(contract, i) == Class::Refused) {
        note(format!("it imports `{}`", log_line::clean(import)), "no plugin gets it: this one is not loaded");
    }
    for export in &scan.exports {
        let of_the_contract = scan::split(export).0.strip_prefix(PACKAGE).is_some_and(|rest| rest.starts_with('/'));
        if !of_the_contract {
            note(format!("it exports `{}`", log_line::clean(export)), "nothing of this host calls it");
        }
    }
    for name in scan.imports.iter().chain(&scan.exports).filter(|n| log_line::clean(n) != **n) {
        note(format!("the name `{}`", log_line::clean(name)), "it has characters that steer a terminal");
    }
    if scan.largest_function > LARGE_FUNCTION {
        note(
            format!("one function has {} bytes", scan.largest_function),
            "compilers make functions up to some 64 KiB; larger ones belong to interpreters, or keep a compiler busy",
        );
    }
    for (name, size) in scan.custom.iter().filter(|(_, size)| *size > LARGE_SECTION) {
        note(
            format!("the section `{}` has {size} bytes", log_line::clean(name)),
            "the engine passes over it: it is data that nobody looks at",
        );
    }
    if scan.starts > 1 {
        note(format!("{} modules run code when they are started", scan.starts), "toolchains use one at most");
    }
    // Toolchains wrap each exported interface in one.
    if scan.components > scan.exports.len() as u64 {
        note(format!("{} components are inside it", scan.components), "composed plugins have more than one author");
    }
    match described {
        None => note(
            "it does not say in its file what it asks for".to_owned(),
            "only running `describe` tells: `kedge plugin annotate` writes it into the file",
        ),
        Some(Err(error)) => note(error.to_string(), "what it asks for can't be known without running it"),
        Some(Ok(_)) => {}
    }
    found
}

/// SHA-256, hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
