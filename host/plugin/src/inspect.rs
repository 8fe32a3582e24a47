//! What a plugin may do, read off its file: nothing is compiled, nothing runs.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::contract::{self, PACKAGE};
use crate::error::PluginError;
use crate::limits::Limits;
use crate::scan::{self, Class};

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

/// A plugin's file, described. Which endpoints and secrets it asks for is not in here: that is what the plugin says when
/// it is asked (`Plugin::description`), with nothing but the log to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
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
    /// Bytes of memory it starts with.
    pub initial_memory: u64,
    /// Languages and tools it was made with, as it says itself.
    pub producers: Vec<String>,
    /// Why this kedge would not load it; none if it would.
    pub refused: Option<String>,
}

/// # Errors
/// What is no component, or is too large to look at.
pub(crate) fn inspect(plugin: &str, bytes: &[u8], limits: &Limits) -> Result<Inspection, PluginError> {
    let scan = scan::scan(plugin, bytes, limits)?;
    let names = || scan.exports.iter().chain(&scan.imports).map(String::as_str);
    let version = scan::contract_version(names());
    let contract = version.as_ref().and_then(contract::for_version);
    let refused = scan::judge(plugin, &scan.imports, &scan.exports).err().map(|e| e.to_string());
    Ok(Inspection {
        digest: digest(bytes),
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
        initial_memory: scan.initial_pages * 65_536,
        producers: scan.producers.into_iter().collect(),
        refused,
    })
}

/// SHA-256, hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).iter())
}

pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
