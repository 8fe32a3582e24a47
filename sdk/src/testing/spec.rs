//! Specs for tests, from YAML text.

use serde_json::{Value, json};

use crate::{Document, Documents, Input, Release};

/// The documents of a multi-document YAML text.
///
/// # Panics
/// The text is no YAML.
pub fn yaml(text: &str) -> Vec<Value> {
    super::yaml::parse(text)
}

/// The documents of a spec.
///
/// # Panics
/// The text is no YAML.
pub fn documents(text: &str) -> Documents {
    documents_of(yaml(text))
}

/// Documents from values.
pub fn documents_of(values: Vec<Value>) -> Documents {
    Documents::new(values.into_iter().map(Document::from_value).collect())
}

/// What a pure function gets for a cluster: the namespace `eksa-system`, an empty release and no facts.
pub fn input(cluster_name: &str, documents: Documents) -> Input {
    Input {
        cluster_name: cluster_name.into(),
        namespace: "eksa-system".into(),
        documents,
        release: Release::new(json!({})),
        facts: json!({}),
        features: vec![],
    }
}
