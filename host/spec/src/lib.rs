//! Cluster specs and release manifests: parse, default, check. Pure, no I/O.
//!
//! The way of a spec: [`Spec::parse`] reads it, [`Spec::with_host_defaults`] sets what the host knows, the provider
//! completes its own documents, [`HostDefaulted::complete`] takes them over, and [`DefaultedSpec`] is what everything
//! after that uses. Findings name a document and a field; `diagnose` turns them into places in the file.
#![forbid(unsafe_code)]

mod check;
pub mod cluster;
mod defaulted;
mod diagnostic;
mod document;
pub mod finding;
mod parse;
pub mod path;
pub mod provider;
pub mod published;
pub mod release;
pub mod schema;
mod source;
mod spec;
mod suggest;
mod version;
mod yaml;

pub use defaulted::DefaultedSpec;
pub use diagnostic::{Diagnostic, Rejected};
pub use document::Document;
pub use finding::{Finding, ObjectRef, Severity};
pub use source::{Source, Span};
pub use spec::{HostDefaulted, Spec};
pub use version::{KubernetesVersion, NotAVersion};

/// How many bytes a spec may have.
pub const MAX_SPEC_BYTES: usize = yaml::SPEC.bytes;

/// One YAML document as text, in the form that `to_yaml` uses.
pub fn yaml_document(value: &serde_json::Value) -> String {
    yaml::emit::document(value)
}

/// All documents of a YAML (or JSON) text, read as specs are: for manifests of components and add-ons.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn yaml_documents(source: &Source) -> Result<Vec<serde_json::Value>, Rejected> {
    let (nodes, flaws) = yaml::read(source, yaml::RELEASE);
    if flaws.is_empty() {
        return Ok(nodes.into_iter().map(yaml::Node::into_value).collect());
    }
    let diagnostics = flaws.into_iter().map(|f| Diagnostic::new(f.finding, source, f.span)).collect();
    Err(spec::rejected(source.clone(), diagnostics))
}
