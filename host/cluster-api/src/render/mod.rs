//! The Cluster API objects of a spec: the same bytes for the same input.

use kedge_spec::DefaultedSpec;
use kedge_spec::provider::{Contributions, Description, Placement};
use kedge_spec::release::ReleaseView;
use serde_json::Value;

use crate::error::Error;

/// All that the objects are made from.
#[derive(Clone, Copy)]
pub struct RenderInput<'a> {
    /// The spec, defaulted.
    pub spec: &'a DefaultedSpec,
    /// The release as this cluster sees it.
    pub release: &'a ReleaseView,
    /// Who the provider is.
    pub provider: &'a Description,
    /// What it gives.
    pub contributions: &'a Contributions,
}

/// One object with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// When it is applied.
    pub placement: Placement,
    /// The file it is written to, one for each part of the cluster: `cluster.yaml`, `control-plane.yaml`, ….
    pub file_name: String,
    /// The object. Secrets hold references, not values.
    pub object: Value,
}

/// All objects of a cluster, in the order in which they are applied.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifests {
    /// The objects.
    pub objects: Vec<Rendered>,
}

/// Renders a cluster.
///
/// # Errors
/// [`Error::Render`] if the spec and what the provider gave don't fit together.
pub fn render(input: &RenderInput<'_>) -> Result<Manifests, Error> {
    let _ = input;
    Err(Error::render("rendering follows in the next commit", ""))
}

impl Manifests {
    /// The objects of a place, in order.
    pub fn placed(&self, placement: Placement) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |r| r.placement == placement).map(|r| &r.object)
    }

    /// All objects as one YAML text of several documents.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for rendered in &self.objects {
            text.push_str("---\n");
            text.push_str(&kedge_spec::yaml_document(&rendered.object));
        }
        text
    }

    /// The text of each file, in the order in which files first occur.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = Vec::new();
        for rendered in &self.objects {
            let document = kedge_spec::yaml_document(&rendered.object);
            match files.iter_mut().find(|(name, _)| *name == rendered.file_name) {
                Some((_, text)) => {
                    text.push_str("---\n");
                    text.push_str(&document);
                }
                None => files.push((rendered.file_name.clone(), document)),
            }
        }
        files
    }
}
