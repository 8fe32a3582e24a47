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
    /// How much anchors and merges may add to a document, in values; long texts count as several.
    pub(crate) expanded: usize,
    /// How many documents.
    pub(crate) documents: usize,
    /// How many values in all documents together.
    pub(crate) values: usize,
    /// After how many flaws nothing more is read.
    pub(crate) flaws: usize,
}

/// The code of the flaw of a file of which not all was read.
pub(crate) const TOO_LARGE: &str = "file-too-large";

/// For specs: some thousand worker node groups, each with a machine document of its own.
pub(crate) const SPEC: Limits =
    Limits { bytes: 4 << 20, depth: 64, expanded: 20_000, documents: 4_000, values: 150_000, flaws: 100 };

/// For release manifests, which are made by machines.
pub(crate) const RELEASE: Limits =
    Limits { bytes: 64 << 20, depth: 64, expanded: 20_000, documents: 100_000, values: 10_000_000, flaws: 100 };

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
        let finding = Finding::error(TOO_LARGE, message).remedy("split it, or check that it is the right file");
        return (Vec::new(), vec![Flaw { finding, span: None, related: None }]);
    }
    let mut documents = Vec::new();
    let mut flaws = Vec::new();
    let mut left = limits.values;
    for chunk in split::chunks(&source.text) {
        build::documents(&chunk, Limits { values: left, ..limits }, &mut left, &mut documents, &mut flaws);
        let stop = if documents.len() > limits.documents {
            Some(format!("there are more than {} documents", limits.documents))
        } else if flaws.len() > limits.flaws {
            Some("there is more wrong than is worth saying".to_owned())
        } else if left == 0 {
            Some(format!("there are more than {} values", limits.values))
        } else {
            None
        };
        if let Some(message) = stop {
            let span = chunk.span(0, 0);
            flaws.truncate(limits.flaws);
            flaws.push(Flaw::new(
                TOO_LARGE,
                format!("{message}; the rest of the file is not read"),
                "is this the right file?",
                span,
            ));
            break;
        }
    }
    (documents, flaws)
}

#[cfg(test)]
mod tests;
