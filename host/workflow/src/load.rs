//! The way of one spec from a file to everything that a command works with. All findings come in one run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kedge_cluster_api::install::{ComponentManifests, ImageOverrides};
use kedge_cluster_api::render::{self, Manifests, RenderInput};
use kedge_plugin::{
    Catalog, EngineAddress, Environment, HostOptions, Lock, Override, Plugin, PluginError, PluginHost, SecretStore,
};
use kedge_spec::cluster::Cluster;
use kedge_spec::provider::{Contributions, Description, ProviderDocument, ProviderInput, Role, SecretNeed};
use kedge_spec::release::{Component, Release, ReleaseView};
use kedge_spec::{DefaultedSpec, Diagnostic, Finding, HostDefaulted, Severity, Source, Spec};
use serde_json::{Value, json};

use crate::error::WorkflowError;
use crate::fetch::Fetcher;
use crate::folder::LOCK_FILE;
use crate::options::{Options, SpecInput};
use crate::outcome::PluginReport;
use crate::release;

/// A spec that can be used, and what goes with it.
#[derive(Debug)]
pub struct Prepared {
    /// The spec with all defaults.
    pub spec: DefaultedSpec,
    /// The plugin that claims its datacenter.
    pub plugin: Arc<Plugin>,
    /// The release.
    pub release: Release,
    /// The release as this cluster sees it.
    pub view: ReleaseView,
    /// Warnings and notes.
    pub findings: Vec<Diagnostic>,
    fetcher: Fetcher,
    release_address: String,
}

/// Reads the spec that the options name.
pub fn read_spec(options: &Options) -> Result<Source, WorkflowError> {
    match &options.spec {
        Some(SpecInput::Text { name, text }) => Ok(Source::new(name.clone(), text.as_str())),
        Some(SpecInput::File(path)) => {
            let unreadable = |reason: String| WorkflowError::Unreadable { path: path.clone(), reason };
            let bytes = spec_bytes(path).map_err(|e| unreadable(reason(&e)))?;
            if bytes.len() > kedge_spec::MAX_SPEC_BYTES {
                return Err(too_large(path.display().to_string()));
            }
            Source::from_bytes(path.display().to_string(), &bytes).map_err(unreadable)
        }
        None => {
            Err(WorkflowError::Input { message: "there is no spec".into(), help: "name one with `-f FILE`".into() })
        }
    }
}

fn too_large(file: String) -> WorkflowError {
    let message = format!("the file has more than {} bytes, and is not read", kedge_spec::MAX_SPEC_BYTES);
    let finding = Finding::error("file-too-large", message).remedy("split it, or check that it is the right file");
    let diagnostic = Diagnostic::new(finding, &Source::new(file.as_str(), ""), None);
    rejected(file, vec![diagnostic])
}

/// The bytes of a spec. Of a file that is too large no more is read than it takes to know that.
fn spec_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let most = u64::try_from(kedge_spec::MAX_SPEC_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Takes the spec that the options name all the way. Warnings come back with it.
pub async fn load(options: &Options) -> Result<Prepared, WorkflowError> {
    load_from(options, read_spec(options)?).await
}

/// The same for a spec that was read already.
pub async fn load_from(options: &Options, source: Source) -> Result<Prepared, WorkflowError> {
    let file = source.name.clone();
    let spec = Spec::parse(source)?;
    let folder = options.directory.join(spec.cluster_name());
    let plugin = claiming(options, &folder, &spec).await?;
    let description = plugin.description().clone();
    let fetcher = Fetcher::for_options(options);
    let (release, release_address) = release::fetch(&fetcher, &options.release, &spec, &needed(&spec)).await?;
    // What the program carries stands in for whatever release the create takes in the end.
    let carried = options.release.starts_with("embedded:");
    let asked = release::asked_version(&spec).filter(|_| !carried).map(str::to_owned);

    let schemas = schemas(&plugin).await?;
    let host = spec.with_host_defaults(&description, Some(&release)).normalised(&schemas);
    let mut findings = host.findings();
    let (defaulted, more) = complete(&plugin, &host, &findings).await?;
    findings.extend(more);
    let Some(spec) = defaulted else { return Err(rejected(file, host.diagnose(&findings))) };
    let spec = spec?;
    findings.extend(spec.check(&description, &release));
    findings.extend(release::findings(&release, &spec, asked.as_deref(), options)?);
    findings.extend(spec.not_at_create());
    match plugin.check(&spec.provider_documents()).await {
        Ok(said) => findings.extend(said),
        Err(error) => findings.extend(refusal(&plugin, error)?),
    }
    let view = match release.view(&spec) {
        Ok(view) => Some(view),
        Err(finding) => {
            if !findings.iter().any(|f| f.code == finding.code && f.path == finding.path) {
                findings.push(finding);
            }
            None
        }
    };
    let diagnostics = spec.diagnose(&findings);
    let bad = |d: &Diagnostic| d.is_error() || (options.strict && d.finding.severity == Severity::Warning);
    match view {
        Some(view) if !diagnostics.iter().any(bad) => {
            Ok(Prepared { spec, plugin, release, view, findings: diagnostics, fetcher, release_address })
        }
        _ => Err(rejected(file, diagnostics)),
    }
}

/// The plugin host and the plugins that there are, in their order.
pub(crate) fn catalog(options: &Options, folder: Option<&Path>) -> Result<(PluginHost, Catalog), WorkflowError> {
    let host_options = HostOptions {
        cache_dir: options.plugin_cache.clone(),
        compiler: options.plugin_rules.compiler.clone(),
        isolation: options.plugin_rules.isolation.clone(),
        policy: options.plugin_rules.policy.clone(),
        audit: options.plugin_rules.trail.clone(),
        recorder: options.plugin_rules.recorder.clone(),
        ..HostOptions::default()
    };
    let host = PluginHost::new(host_options).map_err(|e| plugin_error("host", e))?;
    let mut catalog = Catalog::new();
    for path in &options.plugins {
        catalog = catalog.with_file(path);
    }
    if let Some(folder) = folder {
        catalog = catalog.with_lock(folder.join(LOCK_FILE)).map_err(|e| plugin_error(LOCK_FILE, e))?;
    }
    if let Some(folder) = &options.installed_plugins {
        catalog = catalog.with_installed(folder).map_err(|e| plugin_error(&folder.display().to_string(), e))?;
    }
    Ok((host, catalog.with_built_ins()))
}

/// The plugin that claims the spec's datacenter kind. That there is none is a finding about that field.
async fn claiming(options: &Options, folder: &Path, spec: &Spec) -> Result<Arc<Plugin>, WorkflowError> {
    let (host, catalog) = catalog(options, Some(folder))?;
    let kind = spec.datacenter_kind();
    match host.claiming(&catalog, kind).await {
        Ok(plugin) => {
            let lock = folder.join(LOCK_FILE);
            options
                .plugin_rules
                .admit(&plugin, Some(&lock))
                .map_err(|e| plugin_error(&plugin.description().name, e))?;
            Ok(Arc::new(plugin))
        }
        Err(PluginError::NotFound { known, .. }) => {
            let known: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
            let remedy = if known.is_empty() {
                "name a plugin's file with `--plugin FILE`".to_owned()
            } else {
                format!("use one of {}, or name a plugin's file with `--plugin FILE`", known.join(", "))
            };
            let finding = Finding {
                severity: Severity::Error,
                code: "no-plugin".into(),
                document: spec.documents().iter().find(|d| d.kind == "Cluster").map(kedge_spec::Document::reference),
                path: "spec.datacenterRef.kind".into(),
                message: format!("no plugin claims the kind `{kind}`"),
                remedy,
                link: None,
            };
            Err(rejected(spec.source().name.clone(), spec.diagnose(&[finding])))
        }
        Err(error) => Err(plugin_error(kind, error)),
    }
}

fn needed(spec: &Spec) -> Vec<kedge_spec::KubernetesVersion> {
    let cluster = spec.documents().iter().find(|d| d.kind == "Cluster").map(kedge_spec::Document::to_provider);
    cluster.and_then(|c| Cluster::try_from(&c).ok()).map(|c| Release::needed(&c)).unwrap_or_default()
}

/// What a plugin reaches the outside through: the servers that documents name, the credentials, the container engine.
pub(crate) fn environment(
    plugin: &Plugin,
    documents: &[ProviderDocument],
    secrets: Arc<SecretStore>,
    options: &Options,
) -> Result<Environment, WorkflowError> {
    let overrides: BTreeMap<String, Override> = options
        .endpoints
        .iter()
        .map(|(server, to)| (server.clone(), Override { address: to.address, ca_pem: to.ca_pem.clone() }))
        .collect();
    let engine = EngineAddress::from_lookup(|name| (options.environment)(name));
    plugin
        .environment(documents, secrets, &overrides, options.plugin_rules.trail.clone())
        .map(|environment| environment.with_engine(Some(engine)))
        .map_err(|e| plugin_error(&plugin.description().name, e))
}

/// Refuses manifests with kinds or fields that the components of the release don't serve.
pub(crate) fn check_served(manifests: &Manifests, components: &[ComponentManifests]) -> Result<(), WorkflowError> {
    kedge_cluster_api::served::check(manifests, components).map_err(|e| WorkflowError::Render(Box::new(e)))
}

/// The schemas of the kinds that a plugin claims.
pub(crate) async fn schemas(plugin: &Plugin) -> Result<BTreeMap<String, Value>, WorkflowError> {
    let mut schemas = BTreeMap::new();
    for claim in &plugin.description().kinds {
        let schema = plugin.schema(&claim.kind).await.map_err(|e| plugin_error(&plugin.description().name, e))?;
        schemas.insert(claim.kind.clone(), schema);
    }
    Ok(schemas)
}

type Completed = Option<Result<DefaultedSpec, WorkflowError>>;

/// The provider's defaults. A provider that can't make anything of documents whose shape is wrong is not at fault: the
/// findings on their shape say it all.
async fn complete(
    plugin: &Plugin,
    host: &HostDefaulted,
    findings: &[Finding],
) -> Result<(Completed, Vec<Finding>), WorkflowError> {
    let broken = findings.iter().any(|f| f.severity == Severity::Error);
    match plugin.defaults(&host.provider_documents()).await {
        Ok((documents, changes)) => match host.clone().complete(documents, changes) {
            Err(_) if broken => Ok((None, Vec::new())),
            completed => Ok((Some(completed.map_err(Into::into)), Vec::new())),
        },
        Err(_) if broken => Ok((None, Vec::new())),
        Err(error) => Ok((None, refusal(plugin, error)?)),
    }
}

/// What a provider has against its input; anything else that went wrong with it stays an error.
fn refusal(plugin: &Plugin, error: PluginError) -> Result<Vec<Finding>, WorkflowError> {
    match error.findings() {
        [] => Err(plugin_error(&plugin.description().name, error)),
        findings => Ok(findings.to_vec()),
    }
}

pub(crate) fn plugin_error(name: &str, error: PluginError) -> WorkflowError {
    WorkflowError::Plugin { name: name.to_owned(), source: Box::new(error) }
}

fn rejected(file: String, diagnostics: Vec<Diagnostic>) -> WorkflowError {
    WorkflowError::Rejected { file, diagnostics }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

impl Prepared {
    /// Who the provider is.
    pub fn description(&self) -> &Description {
        self.plugin.description()
    }

    /// The Cluster.
    pub fn cluster(&self) -> &Cluster {
        self.spec.cluster()
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.spec.cluster().name
    }

    /// Whether etcd runs on machines of its own.
    pub fn external_etcd(&self) -> bool {
        self.cluster().spec.external_etcd_configuration.is_some()
    }

    /// The plugin, for reports.
    pub fn plugin_report(&self) -> PluginReport {
        let description = self.description();
        PluginReport {
            name: description.name.clone(),
            version: description.version.clone(),
            digest: self.plugin.digest().to_owned(),
        }
    }

    /// What the provider's functions get.
    pub fn input(&self, facts: &Value) -> ProviderInput {
        input(&self.spec, &self.view, facts)
    }

    /// The roles that have machines, in the order in which machines are made.
    pub fn roles(&self) -> Vec<Role> {
        roles(self.cluster())
    }

    /// Renders the manifests. The same spec, release, plugin and facts give the same bytes.
    pub async fn render(&self, facts: &Value) -> Result<Manifests, WorkflowError> {
        let contributions = self.contributions(&self.spec, &self.view, facts).await?;
        self.render_parts(&self.spec, &self.view, &contributions)
    }

    /// Renders another spec in the place of this one: same provider, same release.
    pub async fn render_other(&self, spec: &DefaultedSpec, facts: &Value) -> Result<Manifests, WorkflowError> {
        let contributions = self.contributions(spec, &self.view, facts).await?;
        self.render_parts(spec, &self.view, &contributions)
    }

    /// What the provider gives for a spec.
    pub(crate) async fn contributions(
        &self,
        spec: &DefaultedSpec,
        view: &ReleaseView,
        facts: &Value,
    ) -> Result<Contributions, WorkflowError> {
        self.plugin.contributions(&input(spec, view, facts), &roles(spec.cluster())).await.map_err(|e| {
            match refusal(&self.plugin, e) {
                Ok(findings) => rejected(spec.source().name.clone(), spec.diagnose(&findings)),
                Err(error) => error,
            }
        })
    }

    /// Renders from parts.
    pub(crate) fn render_parts(
        &self,
        spec: &DefaultedSpec,
        release: &ReleaseView,
        contributions: &Contributions,
    ) -> Result<Manifests, WorkflowError> {
        let input = RenderInput { spec, release, provider: self.description(), contributions };
        render::render(&input).map_err(|e| WorkflowError::Render(Box::new(e)))
    }

    /// The components that manage the cluster, in the order of installing.
    pub fn components(&self) -> Result<Vec<Component>, WorkflowError> {
        Ok(self.view.components(self.description(), self.external_etcd())?)
    }

    /// The same with their manifests.
    pub async fn component_manifests(&self) -> Result<Vec<ComponentManifests>, WorkflowError> {
        let mut all = Vec::new();
        for component in self.components()? {
            let yaml = self.file(&component.components_url).await?;
            let yaml = self.view.mirror().rewrite_manifest(&yaml).into_owned();
            all.push(ComponentManifests { component, yaml, images: ImageOverrides::default() });
        }
        Ok(all)
    }

    /// A file that the release names.
    pub async fn file(&self, address: &str) -> Result<String, WorkflowError> {
        Ok(self.fetcher.text(address, Some(&self.release_address), false).await?)
    }

    /// The objects in a manifest of the release.
    pub async fn objects(&self, address: &str) -> Result<Vec<Value>, WorkflowError> {
        let text = self.file(address).await?;
        self.objects_in(address, &text)
    }

    /// The objects in the text of a manifest, with images from the mirror.
    pub fn objects_in(&self, name: &str, text: &str) -> Result<Vec<Value>, WorkflowError> {
        let text = self.view.mirror().rewrite_manifest(text);
        let documents = kedge_spec::yaml_documents(&Source::new(name, text.as_ref()))?;
        Ok(documents.into_iter().flat_map(flat).collect())
    }

    /// The namespace of Flux, if the spec asks for GitOps.
    pub fn flux_namespace(&self) -> Option<String> {
        crate::gitops::Config::of(&self.spec).ok().flatten().map(|config| config.namespace)
    }

    /// The credentials that the environment holds for the provider, and for the registry mirror where it asks for some.
    pub fn secrets(&self, options: &Options) -> SecretStore {
        let mut description = self.description().clone();
        description.secrets.extend(mirror_secrets(self.cluster()));
        SecretStore::from_lookup(&description, |name| (options.environment)(name))
    }

    /// The credentials that are needed and missing, as an error.
    pub fn require_secrets(&self, secrets: &SecretStore) -> Result<(), WorkflowError> {
        let missing: Vec<String> = secrets
            .missing_required()
            .into_iter()
            .map(|need| {
                let names: Vec<String> = need.environment.iter().map(|e| format!("`{e}`")).collect();
                format!("{} ({})", names.join(" or "), need.purpose.trim_end_matches('.'))
            })
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(WorkflowError::Credentials { missing }) }
    }

    /// What the plugin reaches the outside through.
    pub fn environment(&self, options: &Options, secrets: Arc<SecretStore>) -> Result<Environment, WorkflowError> {
        environment(&self.plugin, &self.spec.provider_documents(), secrets, options)
    }

    /// Locks the plugin for the cluster, so that later runs take the same one or say that it changed.
    pub fn lock_plugin(&self, path: &Path) -> Result<(), WorkflowError> {
        let failed = |e| plugin_error(&self.description().name, e);
        let mut lock = Lock::read(path).map_err(failed)?.unwrap_or_default();
        lock.add(&self.plugin);
        lock.write(path).map_err(failed)
    }
}

fn input(spec: &DefaultedSpec, view: &ReleaseView, facts: &Value) -> ProviderInput {
    ProviderInput {
        cluster_name: spec.cluster().name.clone(),
        namespace: kedge_cluster_api::NAMESPACE.to_owned(),
        documents: spec.provider_documents(),
        release: view.to_json(),
        facts: if facts.is_null() { json!({}) } else { facts.clone() },
        features: Vec::new(),
    }
}

fn roles(cluster: &Cluster) -> Vec<Role> {
    let mut roles = Vec::new();
    if cluster.spec.external_etcd_configuration.is_some() {
        roles.push(Role::Etcd);
    }
    roles.push(Role::ControlPlane);
    let groups = &cluster.spec.worker_node_group_configurations;
    roles.extend(groups.iter().map(|group| Role::Worker(group.name.clone())));
    roles
}

/// What a registry mirror that authenticates needs, under the names of EKS Anywhere's environment variables.
fn mirror_secrets(cluster: &Cluster) -> Vec<SecretNeed> {
    let mirror = cluster.spec.registry_mirror_configuration.as_ref();
    if mirror.and_then(|mirror| mirror.authenticate) != Some(true) {
        return Vec::new();
    }
    let need = |name: &str, what: &str, environment: &str| SecretNeed {
        name: name.to_owned(),
        purpose: format!("the {what} for the registry mirror"),
        environment: vec![environment.to_owned()],
        endpoint: None,
        required: true,
    };
    vec![
        need(render::REGISTRY_USERNAME, "user", "REGISTRY_USERNAME"),
        need(render::REGISTRY_PASSWORD, "password", "REGISTRY_PASSWORD"),
    ]
}

/// A `List` is its items; an empty document is nothing.
fn flat(document: Value) -> Vec<Value> {
    match document {
        Value::Null => Vec::new(),
        Value::Object(mut map) if map.get("kind").and_then(Value::as_str).is_some_and(|k| k.ends_with("List")) => {
            match map.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}
