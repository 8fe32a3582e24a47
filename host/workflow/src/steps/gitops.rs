//! Add-on manager and GitOps.

use async_trait::async_trait;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::{ObjectId, TypeRef};
use serde_json::Value;

use super::id;
use crate::event::ReporterExt;
use crate::gitops::{Config, Credential, Flux, Repository, files};
use crate::run::Run;
use crate::step::{Failure, Step};

/// What Flux follows, and what it makes of it. Both have the name of their namespace.
const SOURCE: (&str, &str) = ("source.toolkit.fluxcd.io/v1", "GitRepository");
const SYNC: (&str, &str) = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");

pub(crate) struct GitOps;

#[async_trait(?Send)]
impl Step<Run> for GitOps {
    fn id(&self) -> &'static str {
        id::GITOPS
    }

    fn title(&self) -> &'static str {
        "Installing AddonManager and GitOps Toolkit on workload cluster"
    }

    /// Flux follows the branch and the path that the spec names. For a cluster that another one manages, Flux is there, and
    /// the files are what counts.
    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let Some(config) = wanted(run)? else { return Ok(true) };
        if run.management.is_some() {
            // Flux is the management cluster's, and follows its path: the cluster's files are all there is to it.
            let credential = Credential::of(&config, &run.options)?;
            let repository = Repository::new(&config, &credential, &run.options)?;
            return Ok(repository.has(&files(&config, &run.prepared)).await?);
        }
        let Some(api) = run.workload_if_there().await? else { return Ok(false) };
        let source = flux_object(&api, SOURCE, &config).await?;
        let sync = flux_object(&api, SYNC, &config).await?;
        let at = |object: &Option<Value>, at: &str| -> Option<String> {
            Some(object.as_ref()?.pointer(at)?.as_str()?.trim_start_matches("./").trim_matches('/').to_owned())
        };
        Ok(at(&source, "/spec/ref/branch").as_deref() == Some(config.branch.as_str())
            && at(&sync, "/spec/path").as_deref() == Some(config.path.as_str()))
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let Some(config) = wanted(run)? else {
            if let Some(config) = Config::of(&run.prepared.spec)? {
                run.reporter.line(format!("GitOps is not rehearsed, {} stays as it is", config.url()));
            } else {
                run.reporter.line("GitOps field not specified, bootstrap flux skipped");
            }
            return Ok(());
        };
        let credential = Credential::of(&config, &run.options)?;
        let repository = Repository::new(&config, &credential, &run.options)?;
        if run.management.is_some() {
            run.note("adding the cluster's files to git, where the management cluster's Flux follows them");
            repository.commit(files(&config, &run.prepared)).await?;
            return Ok(());
        }
        let flux = Flux::find(&run.options)?;
        let kubeconfig = run.folder.path_of(&run.folder.kubeconfig_file());
        let kubeconfig = std::path::absolute(&kubeconfig).unwrap_or(kubeconfig);
        if !repository.exists().await? {
            run.note(format!("the repository `{}` is not there yet: flux makes it", config.url()));
            flux.bootstrap(&config, &credential, &kubeconfig).await?;
        }
        run.note("adding the cluster's files to git");
        if !repository.commit(files(&config, &run.prepared)).await? {
            run.note("they are there already");
        }
        flux.bootstrap(&config, &credential, &kubeconfig).await?;
        Ok(())
    }
}

/// What the spec asks for, unless this is a rehearsal: the repository is a real one.
pub(crate) fn wanted(run: &Run) -> Result<Option<Config>, Failure> {
    Ok(Config::of(&run.prepared.spec)?.filter(|_| !run.options.rehearsal))
}

async fn flux_object(
    api: &Api,
    (version, kind): (&'static str, &'static str),
    config: &Config,
) -> Result<Option<Value>, Failure> {
    let id = ObjectId::namespaced(TypeRef::new(version, kind), &config.namespace, &config.namespace);
    if !api.serves(&id.kind).await? {
        return Ok(None);
    }
    Ok(api.get(&id).await?)
}
