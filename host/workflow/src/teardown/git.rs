//! The cluster's files in its git repository, once the cluster is gone.

use async_trait::async_trait;

use super::delete_id;
use crate::gitops::{Config, Credential, Repository};
use crate::run::Run;
use crate::step::{Failure, Step};
use crate::steps::gitops_wanted;

pub(crate) struct CleanUpGit;

#[async_trait(?Send)]
impl Step<Run> for CleanUpGit {
    fn id(&self) -> &'static str {
        delete_id::GIT
    }

    fn title(&self) -> &'static str {
        "Clean up Git Repo"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let Some((config, repository)) = repository(run)? else { return Ok(true) };
        Ok(!repository.has_path(&path(run, &config)).await?)
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let Some((config, repository)) = repository(run)? else { return Ok(()) };
        Ok(repository.remove(&path(run, &config)).await?)
    }
}

fn repository(run: &Run) -> Result<Option<(Config, Repository)>, Failure> {
    let Some(config) = gitops_wanted(run)? else { return Ok(None) };
    let credential = Credential::of(&config, &run.options)?;
    let repository = Repository::new(&config, &credential, &run.options)?;
    Ok(Some((config, repository)))
}

/// What is the cluster's alone: with a cluster that manages itself, its Flux goes too.
fn path(run: &Run, config: &Config) -> String {
    match run.management {
        Some(_) => format!("{}/{}", config.path, run.name()),
        None => config.path.clone(),
    }
}
