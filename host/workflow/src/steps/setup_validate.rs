//! The environment is what the spec says it is.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;

use super::id;
use crate::event::ReporterExt as _;
use crate::folder::{AUDIT, LOCK_FILE};
use crate::gitops;
use crate::journal::{Entry, Operation, Records};
use crate::load::{self, plugin_error};
use crate::preflight;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct SetupValidate;

#[async_trait(?Send)]
impl Step<Run> for SetupValidate {
    fn id(&self) -> &'static str {
        id::SETUP
    }

    fn title(&self) -> &'static str {
        "Performing setup and validations"
    }

    /// Checks once more until something was touched. After that the environment is no longer what preflight expects
    /// (the control plane's address answers, for one), and what was found out then has to stay: the names of machine
    /// templates depend on it.
    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let records = run.journal.records();
        let checked = run.checks.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        Ok(records.facts().is_some() && (checked || records.touched(id::SETUP)))
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let (name, records) = (&run.prepared.description().name, run.journal.records());
        let trail = &run.options.plugin_rules.trail;
        let notice = trail.write_to(&run.folder.path_of(AUDIT)).map_err(|e| run.refuse(plugin_error(name, e)))?;
        if let Some(said) = notice {
            run.reporter.warning(said);
        }
        let environment =
            run.prepared.environment(&run.options, Arc::clone(&run.secrets)).map_err(|e| run.refuse(e))?;
        let ground = run.ground();
        let begun = records.ever_started(Operation::Create, id::WORKLOAD);
        let checked =
            preflight::run(&run.prepared, &run.options, &environment, Some(&ground), begun, run.reporter.as_ref())
                .await
                .map_err(|e| run.refuse(e))?;
        gitops::check(&run.prepared, &run.options, false).await.map_err(|e| run.refuse(e.into()))?;
        let entry = Entry::Preflight { facts: checked.facts };
        run.journal.add(run.options.clock.now(), Operation::Create, entry).map_err(|e| run.refuse(e.into()))?;
        *run.checks.lock().unwrap_or_else(PoisonError::into_inner) = Some(checked.checks);
        // What can't be rendered is better found out now than with a bootstrap cluster in the way.
        let manifests = run.manifests().await?;
        let of_release = match run.management {
            // Nothing is installed on a cluster that is there, so nobody has read them yet.
            Some(_) => Some(run.prepared.component_manifests().await.map_err(|e| run.refuse(e))?),
            None => None,
        };
        let components = of_release.as_ref().unwrap_or(&run.components);
        load::check_served(manifests, components).map_err(|e| run.refuse(e))?;
        run.cni().await.map_err(|e| run.refuse(e))?;
        run.prepared.lock_plugin(&run.folder.path_of(LOCK_FILE)).map_err(|e| run.refuse(e))
    }
}
