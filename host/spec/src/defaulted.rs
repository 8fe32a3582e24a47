//! The defaulted spec: what everything after it uses.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::cluster::{self, AwsIamConfig, Cluster, FluxConfig, GitOpsConfig, OidcConfig, Ref};
use crate::diagnostic::Diagnostic;
use crate::document::Document;
use crate::finding::{Finding, ObjectRef};
use crate::provider::{Change, Description, ProviderDocument};
use crate::release::Release;
use crate::source::Source;
use crate::spec::{Spec, diagnose};
use crate::{check, yaml};

/// A spec with all defaults, of host and provider.
#[derive(Debug, Clone)]
pub struct DefaultedSpec {
    source: Source,
    documents: Vec<Document>,
    warnings: Vec<Finding>,
    cluster: Cluster,
    changes: Vec<Change>,
    claimed: Vec<usize>,
}

impl DefaultedSpec {
    pub(crate) fn new(spec: Spec, cluster: Cluster, changes: Vec<Change>, claimed: Vec<usize>) -> Self {
        Self { source: spec.source, documents: spec.documents, warnings: spec.warnings, cluster, changes, claimed }
    }

    /// The Cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// All documents, in the order of the file, with defaults.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// A document by kind and name.
    pub fn document(&self, kind: &str, name: &str) -> Option<&Document> {
        self.documents.iter().find(|d| d.kind == kind && d.name == name)
    }

    /// The same spec with another value in one field that is there, by its JSON pointer; none if there is no such field, or
    /// if the Cluster could not be read any more. Nothing is defaulted or checked again.
    #[must_use]
    pub fn with_value(&self, document: &ObjectRef, pointer: &str, value: Value) -> Option<Self> {
        let mut changed = self.clone();
        let target = changed.documents.iter_mut().find(|d| d.reference() == *document)?;
        *target.body.pointer_mut(pointer)? = value;
        if let Some(name) = target.body.pointer("/metadata/name").and_then(Value::as_str) {
            name.clone_into(&mut target.name);
        }
        if target.kind == cluster::KIND {
            changed.cluster = crate::parse::typed(&target.body)?;
        }
        Some(changed)
    }

    /// The OIDCConfig that the Cluster refers to, if it refers to one and that can be read.
    pub fn oidc(&self) -> Option<OidcConfig> {
        self.identity(cluster::OIDC_KIND)
    }

    /// The AWSIamConfig that the Cluster refers to, if it refers to one and that can be read.
    pub fn aws_iam(&self) -> Option<AwsIamConfig> {
        self.identity(cluster::AWS_IAM_KIND)
    }

    /// The repository that the Cluster's GitOps reference leads to, whether by a FluxConfig or by a GitOpsConfig, if it
    /// has one and that can be read.
    pub fn flux(&self) -> Option<FluxConfig> {
        let reference = self.cluster.spec.git_ops_ref.as_ref()?;
        match reference.kind.as_str() {
            cluster::FLUX_KIND => self.read(reference),
            cluster::GITOPS_KIND => self.read::<GitOpsConfig>(reference).map(Into::into),
            _ => None,
        }
    }

    fn identity<T: DeserializeOwned>(&self, kind: &str) -> Option<T> {
        let references = &self.cluster.spec.identity_provider_refs;
        self.read(references.iter().find(|r| r.kind == kind)?)
    }

    fn read<T: DeserializeOwned>(&self, reference: &Ref) -> Option<T> {
        let document = self.document(&reference.kind, &reference.name)?;
        T::deserialize(document.body.get("spec")?).ok()
    }

    /// What a provider gets: the Cluster first, then the documents of its kinds.
    pub fn provider_documents(&self) -> Vec<ProviderDocument> {
        self.claimed.iter().filter_map(|index| self.documents.get(*index)).map(Document::to_provider).collect()
    }

    /// What defaulting set, by host and provider.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The reference of the Cluster in findings.
    pub fn cluster_ref(&self) -> ObjectRef {
        crate::parse::reference(&self.cluster)
    }

    /// Whether a provider's document is one that the Cluster needs.
    pub(crate) fn is_used(&self, document: &Document) -> bool {
        self.claimed
            .iter()
            .filter_map(|index| self.documents.get(*index))
            .any(|d| d.kind == document.kind && d.name == document.name)
    }

    /// Everything the host has to say about the Cluster and how its documents hang together: all errors, not only the
    /// first. The provider's own kinds are checked by the provider.
    pub fn check(&self, provider: &Description, release: &Release) -> Vec<Finding> {
        let mut findings = self.warnings.clone();
        findings.extend(check::all(self, provider, release));
        findings
    }

    /// What a cluster can have, but not from its beginning: errors of a create alone.
    pub fn not_at_create(&self) -> Vec<Finding> {
        check::not_at_create(self.cluster(), &self.cluster_ref())
    }

    /// Findings with their places in the file.
    pub fn diagnose(&self, findings: &[Finding]) -> Vec<Diagnostic> {
        diagnose(&self.source, &self.documents, findings)
    }

    /// SHA-256 of what the spec says, in hex. Comments, layout, the order of keys and documents, and `eksaVersion`
    /// (which follows the release) do not count.
    pub fn hash(&self) -> String {
        let mut bodies: Vec<String> = self
            .documents
            .iter()
            .map(|document| {
                let mut body = document.stored();
                if document.kind == cluster::KIND
                    && let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut)
                {
                    spec.shift_remove("eksaVersion");
                }
                canonical(&body).to_string()
            })
            .collect();
        bodies.sort();
        let mut hasher = Sha256::new();
        for body in bodies {
            hasher.update(body.len().to_be_bytes());
            hasher.update(body);
        }
        hex::encode(hasher.finalize())
    }

    /// The spec as it is used, as YAML: the content of `NAME-eks-a-cluster.yaml`. The same spec gives the same bytes,
    /// and reading it again gives the same documents.
    pub fn to_yaml(&self) -> String {
        let is_cluster = |d: &&Document| d.kind == cluster::KIND;
        let cluster = self.documents.iter().filter(is_cluster);
        let others = self.documents.iter().filter(|d| !is_cluster(d));
        let bodies: Vec<Value> = cluster.chain(others).map(Document::stored).collect();
        yaml::emit::documents(bodies.iter())
    }
}

/// The same value with keys in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), canonical(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}
