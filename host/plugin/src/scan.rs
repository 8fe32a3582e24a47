//! What can be known of a component without compiling or running any of it.

use std::collections::BTreeSet;

use semver::Version;
use wasmparser::{Encoding, Parser, Payload, ProducersSectionReader};

use crate::contract::{self, Contract, PACKAGE};
use crate::error::PluginError;
use crate::inert;
use crate::limits::{LimitKind, Limits};
use crate::manifest;

/// A component's outside and its sizes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scan {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) functions: u64,
    /// Bytes.
    pub(crate) largest_function: u64,
    pub(crate) modules: u64,
    /// Pages of 64 KiB that its memories start with.
    pub(crate) initial_pages: u64,
    /// The most pages that its memories may grow to; none if one of them has no bound of its own.
    pub(crate) most_pages: Option<u64>,
    /// Components inside this one.
    pub(crate) components: u64,
    /// Core modules with a start function.
    pub(crate) starts: u64,
    /// Sections that the engine passes over: name and bytes.
    pub(crate) custom: Vec<(String, u64)>,
    /// `language Rust`, `processed-by rustc 1.95.0`.
    pub(crate) producers: BTreeSet<String>,
    /// What it says of itself in a section, if it has one.
    pub(crate) manifest: Option<String>,
}

/// Reads a component. Costs milliseconds for megabytes.
pub(crate) fn scan(plugin: &str, bytes: &[u8], limits: &Limits) -> Result<Scan, PluginError> {
    let over = |limit, allowed: u64, asked: u64| PluginError::LimitExceeded {
        plugin: plugin.to_owned(),
        function: "load".to_owned(),
        limit,
        allowed,
        asked: Some(asked),
    };
    if bytes.len() as u64 > limits.component_bytes {
        return Err(over(LimitKind::ComponentBytes, limits.component_bytes, bytes.len() as u64));
    }
    let not = |why: String| PluginError::NotAComponent { plugin: plugin.to_owned(), why };
    kind(bytes).map_err(not)?;
    let mut scan = Scan { most_pages: Some(0), manifest: manifest::section(bytes), ..Scan::default() };
    // The outermost component is at depth 1 once its header was read.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|e| not(format!("it is damaged or cut off: {e}")))?;
        let damaged = |e: wasmparser::BinaryReaderError| not(format!("it is damaged or cut off: {e}"));
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ModuleSection { .. } => scan.modules += 1,
            Payload::ComponentSection { .. } => scan.components += 1,
            Payload::StartSection { .. } => scan.starts += 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    scan.imports.push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    scan.exports.push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(damaged)?;
                    scan.initial_pages = scan.initial_pages.saturating_add(memory.initial);
                    scan.most_pages = scan.most_pages.zip(memory.maximum).map(|(all, one)| all.saturating_add(one));
                }
            }
            Payload::CodeSectionEntry(body) => {
                scan.functions += 1;
                scan.largest_function = scan.largest_function.max(body.range().end.saturating_sub(body.range().start));
            }
            Payload::CustomSection(section) => {
                scan.custom.push((section.name().to_owned(), section.data().len() as u64));
                if section.name() != "producers" {
                    continue;
                }
                // Decoration: one that can't be read says nothing.
                if let Ok(reader) =
                    ProducersSectionReader::new(wasmparser::BinaryReader::new(section.data(), section.data_offset()))
                {
                    for field in reader.into_iter().flatten() {
                        for value in field.values.into_iter().flatten() {
                            scan.producers.insert(
                                format!("{} {} {}", field.name, value.name, value.version).trim_end().to_owned(),
                            );
                        }
                    }
                }
            }
            _ => {}
        }
    }
    for (limit, allowed, found) in [
        (LimitKind::FunctionBytes, limits.function_bytes, scan.largest_function),
        (LimitKind::Functions, limits.functions, scan.functions),
        (LimitKind::Modules, limits.modules, scan.modules),
        (LimitKind::Memory, limits.memory_bytes, scan.initial_pages.saturating_mul(65_536)),
    ] {
        if found > allowed {
            return Err(over(limit, allowed, found));
        }
    }
    Ok(scan)
}

/// Says what bytes are that are not a component.
fn kind(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if !bytes.starts_with(b"\0asm") {
        let start = bytes.get(..bytes.len().min(200)).unwrap_or_default();
        let text = std::str::from_utf8(start).is_ok_and(|t| t.chars().all(|c| !c.is_control() || c.is_whitespace()));
        return Err(match () {
            () if bytes.starts_with(b"\x7fELF") => "it is native code, which kedge never loads from outside".to_owned(),
            () if bytes.starts_with(b"PK") || bytes.starts_with(b"\x1f\x8b") => {
                "it is an archive; unpack it first".to_owned()
            }
            () if text => "it is a text file".to_owned(),
            () => "it does not start as WebAssembly does".to_owned(),
        });
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Ok(()),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => {
            Err("it is a core module; build it for `wasm32-wasip2`, or wrap it as a component".to_owned())
        }
        _ => Err("it is damaged or cut off: it has no complete header".to_owned()),
    }
}

/// What an import is to this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Contract,
    Inert,
    Refused,
}

/// `package/interface` and the version of a name such as `kedge:provider/log@0.1.0`.
pub(crate) fn split(name: &str) -> (&str, Option<Version>) {
    match name.split_once('@') {
        Some((interface, version)) => (interface, Version::parse(version).ok()),
        None => (name, None),
    }
}

pub(crate) fn classify(contract: Option<&dyn Contract>, import: &str) -> Class {
    let (interface, version) = split(import);
    if let Some(name) = interface.strip_prefix(PACKAGE).and_then(|n| n.strip_prefix('/')) {
        let known = contract.is_some_and(|c| c.imports().contains(&name) && version.is_some_and(|v| c.speaks(&v)));
        return if known { Class::Contract } else { Class::Refused };
    }
    let wasi = version.is_some_and(|v| v.major == 0 && v.minor == 2 && v.pre.is_empty());
    if wasi && inert::INTERFACES.contains(&interface) { Class::Inert } else { Class::Refused }
}

/// The version of the contract that names of imports and exports speak of; the newest if there are several.
pub(crate) fn contract_version<'a>(names: impl Iterator<Item = &'a str>) -> Option<Version> {
    names
        .filter_map(|name| match split(name) {
            (interface, version) if interface.strip_prefix(PACKAGE).is_some_and(|n| n.starts_with('/')) => version,
            _ => None,
        })
        .max()
}

/// Checks imports and exports by their names. Their types are checked when the component is linked.
pub(crate) fn judge(
    plugin: &str,
    imports: &[String],
    exports: &[String],
) -> Result<&'static dyn Contract, PluginError> {
    let plugin = plugin.to_owned();
    // Exports say what it is built for; imports may all have been optimised away.
    let version = contract_version(exports.iter().map(String::as_str));
    let Some(version) = version.or_else(|| contract_version(imports.iter().map(String::as_str))) else {
        return Err(PluginError::ContractViolation {
            plugin,
            why: format!("it exports nothing of `{PACKAGE}`, so it is not a provider"),
        });
    };
    let Some(contract) = contract::for_version(&version) else {
        return Err(PluginError::WrongContract {
            plugin,
            built_for: format!("{PACKAGE}@{version}"),
            supported: contract::versions().iter().map(|c| format!("{PACKAGE}@{}", c.name())).collect(),
        });
    };
    let refused: Vec<String> =
        imports.iter().filter(|i| classify(Some(contract), i) == Class::Refused).cloned().collect();
    if !refused.is_empty() {
        return Err(PluginError::ForbiddenImports { plugin, imports: refused });
    }
    let missing: Vec<String> = contract
        .exports()
        .iter()
        .filter(|wanted| {
            !exports
                .iter()
                .any(|e| split(e).0.strip_prefix(PACKAGE).and_then(|n| n.strip_prefix('/')) == Some(**wanted))
        })
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        return Err(PluginError::ContractViolation {
            plugin,
            why: format!("it does not export {}", missing.join(", ")),
        });
    }
    Ok(contract)
}
