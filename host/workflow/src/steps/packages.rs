//! The controller of curated packages. A cluster is whole without it: that it can't be installed is a warning.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::id;
use crate::event::ReporterExt;
use crate::packages;
use crate::run::Run;
use crate::step::{Failure, Step};

#[derive(Default)]
pub(crate) struct Packages {
    /// It was tried in this run, in vain.
    gave_up: AtomicBool,
}

#[async_trait(?Send)]
impl Step<Run> for Packages {
    fn id(&self) -> &'static str {
        id::PACKAGES
    }

    fn title(&self) -> &'static str {
        "Enabling curated packages on the cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if self.gave_up.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let Some(api) = run.workload_if_there().await? else { return Ok(false) };
        packages::installed(&api, run.name()).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        if let Err(error) = packages::install(run).await {
            self.gave_up.store(true, Ordering::Relaxed);
            let help = error.help_text().map(|help| format!(" ({help})")).unwrap_or_default();
            run.reporter.warning(format!(
                "the controller of curated packages is not installed: {error}{help}; the cluster does without, and the same command tries again"
            ));
        }
        Ok(())
    }
}
