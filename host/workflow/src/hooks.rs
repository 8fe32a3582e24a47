//! Steps with a provider's hooks around their work.

use std::sync::Arc;

use async_trait::async_trait;
use kedge_plugin::PluginError;
use serde_json::{Value, json};

use crate::error::WorkflowError;
use crate::event::ReporterExt as _;
use crate::folder::AUDIT;
use crate::journal::Records;
use crate::load::plugin_error;
use crate::run::{Run, from_workflow};
use crate::step::{Failure, Step, Steps};

/// The same steps, with hooks around those that the plugin names.
pub(crate) async fn around(steps: Steps<Run>, run: &Run) -> Result<Steps<Run>, WorkflowError> {
    let plugin = &run.prepared.plugin;
    let wanted = plugin.lifecycle_steps().await.map_err(|e| plugin_error(&plugin.description().name, e))?;
    let hooked = |step: Box<dyn Step<Run>>| -> Box<dyn Step<Run>> {
        if wanted.iter().any(|id| id == step.id()) { Box::new(Hooked(step)) } else { step }
    };
    Ok(steps.into_iter().map(hooked).collect())
}

struct Hooked(Box<dyn Step<Run>>);

#[async_trait(?Send)]
impl Step<Run> for Hooked {
    fn id(&self) -> &'static str {
        self.0.id()
    }

    fn title(&self) -> &'static str {
        self.0.title()
    }

    fn line(&self) -> Option<&'static str> {
        self.0.line()
    }

    fn droppable(&self) -> bool {
        self.0.droppable()
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        self.0.holds(run).await
    }

    async fn ready(&self, run: &Run) -> Result<(), Failure> {
        self.0.ready(run).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let plugin = &run.prepared.plugin;
        let name = &plugin.description().name;
        let failed = |e: PluginError| Failure::new(format!("the hook of `{name}` failed: {e}"), e.remedy());
        let facts = run.journal.records().facts().map_or_else(|| json!({}), |(facts, _): (&Value, _)| facts.clone());
        let input = run.prepared.input(&facts);
        let notice = run.options.plugin_rules.trail.write_to(&run.folder.path_of(AUDIT)).map_err(failed)?;
        if let Some(said) = notice {
            run.reporter.warning(said);
        }
        let environment = run.prepared.environment(&run.options, Arc::clone(&run.secrets)).map_err(from_workflow)?;
        plugin.lifecycle_before(self.id(), &input, &environment).await.map_err(failed)?;
        self.0.work(run).await?;
        plugin.lifecycle_after(self.id(), &input, &environment).await.map_err(failed)
    }
}
