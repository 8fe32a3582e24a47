//! From the host's data to contract 0.1.

use kedge_spec::provider::{ProviderDocument, ProviderInput, Role};

use super::bindings::kedge::provider::types as wit;

pub(super) fn documents(documents: &[ProviderDocument]) -> Vec<wit::Document> {
    documents
        .iter()
        .map(|d| wit::Document {
            api_version: d.api_version.clone(),
            kind: d.kind.clone(),
            name: d.name.clone(),
            body: d.body.to_string(),
        })
        .collect()
}

pub(super) fn input(input: &ProviderInput) -> wit::Input {
    wit::Input {
        cluster_name: input.cluster_name.clone(),
        namespace: input.namespace.clone(),
        documents: documents(&input.documents),
        release: input.release.to_string(),
        facts: input.facts.to_string(),
        features: input.features.clone(),
    }
}

pub(super) fn role(role: &Role) -> wit::Role {
    match role {
        Role::ControlPlane => wit::Role::ControlPlane,
        Role::Etcd => wit::Role::Etcd,
        Role::Worker(name) => wit::Role::Worker(name.clone()),
    }
}
