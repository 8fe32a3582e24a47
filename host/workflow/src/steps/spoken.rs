//! A step under another line.

use async_trait::async_trait;

use crate::run::Run;
use crate::step::{Failure, Step};

/// The same step with a line of its own, or without one.
pub(crate) struct Spoken {
    pub(crate) step: Box<dyn Step<Run>>,
    pub(crate) line: Option<&'static str>,
}

#[async_trait(?Send)]
impl Step<Run> for Spoken {
    fn id(&self) -> &'static str {
        self.step.id()
    }

    fn title(&self) -> &'static str {
        self.line.unwrap_or_else(|| self.step.title())
    }

    fn line(&self) -> Option<&'static str> {
        self.line
    }

    fn droppable(&self) -> bool {
        self.step.droppable()
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        self.step.holds(run).await
    }

    async fn ready(&self, run: &Run) -> Result<(), Failure> {
        self.step.ready(run).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        self.step.work(run).await
    }
}
