//! Steps as data, and what runs them.
//!
//! A step has work, which can be done again at any time, and a postcondition, which is looked up outside. A run
//! verifies postconditions from the top and goes on at the first that does not hold.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::event::{Event, Reporter};
use crate::interrupt::Interrupt;
use crate::journal::{Entry, Journal, JournalError, Operation, milliseconds};

/// Why a step failed, in the words that a person needs.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong: names the object and its condition.
    pub message: String,
    /// Where: the object, if there is one.
    pub object: Option<String>,
    /// What to try.
    pub remedy: String,
    /// The cause.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

impl Failure {
    /// A failure without a cause beneath it.
    pub fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), object: None, remedy: remedy.into(), source: None }
    }

    /// Says which object it is about.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    fn caused_by(message: String, remedy: String, source: impl StdError + Send + Sync + 'static) -> Self {
        // What only repeats the message helps nobody.
        Self { message, object: None, remedy, source: source.source().is_some().then(|| Box::new(source) as _) }
    }
}

impl From<kedge_cluster_api::Error> for Failure {
    fn from(error: kedge_cluster_api::Error) -> Self {
        use kedge_cluster_api::Error;
        let object = match &error {
            Error::Refused { object, .. }
            | Error::Unreachable { object, .. }
            | Error::GaveUp { object, .. }
            | Error::Hopeless { object, .. } => Some(object.clone()),
            _ => None,
        };
        let mut failure = Self::caused_by(error.to_string(), error.help(), error);
        failure.object = object;
        failure
    }
}

impl From<kedge_bootstrap::BootstrapError> for Failure {
    fn from(error: kedge_bootstrap::BootstrapError) -> Self {
        Self::caused_by(error.to_string(), error.remedy(), error)
    }
}

impl From<crate::folder::FolderError> for Failure {
    fn from(error: crate::folder::FolderError) -> Self {
        Self::caused_by(error.to_string(), error.remedy(), error)
    }
}

impl From<crate::fetch::FetchError> for Failure {
    fn from(error: crate::fetch::FetchError) -> Self {
        Self::caused_by(error.to_string(), error.remedy(), error)
    }
}

impl From<crate::gitops::GitOpsError> for Failure {
    fn from(error: crate::gitops::GitOpsError) -> Self {
        Self::caused_by(error.to_string(), error.remedy(), error)
    }
}

impl From<crate::tools::ToolError> for Failure {
    fn from(error: crate::tools::ToolError) -> Self {
        Self::caused_by(error.to_string(), error.remedy(), error)
    }
}

/// One step of an operation on a cluster; `C` is what the steps of the operation share.
#[async_trait(?Send)]
pub trait Step<C: Sync + ?Sized>: Send + Sync {
    /// A stable name in kebab case.
    fn id(&self) -> &'static str;

    /// What it does: usually its line in the workflow document.
    fn title(&self) -> &'static str;

    /// The line that goes to standard output when the work begins.
    fn line(&self) -> Option<&'static str> {
        Some(self.title())
    }

    /// The postcondition, looked up outside. An error means that it can't be found out.
    async fn holds(&self, context: &C) -> Result<bool, Failure>;

    /// What has to be so before the work begins; an error says what is missing, before anything is touched.
    async fn ready(&self, _context: &C) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether the work may be dropped anywhere when the run is asked to stop. Else it is seen through first.
    fn droppable(&self) -> bool {
        true
    }

    /// The work. May find some or all of it done.
    async fn work(&self, context: &C) -> Result<(), Failure>;
}

/// A list of steps.
pub type Steps<C> = Vec<Box<dyn Step<C>>>;

/// How a run of steps ended early.
#[derive(Debug)]
pub enum Stopped {
    /// A step failed.
    Failed {
        /// Its id.
        step: &'static str,
        /// What it does.
        title: &'static str,
        /// Why.
        failure: Failure,
    },
    /// The run was asked to stop.
    Interrupted {
        /// What the step does at which it stopped.
        title: &'static str,
    },
    /// The journal can't be written: nothing more is done.
    Journal(JournalError),
}

impl From<JournalError> for Stopped {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// What a run of steps needs besides the steps.
pub struct Runner<'a> {
    /// What is being done.
    pub operation: Operation,
    /// Where it is written down.
    pub journal: &'a Journal,
    /// Who hears of it.
    pub reporter: &'a dyn Reporter,
    /// How it is stopped.
    pub interrupt: &'a Interrupt,
    /// What time it is.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// How many steps were found done.
    pub already: usize,
    /// How many were done now.
    pub now: usize,
}

impl Runner<'_> {
    /// Runs `steps` from the first whose postcondition does not hold to the end.
    pub async fn run<C: Sync + ?Sized>(&self, steps: &[Box<dyn Step<C>>], context: &C) -> Result<Ran, Stopped> {
        let first = self.first_open(steps, context).await?;
        for step in steps.iter().skip(first) {
            self.one(step.as_ref(), context).await?;
        }
        Ok(Ran { already: first, now: steps.len() - first })
    }

    /// How many steps from the top are done already.
    async fn first_open<C: Sync + ?Sized>(&self, steps: &[Box<dyn Step<C>>], context: &C) -> Result<usize, Stopped> {
        for (index, step) in steps.iter().enumerate() {
            let looked = self.interrupt.unless_asked(step.holds(context)).await;
            let held = match looked {
                None => return Err(self.interrupted(step.as_ref())?),
                Some(Err(failure)) => return Err(self.failed(step.as_ref(), failure, Duration::ZERO)?),
                Some(Ok(held)) => held,
            };
            if !held {
                return Ok(index);
            }
            let (id, title) = (step.id().to_owned(), step.title().to_owned());
            self.reporter.event(Event::StepDone { id, title, elapsed: Duration::ZERO, already: true });
        }
        Ok(steps.len())
    }

    async fn one<C: Sync + ?Sized>(&self, step: &dyn Step<C>, context: &C) -> Result<(), Stopped> {
        if self.interrupt.is_asked() {
            return Err(self.interrupted(step)?);
        }
        let begun = Instant::now();
        let (id, title) = (step.id().to_owned(), step.title().to_owned());
        self.reporter.event(Event::StepStarted { id: id.clone(), title: title.clone() });
        if let Some(line) = step.line() {
            self.reporter.event(Event::Line { text: line.to_owned() });
        }
        if let Err(failure) = step.ready(context).await {
            return Err(self.failed(step, failure, begun.elapsed())?);
        }
        self.add(Entry::Started { step: id.clone() })?;
        let work = async {
            step.work(context).await?;
            if step.holds(context).await? {
                return Ok(());
            }
            Err(Failure::new(
                format!("its work is done, but what it should have brought about is not there: {title}"),
                "something else may be changing the same objects; run the same command again",
            ))
        };
        let result = if step.droppable() { self.interrupt.unless_asked(work).await } else { Some(work.await) };
        match result {
            None => Err(self.interrupted(step)?),
            Some(Err(failure)) => Err(self.failed(step, failure, begun.elapsed())?),
            Some(Ok(())) => {
                let elapsed = begun.elapsed();
                self.add(Entry::Done { step: id.clone(), milliseconds: milliseconds(elapsed) })?;
                self.reporter.event(Event::StepDone { id, title, elapsed, already: false });
                Ok(())
            }
        }
    }

    fn interrupted<C: Sync + ?Sized>(&self, step: &dyn Step<C>) -> Result<Stopped, JournalError> {
        self.add(Entry::Interrupted { step: step.id().to_owned() })?;
        Ok(Stopped::Interrupted { title: step.title() })
    }

    fn failed<C: Sync + ?Sized>(
        &self,
        step: &dyn Step<C>,
        failure: Failure,
        elapsed: Duration,
    ) -> Result<Stopped, JournalError> {
        self.add(Entry::Failed { step: step.id().to_owned(), message: failure.message.clone() })?;
        self.reporter.event(Event::StepFailed { id: step.id().to_owned(), title: step.title().to_owned(), elapsed });
        Ok(Stopped::Failed { step: step.id(), title: step.title(), failure })
    }

    fn add(&self, entry: Entry) -> Result<(), JournalError> {
        self.journal.add((self.now)(), self.operation, entry)
    }
}

#[cfg(test)]
mod tests;
