//! YAML as EKS Anywhere reads it: 1.1 scalars, several documents, JSON as a subset, and every key and value with its
//! place in the file.

mod build;
pub(crate) mod emit;
mod node;
mod scalar;
mod split;

pub(crate) use node::{Entry, Node, NodeKind};

use crate::finding::Finding;
use crate::source::{Source, Span};

/// Bounds on what is read. A spec is written by hand; what is larger is a mistake or an attack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of text.
    pub(crate) bytes: usize,
    /// How deep collections may nest.
    pub(crate) depth: usize,
    /// How many nodes aliases and merges may add to a document.
    pub(crate) expanded: usize,
}

/// For specs.
pub(crate) const SPEC: Limits = Limits { bytes: 4 << 20, depth: 64, expanded: 20_000 };

/// For release manifests, which are made by machines.
pub(crate) const RELEASE: Limits = Limits { bytes: 64 << 20, depth: 64, expanded: 20_000 };

/// Something wrong with the text, at a place in it.
#[derive(Debug, Clone)]
pub(crate) struct Flaw {
    pub(crate) finding: Finding,
    pub(crate) span: Option<Span>,
    pub(crate) related: Option<(Span, String)>,
}

impl Flaw {
    fn new(code: &str, message: impl Into<String>, remedy: &str, span: Span) -> Self {
        Self { finding: Finding::error(code, message).remedy(remedy), span: Some(span), related: None }
    }
}

/// Reads all documents of a source. What can't be read becomes a flaw; the other documents are read all the same.
pub(crate) fn read(source: &Source, limits: Limits) -> (Vec<Node>, Vec<Flaw>) {
    if source.text.len() > limits.bytes {
        let message = format!("the file has {} bytes; more than {} are not read", source.text.len(), limits.bytes);
        let finding = Finding::error("file-too-large", message).remedy("split it, or check that it is the right file");
        return (Vec::new(), vec![Flaw { finding, span: None, related: None }]);
    }
    let mut documents = Vec::new();
    let mut flaws = Vec::new();
    for chunk in split::chunks(&source.text) {
        build::documents(&chunk, limits, &mut documents, &mut flaws);
    }
    (documents, flaws)
}

#[cfg(test)]
mod tests;
