//! What has to be so with a management cluster before a cluster is made in it.

use std::collections::BTreeSet;
use std::time::Instant;

use kedge_bootstrap::Identity;
use kedge_cluster_api::api::{Api, Retry};
use kedge_cluster_api::render::Manifests;
use kedge_cluster_api::{Error as ApiError, NAMESPACE, ObjectId, TypeRef, install, kinds};
use kedge_spec::Finding;
use kedge_spec::provider::Placement;
use serde_json::Value;

use crate::event::CheckMark;
use crate::load::Prepared;
use crate::management::{Ground, Management};
use crate::outcome::{CheckReport, FindingReport};

/// The checks, by id and title. Titles are those of EKS Anywhere where it has the check.
const CONNECTION: (&str, &str) = ("management-cluster-connection", "Connected to management cluster");
const NAMES: (&str, &str) = ("cluster-name", "Validate cluster name");
const KINDS: (&str, &str) = ("management-cluster-kinds", "Validate management cluster has eksa crds");
const IDENTITY: (&str, &str) = ("management-cluster-name", "Validate management cluster name is valid");
const PROVIDERS: (&str, &str) =
    ("management-cluster-providers", "Validate eksa release components exist on management cluster");

/// The field that names the management cluster.
const MANAGER: &str = "spec.managementCluster.name";

/// The ids, as `--skip-validations` takes them.
pub(super) const IDS: [&str; 5] = [CONNECTION.0, NAMES.0, KINDS.0, IDENTITY.0, PROVIDERS.0];

/// The EKS-A Cluster.
pub(crate) const EKSA_CLUSTER: TypeRef = TypeRef::of("anywhere.eks.amazonaws.com/v1alpha1", "Cluster");

/// What is looked at.
pub(super) struct Looked<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) ground: &'a Ground,
    pub(super) management: &'a Management,
    /// Whether an earlier run began the cluster: then it is there already.
    pub(super) begun: bool,
    /// What the cluster is made of, if it could be rendered.
    pub(super) manifests: Option<&'a Manifests>,
    pub(super) skip: &'a [String],
}

/// Runs the checks; `tell` hears of each as it is done.
pub(super) async fn run(looked: &Looked<'_>, tell: &(dyn Fn(&CheckReport) + Sync)) -> Vec<CheckReport> {
    let mut reports = Vec::new();
    let mut last = Instant::now();
    let mut add = |mut report: CheckReport| {
        report.duration_ms = u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX);
        last = Instant::now();
        tell(&report);
        reports.push(report);
    };
    let api = match connect(looked).await {
        Ok(api) => api,
        Err(error) => {
            let path = looked.management.kubeconfig.display();
            let message = format!("the management cluster `{}` can't be used: {error}", looked.management.name);
            add(looked.failed(CONNECTION, MANAGER, message, format!("{}; its kubeconfig is `{path}`", error.help())));
            return reports;
        }
    };
    add(report(CONNECTION, CheckMark::Passed));
    for check in [NAMES, KINDS, IDENTITY, PROVIDERS] {
        if looked.skip.iter().any(|id| id == check.0) {
            add(CheckReport {
                skipped: Some("it was asked to be left out".into()),
                ..report(check, CheckMark::Skipped)
            });
            continue;
        }
        let found = match check.0 {
            id if id == NAMES.0 => names(looked, &api).await,
            id if id == KINDS.0 => eksa_kinds(looked, &api).await,
            id if id == IDENTITY.0 => identity(looked, &api).await,
            _ => providers(looked, &api).await,
        };
        add(found.unwrap_or_else(|error| looked.failed(check, MANAGER, error.to_string(), error.help())));
    }
    reports
}

async fn connect(looked: &Looked<'_>) -> Result<Api, ApiError> {
    // An existing cluster is what its kubeconfig says, whosever folder asks.
    let identity = Identity { cluster: looked.prepared.name().to_owned(), owner: String::new(), folder: String::new() };
    let found = looked.ground.driver.find(&identity).await;
    let kubeconfig = match found {
        Ok(Some(found)) => found.kubeconfig,
        Ok(None) => return Err(ApiError::Kubeconfig { reason: "it is gone".into(), source: None }),
        Err(error) => return Err(ApiError::Kubeconfig { reason: error.to_string(), source: None }),
    };
    // Whoever checks first does not want to wait for long.
    let patience = std::time::Duration::from_secs(10);
    let retry = Retry { budget: patience, request: patience, ..Retry::default() };
    let api = Api::from_kubeconfig(&kubeconfig).await?.retrying(retry);
    api.version().await?;
    Ok(api)
}

/// Names are unique on a management cluster, whatever the namespace of the spec's documents: the Cluster API objects of
/// all clusters are in one.
async fn names(looked: &Looked<'_>, api: &Api) -> Result<CheckReport, ApiError> {
    if looked.begun {
        return Ok(report(NAMES, CheckMark::Passed));
    }
    let (name, home) = (looked.prepared.name(), &looked.management.name);
    if name == home {
        return Ok(report(NAMES, CheckMark::Passed));
    }
    let mut taken = Vec::new();
    if api.get(&ObjectId::namespaced(kinds::CLUSTER, NAMESPACE, name)).await?.is_some() {
        taken.push(format!("a cluster `{name}` already exists on `{home}`, and this folder did not make it"));
    }
    for document in looked.prepared.spec.provider_documents() {
        let Some(id) = ObjectId::from_object(&document.body) else { continue };
        let id = ObjectId::namespaced(id.kind.clone(), &looked.prepared.cluster().namespace, &id.name);
        if api.serves(&id.kind).await? && api.get(&id).await?.is_some() {
            taken.push(format!("{id} already exists on `{home}`"));
        }
    }
    if taken.is_empty() {
        return Ok(report(NAMES, CheckMark::Passed));
    }
    let remedy =
        "give the new cluster and its documents other names, or go on in the folder in which the other one was begun";
    Ok(looked.failed(NAMES, "metadata.name", taken.join("; "), remedy.to_owned()))
}

async fn eksa_kinds(looked: &Looked<'_>, api: &Api) -> Result<CheckReport, ApiError> {
    if api.serves(&EKSA_CLUSTER).await? {
        return Ok(report(KINDS, CheckMark::Passed));
    }
    let why = format!(
        "`{}` has no EKS Anywhere kinds: the cluster is managed by Cluster API alone, and the spec's documents stay in the folder",
        looked.management.name
    );
    Ok(CheckReport { skipped: Some(why), ..report(KINDS, CheckMark::Skipped) })
}

/// A kubeconfig of some other cluster must not pass for that of the management cluster.
async fn identity(looked: &Looked<'_>, api: &Api) -> Result<CheckReport, ApiError> {
    let name = &looked.management.name;
    let mut known = BTreeSet::new();
    for (kind, managed_by) in [(EKSA_CLUSTER, Some("/spec/managementCluster/name")), (kinds::CLUSTER, None)] {
        if !api.serves(&kind).await? {
            continue;
        }
        for cluster in api.list(&kind, None, None).await? {
            let text = |at: &str| cluster.pointer(at).and_then(Value::as_str).unwrap_or_default();
            let (found, manager) = (text("/metadata/name").to_owned(), managed_by.map_or("", text));
            if &found == name && !manager.is_empty() && manager != name {
                let message = format!("`{name}` is itself managed by `{manager}`, and can't manage others");
                let remedy = format!("name `{manager}` in `spec.managementCluster.name`, and give its kubeconfig");
                return Ok(looked.failed(IDENTITY, MANAGER, message, remedy));
            }
            known.insert(found);
        }
    }
    if known.contains(name) {
        return Ok(report(IDENTITY, CheckMark::Passed));
    }
    if known.is_empty() {
        // A cluster on which only the providers were installed has no object of itself: nothing says its name.
        let why = format!("nothing on the cluster says its name: that it is `{name}` is taken on trust");
        return Ok(CheckReport { skipped: Some(why), ..report(IDENTITY, CheckMark::Skipped) });
    }
    let known: Vec<String> = known.iter().take(5).map(|one| format!("`{one}`")).collect();
    let message = format!(
        "`{}` is not the kubeconfig of `{name}`: that cluster knows {} and no `{name}`",
        looked.management.kubeconfig.display(),
        known.join(", ")
    );
    Ok(looked.failed(IDENTITY, MANAGER, message, format!("give the kubeconfig of `{name}` with `--kubeconfig FILE`")))
}

/// Every kind that the cluster is made of has to be served. Providers of another version than the release's are said.
async fn providers(looked: &Looked<'_>, api: &Api) -> Result<CheckReport, ApiError> {
    let mut missing = BTreeSet::new();
    for manifest in
        looked.manifests.iter().flat_map(|m| m.placed(Placement::BeforeCluster).chain(m.placed(Placement::WithCluster)))
    {
        let Some(id) = ObjectId::from_object(manifest) else { continue };
        if !api.serves(&id.kind).await? {
            missing.insert(id.kind.to_string());
        }
    }
    if !missing.is_empty() {
        let kinds: Vec<String> = missing.iter().map(|k| format!("`{k}`")).collect();
        let message = format!("`{}` does not know {}", looked.management.name, kinds.join(", "));
        let remedy = "install the provider that brings them on the management cluster, or upgrade it to a release that serves this version";
        return Ok(looked.failed(PROVIDERS, MANAGER, message, remedy.to_owned()));
    }
    let mut other = Vec::new();
    for component in looked.prepared.components().unwrap_or_default() {
        if let Some(version) = install::version_on(api, &component).await?
            && version != component.version
        {
            other.push(format!("{} is {version}, and the release has {}", component.name, component.version));
        }
    }
    if other.is_empty() {
        return Ok(report(PROVIDERS, CheckMark::Passed));
    }
    let remedy =
        "the cluster is made with what is there; use the management cluster's own release to have both the same";
    Ok(looked.found(PROVIDERS, CheckMark::Warned, MANAGER, other.join("; "), remedy.to_owned()))
}

fn report((id, title): (&str, &str), outcome: CheckMark) -> CheckReport {
    CheckReport {
        id: id.to_owned(),
        title: title.to_owned(),
        object: String::new(),
        outcome,
        expected: String::new(),
        found: String::new(),
        skipped: None,
        remedy: String::new(),
        duration_ms: 0,
        findings: Vec::new(),
        quiet: false,
    }
}

impl Looked<'_> {
    fn failed(&self, check: (&str, &str), path: &str, message: String, remedy: String) -> CheckReport {
        self.found(check, CheckMark::Failed, path, message, remedy)
    }

    /// A report with what was found, at the line of the spec that asks for it.
    fn found(
        &self,
        check: (&str, &str),
        outcome: CheckMark,
        path: &str,
        message: String,
        remedy: String,
    ) -> CheckReport {
        let finding = match outcome {
            CheckMark::Failed => Finding::error(check.0, message),
            _ => Finding::warning(check.0, message),
        };
        let object = super::shown(&self.prepared.spec.cluster_ref());
        let finding = finding.at(&self.prepared.spec.cluster_ref(), path).remedy(remedy.clone());
        let findings = self.prepared.spec.diagnose(&[finding]).iter().map(FindingReport::from).collect();
        CheckReport { object, remedy, findings, ..report(check, outcome) }
    }
}
