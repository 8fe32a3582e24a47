//! A spec on its way: parsed, completed by the host, completed by the provider.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::cluster::{self, Cluster};
use crate::defaulted::DefaultedSpec;
use crate::diagnostic::{self, Diagnostic, Rejected};
use crate::document::Document;
use crate::finding::{Finding, ObjectRef};
use crate::parse;
use crate::path;
use crate::provider::{Change, Description, KindRole, ProviderDocument};
use crate::release::Release;
use crate::schema::{self, Unknown};
use crate::source::{Source, Span};

/// A parsed spec: one Cluster of the right shape, and documents of any other kind.
#[derive(Debug, Clone)]
pub struct Spec {
    pub(crate) source: Source,
    pub(crate) documents: Vec<Document>,
    pub(crate) cluster: usize,
    pub(crate) datacenter_kind: String,
    /// What the file may have, but should not; after the host's defaults also what is wrong with its other kinds.
    pub(crate) warnings: Vec<Finding>,
}

impl Spec {
    /// Reads a spec.
    ///
    /// # Errors
    /// Everything that is wrong with the file, at once.
    pub fn parse(source: Source) -> Result<Self, Rejected> {
        parse::parse(source)
    }

    /// The kind that `spec.datacenterRef` of the Cluster names: what picks the provider.
    pub fn datacenter_kind(&self) -> &str {
        &self.datacenter_kind
    }

    /// `metadata.name` of the Cluster.
    pub fn cluster_name(&self) -> &str {
        self.documents.get(self.cluster).map_or("", |d| d.name.as_str())
    }

    /// All documents, in the order of the file.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What the file may have, but should not.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Findings with their places.
    pub fn diagnose(&self, findings: &[Finding]) -> Vec<Diagnostic> {
        diagnose(&self.source, &self.documents, findings)
    }

    /// Sets what the host knows better than a blank. `release` is the one that will be used, as far as it is known:
    /// `spec.eksaVersion` becomes its version.
    pub fn with_host_defaults(mut self, provider: &Description, release: Option<&Release>) -> HostDefaulted {
        let mut changes = Vec::new();
        if let Some(document) = self.documents.get_mut(self.cluster) {
            let reference = document.reference();
            let version = release.and_then(Release::eksa_version);
            changes = cluster::apply_defaults(&mut document.body, &reference, version.as_deref());
        }
        let manager = self.documents.get(self.cluster).map(manager).unwrap_or_default();
        let used = self.documents.get(self.cluster).map(|d| host_references(&d.body)).unwrap_or_default();
        for document in &mut self.documents {
            let Some(schema) = cluster::schema::of(&document.kind).filter(|_| document.kind != cluster::KIND) else {
                continue;
            };
            let used = used.contains(&document.reference());
            self.warnings.extend(reshape(document, &schema, used));
            if !used {
                continue;
            }
            let reference = document.reference();
            changes.extend(cluster::apply_to_host_kinds(&mut document.body, &reference, &manager));
        }
        let kinds = provider.kinds.iter().map(|k| (k.kind.clone(), k.role.clone())).collect();
        HostDefaulted { spec: self, kinds, changes, shape: Vec::new() }
    }
}

/// A spec with the host's defaults; the provider's are still missing.
#[derive(Debug, Clone)]
pub struct HostDefaulted {
    spec: Spec,
    kinds: Vec<(String, KindRole)>,
    changes: Vec<Change>,
    shape: Vec<Finding>,
}

impl HostDefaulted {
    /// What a provider gets: the Cluster first, then the documents of its kinds. Datacenter and machine documents that
    /// nothing refers to are left out, as EKS Anywhere does.
    pub fn provider_documents(&self) -> Vec<ProviderDocument> {
        provider_indices(&self.spec, &self.kinds)
            .into_iter()
            .filter_map(|index| self.spec.documents.get(index))
            .map(Document::to_provider)
            .collect()
    }

    /// The documents.
    pub fn documents(&self) -> &[Document] {
        self.spec.documents()
    }

    /// `metadata.name` of the Cluster.
    pub fn cluster_name(&self) -> &str {
        self.spec.cluster_name()
    }

    /// What the host set.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What there is to say so far: about the file, and after [`normalised`](Self::normalised) about the shape of the
    /// provider's documents.
    pub fn findings(&self) -> Vec<Finding> {
        self.spec.warnings.iter().chain(&self.shape).cloned().collect()
    }

    /// The same with the provider's documents looked at through the JSON Schemas that it gives for its kinds: keys are
    /// spelled as there, fields that are not there are left out, and [`findings`](Self::findings) say what is wrong. See
    /// [`schema`] for the subset.
    #[must_use]
    pub fn normalised(mut self, schemas: &BTreeMap<String, Value>) -> Self {
        let used: HashSet<usize> = provider_indices(&self.spec, &self.kinds).into_iter().collect();
        for (index, document) in self.spec.documents.iter_mut().enumerate() {
            if let Some(schema) = schemas.get(&document.kind)
                && index != self.spec.cluster
            {
                self.shape.extend(reshape(document, schema, used.contains(&index)));
            }
        }
        self
    }

    /// Findings with their places.
    pub fn diagnose(&self, findings: &[Finding]) -> Vec<Diagnostic> {
        self.spec.diagnose(findings)
    }

    /// Takes over the provider's defaults.
    ///
    /// # Errors
    /// When the provider gave back other documents than it got, or made the Cluster unreadable.
    pub fn complete(
        mut self,
        documents: Vec<ProviderDocument>,
        changes: Vec<Change>,
    ) -> Result<DefaultedSpec, Rejected> {
        let mut findings = Vec::new();
        let claimed = provider_indices(&self.spec, &self.kinds);
        let mut missing: Vec<ObjectRef> =
            claimed.iter().filter_map(|i| self.spec.documents.get(*i)).map(Document::reference).collect();
        for given in documents {
            let reference = ObjectRef::new(&given.kind, &given.name);
            let known = missing.iter().position(|m| *m == reference);
            let place = self.spec.documents.iter_mut().find(|d| d.reference() == reference);
            match (known, place) {
                (Some(at), Some(document)) => {
                    missing.remove(at);
                    document.api_version = given.api_version;
                    document.body = given.body;
                }
                _ => findings.push(provider_fault(&format!("gave back {reference}, which it did not get"))),
            }
        }
        findings.extend(missing.iter().map(|m| provider_fault(&format!("did not give back {m}"))));
        let cluster = match self.spec.documents.get(self.spec.cluster) {
            Some(document) => {
                findings.extend(schema::findings(
                    &document.reference(),
                    &document.body,
                    &cluster::schema::schema(),
                    Unknown::Refused,
                ));
                parse::typed(&document.body)
            }
            None => None,
        };
        match cluster {
            Some(cluster) if findings.is_empty() => {
                self.changes.extend(changes);
                Ok(DefaultedSpec::new(self.spec, cluster, self.changes, claimed))
            }
            _ => {
                if findings.is_empty() {
                    findings.push(provider_fault("made the Cluster unreadable"));
                }
                Err(rejected(self.spec.source.clone(), self.spec.diagnose(&findings)))
            }
        }
    }
}

/// Gives a document that is not the Cluster the shape of its schema, and says what was wrong with it. One that nothing
/// refers to is left out anyhow, and only has to be readable.
fn reshape(document: &mut Document, schema: &Value, used: bool) -> Vec<Finding> {
    let mut found = schema::findings(&document.reference(), &document.body, schema, Unknown::Dropped);
    found.retain(|f| used || f.code == "wrong-type");
    document.body = schema::normalised(std::mem::take(&mut document.body), schema, Unknown::Dropped);
    found
}

/// The name of the cluster that manages the one of this document, after defaults.
fn manager(cluster: &Document) -> String {
    let named = cluster.body.pointer("/spec/managementCluster/name").and_then(Value::as_str);
    named.unwrap_or(&cluster.name).to_owned()
}

fn provider_fault(what: &str) -> Finding {
    Finding::error("provider-defaults", format!("the provider's defaults can't be used: it {what}"))
        .remedy("this is a fault of the provider: tell its author")
}

pub(crate) fn rejected(source: Source, diagnostics: Vec<Diagnostic>) -> Rejected {
    Rejected { source, diagnostics: diagnostic::sorted(diagnostics) }
}

/// The documents a provider gets: the Cluster, then those of its kinds in the order of the file.
fn provider_indices(spec: &Spec, kinds: &[(String, KindRole)]) -> Vec<usize> {
    let referenced = spec.documents.get(spec.cluster).map(|d| references(&d.body)).unwrap_or_default();
    let others = spec.documents.iter().enumerate().filter(|(index, document)| {
        let role = kinds.iter().find(|(kind, _)| *kind == document.kind).map(|(_, role)| role);
        *index != spec.cluster
            && match role {
                None => false,
                Some(KindRole::Other(_)) => true,
                Some(KindRole::Datacenter | KindRole::Machine) => referenced.contains(&document.reference()),
            }
    });
    std::iter::once(spec.cluster).chain(others.map(|(index, _)| index)).collect()
}

fn reference(value: Option<&Value>) -> Option<ObjectRef> {
    let text = |key| value?.get(key).and_then(Value::as_str);
    Some(ObjectRef::new(text("kind")?, text("name")?))
}

/// The host's other documents that a Cluster names: identity providers and the repository.
fn host_references(cluster: &Value) -> HashSet<ObjectRef> {
    let identities = cluster.pointer("/spec/identityProviderRefs").and_then(Value::as_array);
    let gitops = cluster.pointer("/spec/gitOpsRef");
    identities.into_iter().flatten().chain(gitops).filter_map(|value| reference(Some(value))).collect()
}

/// The datacenter and machine documents that a Cluster names.
fn references(cluster: &Value) -> HashSet<ObjectRef> {
    let spec = cluster.get("spec");
    let field = |name: &str| spec.and_then(|s| s.get(name));
    let groups = field("workerNodeGroupConfigurations").and_then(Value::as_array);
    let machines = [field("controlPlaneConfiguration"), field("externalEtcdConfiguration")]
        .into_iter()
        .flatten()
        .chain(groups.into_iter().flatten());
    std::iter::once(reference(field("datacenterRef")))
        .chain(machines.map(|owner| reference(owner.get("machineGroupRef"))))
        .flatten()
        .collect()
}

pub(crate) fn diagnose(source: &Source, documents: &[Document], findings: &[Finding]) -> Vec<Diagnostic> {
    let shared = diagnostic::shared_source(source);
    let all = findings
        .iter()
        .map(|finding| Diagnostic::shared(finding.clone(), source, &shared, place(documents, finding)))
        .collect();
    diagnostic::sorted(all)
}

fn place(documents: &[Document], finding: &Finding) -> Option<Span> {
    let reference = finding.document.as_ref()?;
    let document = documents.iter().find(|d| d.kind == reference.kind && d.name == reference.name)?;
    Some(place_in(document, finding))
}

/// Findings about a key point at the key, all others at the value.
pub(crate) fn place_in(document: &Document, finding: &Finding) -> Span {
    match finding.code.as_str() {
        "unknown-field" | "duplicate-key" | "not-at-create" => path::locate_key(&document.node, &finding.path),
        _ => path::locate(&document.node, &finding.path),
    }
}

/// Typed access for callers that have a body only.
impl TryFrom<&ProviderDocument> for Cluster {
    type Error = Finding;

    fn try_from(document: &ProviderDocument) -> Result<Self, Finding> {
        let wrong = || Finding::error("not-a-cluster", format!("`{}` is not a Cluster", document.name));
        if document.kind != cluster::KIND {
            return Err(wrong());
        }
        parse::typed(&document.body).ok_or_else(wrong)
    }
}
